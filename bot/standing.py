"""What admins ordered for more than one thread (pauses, blocked persons): one small document in shared state, mirrored
in every process, so that looking at it costs nothing and a change is heard within a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from secrets import token_hex

import msgspec
import structlog

from bot.errors import Transient
from bot.messages import Person, ThreadKey
from bot.ports import SharedState
from bot.principal import person_ref
from bot.tasks import end

log = structlog.get_logger(__name__)

EVERYTHING = "all"
"""The place that holds every thread of every tenant."""

POLL_S = 0.5
"""How long a change can stay unheard when what was published about it is lost."""

_KEY = "standing"
_RACES = 50
_KEPT_S = 90 * 86_400.0
"""How long it is remembered who waits for the end of a pause, and who was told of a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One standing order: a name of its own, and when it was given; who gave it is on the audit."""

    id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All standing orders.

    Args:
        paused: place (`everywhere`, `channel_of`, `EVERYTHING`) -> the order.
        blocked: person -> the order; a person is a digest, so that nobody is named for as long as they are blocked.
        lifted: place -> a pause that is over, until all who waited for that were looked after.
    """

    paused: Mapping[str, Entry] = field(default_factory=dict)
    lifted: Mapping[str, Entry] = field(default_factory=dict)
    blocked: Mapping[str, Entry] = field(default_factory=dict)


def everywhere(tenant: str) -> str:
    """The place that holds every thread of a tenant."""
    return f"tenant/{tenant}"


def channel_of(thread: ThreadKey) -> str:
    """The place that holds every thread of this one's channel."""
    return f"channel/{thread.platform}/{thread.space}/{thread.channel}"


class StandingOrders:
    """Reads and changes them.

    Args:
        state: a namespace of its own.
        tenant_of: space -> tenant.
    """

    def __init__(self, state: SharedState, tenant_of: Callable[[str], str]) -> None:
        self._state = state
        self._tenant_of = tenant_of
        self._raw: bytes | None = None
        self._changed = asyncio.Event()
        self.current = Standing()
        """As this process heard them last."""

    async def run(self) -> None:
        """Keep the mirror; runs until cancelled."""
        listening = asyncio.create_task(self._listen())
        try:
            while True:
                try:
                    await self.load()
                except Transient as failure:
                    log.warning("standing_orders_unread", reason=failure.reason)
                await asyncio.sleep(POLL_S)
        finally:
            await end(listening)

    async def _listen(self) -> None:
        while True:
            try:
                async with aclosing(self._state.subscribe(_KEY)) as news:
                    async for _ in news:
                        await self.load()
            except Transient:
                await asyncio.sleep(POLL_S)

    async def changed(self) -> None:
        """Wait until this process hears of a change."""
        await self._changed.wait()

    async def load(self) -> Standing:
        """As they are at this moment.

        Raises:
            Transient: they cannot be read.
        """
        self._take(await self._state.get(_KEY))
        return self.current

    def pause_of(self, thread: ThreadKey) -> tuple[str, Entry] | None:
        """The place and the order because of which nobody is answered in this thread."""
        paused = self.current.paused
        if paused:
            for place in (EVERYTHING, everywhere(self._tenant_of(thread.space)), channel_of(thread)):
                if (entry := paused.get(place)) is not None:
                    return place, entry
        return None

    def block_of(self, person: str) -> Entry | None:
        """The order because of which this person (`bot.principal.person_ref`) is not listened to."""
        return self.current.blocked.get(_hidden(person)) if self.current.blocked else None

    def hears(self, thread: ThreadKey, author: Person) -> bool:
        """Whether this person is listened to; colleagues always are."""
        return author.is_staff or self.block_of(person_ref(thread, author.id)) is None

    async def pause(self, place: str) -> Entry:
        """Answer nobody in this place until `resume`; the order that stands already, if there is one."""
        entry = _entry()
        await self._change(lambda now: replace(now, paused={**now.paused, place: now.paused.get(place, entry)}))
        return self.current.paused.get(place, entry)

    async def resume(self, place: str) -> Entry | None:
        """Answer again; the order that was lifted. `waiting_in` tells who waits for that, and `settled` ends it."""

        def lift(now: Standing) -> Standing:
            entry = now.paused.get(place)
            lifted = now.lifted if entry is None else {**now.lifted, place: entry}
            return replace(now, paused=_without(now.paused, place), lifted=lifted)

        await self._change(lift)
        return self.current.lifted.get(place)

    async def settled(self, place: str) -> None:
        """All who waited for the end of the pause were looked after."""
        await self._change(lambda now: replace(now, lifted=_without(now.lifted, place)))

    async def block(self, person: str) -> bool:
        """Listen to a person no more; whether that is a change."""
        name, entry = _hidden(person), _entry()
        was = name in (await self.load()).blocked
        await self._change(lambda now: replace(now, blocked={**now.blocked, name: now.blocked.get(name, entry)}))
        return not was

    async def unblock(self, person: str) -> bool:
        """Listen to a person again; whether that is a change."""
        name = _hidden(person)
        was = name in (await self.load()).blocked
        await self._change(lambda now: replace(now, blocked=_without(now.blocked, name)))
        return was

    async def wait_in(self, place: str, entry: Entry, thread: ThreadKey) -> None:
        """Remember that somebody in this thread waits for the end of a pause."""
        await self._state.append(f"waiting/{place}/{entry.id}", str(thread).encode(), ttl_s=_KEPT_S)

    async def waiting_in(self, place: str, entry: Entry) -> list[ThreadKey]:
        """The threads in which somebody waits for the end of this pause."""
        rows = await self._state.read(f"waiting/{place}/{entry.id}")
        return [ThreadKey.parse(row.decode()) for row in dict.fromkeys(rows)]

    async def first_refusal(self, person: str, entry: Entry) -> bool:
        """Whether a blocked person has not been told so yet; true once."""
        return await self._state.compare_and_set(f"told/{_hidden(person)}/{entry.id}", None, b"1", ttl_s=_KEPT_S)

    async def _change(self, change: Callable[[Standing], Standing]) -> None:
        for _ in range(_RACES):
            stored = await self._state.get(_KEY)
            before = _read(stored)
            after = change(before)
            if after == before:
                self._take(stored)
                return
            raw = msgspec.json.encode(after)
            if await self._state.compare_and_set(_KEY, stored, raw):
                self._take(raw)
                await self._state.publish(_KEY, b"")
                return
        raise Transient("standing_orders_contended")

    def _take(self, raw: bytes | None) -> None:
        if raw != self._raw:
            self._raw, self.current = raw, _read(raw)
            self._changed.set()
            self._changed = asyncio.Event()


def _read(raw: bytes | None) -> Standing:
    return Standing() if raw is None else msgspec.json.decode(raw, type=Standing)


def _entry() -> Entry:
    return Entry(id=token_hex(6), at=datetime.now(UTC))


def _hidden(person: str) -> str:
    platform, space, person_id = person.split(":", 2)
    return f"{platform}:{space}:{blake2b(person_id.encode(), digest_size=12).hexdigest()}"


def _without(entries: Mapping[str, Entry], name: str) -> Mapping[str, Entry]:
    return {key: entry for key, entry in entries.items() if key != name}
