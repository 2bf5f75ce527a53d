"""One person is forgotten in Redis: conversations, what adapters keep of them, secrets, proofs, counts; and the proof.

A conversation that only this person (and staff) took part in goes as a whole. Where others took part, what this person
said and what was answered to it is emptied in its place, as a deleted message is. What is left is found by looking at
every key and every value that there is, and not by a list of places that somebody would have to keep.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

import orjson
from redis.asyncio import Redis

from bot.conversation import AssistantTurn, NoteTurn, StaffTurn, ToolTurn, Turn, UserTurn
from bot.messages import Person, PersonRef, ThreadKey
from bot.ports import Searched
from bot.store import codec
from bot.store.client import Connections, mapped, read_list
from bot.store.keys import Partition, partition_of, state
from bot.store.lua import Scripts

FORGOTTEN = Person(id="forgotten", display_name="[forgotten]")

_PREFIX = "frontdesk:"
_STATE = "frontdesk:state:"
_VAULT = "app/vault"
_MARK_MS = 60_000
_KEPT_OF_ITEM = ("id", "kind", "turn", "at")


@dataclass(slots=True)
class _Threads:
    """Whose threads are whose: those that go as a whole, and those that others took part in."""

    own: set[ThreadKey] = field(default_factory=set)
    shared: set[ThreadKey] = field(default_factory=set)


class RedisForgetting:
    """See `bot.ports.Forgetting`.

    Args:
        partitions: number of partitions.
        to_wire: what a model is sent of a turn.
    """

    def __init__(self, connections: Connections, to_wire: Callable[[Turn], bytes], *, partitions: int) -> None:
        self._redis = connections.commands
        self._scripts = Scripts(connections.commands)
        self._to_wire = to_wire
        self._partitions = partitions

    async def forget(self, person: PersonRef) -> dict[str, int]:
        """Forget; how much of what there was."""
        threads = await self._threads(person)
        done = {"conversations": len(threads.own), "shared conversations": 0, "entries": 0, "facts": 0, "letters": 0}
        for thread in threads.own:
            await self._drop(thread)
        for thread in threads.shared:
            done["shared conversations"] += 1
            done["entries"] += await self._empty(thread, person)
        done["letters"] = await self._drop_letters(person, threads)
        done["facts"] = await self._drop_facts(person, threads)
        return done

    async def search(self, person: PersonRef) -> dict[str, Searched]:
        """Look at everything that there is."""
        found: dict[str, Searched] = {}
        async for key in self._keys(f"{_PREFIX}*"):
            place = _place(key)
            seen = found.get(place, Searched(looked_at=0, found=0))
            values = [value async for value in _values(self._redis, key)]
            hits = _concerns(key, person) or any(_mentions(key, value, person) for value in values)
            found[place] = Searched(looked_at=seen.looked_at + 1 + len(values), found=seen.found + hits)
        return dict(sorted(found.items()))

    # ---------------------------------------------------------------------------------------------- conversations

    async def _threads(self, person: PersonRef) -> _Threads:
        threads = _Threads()
        here = str(ThreadKey(platform=person.platform, space=person.space, channel="", root="")).rstrip(":")
        seen: set[ThreadKey] = set()
        for kind in ("turns", "inbox", "meta"):
            async for key in self._keys(f"{_PREFIX}*:{kind}:{here}:*"):
                seen.add(ThreadKey.parse(key.partition(f":{kind}:")[2]))
        for thread in seen:
            at = self._at(thread)
            rows = [*await read_list(self._redis, at.turns(thread)), *await read_list(self._redis, at.inbox(thread))]
            customers = {who for who, staff in map(_author, rows) if who and not staff}
            with mapped():
                took_part = await self._redis.hexists(at.meta(thread), f"party:{person.id}")
            if person.id in customers or took_part:
                (threads.shared if customers - {person.id, FORGOTTEN.id} else threads.own).add(thread)
        return threads

    async def _drop(self, thread: ThreadKey) -> None:
        at = self._at(thread)
        keys = [at.due, at.open, at.inbox(thread), at.turns(thread), at.meta(thread)]
        await self._scripts.patiently("forget", keys, [str(thread), _MARK_MS])

    async def _empty(self, thread: ThreadKey, person: PersonRef) -> int:
        """Empty what the person said in a shared thread, and what was answered to it; how many entries that were."""
        at, emptied = self._at(thread), 0
        for row in await read_list(self._redis, at.inbox(thread)):
            if _author(row)[0] == person.id:
                emptied += int(await self._scripts.patiently("edit", [at.inbox(thread), at.open], [row, b""]))
        rows = await read_list(self._redis, at.turns(thread))
        theirs = False
        for index, row in enumerate(rows):
            who, _ = _author(row)
            theirs = who == person.id if who else theirs
            if theirs:
                await self._drop_secrets(thread, orjson.loads(row).get("secrets") or ())
                empty = codec.encode(_forgotten(codec.decode(row)), self._to_wire).row
                emptied += int(await self._scripts.patiently("erase", [at.turns(thread)], [index, row, empty]))
        with mapped():
            await self._redis.hdel(at.meta(thread), f"party:{person.id}")
        return emptied

    async def _drop_secrets(self, thread: ThreadKey, handles: Iterable[str]) -> None:
        """What was typed as a secret is sealed and names nobody; its handle stands in what was said."""
        for handle in handles:
            key = state(_VAULT, f"{thread}/{handle}")
            with mapped():
                await self._redis.delete(key)
                await self._redis.delete(f"{key}/used")

    async def _drop_letters(self, person: PersonRef, threads: _Threads) -> int:
        dropped = 0
        for number in range(self._partitions):
            at = Partition(number)
            for raw in await read_list(self._redis, at.dead):
                letter = orjson.loads(raw)
                thread = ThreadKey.parse(letter["thread"])
                theirs = (thread.platform, thread.space, letter["author"]["id"]) == (
                    person.platform,
                    person.space,
                    person.id,
                )
                if theirs or thread in threads.own:
                    with mapped():
                        dropped += int(await self._redis.lrem(at.dead, 1, raw))  # type: ignore[arg-type]  # bytes
        return dropped

    def _at(self, thread: ThreadKey) -> Partition:
        return Partition(partition_of(thread, self._partitions))

    # ------------------------------------------------------------------------------------------------------- facts

    async def _drop_facts(self, person: PersonRef, threads: _Threads) -> int:
        """Forget what anybody keeps in shared state of the person, or of a conversation that is gone."""
        dropped = 0
        async for key in self._keys(f"{_PREFIX}*"):
            if _place(key) in ("records", "agendas"):
                continue
            if _concerns(key, person) or any(_is_about(key, thread, person) for thread in threads.own):
                with mapped():
                    dropped += int(await self._redis.delete(key))
                continue
            dropped += await self._drop_parts(key, person, threads)
        return dropped

    async def _drop_parts(self, key: str, person: PersonRef, threads: _Threads) -> int:
        def concerns(value: bytes) -> bool:
            return _mentions(key, value, person) or any(_is_in(key, value, thread, person) for thread in threads.own)

        with mapped():
            kind = cast("bytes", await self._redis.type(key)).decode()
        if kind == "list":
            return await self._empty_log(key, person, concerns)
        dropped = 0
        async for value in _values(self._redis, key):
            if concerns(value):
                with mapped():
                    removed = self._redis.zrem(key, value) if kind == "zset" else self._redis.delete(key)
                    dropped += int(await removed)
        return dropped

    async def _empty_log(self, key: str, person: PersonRef, concerns: Callable[[bytes], bool]) -> int:
        """Empty what the person said in an adapter's log, and what follows it until somebody else says something."""
        rows = await read_list(self._redis, key)
        if not any(map(concerns, rows)):
            return 0
        theirs, owners, emptied = False, dict[str, bool](), 0
        for index, row in enumerate(rows):
            item = _parsed(row)
            if not isinstance(item, dict) or "id" not in item:
                if concerns(row):
                    with mapped():
                        emptied += int(await self._redis.lrem(key, 0, row))  # type: ignore[arg-type]  # bytes
                continue
            if str(item["id"]) not in owners:
                theirs = concerns(row) or (theirs and item.get("kind") != "message")
                owners[str(item["id"])] = theirs
            if owners[str(item["id"])]:
                kept = {name: item[name] for name in _KEPT_OF_ITEM if name in item}
                shown = {**kept, "text": "", "gone": True} if "kind" in item else {"id": item["id"]}
                with mapped():
                    await self._redis.lset(key, index, orjson.dumps(shown))  # type: ignore[arg-type]  # bytes
                emptied += 1
        return emptied

    async def _keys(self, pattern: str) -> AsyncIterator[str]:
        with mapped():
            async for key in self._redis.scan_iter(match=pattern, count=1_000):
                yield cast("bytes", key).decode()


