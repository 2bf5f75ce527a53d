"""What MCP servers say that they have, as values: what a model is told of it, and under which names. Pure."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from mcp.types import ListToolsResult, Tool

NAME_CHARS = 64
"""Source: the pattern of a function's name in Chat Completions, ^[A-Za-z0-9_-]{1,64}$."""

DESCRIPTION_CHARS = 1_000
"""Endpoints refuse longer ones (OpenAI: 1,024)."""

PAGES = 50
"""Pages of a list that are read; more is a list that never ends."""

_UNFIT = re.compile(r"[^A-Za-z0-9_-]")
_HASH_CHARS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A tool as its server lists it.

    Args:
        name: the server's own.
        parameters: a JSON schema of an object.
        only_reads: the server says that it changes nothing.
        repeatable: the server says that calling it again changes nothing more.
    """

    name: str
    description: str
    parameters: Mapping[str, Any] = field(hash=False)
    only_reads: bool
    repeatable: bool


def listed(tool: Tool, mask: Callable[[str], str]) -> Listed:
    """Read a tool of a list. A hint counts only when it is given and true.

    Args:
        mask: takes the secrets of the server's settings out of a text.
    """
    hints = tool.annotations
    description = tool.description or tool.title or tool.name
    schema = mask(orjson.dumps(tool.input_schema).decode())
    return Listed(
        name=tool.name,
        description=mask(description).strip()[:DESCRIPTION_CHARS],
        parameters={"type": "object", "properties": {}, **_without_marks(orjson.loads(schema))},
        only_reads=hints is not None and hints.read_only_hint is True,
        repeatable=hints is not None and hints.idempotent_hint is True,
    )


async def read_list(
    page: Callable[[str | None], Awaitable[ListToolsResult]], mask: Callable[[str], str]
) -> tuple[Sequence[Listed], bool]:
    """All pages of a server's list, sorted by name; and whether that was all.

    Args:
        page: gives the page at a cursor, the first one at none.
    """
    found: dict[str, Listed] = {}
    cursor: str | None = None
    for _ in range(PAGES):
        read = await page(cursor)
        found |= {tool.name: listed(tool, mask) for tool in read.tools}
        if (cursor := read.next_cursor) is None:
            break
    return [tool for _, tool in sorted(found.items())], cursor is None


def _without_marks(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without what says nothing to a model, and what the strictest endpoints refuse at its root."""
    return {name: value for name, value in schema.items() if name not in ("$schema", "$id", "title")}


def shown_names(listings: Mapping[str, Sequence[str]], taken: Collection[str]) -> dict[tuple[str, str], str]:
    """The name under which a model sees each tool: its own, or `server__tool` where two would be called the same.

    It depends on nothing but the lists, so that every process comes to the same names.

    Args:
        listings: server -> its tools' own names.
        taken: names of other tools; they stay theirs.

    Returns:
        (server, tool) -> name.
    """
    every = [(server, tool) for server, tools in sorted(listings.items()) for tool in sorted(tools)]
    plain = {key: _fit(key[1]) for key in every}
    often = Counter(plain.values())
    names = {
        key: plain[key] if often[plain[key]] == 1 and plain[key] not in taken else _fit("__".join(key)) for key in every
    }
    often = Counter(names.values())
    return {
        key: name if often[name] == 1 and name not in taken else _distinct(name, "\0".join(key))
        for key, name in names.items()
    }


def _fit(name: str) -> str:
    fit = _UNFIT.sub("_", name) or "_"
    return fit if len(fit) <= NAME_CHARS else _distinct(fit, name)


def _distinct(name: str, of: str) -> str:
    digest = hashlib.sha256(of.encode(errors="surrogatepass")).hexdigest()[:_HASH_CHARS]
    return f"{name[: NAME_CHARS - _HASH_CHARS - 1]}_{digest}"
