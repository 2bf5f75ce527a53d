"""Cutting Markdown into messages of a platform's size, so that each part reads well by itself. Pure.

A part ends, in this order of preference, between blocks, between items of a list, between lines, sentences, words, and
at last between graphemes. A fenced block that is cut is closed in one part and opened again in the next. What has to
stay whole (links, mentions, custom emoji, code spans, emphasis) is cut only where it is longer than a part by itself.
"""

from __future__ import annotations

import logging
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

import regex
from markdown_it import MarkdownIt
from markdown_it.token import Token

Measure = Callable[[str], int]

_FILL = 4
"""A part that ends at a good place is taken when it has at least one in `_FILL` of what would fit."""

_NEWLINES = re.compile("\r\n?")
_WHOLE = re.compile(
    r"""!?\[(?:[^\[\]\\]|\\.|\[[^\[\]]{0,200}\]){0,500}\]      # [label](target "title"), an image too
          \([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:\s+"[^"\n]{0,300}")?\)
      | <[^<>\s][^<>\n]{0,2000}>                               # <https://…>, <@1>, <:name:1>, <t:1:R>, Slack's links
      | https?://[^\s<>]+
      | (?<!`)(`{1,3})(?!`)[^`\n]{1,500}(?<!`)\1(?!`)
      | \*\*[^*\n]{1,200}\*\* | __[^_\n]{1,200}__ | ~~[^~\n]{1,200}~~ | \|\|[^|\n]{1,200}\|\|
    """,
    re.VERBOSE,
)
_LINE = re.compile(r"\n")
_SENTENCE = re.compile(r"(?<![\d.!?…])[.!?…]++[\"')\]”’»*_]*+\s+|[\u3002\uff01\uff1f\uff61]+[」』\uff09”’]*\s*")
_WORD = re.compile(r"\s+")
_GRAPHEME = regex.compile(r"\X")
_QUOTE = re.compile(r"[ ]*>[ ]?")


def split(text: str, limit: int, *, measure: Measure = len) -> list[str]:
    """Parts of at most `limit`, in order; joined they are the text again, but for white space and added fences.

    A fence that the text leaves open is closed, so that the beginning of an answer can be shown as well as the whole.

    Args:
        text: Markdown.
        limit: the most that `measure` may give for a part.
        measure: the size of a part; it may not shrink when text is added.

    Returns:
        Nothing for a text without words; a single part is the text itself, trimmed at its ends.
    """
    source = _Source(_NEWLINES.sub("\n", text), limit, measure)
    return [part for part in source.parts() if part.strip()]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fence:
    """A fenced block that can be cut.

    Args:
        start: offset of its opening line.
        body: offset of its first line of code.
        tail: offset of its closing line; where the block ends when there is none.
        end: offset after the block.
        opener: how it is opened again.
        closer: how it is closed after that.
        closer_in_place: how it is closed where it was opened.
        quotes: how many block quotes it stands in.
        indent: spaces before it inside these.
    """

    start: int
    body: int
    tail: int
    end: int
    opener: str
    closer: str
    closer_in_place: str
    quotes: int
    indent: int

    def rehomed(self, line: str) -> str:
        """A line of the block as it stands in a part that begins inside it: no list is around it there."""
        for _ in range(self.quotes):
            line = _QUOTE.sub("", line, count=1)
        spaces = len(line) - len(line.lstrip(" "))
        return "> " * self.quotes + line[min(spaces, self.indent) :]


