"""Every Redis key: its type, its time to live, and who owns it. Nothing else spells a key.

All keys of a partition carry one hash tag, so that each script stays inside one slot of a cluster.

| key                     | type    | lives       | holds |
|-------------------------|---------|-------------|----------------------------------------------------------------|
| `frontdesk:{p}:due`     | zset    | for ever    | thread -> time due in Redis-server ms: past = claimable, future = |
|-------------------------|---------|-------------|----------------------------------------------------------------|
| `frontdesk:{p}:wake`    | list    | when taken  | threads that became due, at most 10,000; losing one costs one poll |
| `frontdesk:{p}:open`    | counter | for ever    | mail accepted and not settled |
| `frontdesk:{p}:dead`    | list    | for ever    | dead letters |
| `frontdesk:{p}:inbox:T` | list    | until taken | rows accepted and not yet on the record |
| `frontdesk:{p}:turns:T` | list    | retention   | the record: a row per turn, append-only; erasing empties a row |
| `frontdesk:{p}:meta:T`  | hash    | retention   | the thread's state, field by field in `FIELDS` |
| `frontdesk:{p}:seen:E`  | string  | 25 h        | one platform identity of an accepted event |
| `frontdesk:{p}:probe`   | string  | 1 min       | written to see that writing works |
| `frontdesk:{p}:news`    | channel | –           | threads for whose running turn there is mail or an order |
| `frontdesk:partitions`  | string  | for ever    | the number of partitions, refused when it changes |
| `frontdesk:rate:W`      | counter | its window  | what was spent or sent in a window (`limits`' name of it) |
| `frontdesk:state:N:K`   | any     | the owner's | shared state of owner N under key K |

`T` is `str(ThreadKey)`, `E` the platform's name and the event's identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

from bot.messages import ThreadKey

FIELDS = {
    "token": "owner token of the running turn; absent: nobody has it",
    "turn": "number of the last turn that began",
    "active": "1 while a turn is begun and not settled",
    "step": "steps of this turn on the record",
    "attempts": "claims of this turn",
    "begins": "index on the record of this turn's first row",
    "author": "id of the person whom this turn serves",
    "count": "pieces of mail that this turn settles",
    "fault": "why an attempt at this turn was given back, where it was not the process that ended",
    "out": "the committed reply, JSON",
    "settled": "owner token of the turn that was settled last",
    "mode": "who has the thread: bot, paused, human",
    "order": "what the running turn is told",
    "window": "index on the record where the window of history begins",
    "forgotten": "1 for a minute where a thread was forgotten while a turn was running",
    "account:N": "the Nth piece of what the last answered turn took (`bot.accounts`)",
    "ref:PART": "platform message id of a part of this turn's answer",
    "party:ID": "this person began the thread or was answered in it",
}
"""Fields of the `meta` hash."""

PARTITION_COUNT = "frontdesk:partitions"


def state(namespace: str, key: str) -> str:
    """The key of a shared fact."""
    return f"frontdesk:state:{namespace}:{key}"


def rate(window: str) -> str:
    """The key of what is counted in a window."""
    return f"frontdesk:rate:{window}"


def partition_of(thread: ThreadKey, partitions: int) -> int:
    """The partition that a thread lives in: a stable hash of its key."""
    return crc32(str(thread).encode()) % partitions


@dataclass(frozen=True, slots=True)
class Partition:
    """The keys of one partition."""

    number: int

    @property
    def due(self) -> str:
        return f"frontdesk:{{{self.number}}}:due"

    @property
    def wake(self) -> str:
        return f"frontdesk:{{{self.number}}}:wake"

    @property
    def open(self) -> str:
        return f"frontdesk:{{{self.number}}}:open"

    @property
    def dead(self) -> str:
        return f"frontdesk:{{{self.number}}}:dead"

    @property
    def news(self) -> str:
        return f"frontdesk:{{{self.number}}}:news"

    @property
    def probe(self) -> str:
        return f"frontdesk:{{{self.number}}}:probe"

    def inbox(self, thread: ThreadKey) -> str:
        return f"frontdesk:{{{self.number}}}:inbox:{thread}"

    def turns(self, thread: ThreadKey) -> str:
        return f"frontdesk:{{{self.number}}}:turns:{thread}"

    def meta(self, thread: ThreadKey) -> str:
        return f"frontdesk:{{{self.number}}}:meta:{thread}"

    def seen(self, platform: str, event_id: str) -> str:
        return f"frontdesk:{{{self.number}}}:seen:{platform}:{event_id}"
