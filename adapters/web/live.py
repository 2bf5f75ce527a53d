"""An answer while it is being written: ephemeral text that the committed answer replaces.

| key                          | type  | lives  | holds                                                             |
|------------------------------|-------|--------|--------------------------------------------------------------------|
| `live/<root>`                | value | 20 s   | {turn, writer}: who writes; renewed by a beat while they live       |
| `text/<root>/<turn>/<writer>`| log   | 15 min | {offset, text}: what was shown; offsets count characters            |

Each piece of text is appended, then told with its offset. Who looks from the beginning appends what is told; who comes
late, or finds a gap, reads the log. A writer whose `live` key names another has lost the thread and falls silent.
"""

from __future__ import annotations

from typing import Any

import orjson

from adapters.web.log import PageLog, PageThread
from adapters.web.render import clean
from bot.ports import SharedState

BEAT_S = 5.0
_ALIVE_S = 20.0
_TEXT_S = 900.0


def _text_key(root: str, turn: int, writer: str) -> str:
    return f"text/{root}/{turn}/{writer}"


class LiveWriter:
    """The side of the worker.

    Args:
        writer: distinguishes this attempt from every other one at the same turn.
    """

    def __init__(self, log: PageLog, thread: PageThread, turn: int, writer: str) -> None:
        self._log = log
        self._thread = thread
        self._turn = turn
        self._writer = writer
        self._mine = orjson.dumps({"turn": turn, "writer": writer})
        self.length = 0

    async def begin(self) -> None:
        """Take the thread's live text over; what another writer showed is gone."""
        await self._log.state.set(f"live/{self._thread.root}", self._mine, ttl_s=_ALIVE_S)
        await self._tell("begin")

    async def write(self, text: str) -> None:
        """Show more text."""
        text = clean(text)
        piece = {"offset": self.length, "text": text}
        await self._log.state.append(
            _text_key(self._thread.root, self._turn, self._writer), orjson.dumps(piece), ttl_s=_TEXT_S
        )
        self.length += len(text)
        await self._tell("text", **piece)

    async def beat(self) -> bool:
        """Say that somebody is still writing; false when that is somebody else."""
        alive = await self._log.state.compare_and_set(
            f"live/{self._thread.root}", self._mine, self._mine, ttl_s=_ALIVE_S
        )
        if alive:
            await self._tell("beat")
        return alive

    async def end(self) -> None:
        """Take the live text away: the committed answer stands in its place."""
        await self._log.state.delete(f"live/{self._thread.root}")
        await self._log.state.delete(_text_key(self._thread.root, self._turn, self._writer))
        await self._tell("end")

    async def _tell(self, what: str, **more: Any) -> None:
        await self._log.tell(self._thread, "live", what=what, turn=self._turn, writer=self._writer, **more)


class LiveReader:
    """The side of one browser: turns what is told into what it must change.

    Shape (of each change):
        {"turn", "text", "reset": true} show exactly this text; {"turn", "text"} add it; {"turn", "beat": true};
        {"turn", "end": true} nobody writes.
    """

    def __init__(self, state: SharedState, root: str) -> None:
        self._state = state
        self._root = root
        self._writer = ""
        self._length = 0

    async def join(self) -> dict[str, Any] | None:
        """The text so far, if somebody writes."""
        stored = await self._state.get(f"live/{self._root}")
        if stored is None:
            self._writer = ""
            return None
        now = orjson.loads(stored)
        text = ""
        for row in await self._state.read(_text_key(self._root, now["turn"], now["writer"])):
            piece = orjson.loads(row)
            if piece["offset"] == len(text):
                text += piece["text"]
        self._writer, self._length = now["writer"], len(text)
        return {"turn": now["turn"], "text": text, "reset": True}

    async def follow(self, news: dict[str, Any]) -> dict[str, Any] | None:
        """What the browser must change because of one piece of news."""
        match news["what"]:
            case "begin":
                self._writer, self._length = news["writer"], 0
                return {"turn": news["turn"], "text": "", "reset": True}
            case "end":
                self._writer = ""
                return {"turn": news["turn"], "end": True}
            case "text" if news["writer"] == self._writer and news["offset"] <= self._length:
                if news["offset"] < self._length:
                    return None
                self._length += len(news["text"])
                return {"turn": news["turn"], "text": news["text"]}
            case "beat" if news["writer"] == self._writer:
                return {"turn": news["turn"], "beat": True}
        return await self.join()
