"""Markdown's tables as Slack's: the text around a table stays as it is. Pure.

A message takes one table; a further one becomes a code block in which the columns stand under each other.
Source: https://docs.slack.dev/reference/block-kit/blocks/table-block
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any
from unicodedata import east_asian_width

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROWS = 100
COLUMNS = 20
CELL_CHARS = 300
"""A longer cell is shown as it is written."""

Rows = list[list[str]]


def has_table(text: str) -> bool:
    """Whether there is a table in the text."""
    return "|" in text and any(token.type == "table_open" for token in _blocks().parse(text))


def pieces(text: str) -> Iterator[str | Rows]:
    """The text in order: Markdown, and tables as rows of cells."""
    if "|" not in text:
        yield text
        return
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    tokens = _blocks().parse(text)
    at = 0
    for index, token in enumerate(tokens):
        if token.type != "table_open" or token.level or token.map is None:
            continue
        first, after = token.map
        before = "".join(lines[at:first]).strip("\n")
        if before.strip():
            yield before
        yield _rows(tokens[index:])
        at = after
    rest = "".join(lines[at:]).strip("\n")
    if rest.strip():
        yield rest


def to_block(rows: Rows) -> dict[str, Any] | None:
    """A table of Slack's; nothing when it is too large for one."""
    if not (0 < len(rows) <= ROWS and 0 < len(rows[0]) <= COLUMNS):
        return None
    cells = [[{"type": "raw_text", "text": cell or " "} for cell in row] for row in rows]
    return {"type": "table", "column_settings": [{"is_wrapped": True} for _ in rows[0]], "rows": cells}


def to_code(rows: Rows) -> str:
    """The same as a code block."""
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)) for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    body = "\n".join(line.rstrip() for line in lines).replace("```", "'''")
    return f"```\n{body}\n```"


@cache
def _blocks() -> MarkdownIt:
    """Blocks alone: what stands inside of lines takes the parser more than proportional time."""
    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


@cache
def _inside() -> MarkdownIt:
    return MarkdownIt("commonmark")


def _rows(tokens: Sequence[Token]) -> Rows:
    rows: Rows = []
    for index, token in enumerate(tokens):
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("th_open", "td_open"):
            rows[-1].append(_plain(tokens[index + 1]))
    width = max((len(row) for row in rows), default=0)
    return [row + [""] * (width - len(row)) for row in rows]


def _plain(inline: Token) -> str:
    """A cell's words; a link keeps its address, because a cell has no markup."""
    if len(inline.content) > CELL_CHARS:
        return inline.content.strip()
    words: list[str] = []
    address = ""
    for child in _inside().parseInline(inline.content)[0].children or ():
        if child.type in ("text", "code_inline"):
            words.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            words.append(" ")
        elif child.type == "link_open":
            address = str(child.attrs.get("href", ""))
        elif child.type == "link_close" and address and (not words or words[-1] != address):
            words.append(f" ({address})")
    return "".join(words).strip()


def _width(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
