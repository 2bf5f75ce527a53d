"""The page over HTTP: messages, answers that stream, the record; the bot behind it is played by the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.errors import Permanent
from bot.messages import IncomingMessage, ThreadKey
from bot.ports import Lease, Reply
from tests.servers.page import Stage, staged
from tests.servers.visitor import Visitor, item, new_id, until, visiting


@pytest.fixture
async def stage(redis_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, tmp_path) as stage:
        yield stage


@pytest.fixture
async def visitor(stage: Stage) -> AsyncIterator[Visitor]:
    async with visiting(stage) as visitor:
        yield visitor


@pytest.mark.behaviour("page.streams")
async def test_a_message_is_shown_and_its_answer_streams_into_its_place(stage: Stage, visitor: Visitor) -> None:
    first = new_id()
    said = await visitor.say("Where is my order?", first)
    assert said.json() == {"verdict": "stored", "text": "Where is my order?"}
    async with visitor.following() as events:
        assert (await item(events, f"message:{first}"))["author"]["name"] == "Ada Fern"
        lease = await stage.claim()
        stream = stage.platform.reply(lease)
        assert (await until(events, "live", turn=1))["reset"] is True
        stream.append("It is ")
        assert (await until(events, "live"))["text"] == "It is "
        stream.append("on its way.")
        assert (await until(events, "live"))["text"] == "on its way."
        await stage.finish(lease, stream, "It is on its way.")
        assert (await item(events, "answer:1"))["text"] == "It is on its way."
        assert (await until(events, "live"))["end"] is True
    assert list(await visitor.shown()) == [f"message:{first}", "answer:1"]


@pytest.mark.behaviour("page.once")
async def test_a_message_that_is_sent_again_is_one_message(stage: Stage, visitor: Visitor) -> None:
    message = new_id()
    assert (await visitor.say("Hello", message)).json()["verdict"] == "stored"
    await stage.answer("Hi.")
    assert (await visitor.say("Hello", message)).json()["verdict"] == "duplicate"
    shown = await visitor.shown()
    assert [(name, entry["text"]) for name, entry in shown.items()] == [
        (f"message:{message}", "Hello"),
        ("answer:1", "Hi."),
    ]
    threads = (await visitor.client.get("/api/threads")).json()
    assert [(thread["id"], thread["title"]) for thread in threads] == [(visitor.root, "Hello")]


@pytest.mark.behaviour("page.busy")
async def test_what_is_not_taken_is_said_politely_and_leaves_nothing(stage: Stage, visitor: Visitor) -> None:
    message = new_id()
    stage.busy = True
    refused = await visitor.say("Hello", message)
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "2"
    assert "busy" in refused.json()["message"]
    assert (await visitor.client.get("/api/threads")).json() == []
    stage.busy = False
    assert (await visitor.say("Hello", message)).json()["verdict"] == "stored"
    opening = stage.taken[-1]
    assert isinstance(opening, IncomingMessage)
    assert opening.opens, "the message that is taken begins the conversation"
    assert (await visitor.shown())[f"message:{message}"]["text"] == "Hello"


@pytest.mark.behaviour("page.late")
async def test_who_comes_late_sees_the_text_so_far_and_then_the_rest(stage: Stage, visitor: Visitor) -> None:
    await visitor.say("Tell me a story")
    lease = await stage.claim()
    stream = stage.platform.reply(lease)
    async with visitor.following() as early:
        stream.append("Once upon")
        await until(early, "live", text="Once upon")
        async with visitor.following() as late:
            name, items, _ = await anext(late)
            assert name == "items"
            assert items[-1]["pending"], "the answer has its place from its first word on"
            assert await until(late, "live") == {"turn": 1, "text": "Once upon", "reset": True}
            stream.append(" a time")
            assert await until(late, "live") == {"turn": 1, "text": " a time"}
        await stage.finish(lease, stream, "Once upon a time.")


@pytest.mark.behaviour("page.resumes")
async def test_a_stream_that_broke_goes_on_where_it_stopped(stage: Stage, visitor: Visitor) -> None:
    await visitor.say("One")
    async with visitor.following() as events:
        _, _, last = await anext(events)
    await stage.answer("First.")
    await visitor.say("Two")
    async with visitor.following(after=last) as events:
        _, items, _ = await anext(events)
    assert [entry["id"] for entry in items if entry["kind"] == "answer"] == ["answer:1"]
    assert all(entry.get("text") != "One" for entry in items)


@pytest.mark.behaviour("page.takeover")
async def test_a_reply_that_takes_over_replaces_what_was_shown(stage: Stage, visitor: Visitor) -> None:
    await visitor.say("Hello")
    lease = await stage.claim()
    dead = stage.platform.reply(lease)
    async with visitor.following() as events:
        dead.append("It is almo")
        await until(events, "live", text="It is almo")
        await dead.abandon()
        await stage.mailbox.release(lease)
        lease = await stage.claim()
        heir = stage.platform.reply(lease)
        assert await until(events, "live", reset=True) == {"turn": 1, "text": "", "reset": True}
        heir.append("It is here.")
        assert (await until(events, "live"))["text"] == "It is here."
        await stage.finish(lease, heir, "It is here.")
    answers = [entry for entry in (await visitor.shown()).values() if entry["kind"] == "answer"]
    assert [entry["text"] for entry in answers] == ["It is here."]


@pytest.mark.behaviour("page.takeover")
async def test_what_an_earlier_holder_did_is_shown_by_the_next_one(stage: Stage, visitor: Visitor) -> None:
    await visitor.say("Hello")
    lease = await stage.claim()
    dead = stage.platform.reply(lease)
    lease = await stage.call(lease, dead, "get_order_status", {"order_id": "1"}, {"status": "sent"})
    await dead.abandon()
    await stage.mailbox.release(lease)
    lease = await stage.claim()
    assert lease.attempt == 2
    heir = stage.platform.reply(lease)
    await stage.finish(lease, heir, "It was sent.")
    card = (await visitor.shown())["tool:1.0.0"]
    assert (card["state"], card["result"]) == ("finished", {"status": "sent"})


async def test_an_answer_is_closed_twice_without_a_trace(stage: Stage, visitor: Visitor) -> None:
    await visitor.say("Hello")
    lease = await stage.claim()
    reply = Reply(text="Hi.", turn=lease.turn, addressee="")
    await stage.platform.reply(lease).close(reply)
    await stage.platform.reply(lease).close(reply)
    assert [entry["text"] for entry in (await visitor.shown()).values()] == ["Hello", "Hi."]


async def test_a_thread_that_is_gone_cannot_be_answered(stage: Stage, visitor: Visitor, redis: Redis) -> None:
    await visitor.say("Hello")
    lease = await stage.claim()
    await redis.flushall()
    with pytest.raises(Permanent):
        await stage.platform.reply(lease).close(Reply(text="Hi.", turn=1, addressee=""))


@pytest.mark.behaviour("page.record")
async def test_the_record_is_shown_exactly_as_it_is_kept(stage: Stage, visitor: Visitor) -> None:
    await visitor.say("Hello")
    thread = ThreadKey(platform="web", space="page", channel="main", root=visitor.root)
    waiting = (await visitor.ask("GET", "record")).json()
    assert (waiting["rows"], len(waiting["inbox"])) == ([], 1)
    await stage.answer("Hi.")
    kept = await stage.mailbox.load(thread)
    record = await visitor.ask("GET", "record")
    assert all(entry.row in record.content for entry in kept.entries)
    assert len(record.json()["rows"]) == 2
    rest = await visitor.client.get(f"/api/threads/{visitor.root}/record", params={"start": "1"})
    assert (rest.json()["start"], len(rest.json()["rows"])) == (1, 1)


async def test_stopping_reaches_the_running_turn(stage: Stage, visitor: Visitor) -> None:
    await visitor.say("Hello")
    lease: Lease = await stage.claim()
    assert (await visitor.ask("POST", "stop", json={})).json()["verdict"] == "done"
    assert (await stage.mailbox.renew(lease)).order == "stop"
