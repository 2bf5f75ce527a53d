"""What the desk itself says in threads and to the team: written down first, then said, and said again until it was.

| key                | type   | holds                                                              |
|--------------------|--------|--------------------------------------------------------------------|
| `agenda/PLATFORM`  | agenda | what is left to say: a sentence for a thread, or the name of a card |
| `card/NAME`        | value  | the card of that name, until it was shown                           |
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
import structlog

from bot.errors import Permanent, Transient
from bot.interpreter import Interpreter
from bot.messages import ThreadKey
from bot.outgoing import Policy, clean
from bot.ports import Card, Platform, SharedState

log = structlog.get_logger(__name__)

AGAIN_S = 15.0
"""How soon what could not be said is tried again."""

PATIENCE_S = 2.0
"""How long a platform may take; whoever waits for the announcement goes on then."""


class Said(msgspec.Struct, frozen=True, kw_only=True, tag="say"):
    """A sentence for a thread."""

    thread: ThreadKey
    text: str
    key: str


class Shown(msgspec.Struct, frozen=True, kw_only=True, tag="show"):
    """The name of a card for the team; an older form of it can never take the place of a younger one."""

    card: str


_CARD_S = 30 * 86_400.0
_ITEMS = msgspec.json.Decoder(Said | Shown)


class Announcements:
    """Says things of the desk's own, each once per key, whoever dies in between.

    Args:
        state: a namespace of its own.
        platforms: those of this process; what belongs to others is left to theirs.
    """

    def __init__(self, state: SharedState, platforms: Mapping[str, Platform], interpreter: Interpreter) -> None:
        self._state = state
        self._platforms = platforms
        self._interpreter = interpreter

    async def say(self, thread: ThreadKey, text: str, *, key: str, **values: object) -> None:
        """Say something in a thread, at once if that is possible.

        Args:
            text: a fixed sentence is said in the customer's language; `values` fill its places.
        """
        words = await self._interpreter.words(thread, text)
        filtered = clean(words.format(**values) if values else words, Policy(knows=lambda _: True))
        await self._deliver(thread.platform, Said(thread=thread, text=filtered, key=key))

    async def show(self, card: Card) -> None:
        """Show the team a card, at once if that is possible."""
        await self._state.set(f"card/{card.key}", msgspec.json.encode(card), ttl_s=_CARD_S)
        await self._deliver(card.thread.platform, Shown(card=card.key))

    async def _deliver(self, platform: str, item: Said | Shown) -> None:
        row = msgspec.json.encode(item)
        await self._state.plan(f"agenda/{platform}", row, after_s=AGAIN_S)
        await self._try(platform, row)

    async def catch_up(self, platform: str) -> bool:
        """Say one thing that was left; whether there was one."""
        row = await self._state.due(f"agenda/{platform}", lease_s=AGAIN_S)
        if row is None:
            return False
        await self._try(platform, row)
        return True

    async def _try(self, name: str, row: bytes) -> None:
        platform = self._platforms.get(name)
        if platform is None:
            return
        item = _ITEMS.decode(row)
        shown: bytes | None = None
        try:
            async with asyncio.timeout(PATIENCE_S):
                if isinstance(item, Said):
                    await platform.say(item.thread, item.text, key=item.key)
                elif shown := await self._state.get(f"card/{item.card}"):
                    await platform.notify("", msgspec.json.decode(shown, type=Card))
        except (Transient, TimeoutError) as failure:
            log.warning("announcement_waits", reason=str(failure) or "platform_slow")
            return
        except Permanent as failure:
            log.error("announcement_impossible", reason=failure.reason, kind=type(item).__name__)
        except Exception as failure:  # a fault of an adapter must not keep a human from being called
            log.error("announcement_failed", kind=type(item).__name__, exc_info=failure)
            return
        if isinstance(item, Said) or await self._is_settled(item, shown):
            await self._state.cancel(f"agenda/{name}", row)

    async def _is_settled(self, item: Shown, shown: bytes | None) -> bool:
        """Forget a card that was shown: what it quotes is kept on the record alone; one that is younger stays."""
        return not shown or await self._state.compare_and_set(f"card/{item.card}", shown, b"", ttl_s=AGAIN_S)
