"""Who is speaking and what they have proved: bound to person and thread, with an expiry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from bot.messages import ThreadKey
from bot.ports import SharedState


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A speaker in one thread.

    Args:
        person: `platform:space:person id`, the name under which business data knows the speaker.
        customer: the username whose key this person showed in this thread, while the proof lasts.
        until: when the proof ends, aware UTC.
    """

    person: str
    customer: str | None = None
    until: datetime | None = None

    @property
    def is_verified(self) -> bool:
        """Whether the proof holds at this moment."""
        return self.customer is not None and self.until is not None and self.until > datetime.now(UTC)


def person_ref(thread: ThreadKey, person_id: str) -> str:
    """The name of a person in business data: ids of different platforms and spaces never meet."""
    return f"{thread.platform}:{thread.space}:{person_id}"


class Grants:
    """What people have proved, kept in shared state until it expires.

    Args:
        state: where grants live; the namespace is the caller's.
        lasts_s: how long a proof of identity holds.
    """

    def __init__(self, state: SharedState, *, lasts_s: float) -> None:
        self._state = state
        self._lasts_s = lasts_s

    async def principal(self, thread: ThreadKey, person_id: str) -> Principal:
        """The speaker with what is proved at this moment."""
        person = person_ref(thread, person_id)
        stored = await self._state.get(_key(thread, person_id))
        if stored is None:
            return Principal(person=person)
        grant = orjson.loads(stored)
        return Principal(person=person, customer=grant["customer"], until=datetime.fromtimestamp(grant["until"], UTC))

    async def grant(self, thread: ThreadKey, person_id: str, customer: str) -> Principal:
        """This person showed this customer's key in this thread."""
        until = datetime.fromtimestamp(datetime.now(UTC).timestamp() + self._lasts_s, UTC)
        value = orjson.dumps({"customer": customer, "until": until.timestamp()})
        await self._state.set(_key(thread, person_id), value, ttl_s=self._lasts_s)
        return Principal(person=person_ref(thread, person_id), customer=customer, until=until)

    async def revoke(self, thread: ThreadKey, person_id: str) -> None:
        """Forget what this person proved in this thread."""
        await self._state.delete(_key(thread, person_id))


def _key(thread: ThreadKey, person_id: str) -> str:
    return f"{thread}/{person_id}"