def _author(row: bytes) -> tuple[str, bool]:
    """Who said this, and whether that was staff; nobody for what models and tools said."""
    author = orjson.loads(row).get("author") or {}
    return author.get("id", ""), bool(author.get("is_staff"))


def _forgotten(turn: Turn) -> Turn:
    """The turn without anything of the person, in a form that a model may still be sent."""
    match turn:
        case UserTurn():
            return replace(turn, author=FORGOTTEN, message_ids=(), text="", attachments=(), secrets=())
        case StaffTurn():
            return replace(turn, text="")
        case NoteTurn():
            return replace(turn, author=FORGOTTEN, text="", message_ids=())
        case AssistantTurn():
            calls = tuple(replace(call, arguments="{}") for call in turn.tool_calls)
            return replace(turn, text="[forgotten]" if turn.text else "", tool_calls=calls)
        case ToolTurn():
            return replace(turn, content='"[forgotten]"')


def _place(key: str) -> str:
    """What a key belongs to, in words for the operator."""
    if key.startswith(_STATE):
        return "facts of " + key.removeprefix(_STATE).partition(":")[0].partition("/")[0]
    if key.startswith(f"{_PREFIX}rate:"):
        return "counts"
    if any(f":{kind}:" in key for kind in ("turns", "inbox", "meta")):
        return "records"
    if key.endswith(":dead"):
        return "dead letters"
    return "agendas"


