"""The page over HTTP: what people change, fill in and order, and what they keep to themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.messages import ThreadKey
from bot.ports import Card, Form, Mode
from tests.servers.page import Stage, asked, staged
from tests.servers.visitor import Visitor, item, new_id, until, visiting
from tests.stages.search import redis_bytes


@pytest.fixture
async def stage(redis_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, tmp_path) as stage:
        yield stage


@pytest.fixture
async def visitor(stage: Stage) -> AsyncIterator[Visitor]:
    async with visiting(stage) as visitor:
        yield visitor


@pytest.mark.behaviour("page.forgets")
async def test_what_is_edited_or_deleted_is_forgotten(stage: Stage, visitor: Visitor, redis: Redis) -> None:
    message = new_id()
    await visitor.say("The first wording", message)
    async with visitor.following() as events:
        await item(events, f"message:{message}")
        await visitor.ask("PATCH", f"messages/{message}", json={"text": "The second wording"})
        assert (await item(events, f"message:{message}"))["edited"] is True
        assert [key async for key, held in redis_bytes(redis) if b"first wording" in held and "state" in key] == []
        assert (await visitor.client.get("/api/threads")).json()[0]["title"] == "The second wording"
        await visitor.ask("DELETE", f"messages/{message}")
        assert (await item(events, f"message:{message}"))["deleted"] is True
    assert [key async for key, held in redis_bytes(redis) if b"wording" in held and "state" in key] == []
    shown = (await visitor.shown())[f"message:{message}"]
    assert shown["text"] == ""
    assert (await visitor.ask("DELETE", f"messages/{message}")).status_code == 404


@pytest.mark.behaviour("page.own")
async def test_only_who_wrote_a_message_can_change_it(stage: Stage, visitor: Visitor) -> None:
    message = new_id()
    await visitor.say("Mine", message)
    ben = visitor.as_("customer-b")
    assert (await ben.ask("PATCH", f"messages/{message}", json={"text": "Yours"})).status_code == 403
    assert (await ben.ask("DELETE", f"messages/{message}")).status_code == 403
    assert (await visitor.shown())[f"message:{message}"]["text"] == "Mine"


@pytest.mark.behaviour("page.form")
async def test_a_private_form_is_seen_and_used_by_one_person(stage: Stage, visitor: Visitor) -> None:
    await visitor.say("My ticket?")
    lease = await stage.claim()
    form = Form(
        id="f1", title="Verify", fields={"username": "User", "api_key": "Key"}, secret_fields=frozenset({"api_key"})
    )
    await stage.platform.offer(lease.thread, asked(lease).author, form)
    ben = visitor.as_("customer-b")
    assert "form:f1" not in await ben.shown()
    typed = {"fields": {"username": "john_doe", "api_key": "wrong", "extra": "ignored"}}
    assert (await ben.ask("POST", "forms/f1", json=typed)).status_code == 404
    refused = await visitor.ask("POST", "forms/f1", json=typed)
    assert refused.json() == {"verdict": "refused", "text": "These details do not match."}
    shown = (await visitor.shown())["form:f1"]
    assert (shown["state"], shown["error"]) == ("offered", "These details do not match.")
    assert [field["secret"] for field in shown["fields"]] == [False, True]
    typed["fields"]["api_key"] = "key"
    await visitor.ask("POST", "forms/f1", json=typed)
    done = (await visitor.shown())["form:f1"]
    assert (done["state"], done["told"]) == ("done", "Thank you. You are verified as john_doe.")
    assert "wrong" not in str(done)


@pytest.mark.behaviour("page.staff")
async def test_a_colleague_takes_over_and_hands_back(stage: Stage, visitor: Visitor) -> None:
    await visitor.say("I want a human")
    await stage.answer("A colleague will be with you.")
    thread = ThreadKey(platform="web", space="page", channel="main", root=visitor.root)
    card = Card(key="c1", title="Ada asks for a human", text="…", thread=thread, buttons={"takeover": "Take it"})
    await stage.platform.notify("team", card)
    robin = visitor.as_("colleague")
    assert [entry["kind"] for entry in (await robin.shown()).values()] == ["message", "answer", "card"]
    assert [entry["kind"] for entry in (await visitor.shown()).values()] == ["message", "answer"]
    assert (await visitor.client.get("/api/threads")).json()[0]["badge"] == "waiting"
    async with visitor.following() as events:
        assert await until(events, "state") == {"mode": "bot"}
        taken = await robin.say("/support takeover")
        assert taken.json()["text"] == "You have the thread."
        assert await until(events, "state") == {"mode": "human"}
    assert await stage.mailbox.mode(thread) is Mode.HUMAN
    assert any(entry["kind"] == "notice" for entry in (await robin.shown()).values())
    assert not any(entry["kind"] == "notice" for entry in (await visitor.shown()).values())
    await visitor.say("/support handback")
    assert await stage.mailbox.mode(thread) is Mode.HUMAN, "a customer gives no commands"
    await robin.say("/support handback")
    assert await stage.mailbox.mode(thread) is Mode.BOT


@pytest.mark.behaviour("page.addressed")
async def test_who_is_not_addressed_is_told_how_to_ask(stage: Stage, visitor: Visitor) -> None:
    await visitor.say("Hello")
    await stage.answer("Hi.")
    message = new_id()
    ben = visitor.as_("customer-b")
    assert (await ben.say("and mine?", message)).json()["verdict"] == "ignored"
    assert (await ben.shown())[f"message:{message}"]["hint"] == "not_addressed"
    await ben.say("@frontdesk and mine?")
    lease = await stage.claim()
    assert asked(lease).author.id == "customer-b"


async def test_what_one_person_is_told_nobody_else_sees(stage: Stage, visitor: Visitor) -> None:
    await visitor.say("Hello")
    lease = await stage.claim()
    await stage.platform.direct(lease.thread, asked(lease).author, "Between us.")
    assert [entry["text"] for entry in (await visitor.shown()).values()] == ["Hello", "Between us."]
    assert [entry["text"] for entry in (await visitor.as_("customer-b").shown()).values()] == ["Hello"]


async def test_a_message_the_bot_may_delete_is_gone(stage: Stage, visitor: Visitor) -> None:
    message = new_id()
    await visitor.say("Hello", message)
    thread = (await stage.claim()).thread
    assert await stage.platform.delete(thread, message)
    assert not await stage.platform.delete(thread, new_id())
    assert (await visitor.shown())[f"message:{message}"]["deleted"]
