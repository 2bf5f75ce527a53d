"""What the mailbox guarantees, on one real Redis and on a cluster of three. Each test names what it holds."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.conversation import NoteTurn, Turn, UserTurn
from bot.errors import ConfigError, LeaseLost
from bot.llm.wire import to_wire
from bot.messages import ThreadKey
from bot.ports import Address, Lease, Mode, Order, Put, Reply
from bot.store.client import Connections, information
from bot.store.guard import guard_memory, keep_partitions, refuse_unsafe
from bot.store.keys import Partition, partition_of
from bot.store.mailbox import Limits, RedisMailbox
from tests.talk import ADA, ANN, BEN, a_thread, answered, resulted, said

LEASE_S = 0.2


@pytest.fixture
def partitions(kind: str) -> int:
    return 4 if kind == "cluster" else 1


@pytest.fixture
def mailbox(connections: Connections, partitions: int) -> RedisMailbox:
    limits = Limits(lease_s=LEASE_S, poll_s=0.05, attempts=2)
    return RedisMailbox(connections, to_wire, limits=limits, partitions=partitions)


@pytest.fixture
def patient(connections: Connections, partitions: int) -> RedisMailbox:
    """The same threads with a lease that outlasts any test."""
    return RedisMailbox(connections, to_wire, limits=Limits(lease_s=600, attempts=2), partitions=partitions)


async def put(mailbox: RedisMailbox, thread: ThreadKey, turn: UserTurn, **options: Address) -> Put:
    return await mailbox.put(thread, turn, event_ids=turn.message_ids, **options)


async def claimed(mailbox: RedisMailbox) -> Lease:
    """The next lease, waited for as long as leases of these tests last."""
    async with asyncio.timeout(10 * LEASE_S + 2):
        while (lease := await due(mailbox)) is None:
            await mailbox.wait(0, LEASE_S / 20)
        return lease


async def due(mailbox: RedisMailbox) -> Lease | None:
    """What can be claimed at this moment, in whichever partition."""
    for partition in range(mailbox.partitions):
        if isinstance(lease := await mailbox.claim(partition), Lease):
            return lease
    return None


async def nothing_due(mailbox: RedisMailbox) -> bool:
    return await due(mailbox) is None


def texts(turns: list[Turn]) -> list[str]:
    return [turn.text for turn in turns if isinstance(turn, UserTurn)]


def mail_of(lease: Lease) -> list[str]:
    return texts([entry.turn for entry in lease.mail])


def a_reply(lease: Lease, text: str = "yes") -> Reply:
    return Reply(text=text, turn=lease.turn, addressee=ADA.id)


async def settle(mailbox: RedisMailbox, lease: Lease, text: str = "yes") -> None:
    await mailbox.done(await mailbox.commit(lease, [answered(text)], a_reply(lease, text)))


@pytest.mark.behaviour("mailbox.once")
async def test_an_event_is_accepted_once_by_any_of_its_identities(patient: RedisMailbox) -> None:
    thread, turn = a_thread(), said("hello")
    assert await patient.put(thread, turn, event_ids=["event-1", "channel:ts"]) is Put.STORED
    assert await patient.put(thread, turn, event_ids=["event-2", "channel:ts"]) is Put.DUPLICATE
    assert await patient.put(thread, turn, event_ids=["event-1"]) is Put.DUPLICATE
    assert mail_of(await claimed(patient)) == ["hello"]


@pytest.mark.behaviour("mailbox.holder", "mailbox.parallel")
async def test_one_worker_holds_a_thread_and_others_take_other_threads(patient: RedisMailbox) -> None:
    first, second = a_thread(), a_thread()
    await put(patient, first, said("one"))
    await put(patient, second, said("two"))
    leases = [await claimed(patient), await claimed(patient)]
    assert {lease.thread for lease in leases} == {first, second}
    assert await nothing_due(patient)


@pytest.mark.behaviour("mailbox.order", "mailbox.author")
async def test_a_turn_takes_the_consecutive_mail_of_one_author_in_order(patient: RedisMailbox) -> None:
    thread = a_thread()
    for text, by in (("1", ADA), ("2", ADA), ("3", BEN), ("4", ADA)):
        await put(patient, thread, said(text, by=by))
    taken = []
    for _ in range(3):
        lease = await claimed(patient)
        taken.append(mail_of(lease))
        await settle(patient, lease)
    assert taken == [["1", "2"], ["3"], ["4"]]
    record = await patient.load(thread)
    assert texts([entry.turn for entry in record.entries]) == ["1", "2", "3", "4"]


@pytest.mark.behaviour("mailbox.order")
async def test_mail_that_is_taken_together_stands_as_it_was_written(patient: RedisMailbox) -> None:
    """A platform may bring the later message first. Times with and without a fraction, and two of the same."""
    thread, noon = a_thread(), datetime(2026, 11, 20, 12, tzinfo=UTC)
    for text, ms in (("3", 1_000), ("4", 1_000), ("2", 500), ("1", 0)):
        await put(patient, thread, replace(said(text), at=noon + timedelta(milliseconds=ms)))
    assert mail_of(await claimed(patient)) == ["1", "2", "3", "4"]


@pytest.mark.behaviour("mailbox.takeover", "mailbox.zombie")
async def test_a_thread_is_taken_over_after_its_lease_and_the_zombie_changes_nothing(mailbox: RedisMailbox) -> None:
    thread = a_thread()
    await put(mailbox, thread, said("hello"))
    zombie = await claimed(mailbox)
    owner = await claimed(mailbox)
    assert (owner.turn, owner.attempt) == (zombie.turn, 2)
    before = await mailbox.load(thread)
    for act in (
        mailbox.step(zombie, answered("late")),
        mailbox.commit(zombie, [answered("late")], a_reply(zombie)),
        mailbox.done(zombie),
        mailbox.renew(zombie),
        mailbox.join(zombie),
        mailbox.release(zombie),
        zombie.refs.put("0", "late"),
    ):
        with pytest.raises(LeaseLost):
            await act
    assert await mailbox.load(thread) == before
    await settle(mailbox, owner)


@pytest.mark.behaviour("mailbox.takeover")
async def test_a_renewed_lease_is_not_taken_over(mailbox: RedisMailbox) -> None:
    thread = a_thread()
    await put(mailbox, thread, said("hello"))
    lease = await claimed(mailbox)
    loop = asyncio.get_running_loop()
    until = loop.time() + 3 * LEASE_S
    while loop.time() < until:
        await mailbox.renew(lease)
        assert await nothing_due(mailbox)
        await mailbox.wait(0, LEASE_S / 4)
    await settle(mailbox, lease)


@pytest.mark.behaviour("mailbox.retried")
async def test_a_step_and_a_commit_that_are_sent_twice_happen_once(patient: RedisMailbox) -> None:
    thread = a_thread()
    await put(patient, thread, said("hello"))
    lease = await claimed(patient)
    await patient.step(lease, answered("first"))
    after = await patient.step(lease, answered("first"))
    assert (await patient.load(thread)).length == 2
    await patient.commit(after, [answered("last")], a_reply(after, "one"))
    await patient.commit(after, [answered("last")], a_reply(after, "two"))
    assert (await patient.load(thread)).length == 3
    await patient.done(after)
    await patient.done(after)
    assert await nothing_due(patient)


@pytest.mark.behaviour("mailbox.retried", "mailbox.zombie")
async def test_a_step_that_skips_one_is_refused(patient: RedisMailbox) -> None:
    thread = a_thread()
    await put(patient, thread, said("hello"))
    lease = await claimed(patient)
    with pytest.raises(LeaseLost):
        await patient.step(replace(lease, step=lease.step + 1), answered("from nowhere"))
    with pytest.raises(LeaseLost):
        await patient.commit(replace(lease, step=lease.step + 1), [], a_reply(lease))
    assert (await patient.load(thread)).length == 1


@pytest.mark.behaviour("mailbox.commit", "mailbox.refs")
async def test_whoever_takes_over_finds_the_committed_reply_and_the_messages_posted(mailbox: RedisMailbox) -> None:
    await put(mailbox, a_thread(), said("hello"))
    lease = await claimed(mailbox)
    await lease.refs.put("0", "platform-message")
    await mailbox.commit(lease, [answered("yes")], a_reply(lease))
    heir = await claimed(mailbox)
    assert heir.committed == a_reply(lease)
    assert heir.refs.get("0") == "platform-message"
    assert heir.refs.get("1") is None
    await mailbox.done(heir)


@pytest.mark.behaviour("mailbox.commit")
async def test_an_account_is_kept_with_the_reply_that_was_committed_and_with_no_other(patient: RedisMailbox) -> None:
    thread = a_thread()
    assert await patient.account(thread) is None
    await put(patient, thread, said("hello"))
    lease = await claimed(patient)
    await patient.commit(lease, [answered("yes")], a_reply(lease), account=b"first" * 40)
    await patient.commit(lease, [answered("yes")], a_reply(lease), account=b"the client sent it twice")
    assert await patient.account(thread) == b"first" * 40
    await patient.done(lease)
    await put(patient, thread, said("and?"))
    await settle(patient, await claimed(patient))
    assert await patient.account(thread) == b"first" * 40, "no model was asked for the second answer"
    await put(patient, thread, said("and then?"))
    lease = await claimed(patient)
    await patient.done(await patient.commit(lease, [answered("yes")], a_reply(lease), account=b"third"))
    assert await patient.account(thread) == b"third"


@pytest.mark.behaviour("mailbox.takeover")
async def test_whoever_takes_over_finds_the_steps_on_record(mailbox: RedisMailbox) -> None:
    await put(mailbox, a_thread(), said("hello"))
    lease = await mailbox.step(await claimed(mailbox), answered("looking"))
    await mailbox.step(lease, resulted("call"))
    heir = await claimed(mailbox)
    assert heir.step == 2
    assert [type(entry.turn).__name__ for entry in heir.mail] == ["UserTurn", "AssistantTurn", "ToolTurn"]
    await settle(mailbox, heir)


@pytest.mark.behaviour("mailbox.join")
async def test_mail_of_the_same_author_joins_and_mail_of_others_waits(patient: RedisMailbox) -> None:
    thread = a_thread()
    await put(patient, thread, said("order 123"))
    lease = await claimed(patient)
    assert await patient.join(lease) is lease
    await put(patient, thread, said("my email"))
    await put(patient, thread, said("me too", by=BEN))
    joined = await patient.join(lease)
    assert mail_of(joined) == ["order 123", "my email"]
    again = await patient.join(lease)
    assert mail_of(again) == mail_of(joined), "the client sent it twice"
    assert await patient.join(joined) is joined
    await settle(patient, joined)
    assert mail_of(await claimed(patient)) == ["me too"]


@pytest.mark.behaviour("mailbox.address")
async def test_who_is_no_party_is_not_stored_until_a_human_has_the_thread(patient: RedisMailbox) -> None:
    thread = a_thread()
    assert await put(patient, thread, said("hi", by=BEN), address=Address.PARTY) is Put.IGNORED
    assert await put(patient, thread, said("hello")) is Put.STORED
    assert await put(patient, thread, said("and?"), address=Address.PARTY) is Put.STORED
    assert await put(patient, thread, said("hi", by=BEN), address=Address.PARTY) is Put.IGNORED
    assert await put(patient, thread, said("Ben, look"), address=Address.OTHERS) is Put.IGNORED
    await settle(patient, await claimed(patient))
    await patient.hand_over(thread)
    assert await put(patient, thread, said("I am Ann", by=ANN), address=Address.OTHERS) is Put.STORED
    lease = await claimed(patient)
    assert lease.mode is Mode.HUMAN
    await patient.done(lease)
    await patient.hand_back(thread)
    assert await patient.mode(thread) is Mode.BOT
    assert await put(patient, thread, said("bye", by=ANN), address=Address.OTHERS) is Put.IGNORED


@pytest.mark.behaviour("mailbox.edit")
async def test_an_edit_or_delete_before_the_turn_changes_the_mail(patient: RedisMailbox) -> None:
    thread, first, second = a_thread(), said("frist"), said("second")
    await put(patient, thread, first)
    await put(patient, thread, second)
    found = await patient.find(thread, first.message_ids[0])
    assert found is not None
    changed = replace(first, text="first")
    assert await patient.edit(thread, found, changed)
    assert await patient.edit(thread, found, changed), "the client sent it twice"
    assert await patient.erase(thread, second.message_ids[0])
    assert mail_of(await claimed(patient)) == ["first"]


@pytest.mark.behaviour("mailbox.edit", "mailbox.idle")
async def test_a_thread_whose_only_mail_was_deleted_comes_to_rest(patient: RedisMailbox) -> None:
    thread, turn = a_thread(), said("never mind")
    await put(patient, thread, turn)
    assert await patient.erase(thread, turn.message_ids[0])
    assert await nothing_due(patient)
    assert (await patient.load(thread)).length == 0


@pytest.mark.behaviour("mailbox.edit")
async def test_mail_that_a_turn_has_taken_is_not_edited(patient: RedisMailbox) -> None:
    thread, turn = a_thread(), said("frist")
    await put(patient, thread, turn)
    early = await patient.find(thread, turn.message_ids[0])
    assert early is not None
    await claimed(patient)
    assert not await patient.edit(thread, early, replace(turn, text="first"))
    late = await patient.find(thread, turn.message_ids[0])
    assert late is not None
    assert late.index == 0
    assert not await patient.edit(thread, late, replace(turn, text="first"))


@pytest.mark.behaviour("mailbox.erase")
async def test_a_later_delete_empties_the_entry_and_moves_nothing(patient: RedisMailbox) -> None:
    thread, turn = a_thread(), said("my phone number is 555-0100")
    await put(patient, thread, turn)
    await settle(patient, await claimed(patient))
    assert await patient.erase(thread, turn.message_ids[0])
    assert await patient.erase(thread, turn.message_ids[0]), "the client sent it twice"
    record = await patient.load(thread)
    assert record.length == 2
    assert b"555-0100" not in b"".join(entry.row for entry in record.entries)
    assert texts([entry.turn for entry in record.entries]) == [""]
    assert not await patient.erase(thread, "unknown")


@pytest.mark.behaviour("mailbox.full")
async def test_an_overload_is_refused_and_can_come_again(connections: Connections) -> None:
    small = RedisMailbox(connections, to_wire, limits=Limits(inbox=1, open=2))
    thread, waiting = a_thread(), said("two")
    assert await put(small, thread, said("one")) is Put.STORED
    assert await put(small, thread, waiting) is Put.FULL
    assert await put(small, a_thread(), said("other")) is Put.STORED
    assert await put(small, a_thread(), said("third")) is Put.BUSY
    for _ in range(2):  # which of the two comes first is open where both came within a millisecond
        await settle(small, await claimed(small))
    assert await put(small, thread, waiting) is Put.STORED
    small.closed = True
    assert await put(small, a_thread(), said("late")) is Put.BUSY


@pytest.mark.behaviour("mailbox.full")
async def test_the_door_closes_while_redis_is_nearly_full(connections: Connections) -> None:
    mailbox = RedisMailbox(connections, to_wire)
    used = max(memory["used_memory"] for memory in await information(connections.commands, "memory"))
    guard = asyncio.create_task(guard_memory(connections.commands, mailbox))
    try:
        await connections.commands.config_set("maxmemory", int(used * 1.1))
        async with asyncio.timeout(20):
            while await put(mailbox, a_thread(), said("hello")) is not Put.BUSY:
                await mailbox.wait(0, 0.05)
    finally:
        guard.cancel()
        await connections.commands.config_set("maxmemory", 0)


@pytest.mark.behaviour("mailbox.dead")
async def test_after_the_last_attempt_a_turn_is_exhausted_and_a_retry_makes_one_new_turn(mailbox: RedisMailbox) -> None:
    thread = a_thread()
    await put(mailbox, thread, said("hello"))
    attempts = [(lease := await claimed(mailbox)).exhausted for _ in range(3)]
    assert attempts == [False, False, True]
    await mailbox.done(await mailbox.commit(lease, [answered("sorry")], a_reply(lease, "sorry"), dead="crash"))
    (letter,) = await mailbox.dead_letters()
    assert (letter.thread, letter.reason, letter.author) == (thread, "crash", ADA)
    assert await mailbox.retry(letter.id)
    assert not await mailbox.retry(letter.id)
    again = await claimed(mailbox)
    assert [type(entry.turn) for entry in again.mail] == [NoteTurn]
    await settle(mailbox, again)
    assert await nothing_due(mailbox)


@pytest.mark.behaviour("mailbox.dead")
async def test_a_dropped_letter_is_gone(patient: RedisMailbox) -> None:
    await put(patient, a_thread(), said("hello"))
    lease = await claimed(patient)
    await patient.done(await patient.commit(lease, [], a_reply(lease)), dead="undeliverable")
    (letter,) = await patient.dead_letters()
    assert await patient.drop(letter.id)
    assert not await patient.drop(letter.id)
    assert await patient.dead_letters() == []


@pytest.mark.behaviour("mailbox.orders")
async def test_an_order_is_heard_with_the_next_sign_of_life(patient: RedisMailbox) -> None:
    thread = a_thread()
    await patient.order(thread, Order.STOP)
    await put(patient, thread, said("hello"))
    lease = await claimed(patient)
    assert lease.order is None, "an order is for the turn that runs when it is given"
    await patient.order(thread, Order.STOP)
    assert (await patient.renew(lease)).order is Order.STOP
    assert (await patient.step(lease, answered("…"))).order is Order.STOP
    assert await patient.mode(thread) is Mode.BOT
    await patient.order(thread, Order.HUMAN)
    assert await patient.mode(thread) is Mode.HUMAN
    await patient.hand_back(thread)
    assert (await patient.renew(lease)).order is None


@pytest.mark.behaviour("mailbox.orders", "mailbox.join")
async def test_news_of_a_running_turn_is_published(patient: RedisMailbox) -> None:
    thread = a_thread()
    await put(patient, thread, said("hello"))
    await claimed(patient)
    news = patient.news()
    hearing = asyncio.ensure_future(anext(news))
    async with asyncio.timeout(20):
        while not hearing.done():
            await put(patient, thread, said("more"))
            await asyncio.wait({hearing}, timeout=0.02)
    assert hearing.result() == thread
    await news.aclose()


@pytest.mark.behaviour("mailbox.backoff")
async def test_a_released_thread_is_due_after_its_back_off(patient: RedisMailbox) -> None:
    await put(patient, a_thread(), said("hello"))
    lease = await claimed(patient)
    loop = asyncio.get_running_loop()
    started = loop.time()
    await patient.release(lease, delay_s=0.2)
    again = await claimed(patient)
    assert loop.time() - started >= 0.19
    assert again.attempt == 2
    await patient.release(again, refund=True)
    assert (await claimed(patient)).attempt == 2


@pytest.mark.behaviour("mailbox.idle")
async def test_a_settled_thread_leaves_nothing_behind_but_its_record(
    patient: RedisMailbox, connections: Connections
) -> None:
    thread = a_thread()
    await put(patient, thread, said("hello"))
    await settle(patient, await claimed(patient))
    redis, at = connections.commands, Partition(partition_of(thread, patient.partitions))
    assert await redis.zcard(at.due) == 0
    assert int(await redis.get(at.open) or 0) == 0
    assert await redis.exists(at.inbox(thread)) == 0
    for key in (at.meta(thread), at.turns(thread)):
        assert await redis.pttl(key) > 0


@pytest.mark.behaviour("upgrade.records")
async def test_an_order_of_a_newer_version_leaves_the_turn_to_go_on(
    patient: RedisMailbox, connections: Connections
) -> None:
    thread = a_thread()
    await put(patient, thread, said("hello"))
    lease = await claimed(patient)
    await connections.commands.hset(
        Partition(partition_of(thread, patient.partitions)).meta(thread), "order", "an order of tomorrow"
    )
    assert (await patient.renew(lease)).order is None
    await settle(patient, lease)


@pytest.mark.behaviour("mailbox.idle")
async def test_a_thread_in_which_thousands_were_answered_is_settled_and_knows_them(
    patient: RedisMailbox, connections: Connections
) -> None:
    thread = a_thread()
    meta = Partition(partition_of(thread, patient.partitions)).meta(thread)
    await put(patient, thread, said("hello"))
    lease = await claimed(patient)
    await connections.commands.hset(meta, mapping={f"party:U{number}": "1" for number in range(6_000)})
    await settle(patient, lease)
    assert await connections.commands.hlen(meta) > 6_000
    assert await nothing_due(patient)


@pytest.mark.behaviour("mailbox.idle")
async def test_mail_that_came_during_a_turn_makes_the_thread_due_at_once(patient: RedisMailbox) -> None:
    thread = a_thread()
    await put(patient, thread, said("one"))
    lease = await claimed(patient)
    await put(patient, thread, said("two"))
    assert await nothing_due(patient)
    await settle(patient, lease)
    assert mail_of(await claimed(patient)) == ["two"]


@pytest.mark.behaviour("mailbox.window")
async def test_a_claim_reads_no_more_than_the_window(patient: RedisMailbox) -> None:
    thread = a_thread()
    for number in range(5):
        await put(patient, thread, said(str(number)))
        lease = await claimed(patient)
        if number == 3:
            kept = lease.record
            lease = replace(lease, record=replace(kept, start=kept.start + 4, entries=kept.entries[4:]))
        await settle(patient, lease)
    await put(patient, thread, said("last"))
    lease = await claimed(patient)
    assert lease.record.start == 4
    assert texts([entry.turn for entry in lease.record.entries]) == ["2", "3", "4", "last"]
    assert (await patient.load(thread)).length == 11


@pytest.mark.behaviour("mailbox.partitions")
async def test_the_number_of_partitions_cannot_change(connections: Connections) -> None:
    await keep_partitions(connections.commands, 4)
    await keep_partitions(connections.commands, 4)
    with pytest.raises(ConfigError, match="PARTITIONS"):
        await keep_partitions(connections.commands, 2)


@pytest.mark.behaviour("mailbox.partitions")
async def test_every_partition_serves_its_threads(connections: Connections) -> None:
    many = RedisMailbox(connections, to_wire, partitions=3)
    threads = {a_thread() for _ in range(12)}
    for thread in threads:
        await put(many, thread, said("hello"))
    found = set()
    for partition in range(3):
        while isinstance(lease := await many.claim(partition), Lease):
            found.add(lease.thread)
            await settle(many, lease)
    assert found == threads


@pytest.mark.behaviour("mailbox.safe")
async def test_a_redis_that_would_lose_messages_is_refused(connections: Connections) -> None:
    redis = connections.commands
    await refuse_unsafe(redis)
    try:
        await redis.config_set("maxmemory-policy", "allkeys-lru")
        await redis.config_set("appendonly", "no")
        with pytest.raises(ConfigError) as caught:
            await refuse_unsafe(redis)
    finally:
        await redis.config_set("maxmemory-policy", "noeviction")
        await redis.config_set("appendonly", "yes")
    assert [word for word in ("appendonly yes", "noeviction") if word not in str(caught.value)] == []