def _segments(key: str) -> set[str]:
    return set(key.replace(":", "/").split("/"))


def _is_platforms(key: str, person: PersonRef) -> bool:
    return key.startswith(f"{_STATE}adapter/{person.platform}:")


def _concerns(key: str, person: PersonRef) -> bool:
    """Whether the key itself names the person."""
    if _place(key) in ("records", "agendas"):
        return False
    segments = _segments(key)
    if person.id not in segments:
        return False
    return _is_platforms(key, person) or {person.platform, person.space} <= segments


def _is_about(key: str, thread: ThreadKey, person: PersonRef) -> bool:
    """Whether a key is of one thread alone."""
    return str(thread) in key or (_is_platforms(key, person) and thread.root in _segments(key))


def _is_in(key: str, value: bytes, thread: ThreadKey, person: PersonRef) -> bool:
    """Whether a value is about a thread."""
    return str(thread).encode() in value or (_is_platforms(key, person) and f'"{thread.root}"'.encode() in value)


def _mentions(key: str, value: bytes, person: PersonRef) -> bool:
    """Whether a value names the person: as business data does, or by the id as JSON writes it."""
    if str(person).encode() in value:
        return True
    if f'"{person.id}"'.encode() not in value and f"party:{person.id}".encode() != value:
        return False
    if _place(key) == "records":
        return f":{person.platform}:{person.space}:" in key
    here = (f"{person.platform}:{person.space}:".encode(), f'"{person.space}"'.encode())
    return _is_platforms(key, person) or any(place in value for place in here)


async def _values(redis: Redis, key: str) -> AsyncIterator[bytes]:
    """Everything that a key holds: elements, members, fields and their values."""
    with mapped():
        kind = cast("bytes", await redis.type(key)).decode()
        if kind == "string":
            held: Any = [await redis.get(key)]
        elif kind == "list":
            held = await read_list(redis, key)
        elif kind == "hash":
            held = [part for pair in (await redis.hgetall(key)).items() for part in pair]
        elif kind == "zset":
            held = await redis.zrange(key, 0, -1)
        else:
            held = []
    for value in _present(held):
        yield value


def _present(held: Any) -> Iterator[bytes]:
    return (value for value in held if value is not None)


def _parsed(row: bytes) -> object:
    try:
        return orjson.loads(row)
    except orjson.JSONDecodeError:
        return None
