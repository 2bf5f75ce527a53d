"""What the files of the project say about where packages come from, and about the machine they were written on."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bot.config import Settings

ROOT = Path(__file__).parent.parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

PIN = re.compile(r"(?P<name>[a-z0-9._-]+)(\[[a-z0-9,_-]+\])?==(?P<version>[^\s;]+)( ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
NOTE = re.compile(r"    # .*")

# Written with brackets so that this file does not hold what it looks for.
REGISTRY = re.compile(
    r"pypi[.]org|pythonhosted[.]org|registry[.]npmjs|deb[.]debian[.]org|proxy[.]golang"
    r"|(?:^|\s)--?(?:extra-)?index[-]url|(?:^|\s)--find[-]links",
    re.MULTILINE,
)


def project_files() -> Iterator[tuple[str, str]]:
    """Name and text of every file that is, or would be, committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        pytest.skip("needs git and a checkout")
    for name in filter(None, listed.split("\0")):
        try:
            yield name, (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue  # a picture; a file that was removed and not committed yet


def pins(lock: Path) -> dict[str, str]:
    """Name -> version (a lock for several platforms may pin a name more than once: then the versions, joined)."""
    found: dict[str, set[str]] = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        if match := PIN.fullmatch(line):
            found.setdefault(canonicalize_name(match["name"]), set()).add(match["version"])
    return {name: " ".join(sorted(versions)) for name, versions in found.items()}


@pytest.mark.behaviour("repository.locked")
@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_pin_has_its_hashes_and_a_lock_holds_nothing_else(lock: Path) -> None:
    awaiting_hash = ""
    for line in lock.read_text(encoding="utf-8").splitlines():
        if match := PIN.fullmatch(line):
            assert not awaiting_hash
            awaiting_hash = match["name"]
        elif HASH.fullmatch(line):
            awaiting_hash = ""
        else:
            assert NOTE.fullmatch(line), line
    assert not awaiting_hash


@pytest.mark.behaviour("repository.locked")
def test_the_locks_hold_what_the_project_asks_for() -> None:
    extras = PROJECT["optional-dependencies"]
    asked = {
        "run": PROJECT["dependencies"],
        "demo": [*PROJECT["dependencies"], *extras["demo"]],
        "dev": [*PROJECT["dependencies"], *extras["demo"], *extras["dev"]],
    }
    for name, requirements in asked.items():
        locked = pins(ROOT / "requirements" / f"{name}.lock")
        for requirement in map(Requirement, requirements):
            version = locked.get(canonicalize_name(requirement.name), "")
            assert version, f"{name}.lock lacks {requirement}: run `make lock`"
            assert all(map(requirement.specifier.contains, version.split())), (
                f"{name}.lock has {version}, not {requirement}: `make lock`"
            )


def test_the_locks_agree_with_each_other() -> None:
    """`make demo` and `make test` share one environment: going from one to the other must change no version."""
    run, demo, dev = (pins(ROOT / "requirements" / f"{name}.lock") for name in ("run", "demo", "dev"))
    assert run.items() <= demo.items() <= dev.items()


# Used through another package: what SQLAlchemy drives, what Starlette parses forms with, what OCR runs on; and what
# shares a module with others (`opentelemetry`), of which a look at imports sees one.
UNSEEN = {"psycopg", "python-multipart", "onnxruntime", "opentelemetry-sdk"}


def imported(*folders: str) -> set[str]:
    """Names of the distributions that the Python files in these folders import."""
    modules: set[str] = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=names):
                    modules |= {alias.name.partition(".")[0] for alias in names}
                case ast.ImportFrom(module=str(module), level=0):
                    modules.add(module.partition(".")[0])
    foreign = modules - set(sys.stdlib_module_names) - {"bot", "adapters", "tools", "tests"}
    owners = packages_distributions()
    # Several distributions may put files into one module: then the one that is called like it.
    return {
        canonicalize_name(min(owners.get(module, [module]), key=lambda owner: canonicalize_name(owner) != module))
        for module in foreign
    }


@pytest.mark.behaviour("repository.declared")
def test_the_project_asks_for_what_it_imports_and_for_nothing_else() -> None:
    def names(requirements: list[str]) -> set[str]:
        return {canonicalize_name(Requirement(requirement).name) for requirement in requirements}

    extras = PROJECT["optional-dependencies"]
    declared = names([*PROJECT["dependencies"], *extras["demo"]])
    used = imported("bot", "adapters", "tools")
    assert sorted(used - declared) == [], "imported and not declared"
    assert sorted(declared - used - UNSEEN) == [], "declared and not imported"
    assert sorted(imported("tests") - declared - names(extras["dev"])) == [], "imported by tests and not declared"


@pytest.mark.behaviour("repository.portable")
def test_no_file_names_a_registry() -> None:
    assert [(name, found[0]) for name, text in project_files() if (found := REGISTRY.search(text))] == []


@pytest.mark.behaviour("repository.portable")
def test_no_file_names_a_path_of_this_machine() -> None:
    here = [f"{path}/" for path in (ROOT, Path.home()) if len(path.parts) > 1]
    assert [(name, path) for name, text in project_files() for path in here if path in text] == []


@pytest.mark.behaviour("repository.settings")
def test_every_setting_is_explained_where_operators_look() -> None:
    explained = re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", (ROOT / "deploy" / "env.example").read_text(), re.MULTILINE)
    assert sorted({name.upper() for name in Settings.model_fields} - set(explained)) == []
