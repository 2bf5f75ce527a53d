"""Runs the build stage of the Dockerfile as it stands, with its `pip` lines, in a folder instead of a container.

    python -m tests.deployment.image PYTHON FOLDER

`.ci/run` does this once and gives the folder to the tests, which then look at what came of it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.deployment import DEPLOY, ROOT
from tests.deployment.dockerfile import Build, Context, parse, stages

BUILT = "FRONTDESK_BUILT_IMAGE"
"""Names the folder for the tests; without it they make one of their own, with links in place of packages."""

BUILD, FINAL = stages(parse((DEPLOY / "Dockerfile").read_text(encoding="utf-8")))


def context() -> Context:
    """What a build would be sent."""
    return Context(ROOT, (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8"))


def build(python: str, root: Path) -> None:
    """Build with this Python, under this folder, with the machine's own settings of pip."""
    program = root / "usr" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{python}" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    given = os.environ  # noqa: TID251 - where this machine's pip finds packages
    environment = {name: value for name, value in given.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    Build(context(), root, {**environment, "PATH": f"{program.parent}:{os.defpath}"}).run(BUILD)


if __name__ == "__main__":
    build(sys.argv[1], Path(sys.argv[2]).absolute())
