"""The Dockerfile's own steps, in a clean folder with a clean environment: CI has no engine for containers."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployment import DEPLOY, ROOT
from tests.deployment.dockerfile import ELSEWHERE, Build, Instruction, parse
from tests.deployment.image import BUILD, BUILT, FINAL, context
from tests.deployment.locked import link
from tests.servers.redis import RedisServer, free_port, serving

INSTRUCTIONS = parse((DEPLOY / "Dockerfile").read_text(encoding="utf-8"))


def only(name: str, stage: list[Instruction]) -> Instruction:
    """The one instruction of that name."""
    (found,) = [instruction for instruction in stage if instruction.name == name]
    return found


@pytest.mark.behaviour("deploy.image")
def test_the_image_says_what_it_is_made_of() -> None:
    base = only("ARG", INSTRUCTIONS).text
    assert re.fullmatch(r"PYTHON=python:3\.\d+-slim-[a-z]+", base), "one base, named without a registry"
    assert [stage[0].text for stage in (BUILD, FINAL)] == ["${PYTHON} AS build", "${PYTHON}"]
    installs = [i.text for i in BUILD if " install " in i.text]
    assert all("--require-hashes" in text or "--no-deps" in text for text in installs)
    assert all("--no-index" in text or "--only-binary :all:" in text for text in installs)
    assert "ca-certificates" in " ".join(i.text for i in FINAL if i.name == "RUN")
    user = only("USER", FINAL).text
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user), "a number, so that `runAsNonRoot` can tell that it is not root"
    assert FINAL.index(only("USER", FINAL)) > max(FINAL.index(i) for i in FINAL if i.name in ("RUN", "COPY"))
    assert all(only(name, FINAL).text.startswith(("[", "CMD [")) for name in ("ENTRYPOINT", "CMD", "HEALTHCHECK"))
    assert {i.name for i in INSTRUCTIONS} <= set("ARG FROM WORKDIR RUN COPY ENV USER EXPOSE HEALTHCHECK".split()) | {
        "ENTRYPOINT",
        "CMD",
    }
    elsewhere = [i.text for i in INSTRUCTIONS if i.name == "RUN" and i.text.startswith(ELSEWHERE)]
    assert len(elsewhere) == 2, "what the other test cannot run stays this little"


@pytest.mark.behaviour("deploy.image")
def test_nothing_but_the_program_is_sent_to_the_engine() -> None:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=True).stdout.split(
        "\0"
    )
    sent = [name for name in [*filter(None, listed), ".env", "deploy/secrets/web_token"] if context().holds(name)]
    assert {name.partition("/")[0] for name in sent} == {
        "README.md",
        "LICENSE",
        "pyproject.toml",
        "requirements",
        "bot",
        "adapters",
        "tools",
    }
    assert not context().holds("bot/__pycache__/app.cpython-311.pyc")


@pytest.mark.behaviour("deploy.image", "deploy.health")
@pytest.mark.timeout_s(280)
async def test_the_steps_of_the_dockerfile_make_a_frontdesk_that_runs(tmp_path: Path, postgres_url: str) -> None:
    # `.ci/run` has run the steps as they stand; pip takes most of a minute for them.
    built = os.environ.get(BUILT)  # noqa: TID251 - a folder, not a setting
    root = Path(built) if built else tmp_path / "image"
    instead = {"--requirement requirements/run.lock": lambda: link(ROOT / "requirements" / "run.lock", _site(root))}
    path = f"{Path(sys.executable).parent}:{os.defpath}"
    build = Build(context(), root, {"PATH": path, "HOME": str(tmp_path)}, instead)
    if not built:
        await asyncio.to_thread(build.run, BUILD)
    build.run(FINAL)
    _holds_what_the_repository_holds(root)

    redis = RedisServer(tmp_path / "redis")
    with serving(redis):
        port = str(free_port())
        settings = {
            **build.environment,
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": port,
            "REDIS_URL": redis.url,
            "DATABASE_URL": postgres_url,
            "FRONTDESK_SECRET_KEY": "0123456789abcdef",
            "OPENAI_API_KEY": "unused",
            "WEB_TOKEN": "fedcba9876543210",
        }
        home = Path(build.moved(only("WORKDIR", FINAL).text))
        entry, health = only("ENTRYPOINT", FINAL).words, only("HEALTHCHECK", FINAL)
        check = Instruction(name="CMD", flags=(), text=health.text.removeprefix("CMD ")).words
        told = await _run([*entry, "--help"], settings, home)
        assert told[0] == 0
        assert "dead-letters" in told[1]
        assert (await _run(check, settings, home))[0] != 0, "nobody answers yet"

        before = _files(root)
        process = await asyncio.create_subprocess_exec(
            *entry, *only("CMD", FINAL).words, cwd=home, env=settings, stdout=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(60):
                assert process.stdout is not None
                assert b"HTTP at" in await process.stdout.readline()
            assert (await _run(check, settings, home))[0] == 0
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(30):
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert (await _run(check, settings, home))[0] != 0, "nobody answers any more"
        assert _files(root) == before, "a read-only root is enough"


def _holds_what_the_repository_holds(root: Path) -> None:
    """Every file of the program is installed, scripts, templates and pictures too."""
    site = _site(root)
    for package in ("bot", "adapters", "tools"):
        theirs = {path.relative_to(ROOT) for path in (ROOT / package).rglob("*") if path.is_file()}
        theirs = {path for path in theirs if "__pycache__" not in path.parts}  # this checkout has run
        ours = {path.relative_to(site) for path in (site / package).rglob("*") if path.is_file()}
        ours = {path for path in ours if "__pycache__" not in path.parts}
        assert sorted(theirs - ours) == [], "not installed"
        assert sorted(ours - theirs) == [], "installed from nowhere"


def _site(root: Path) -> Path:
    """Where the virtual environment of the image keeps its packages."""
    (site,) = (root / "opt" / "frontdesk" / "lib").glob("python3.*/site-packages")
    return site


def _files(root: Path) -> set[Path]:
    return {path.relative_to(root) for path in root.rglob("*")}


async def _run(command: list[str], environment: dict[str, str], folder: Path) -> tuple[int, str]:
    program = shutil.which(command[0], path=environment["PATH"])
    assert program is not None, command
    process = await asyncio.create_subprocess_exec(
        program,
        *command[1:],
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()
