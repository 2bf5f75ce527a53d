"""The packages of a lock, taken from the environment that the tests run in."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from importlib.util import cache_from_source
from pathlib import Path

from packaging.requirements import Requirement

_PIN = re.compile(r"^(\S+==[^\\]+?) \\$", re.MULTILINE)


def pinned(lock: Path) -> Iterator[Requirement]:
    """What the lock holds for this Python and this system."""
    for line in _PIN.findall(lock.read_text(encoding="utf-8")):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            yield requirement


def link(lock: Path, site: Path) -> None:
    """Put links to the files of the locked packages, and of no other, into an environment's `site-packages`.

    The environment of the tests was installed by hash from a lock that agrees with this one, so nothing is missing that
    an install would bring; only programs (`bin/`) are left out.
    """
    locked = [(requirement, distribution(requirement.name)) for requirement in pinned(lock)]
    for requirement, found in locked:
        assert requirement.specifier.contains(found.version), (
            f"{found.name} {found.version} is not what {lock.name} says"
        )
        for old in site.glob(f"{found.name}-*.dist-info"):  # a new environment may bring one of its own
            for file in (old / "RECORD").read_text(encoding="utf-8").splitlines():
                (site / file.partition(",")[0]).unlink(missing_ok=True)
            shutil.rmtree(old)
    for source, target in (pair for _, found in locked for pair in _files(found, str(site))):
        try:
            os.symlink(source, target)  # noqa: PTH211 - there are ten thousand
        except FileNotFoundError:
            Path(target).parent.mkdir(parents=True)
            Path(target).symlink_to(source)


def _files(found: Distribution, site: str) -> Iterator[tuple[str, str]]:
    """File -> where its link goes; with the bytecode, without which the first start would take ten seconds."""
    base = str(Path(str(found.locate_file(""))).resolve())
    for file in map(str, found.files or ()):
        if ".." in file or "__pycache__" in file:
            continue
        source, target = f"{base}/{file}", f"{site}/{file}"
        yield source, target
        if file.endswith(".py"):
            compiled = cache_from_source(source)
            if os.path.exists(compiled):  # noqa: PTH110 - there are ten thousand
                yield compiled, cache_from_source(target)