class _Source:
    """A text with what is known of its structure."""

    def __init__(self, text: str, limit: int, measure: Measure) -> None:
        self.text = text
        self._limit = limit
        self._measure = measure
        tokens = _parser().parse(text)
        lines = [0, *accumulate(len(line) for line in _lines(text))]
        self._fences = [fence for fence in _fences(text, tokens, lines) if self._is_small(fence)]
        self._blocks = sorted({lines[line] for line in _block_lines(tokens)})
        self._items = sorted({lines[line] for line in _item_lines(tokens)})
        self._whole = _spans(text, self._fences)
        self._whole_starts = [start for start, _ in self._whole]

    def parts(self) -> Iterator[str]:
        """Part after part, each as long as its good end allows."""
        start = 0
        while start < len(self.text):
            end = self._end(start)
            yield self._part(start, end)
            start = end

    def _is_small(self, fence: _Fence) -> bool:
        """Whether opening and closing it again leaves room for what is in it."""
        return self._measure(f"{fence.opener}\n\n{fence.closer}") * 2 <= self._limit

    def _fence_at(self, offset: int) -> _Fence | None:
        index = bisect_right(self._fences, offset, key=lambda fence: fence.body) - 1
        fence = self._fences[index] if index >= 0 else None
        if fence is None or offset < fence.end:
            return fence
        return fence if offset == fence.end == fence.tail == len(self.text) else None  # open to the last

    def _part(self, start: int, end: int) -> str:
        """What is written for this stretch of the text."""
        opened, closed = self._fence_at(start), self._fence_at(end)
        if opened is not None and opened.tail <= start < opened.end:  # nothing but its closing line is left
            start, opened = opened.end, None
        body = self.text[start:end]
        is_line_start = start == 0 or self.text[start - 1] == "\n"
        if opened is not None:
            inside, outside = body[: max(0, opened.end - start)], body[max(0, opened.end - start) :]
            fresh = [
                line if n == 0 and not is_line_start else opened.rehomed(line) for n, line in enumerate(_lines(inside))
            ]
            body = f"{opened.opener}\n{''.join(fresh)}{outside}"
        else:
            body = body.lstrip("\n") if is_line_start else body.lstrip()
        body = body.rstrip()
        if closed is None or end > closed.tail:
            return body
        return f"{body}\n{closed.closer if closed is opened else closed.closer_in_place}"

    def _fits(self, start: int, end: int) -> bool:
        return self._measure(self._part(start, end)) <= self._limit

    def _end(self, start: int) -> int:
        """Where the part that begins at `start` ends best."""
        reach = self._reach(start)
        if reach == len(self.text) and self._fits(start, reach):
            return reach
        for least in (start + (reach - start) // _FILL, start):
            for offsets in self._ranked(start, reach):
                found = self._last(offsets, start, least)
                if found is not None:
                    return found
        anywhere = [*_graphemes(self.text, start, reach)] or [*range(start + 1, reach)]
        return self._last(anywhere, start, start, cut=True) or start + 1

    def _reach(self, start: int) -> int:
        """The furthest end of a part that is within the limit before fences are added."""
        size, text = self._measure, self.text
        low, high = start, start + max(1, self._limit)
        while high < len(text) and size(text[start:high]) <= self._limit:
            low, high = high, start + (high - start) * 2
        high = min(high, len(text))
        if size(text[start:high]) <= self._limit:
            return high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if size(text[start:middle]) <= self._limit else (low, middle)
        return max(low, start + 1)

    def _ranked(self, start: int, reach: int) -> Iterator[Sequence[int]]:
        """Places where a part may end, the best kind first, each kind in ascending order."""
        yield _between(self._blocks, start, reach)
        yield _between(self._items, start, reach)
        for pattern in (_LINE, _SENTENCE, _WORD):
            yield [match.end() for match in pattern.finditer(self.text, start, reach)]
        yield [*_graphemes(self.text, start, reach)]

    def _last(self, offsets: Sequence[int], start: int, least: int, *, cut: bool = False) -> int | None:
        """The last of these places after `least` with which the part fits; `cut`: even inside what is whole."""
        for offset in reversed(offsets):
            if offset <= least:
                return None
            if (cut or not self._is_inside(offset)) and self._fits(start, offset):
                return offset
        return None

    def _is_inside(self, offset: int) -> bool:
        index = bisect_left(self._whole_starts, offset) - 1
        return index >= 0 and offset < self._whole[index][1]


@cache
def _parser() -> MarkdownIt:
    """Blocks alone: what is inside a line is found by its own marks."""
    logging.getLogger("markdown_it").setLevel(logging.WARNING)  # it tells each rule that it tries
    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def _lines(text: str) -> list[str]:
    """As the parser counts them: other line ends than a newline end no line."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _between(offsets: Sequence[int], start: int, reach: int) -> Sequence[int]:
    return offsets[bisect_right(offsets, start) : bisect_right(offsets, reach)]


def _graphemes(text: str, start: int, reach: int) -> Iterator[int]:
    for match in _GRAPHEME.finditer(text, start):
        if match.end() > reach:
            return
        yield match.end()


def _block_lines(tokens: Iterable[Token]) -> Iterator[int]:
    """Lines at which a block begins that a part may begin with: not what stands under a heading."""
    heading = False
    for token in tokens:
        if token.level == 0 and token.nesting >= 0 and token.map is not None:
            if not heading:
                yield token.map[0]
            heading = token.type == "heading_open"


def _item_lines(tokens: Iterable[Token]) -> Iterator[int]:
    for token in tokens:
        if token.type == "list_item_open" and token.map is not None:
            yield token.map[0]


def _fences(text: str, tokens: Iterable[Token], lines: Sequence[int]) -> Iterator[_Fence]:
    for token in tokens:
        if token.type != "fence" or token.map is None:
            continue
        first, after = token.map[0], min(token.map[1], len(lines) - 1)
        opening, last = text[lines[first] : lines[first + 1]], text[lines[after - 1] : lines[after]]
        prefix = opening[: opening.find(token.markup)]
        mark = re.escape(token.markup[0])
        is_closed = after - first > 1 and re.fullmatch(rf"[ >]*{mark}{{{len(token.markup)},}}\s*", last) is not None
        quoted = "> " * prefix.count(">")
        indent = len(prefix[prefix.rfind(">") + 1 :].removeprefix(" " if quoted else ""))
        yield _Fence(
            start=lines[first],
            body=lines[first + 1],
            tail=lines[after - 1] if is_closed else lines[after],
            end=lines[after],
            opener=f"{quoted}{token.markup}{token.info.rstrip()}",
            closer=f"{quoted}{token.markup}",
            closer_in_place=f"{re.sub(r'[^> ]', ' ', prefix)}{token.markup}",
            quotes=prefix.count(">"),
            indent=indent,
        )


def _spans(text: str, fences: Iterable[_Fence]) -> list[tuple[int, int]]:
    """Stretches that stay whole: no part ends between the two offsets. They do not overlap."""
    edges: list[tuple[int, int]] = []
    for fence in fences:
        if fence.tail - fence.body <= 1:
            edges.append((fence.start, fence.end))
        else:  # an opening line goes with what follows it, a closing line with what stands before it
            edges += [(fence.start, fence.body + 1), (max(fence.body + 1, fence.tail - 1), fence.end)]
    starts = [start for start, _ in edges]
    spans = []
    for match in _WHOLE.finditer(text):
        index = bisect_left(starts, match.end()) - 1
        if index < 0 or edges[index][1] <= match.start():
            spans.append(match.span())
    return sorted([*spans, *edges])
