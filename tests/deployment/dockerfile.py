"""A Dockerfile's instructions, and its build steps run in a folder instead of a container."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ELSEWHERE = ("apt-get ", "groupadd ")
"""A `RUN` that begins so changes the system of the image: it can run in a container only."""

STEP_S = 240.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction: `RUN`, `COPY` …, with its flags (`--from=build`) taken out of its text."""

    name: str
    flags: tuple[str, ...]
    text: str

    @property
    def words(self) -> list[str]:
        """Its arguments, in whichever of the two forms they are written."""
        return list(json.loads(self.text)) if self.text.startswith("[") else self.text.split()


def parse(text: str) -> list[Instruction]:
    """The instructions in order; comments, also between continued lines, are left out."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = []
    for line in filter(str.strip, joined.splitlines()):
        name, _, rest = line.partition(" ")
        flags: list[str] = []
        while match := re.match(r"(--\S+)\s+", rest):
            flags.append(match[1])
            rest = rest[match.end() :]
        found.append(Instruction(name=name, flags=tuple(flags), text=rest.strip()))
    return found


def stages(instructions: Sequence[Instruction]) -> list[list[Instruction]]:
    """The instructions of each stage, each beginning with its `FROM`."""
    found: list[list[Instruction]] = []
    for instruction in instructions:
        if instruction.name == "FROM":
            found.append([])
        if found:
            found[-1].append(instruction)
    return found


class Context:
    """What a build is given: the files of a folder that its `.dockerignore` lets through."""

    def __init__(self, folder: Path, ignore: str) -> None:
        self._folder = folder
        self._rules = [line for line in ignore.splitlines() if line.strip() and not line.startswith("#")]

    def holds(self, name: str) -> bool:
        """Whether this file, named from the folder, is sent: the last rule that fits it decides."""
        sent = True
        for rule in self._rules:
            pattern = rule.removeprefix("!")
            if _fits(name, pattern):
                sent = rule.startswith("!")
        return sent

    def copy(self, sources: Sequence[str], target: Path, *, into: bool) -> None:
        """`COPY`: files and folders' contents; nothing that is not sent, and nothing that is not there."""
        for source in sources:
            path = self._folder / source
            files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
            sent = [file for file in files if self.holds(file.relative_to(self._folder).as_posix())]
            assert sent, f"COPY {source}: the context does not hold it"
            for file in sent:
                place = target / file.relative_to(path) if path.is_dir() else target / path.name if into else target
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, place)


def _fits(name: str, pattern: str) -> bool:
    parts = name.split("/")
    prefixes = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    if pattern.startswith("**/"):
        return any(fnmatch.fnmatchcase(part, pattern[3:]) for part in parts)
    return any(fnmatch.fnmatchcase(prefix, pattern) and prefix.count("/") == pattern.count("/") for prefix in prefixes)


class Build:
    """Runs the stages of a Dockerfile with their absolute paths moved under a folder.

    Args:
        root: takes the place of `/`.
        environment: of every command.
        instead: what is done in place of a `RUN` in which this text stands.
    """

    def __init__(
        self,
        context: Context,
        root: Path,
        environment: Mapping[str, str],
        instead: Mapping[str, Callable[[], None]] | None = None,
    ) -> None:
        self.skipped: list[str] = []
        self._instead = dict(instead or {})
        self.environment = dict(environment)
        self._context = context
        self._root = root
        self._folder = root

    def run(self, stage: Sequence[Instruction]) -> None:
        """Every instruction of one stage that can be done without a container; the others are in `skipped`."""
        for instruction in stage:
            match instruction.name:
                case "WORKDIR":
                    self._folder = Path(self.moved(instruction.text))
                    self._folder.mkdir(parents=True, exist_ok=True)
                case "COPY" if not instruction.flags:
                    *sources, target = instruction.words
                    into = len(sources) > 1 or target.endswith("/")
                    self._context.copy(sources, self._folder / target, into=into)
                case "RUN" if not instruction.text.startswith(ELSEWHERE):
                    other = [act for text, act in self._instead.items() if text in instruction.text]
                    for act in other:
                        act()
                    if not other:
                        self._shell(self.moved(instruction.text))
                case "ENV":
                    for name, value in re.findall(r"([A-Z_]+)=(\S+)", instruction.text):
                        given = value.replace("$PATH", self.environment["PATH"])
                        self.environment[name] = self.moved(given)
                case _:
                    self.skipped.append(instruction.name)

    def moved(self, text: str) -> str:
        """The text with the image's own folders under the root; the system's stay where they are."""
        return re.sub(r"(?<![\w./])/(?=(?:opt/frontdesk|src|var/lib/frontdesk)\b)", f"{self._root}/", text)

    def _shell(self, command: str) -> None:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self._folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=STEP_S,
            check=False,
        )
        assert done.returncode == 0, f"RUN {command}\n{done.stdout}\n{done.stderr}"
