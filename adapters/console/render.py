"""What is written to a terminal. Pure."""

from __future__ import annotations

import re

from bot.ports import Activity, ToolFinished, ToolStarted

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters other than tab and line feed: text must not steer the terminal."""


def render_text(text: str) -> str:
    """Text that does nothing but stand there."""
    return _CONTROL.sub("", text)


def render_activity(activity: Activity) -> str:
    """One line about a tool."""
    match activity:
        case ToolStarted(call=call):
            return f"  · {render_text(call.name)} {render_text(call.arguments)[:200]}"
        case ToolFinished(call=call, result=result):
            state = "refused or failed" if result.is_error else "done"
            return f"  · {render_text(call.name)}: {state} ({result.duration_ms} ms)"
