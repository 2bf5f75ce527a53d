"""The mailbox against a model of it: any operations, in any order, by owners and by those who were one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from bot.conversation import AssistantTurn, UserTurn
from bot.errors import LeaseLost
from bot.llm.wire import to_wire
from bot.messages import Person, ThreadKey
from bot.ports import Lease, Put, Reply
from bot.store.client import Connections
from bot.store.keys import Partition
from bot.store.mailbox import Limits, RedisMailbox
from tests.talk import ADA, BEN, a_thread, answered, said

LIMITS = Limits(lease_s=600, attempts=2, batch=3, inbox=4, open=8)
THREADS = [a_thread(name) for name in ("left", "right", "middle")]
AT = Partition(0)
ACTS = ("join", "done", "step", "commit", "join", "done", "release", "renew")
"""What an owner does; those that come twice come more often."""


@dataclass
class Room:
    """What the model says of one thread."""

    inbox: list[UserTurn] = field(default_factory=list)
    record: list[UserTurn | AssistantTurn] = field(default_factory=list)
    on_agenda: bool = False
    is_due: bool = False
    is_active: bool = False
    holder: str | None = None
    settled: str | None = None
    committed: Reply | None = None
    turn: int = 0
    step: int = 0
    attempts: int = 0
    begins: int = 0
    count: int = 0

    def take(self, author: str | None) -> list[UserTurn]:
        """The consecutive mail of one author, moved onto the record."""
        taken: list[UserTurn] = []
        for mail in self.inbox[: LIMITS.batch]:
            author = author or mail.author.id
            if mail.author.id != author:
                break
            taken.append(mail)
        del self.inbox[: len(taken)]
        self.record += taken
        return taken

    @property
    def author(self) -> str:
        """Whom the running turn serves."""
        first = self.record[self.begins]
        assert isinstance(first, UserTurn)
        return first.author.id

    def keep(self) -> None:
        """The lease is renewed."""
        self.is_due = False


class MailboxMachine(RuleBasedStateMachine):
    """Each rule does the same to the mailbox and to its model, once or (as a client may) twice."""

    runner: asyncio.Runner
    connections: Connections

    def __init__(self) -> None:
        super().__init__()
        self.wait(self.connections.commands.flushall())
        self.mailbox = RedisMailbox(self.connections, to_wire, limits=LIMITS)
        self.rooms = {thread: Room() for thread in THREADS}
        self.sent: dict[str, ThreadKey] = {}
        self.leases: list[Lease] = []
        self.texts = 0

    def wait(self, work: Any) -> Any:
        """What an operation gives, waited for from outside its event loop."""

        async def bounded() -> Any:
            async with asyncio.timeout(20):
                return await work

        return self.runner.run(bounded())

    # ------------------------------------------------------------------------------------------------- the world

    @rule(data=st.data())
    def next(self, data: st.DataObject) -> None:
        """One thing of what can happen, what workers do more often than the rest."""
        waiting = any(room.on_agenda and not room.is_due for room in self.rooms.values())
        likely = {"put": 3, "change": bool(self.sent), "claim": 3 * bool(self.due), "run_out": waiting}
        likely["act"] = 6 * bool(self.leases)
        what: str = data.draw(st.sampled_from([name for name, weight in likely.items() for _ in range(weight)]))
        getattr(self, what)(data)

    def put(self, data: st.DataObject) -> None:
        thread: ThreadKey = data.draw(st.sampled_from(THREADS))
        by: Person = data.draw(st.sampled_from((ADA, ADA, BEN)))
        room = self.rooms[thread]
        self.texts += 1
        turn = said(f"message {self.texts}", by=by, message_id=f"id-{self.texts}-")
        put = self.wait(self.mailbox.put(thread, turn, event_ids=turn.message_ids))
        if len(room.inbox) >= LIMITS.inbox:
            assert put is Put.FULL
        elif self.open >= LIMITS.open:
            assert put is Put.BUSY
        else:
            assert put is Put.STORED
            room.inbox.append(turn)
            self.sent[turn.message_ids[0]] = thread
            if not room.on_agenda:
                room.on_agenda = room.is_due = True

    def change(self, data: st.DataObject) -> None:
        what: str = data.draw(st.sampled_from(("put_again", "edit", "erase")))
        getattr(self, what)(data.draw(st.sampled_from(sorted(self.sent))))

    def put_again(self, message_id: str) -> None:
        turn = said("again", message_id=message_id)
        again = self.wait(self.mailbox.put(self.sent[message_id], turn, event_ids=["new", message_id]))
        assert again is Put.DUPLICATE

    def edit(self, message_id: str) -> None:
        thread = self.sent[message_id]
        room = self.rooms[thread]
        place = next((i for i, mail in enumerate(room.inbox) if mail.message_ids[0] == message_id), None)
        found = self.wait(self.mailbox.find(thread, message_id))
        on_record = [i for i, turn in enumerate(room.record) if getattr(turn, "message_ids", ()) == (message_id,)]
        assert (found is None) == (place is None and not on_record)
        if found is None:
            return
        assert found.index == (on_record[0] if on_record else None)
        self.texts += 1
        changed = replace(found.entry.turn, text=f"changed {self.texts}")
        assert isinstance(changed, UserTurn)
        for _ in range(2):
            assert self.wait(self.mailbox.edit(thread, found, changed)) == (place is not None)
        if place is not None:
            room.inbox[place] = changed

    def erase(self, message_id: str) -> None:
        thread = self.sent[message_id]
        room = self.rooms[thread]
        waiting = [mail for mail in room.inbox if mail.message_ids[0] == message_id]
        places = [i for i, turn in enumerate(room.record) if getattr(turn, "message_ids", ()) == (message_id,)]
        assert self.wait(self.mailbox.erase(thread, message_id)) == bool(waiting or places)
        room.inbox = [mail for mail in room.inbox if mail not in waiting]
        for place in places:
            room.record[place] = replace(room.record[place], text="")

    def run_out(self, data: st.DataObject) -> None:
        """Time passes: a lease runs out, or a back-off is over."""
        waiting = [thread for thread, room in self.rooms.items() if room.on_agenda and not room.is_due]
        thread: ThreadKey = data.draw(st.sampled_from(waiting))
        self.wait(self.connections.commands.zadd(AT.due, {str(thread): 1}))
        self.rooms[thread].is_due = True

    # -------------------------------------------------------------------------------------------------- a worker

    def claim(self, data: st.DataObject) -> None:
        woken: ThreadKey | None = data.draw(st.none() | st.sampled_from(THREADS))
        empty = {thread for thread, room in self.due if not (room.is_active or room.inbox)}
        claimed = self.wait(self.mailbox.claim(0, woken))
        gone = {thread for thread in empty if self.score(thread) is None}  # all their mail was deleted
        for thread in gone:
            self.rooms[thread].on_agenda = self.rooms[thread].is_due = False
        if not isinstance(claimed, Lease):
            assert gone if claimed == 0.0 else not self.due
            return
        room = self.rooms[claimed.thread]
        assert room.is_due, "somebody else has it"
        if room.is_active:
            room.attempts += 1
        else:
            room.is_active, room.step, room.attempts, room.committed = True, 0, 1, None
            room.turn += 1
            room.begins = len(room.record)
            room.count = len(room.take(None))
        room.holder = claimed.token
        room.keep()
        assert (claimed.turn, claimed.step, claimed.attempt) == (room.turn, room.step, room.attempts)
        assert claimed.exhausted == (room.attempts > LIMITS.attempts)
        assert claimed.committed == room.committed
        assert texts([entry.turn for entry in claimed.mail]) == texts(room.record[room.begins :])
        self.leases.append(claimed)

    def act(self, data: st.DataObject) -> None:
        what: str = data.draw(st.sampled_from(ACTS))
        twice: bool = data.draw(st.booleans())
        getattr(self, what)(*self.any_lease(data), twice)

    def step(self, lease: Lease, room: Room, twice: bool) -> None:
        self.texts += 1
        turn = answered(f"step {self.texts}")
        if self.holds(lease, room) and room.committed is not None:
            return  # the mailbox leaves it to the turn to say nothing more
        if not self.holds(lease, room) or lease.step + 1 < room.step:
            self.refused(self.mailbox.step(lease, turn))
            return
        after = self.wait(self.mailbox.step(lease, turn))
        if twice:
            self.wait(self.mailbox.step(lease, turn))
        if lease.step + 1 == room.step:
            room.keep()
            return
        room.record.append(turn)
        room.step += 1
        room.keep()
        self.goes_on(lease, after)

    def join(self, lease: Lease, room: Room, twice: bool) -> None:
        if not self.holds(lease, room):
            self.refused(self.mailbox.join(lease))
            return
        if lease.step != room.step or room.committed is not None:
            return
        after = self.wait(self.mailbox.join(lease))
        taken = room.take(room.author)
        if not taken:
            assert after is lease
            return
        if twice:
            after = self.wait(self.mailbox.join(lease))
        room.count += len(taken)
        room.step += 1
        room.keep()
        assert texts([entry.turn for entry in after.record.entries[-len(taken) :]]) == texts(taken)
        self.goes_on(lease, after)

    def commit(self, lease: Lease, room: Room, twice: bool) -> None:
        self.texts += 1
        turn = answered(f"answer {self.texts}")
        reply = Reply(text=turn.text, turn=room.turn, addressee=ADA.id)
        if not self.holds(lease, room):
            self.refused(self.mailbox.commit(lease, [turn], reply))
            return
        if lease.step != room.step and room.committed is None:
            self.refused(self.mailbox.commit(lease, [turn], reply))
            return
        after = self.wait(self.mailbox.commit(lease, [turn], reply))
        if twice:
            self.wait(self.mailbox.commit(lease, [turn], reply))
        room.keep()
        if room.committed is None:
            room.record.append(turn)
            room.step += 1
            room.committed = reply
            self.goes_on(lease, after)

    def done(self, lease: Lease, room: Room, twice: bool) -> None:
        if room.settled == lease.token:
            self.wait(self.mailbox.done(lease))
            return
        if not self.holds(lease, room):
            self.refused(self.mailbox.done(lease))
            return
        for _ in range(1 + twice):
            self.wait(self.mailbox.done(lease))
        room.settled, room.holder, room.is_active, room.count = lease.token, None, False, 0
        room.on_agenda = room.is_due = bool(room.inbox)

    def release(self, lease: Lease, room: Room, refund: bool) -> None:
        delay_s = 600.0 if room.attempts % 2 else 0.0
        if not self.holds(lease, room):
            self.refused(self.mailbox.release(lease))
            return
        self.wait(self.mailbox.release(lease, delay_s=delay_s, refund=refund))
        self.refused(self.mailbox.release(lease, delay_s=delay_s, refund=refund))
        room.holder = None
        room.attempts -= refund
        room.is_due = delay_s == 0

    def renew(self, lease: Lease, room: Room, _: bool) -> None:
        if not self.holds(lease, room):
            self.refused(self.mailbox.renew(lease))
            return
        self.wait(self.mailbox.renew(lease))
        room.keep()

    # ----------------------------------------------------------------------------------------------- always true

    @invariant()
    def everything_is_where_the_model_has_it(self) -> None:
        agenda = {name.decode() for name in self.wait(self.connections.commands.zrange(AT.due, 0, -1))}
        assert agenda == {str(thread) for thread, room in self.rooms.items() if room.on_agenda}
        assert int(self.wait(self.connections.commands.get(AT.open)) or 0) == self.open
        for thread, room in self.rooms.items():
            inbox = self.wait(self.mailbox.inbox(thread))
            assert texts([entry.turn for entry in inbox]) == texts(room.inbox), "the inbox"
            record = self.wait(self.mailbox.load(thread))
            assert texts([entry.turn for entry in record.entries]) == texts(room.record), "the record"
            token = self.wait(self.connections.commands.hget(AT.meta(thread), "token"))
            assert (token.decode() if token else None) == room.holder, "the holder"

    # --------------------------------------------------------------------------------------------------- private

    @property
    def open(self) -> int:
        return sum(len(room.inbox) + room.count for room in self.rooms.values())

    @property
    def due(self) -> list[tuple[ThreadKey, Room]]:
        return [(thread, room) for thread, room in self.rooms.items() if room.on_agenda and room.is_due]

    def score(self, thread: ThreadKey) -> Any:
        return self.wait(self.connections.commands.zscore(AT.due, str(thread)))

    def any_lease(self, data: st.DataObject) -> tuple[Lease, Room]:
        """Mostly one that holds its thread, as it is after its last operation; else any that was given out."""
        owners = [lease for lease in self.leases if self.is_current(lease, self.rooms[lease.thread])]
        stale: int = data.draw(st.sampled_from((0, 0, 0, 1)))
        lease: Lease = data.draw(st.sampled_from(self.leases if stale or not owners else owners))
        return lease, self.rooms[lease.thread]

    def is_current(self, lease: Lease, room: Room) -> bool:
        return self.holds(lease, room) and lease.step == room.step

    def holds(self, lease: Lease, room: Room) -> bool:
        return room.holder == lease.token

    def refused(self, work: Coroutine[Any, Any, Any]) -> None:
        with pytest.raises(LeaseLost):
            self.wait(work)

    def goes_on(self, lease: Lease, after: Lease) -> None:
        assert after.step == lease.step + 1
        self.leases.append(after)


def texts(turns: list[Any]) -> list[tuple[str, str]]:
    return [(type(turn).__name__, turn.text) for turn in turns]


@pytest.mark.behaviour("mailbox.model", "mailbox.holder", "mailbox.order", "mailbox.retried", "mailbox.zombie")
@pytest.mark.timeout_s(120)
def test_the_mailbox_does_what_its_model_does(redis_url: str) -> None:
    with asyncio.Runner() as runner:
        MailboxMachine.runner, MailboxMachine.connections = runner, Connections(redis_url)
        try:
            run_state_machine_as_test(
                MailboxMachine,
                settings=settings(
                    max_examples=65,
                    stateful_step_count=40,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(MailboxMachine.connections.aclose())
