"""One turn's answer on a terminal: what was written cannot be taken back, only added to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from adapters.console.render import render_activity, render_text
from bot.ports import Activity, Reply


class ConsoleReply:
    """See `bot.ports.ReplyStream`.

    Args:
        closed: called when the answer stands.
    """

    def __init__(self, output: TextIO, *, show_tools: bool, closed: Callable[[], None]) -> None:
        self._output = output
        self._show_tools = show_tools
        self._closed = closed
        self._shown = ""

    def append(self, delta: str) -> None:
        """Write more text."""
        self._shown += delta
        self._write(render_text(delta))

    def status(self, activity: Activity) -> None:
        """Write a line about a tool."""
        if self._show_tools:
            self._write(f"{self._new_line()}{render_activity(activity)}\n")

    async def close(self, reply: Reply) -> None:
        """Write what is missing; the whole text when what was written is something else."""
        shown, whole = self._shown.strip(), reply.text.strip()
        if whole.startswith(shown):
            self._write(render_text(whole[len(shown) :]))
        else:
            self._write(f"{self._new_line()}{render_text(whole)}")
        self._write("\n\n")
        self._closed()

    async def abandon(self) -> None:
        """Say that what was written does not stand."""
        if self._shown:
            self._write("\n  (interrupted, beginning again)\n")

    def _new_line(self) -> str:
        return "\n" if self._shown and not self._shown.endswith("\n") else ""

    def _write(self, text: str) -> None:
        self._output.write(text)
        self._output.flush()
