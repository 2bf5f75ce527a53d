"""Which of Discord's threads is which conversation, kept in shared state.

| key                  | holds |
|----------------------|-------|
| `thread/<thread id>` | the conversation of a thread, where it does not follow from the thread itself |
| `former/<thread id>` | the conversations that went on in it before and moved to a private thread, oldest first |
| `place/<key>`        | where a conversation is answered: a thread, or the channel or direct messages in its stead |
| `origin/<key>`       | how a conversation began that no message began (`Origin`) |
| `said/<message id>`  | the conversation of a message in a channel, where there could be no thread |
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from adapters.discord.inbound import DIRECT
from bot.messages import ThreadKey
from bot.ports import SharedState

_CACHED = 10_000


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a conversation began that no message in a channel began.

    Args:
        person: who began it.
        private: it goes on where only the person and the team read along.
        asks: it has no message of its own that a thread could be made from.
    """

    person: str
    private: bool = False
    asks: bool = False


class Venue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a conversation is answered.

    Args:
        channel: id of a thread, channel or direct conversation.
        private: only the customer and the team read along there.
        is_thread: it is a thread; else it stands in for one that could not be made.
    """

    channel: str
    private: bool = False
    is_thread: bool = True


class Register:
    """The conversations of this token.

    Args:
        keep_s: how long an idle conversation is remembered.
    """

    def __init__(self, state: SharedState, *, keep_s: float) -> None:
        self._state = state
        self._keep_s = keep_s
        self._seen: OrderedDict[str, ThreadKey] = OrderedDict()

    async def conversation(self, thread: str, message: str = "") -> ThreadKey | None:
        """The conversation that a thread of Discord's was found to be, if it does not follow from the thread.

        Args:
            message: what in the thread is asked about; it may be from before another conversation began there.
        """
        kept = await self._state.get(f"thread/{thread}")
        key = None if kept is None else ThreadKey.parse(kept.decode())
        if key is None or not (message.isdecimal() and key.root.isdecimal()) or int(message) >= int(key.root):
            return key
        former = [ThreadKey.parse(row.decode()) for row in await self._state.read(f"former/{thread}")]
        begun = [one for one in former if int(one.root) <= int(message)]
        return begun[-1] if begun else key

    async def meet(self, key: ThreadKey, thread: str, *, private: bool) -> None:
        """Remember that this conversation goes on in a thread that somebody else made, such as a post in a forum."""
        if self._seen.get(thread) == key:
            self._seen.move_to_end(thread)
            return
        place = Venue(channel=thread, private=private)
        await self._state.compare_and_set(f"place/{key}", None, _encoded(place), ttl_s=self._keep_s)
        self._seen[thread] = key
        if len(self._seen) > _CACHED:
            self._seen.popitem(last=False)

    async def conversation_of(self, message: str) -> ThreadKey | None:
        """The conversation that a message in a channel belongs to, where there could be no thread for it."""
        kept = await self._state.get(f"said/{message}")
        return None if kept is None else ThreadKey.parse(kept.decode())

    async def note(self, message: str, key: ThreadKey) -> None:
        """Remember that a message in a channel belongs to this conversation."""
        await self._state.set(f"said/{message}", str(key).encode(), ttl_s=self._keep_s)

    async def begin(self, key: ThreadKey, origin: Origin) -> None:
        """Remember how a conversation began."""
        await self._state.set(f"origin/{key}", _encoded(origin), ttl_s=self._keep_s)

    async def origin(self, key: ThreadKey) -> Origin | None:
        """How a conversation began, where that was remembered."""
        kept = await self._state.get(f"origin/{key}")
        return None if kept is None else msgspec.json.decode(kept, type=Origin)

    async def place(self, key: ThreadKey) -> Venue | None:
        """Where a conversation is answered, if that is known already."""
        if key.space == DIRECT:
            return Venue(channel=key.channel, private=True, is_thread=False)
        kept = await self._state.get(f"place/{key}")
        return None if kept is None else msgspec.json.decode(kept, type=Venue)

    async def settle(self, key: ThreadKey, place: Venue) -> None:
        """Answer a conversation there from now on."""
        if place.is_thread:
            await self._state.set(f"thread/{place.channel}", str(key).encode(), ttl_s=self._keep_s)
        await self._state.set(f"place/{key}", _encoded(place), ttl_s=self._keep_s)

    async def part(self, thread: str, former: ThreadKey, key: ThreadKey) -> None:
        """What is written in this thread from now on belongs to another conversation, named by this moment's id.

        What was written before stays with the former: who takes it back there takes it off that record.
        """
        self._seen.pop(thread, None)
        await self._state.append(f"former/{thread}", str(former).encode(), ttl_s=self._keep_s)
        await self._state.set(f"thread/{thread}", str(key).encode(), ttl_s=self._keep_s)


def _encoded(value: msgspec.Struct) -> bytes:
    return msgspec.json.encode(value)
