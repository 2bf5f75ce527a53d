"""A whole conversation as a file, for people: Markdown, HTML, or JSON for programs. Pure; what was typed stays text."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from bot.casework import quoted
from bot.conversation import AssistantTurn, Entry, NoteTurn, StaffTurn, ToolTurn, Turn, UserTurn
from bot.messages import ThreadKey
from bot.ports import File

_UNSAFE = re.compile(r"[^\w.-]+")
_FENCE = re.compile(r"`{3,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry as people read it.

    Args:
        kind: `person`, `colleague`, `frontdesk`, `tool` or `note`.
    """

    kind: str
    who: str
    at: datetime
    text: str


def transcript(thread: ThreadKey, entries: Sequence[Entry], form: str) -> File:
    """The conversation as a file; `form` is `markdown`, `json` or `html`."""
    name = f"transcript-{_UNSAFE.sub('-', thread.root)[:60]}"
    if form == "json":
        rows = b",\n".join(entry.row for entry in entries)
        data = b'{"thread":%s,"turns":[\n%s\n]}\n' % (orjson.dumps(str(thread)), rows)
        return File(name=f"{name}.json", media_type="application/json", data=data)
    lines = [line for entry in entries for line in _lines(entry.turn)]
    if form == "html":
        return File(name=f"{name}.html", media_type="text/html; charset=utf-8", data=_html(thread, lines).encode())
    return File(name=f"{name}.md", media_type="text/markdown; charset=utf-8", data=_markdown(thread, lines).encode())


def _lines(turn: Turn) -> list[Line]:
    match turn:
        case UserTurn():
            files = "".join(f"\n[attached: {one.name}, {one.media_type}]" for one in turn.attachments)
            who = turn.author.display_name + (f" ({turn.author.organisation})" if turn.author.organisation else "")
            return [Line(kind="person", who=who, at=turn.at, text=(turn.text or "(deleted)") + files)]
        case StaffTurn():
            return [Line(kind="colleague", who=turn.author.display_name, at=turn.at, text=turn.text or "(deleted)")]
        case NoteTurn():
            return [Line(kind="note", who="Note", at=turn.at, text=turn.text)]
        case ToolTurn():
            return [Line(kind="tool", who=f"Result of {turn.call_id}", at=turn.at, text=turn.content)]
        case AssistantTurn():
            said = [Line(kind="frontdesk", who="Frontdesk", at=turn.at, text=turn.text)] if turn.text else []
            return said + [
                Line(kind="tool", who=f"Call {call.id}", at=turn.at, text=f"{call.name} {call.arguments}")
                for call in turn.tool_calls
            ]


def _markdown(thread: ThreadKey, lines: Sequence[Line]) -> str:
    parts = [f"# Conversation {quoted(str(thread), 400)}", ""]
    for line in lines:
        parts += [f"**{quoted(line.who, 200)}** · {_at(line.at)}", ""]
        # A fence longer than any in the text: nothing typed can be anything but text.
        fence = "`" * max(3, max((len(run) + 1 for run in _FENCE.findall(line.text)), default=3))
        parts += [f"{fence}text", line.text, fence, ""]
    return "\n".join(parts)


def _html(thread: ThreadKey, lines: Sequence[Line]) -> str:
    body = "\n".join(
        f'<article class="{line.kind}"><header><b dir="auto">{html.escape(line.who)}</b> '
        f'<time datetime="{line.at.astimezone(UTC).isoformat()}">{_at(line.at)}</time></header>'
        f'<pre dir="auto">{html.escape(line.text)}</pre></article>'
        for line in lines
    )
    return _PAGE.format(title=html.escape(str(thread)), body=body)


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width"><title>Conversation {title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
article {{ border-left: 3px solid #999; margin: 1rem 0; padding: 0 0 0 .8rem }}
.frontdesk {{ border-color: #2a6 }} .colleague {{ border-color: #26a }} .tool, .note {{ color: #666; font-size: 13px }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; margin: .2rem 0 }} time {{ color: #777 }}
</style></head><body><h1>Conversation</h1>
{body}
</body></html>
"""


def _at(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
