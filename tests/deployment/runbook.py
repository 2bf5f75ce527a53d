"""The blocks of commands in Markdown, for tests that do what operators are told to do."""

from __future__ import annotations

import re

from tests.deployment import DEPLOY


def blocks(text: str, language: str) -> dict[str, str]:
    """Name -> content of every fenced block of a language; one without a name is called by its number."""
    found = re.findall(rf"^```{language}(?: ([\w-]+))?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return {name or str(number): content for number, (name, content) in enumerate(found)}


def steps(name: str) -> str:
    """The commands of a named block of the runbook."""
    return blocks((DEPLOY / "runbook.md").read_text(encoding="utf-8"), "sh")[name]
