"""The page over HTTP: real Redis, real database, real port; the bot behind it is played by the test."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from redis.asyncio import Redis

from adapters.web.render import folded
from bot.errors import Permanent, ToolFailed
from bot.messages import IncomingMessage, ThreadKey
from bot.ports import Card, Form, Lease, Mode, Reply
from tests.servers.page import PATIENCE_S, Stage, asked, staged

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 32


def new_id() -> str:
    return str(uuid.uuid4())


class Browser:
    """One person's browser, without the browser: requests, and the event stream of one thread."""

    def __init__(self, client: httpx2.AsyncClient, root: str, speaker: str = "customer-a") -> None:
        self.client = client
        self.root = root
        self.speaker = speaker

    async def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        return await self.client.request(
            method, f"/api/threads/{self.root}/{path}", params={"speaker": self.speaker}, **more
        )

    async def say(self, text: str, message: str = "") -> httpx2.Response:
        return await self.ask("POST", "messages", json={"id": message or new_id(), "text": text})

    def as_(self, speaker: str) -> Browser:
        return Browser(self.client, self.root, speaker)

    @asynccontextmanager
    async def following(self, after: int | None = None) -> AsyncIterator[AsyncIterator[tuple[str, Any, int]]]:
        """The events of the thread: name, data, and the id seen last."""
        headers = {} if after is None else {"last-event-id": str(after)}
        async with self.client.stream(
            "GET", f"/api/threads/{self.root}/events", params={"speaker": self.speaker}, headers=headers
        ) as response:
            assert response.status_code == 200, response.status_code
            yield _events(response)

    async def shown(self) -> dict[str, dict[str, Any]]:
        """What the page shows to somebody who opens it at this moment."""
        async with self.following() as events:
            name, items, _ = await anext(events)
            assert name == "items"
            return folded(items)


async def _events(response: httpx2.Response) -> AsyncIterator[tuple[str, Any, int]]:
    name, last = "", -1
    async for line in response.aiter_lines():
        key, _, value = line.partition(": ")
        if key == "id":
            last = int(value)
        elif key == "event":
            name = value
        elif key == "data":
            yield name, json.loads(value), last


async def until(events: AsyncIterator[tuple[str, Any, int]], name: str, **wanted: Any) -> Any:
    """The data of the next event of that name that has all of these values."""
    async with asyncio.timeout(PATIENCE_S):
        async for found, data, _ in events:
            if found == name and all(data.get(key) == value for key, value in wanted.items()):
                return data
    raise AssertionError(f"the stream ended before {name} {wanted}")


async def item(events: AsyncIterator[tuple[str, Any, int]], name: str) -> Any:
    """The next complete item of that id."""
    async with asyncio.timeout(PATIENCE_S):
        async for found, data, _ in events:
            for candidate in data if found == "items" else ():
                if candidate["id"] == name and not candidate.get("pending"):
                    return candidate
    raise AssertionError(f"the stream ended before {name}")


@pytest.fixture
async def stage(redis_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, tmp_path) as stage:
        yield stage


@pytest.fixture
async def browser(stage: Stage) -> AsyncIterator[Browser]:
    async with httpx2.AsyncClient(base_url=stage.url, headers={"origin": stage.url}, timeout=PATIENCE_S) as client:
        yield Browser(client, new_id())


# ---------------------------------------------------------------------------------------------------- messages, answers


@pytest.mark.behaviour("page.streams")
async def test_a_message_is_shown_and_its_answer_streams_into_its_place(stage: Stage, browser: Browser) -> None:
    first = new_id()
    said = await browser.say("Where is my order?", first)
    assert said.json() == {"verdict": "stored", "text": "Where is my order?"}
    async with browser.following() as events:
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
    assert list(await browser.shown()) == [f"message:{first}", "answer:1"]


@pytest.mark.behaviour("page.once")
async def test_a_message_that_is_sent_again_is_one_message(stage: Stage, browser: Browser) -> None:
    message = new_id()
    assert (await browser.say("Hello", message)).json()["verdict"] == "stored"
    await stage.answer("Hi.")
    assert (await browser.say("Hello", message)).json()["verdict"] == "duplicate"
    shown = await browser.shown()
    assert [(name, entry["text"]) for name, entry in shown.items()] == [
        (f"message:{message}", "Hello"),
        ("answer:1", "Hi."),
    ]
    threads = (await browser.client.get("/api/threads")).json()
    assert [(thread["id"], thread["title"]) for thread in threads] == [(browser.root, "Hello")]


@pytest.mark.behaviour("page.busy")
async def test_what_is_not_taken_is_said_politely_and_leaves_nothing(stage: Stage, browser: Browser) -> None:
    message = new_id()
    stage.busy = True
    refused = await browser.say("Hello", message)
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "2"
    assert "busy" in refused.json()["message"]
    assert (await browser.client.get("/api/threads")).json() == []
    stage.busy = False
    assert (await browser.say("Hello", message)).json()["verdict"] == "stored"
    opening = stage.taken[-1]
    assert isinstance(opening, IncomingMessage)
    assert opening.opens, "the message that is taken begins the conversation"
    assert (await browser.shown())[f"message:{message}"]["text"] == "Hello"


@pytest.mark.behaviour("page.late")
async def test_who_comes_late_sees_the_text_so_far_and_then_the_rest(stage: Stage, browser: Browser) -> None:
    await browser.say("Tell me a story")
    lease = await stage.claim()
    stream = stage.platform.reply(lease)
    async with browser.following() as early:
        stream.append("Once upon")
        await until(early, "live", text="Once upon")
        async with browser.following() as late:
            name, items, _ = await anext(late)
            assert name == "items"
            assert items[-1]["pending"], "the answer has its place from its first word on"
            assert await until(late, "live") == {"turn": 1, "text": "Once upon", "reset": True}
            stream.append(" a time")
            assert await until(late, "live") == {"turn": 1, "text": " a time"}
        await stage.finish(lease, stream, "Once upon a time.")


@pytest.mark.behaviour("page.resumes")
async def test_a_stream_that_broke_goes_on_where_it_stopped(stage: Stage, browser: Browser) -> None:
    await browser.say("One")
    async with browser.following() as events:
        _, _, last = await anext(events)
    await stage.answer("First.")
    await browser.say("Two")
    async with browser.following(after=last) as events:
        _, items, _ = await anext(events)
    assert [entry["id"] for entry in items if entry["kind"] == "answer"] == ["answer:1"]
    assert all(entry.get("text") != "One" for entry in items)


@pytest.mark.behaviour("page.takeover")
async def test_a_reply_that_takes_over_replaces_what_was_shown(stage: Stage, browser: Browser) -> None:
    await browser.say("Hello")
    lease = await stage.claim()
    dead = stage.platform.reply(lease)
    async with browser.following() as events:
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
    answers = [entry for entry in (await browser.shown()).values() if entry["kind"] == "answer"]
    assert [entry["text"] for entry in answers] == ["It is here."]


@pytest.mark.behaviour("page.takeover")
async def test_what_an_earlier_holder_did_is_shown_by_the_next_one(stage: Stage, browser: Browser) -> None:
    await browser.say("Hello")
    lease = await stage.claim()
    dead = stage.platform.reply(lease)
    lease = await stage.call(lease, dead, "get_order_status", {"order_id": "1"}, {"status": "sent"})
    await dead.abandon()
    await stage.mailbox.release(lease)
    lease = await stage.claim()
    assert lease.attempt == 2
    heir = stage.platform.reply(lease)
    await stage.finish(lease, heir, "It was sent.")
    card = (await browser.shown())["tool:1.0.0"]
    assert (card["state"], card["result"]) == ("finished", {"status": "sent"})


async def test_an_answer_is_closed_twice_without_a_trace(stage: Stage, browser: Browser) -> None:
    await browser.say("Hello")
    lease = await stage.claim()
    reply = Reply(text="Hi.", turn=lease.turn, addressee="")
    await stage.platform.reply(lease).close(reply)
    await stage.platform.reply(lease).close(reply)
    assert [entry["text"] for entry in (await browser.shown()).values()] == ["Hello", "Hi."]


async def test_a_thread_that_is_gone_cannot_be_answered(stage: Stage, browser: Browser, redis: Redis) -> None:
    await browser.say("Hello")
    lease = await stage.claim()
    await redis.flushall()
    with pytest.raises(Permanent):
        await stage.platform.reply(lease).close(Reply(text="Hi.", turn=1, addressee=""))


# ------------------------------------------------------------------------------------------------------- secrets, files


@pytest.mark.behaviour("page.secrets")
async def test_a_secret_stands_nowhere_in_what_the_page_keeps(
    stage: Stage, browser: Browser, redis: Redis, tmp_path: Path
) -> None:
    canary = f"sk-{uuid.uuid4().hex}"
    message = new_id()
    said = await browser.say(f"my key is {canary}, thanks", message)
    assert canary not in said.text
    assert (await browser.shown())[f"message:{message}"]["secrets"] == 1
    edit = await browser.ask("PATCH", f"messages/{message}", json={"text": f"no, it is {canary}x"})
    assert edit.json()["text"] == "no, it is (secret:1)"
    form = Form(id="f1", title="Verify", fields={"username": "Username", "api_key": "Key"})
    lease = await stage.claim()
    await stage.platform.offer(lease.thread, asked(lease).author, form)
    await browser.ask("POST", "forms/f1", json={"fields": {"username": "john_doe", "api_key": canary}})
    found = [key async for key in redis.scan_iter() if canary.encode() in await _dump(redis, key)]
    assert found == []
    assert not any(canary.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


async def _kept(redis: Redis) -> bytes:
    """All that the page keeps."""
    return b"".join([await _dump(redis, key) async for key in redis.scan_iter("frontdesk:state:*")])


async def _dump(redis: Redis, key: bytes) -> bytes:
    name = key.decode()
    match await redis.type(name):
        case b"list":
            value: object = await redis.lrange(name, 0, -1)
        case b"hash":
            value = await redis.hgetall(name)
        case b"zset":
            value = await redis.zrange(name, 0, -1)
        case _:
            value = await redis.get(name)
    return repr(value).encode()


@pytest.mark.behaviour("page.files")
async def test_a_picture_goes_to_the_desk_and_comes_back_as_a_picture(stage: Stage, browser: Browser) -> None:
    message = new_id()
    files = [
        ("files", ("receipt.png", PNG, "image/png")),
        ("files", ("run.svg", b"<svg onload=alert(1)>", "image/png")),
    ]
    sent = await browser.ask("POST", "messages", data={"id": message, "text": ""}, files=files)
    assert sent.status_code == 200, sent.text
    lease = await stage.claim()
    attachments = asked(lease).attachments
    assert [await stage.platform.fetch(entry, 1000) for entry in attachments] == [PNG, b"<svg onload=alert(1)>"]
    assert all(entry.id.startswith("att-") and len(entry.id) == 10 for entry in attachments)
    with pytest.raises(ToolFailed, match="too large"):
        await stage.platform.fetch(attachments[0], 10)
    shown = (await browser.shown())[f"message:{message}"]["attachments"]
    picture, program = [await browser.ask("GET", f"files/{entry['upload']}") for entry in shown]
    assert picture.headers["content-type"] == "image/png"
    assert picture.headers["content-disposition"].startswith("inline")
    assert "sandbox" in picture.headers["content-security-policy"]
    assert program.headers["content-type"] == "application/octet-stream"
    assert program.headers["content-disposition"].startswith("attachment")
    assert program.headers["x-content-type-options"] == "nosniff"
    await browser.ask("DELETE", f"messages/{message}")
    assert (await browser.ask("GET", f"files/{shown[0]['upload']}")).status_code == 404


@pytest.mark.behaviour("page.limits")
@pytest.mark.parametrize(
    ("count", "size_bytes", "status"), [(5, 10, 400), (1, 10 * 1024 * 1024 + 1, 413), (4, 12 * 1024 * 1024, 413)]
)
async def test_files_beyond_the_limits_are_refused(
    stage: Stage, browser: Browser, count: int, size_bytes: int, status: int
) -> None:
    files = [("files", (f"{number}.png", b"x" * size_bytes, "image/png")) for number in range(count)]
    sent = await browser.ask("POST", "messages", data={"id": new_id(), "text": "x"}, files=files)
    assert sent.status_code == status
    assert stage.taken == []


@pytest.mark.behaviour("page.limits")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * (42 * 1024 * 1024), 413),
        (b"[" * 100_000, 400),
        (b"null", 400),
        (b'{"id": 7, "text": "x"}', 400),
        (b'{"id": "../../x", "text": "x"}', 400),
        (b'{"id": "%s", "text": "  "}' % new_id().encode(), 400),
        (b'{"id": "%s", "text": "\\ud800"}' % new_id().encode(), 400),
    ],
)
async def test_a_body_that_cannot_be_used_is_refused(stage: Stage, browser: Browser, body: bytes, status: int) -> None:
    sent = await browser.ask("POST", "messages", content=body, headers={"content-type": "application/json"})
    assert sent.status_code == status
    assert "Traceback" not in sent.text
    assert stage.taken == []


# -------------------------------------------------------------------------------------------------- edits, forms, staff


@pytest.mark.behaviour("page.forgets")
async def test_what_is_edited_or_deleted_is_forgotten(stage: Stage, browser: Browser, redis: Redis) -> None:
    message = new_id()
    await browser.say("The first wording", message)
    async with browser.following() as events:
        await item(events, f"message:{message}")
        await browser.ask("PATCH", f"messages/{message}", json={"text": "The second wording"})
        assert (await item(events, f"message:{message}"))["edited"] is True
        assert b"first wording" not in await _kept(redis)
        assert (await browser.client.get("/api/threads")).json()[0]["title"] == "The second wording"
        await browser.ask("DELETE", f"messages/{message}")
        assert (await item(events, f"message:{message}"))["deleted"] is True
    assert b"wording" not in await _kept(redis)
    shown = (await browser.shown())[f"message:{message}"]
    assert shown["text"] == ""
    assert (await browser.ask("DELETE", f"messages/{message}")).status_code == 404


@pytest.mark.behaviour("page.own")
async def test_only_who_wrote_a_message_can_change_it(stage: Stage, browser: Browser) -> None:
    message = new_id()
    await browser.say("Mine", message)
    ben = browser.as_("customer-b")
    assert (await ben.ask("PATCH", f"messages/{message}", json={"text": "Yours"})).status_code == 403
    assert (await ben.ask("DELETE", f"messages/{message}")).status_code == 403
    assert (await browser.shown())[f"message:{message}"]["text"] == "Mine"


@pytest.mark.behaviour("page.form")
async def test_a_private_form_is_seen_and_used_by_one_person(stage: Stage, browser: Browser) -> None:
    await browser.say("My ticket?")
    lease = await stage.claim()
    form = Form(
        id="f1", title="Verify", fields={"username": "User", "api_key": "Key"}, secret_fields=frozenset({"api_key"})
    )
    await stage.platform.offer(lease.thread, asked(lease).author, form)
    ben = browser.as_("customer-b")
    assert "form:f1" not in await ben.shown()
    typed = {"fields": {"username": "john_doe", "api_key": "wrong", "extra": "ignored"}}
    assert (await ben.ask("POST", "forms/f1", json=typed)).status_code == 404
    refused = await browser.ask("POST", "forms/f1", json=typed)
    assert refused.json() == {"verdict": "refused", "text": "These details do not match."}
    shown = (await browser.shown())["form:f1"]
    assert (shown["state"], shown["error"]) == ("offered", "These details do not match.")
    assert [field["secret"] for field in shown["fields"]] == [False, True]
    typed["fields"]["api_key"] = "key"
    await browser.ask("POST", "forms/f1", json=typed)
    done = (await browser.shown())["form:f1"]
    assert (done["state"], done["told"]) == ("done", "Thank you. You are verified as john_doe.")
    assert "wrong" not in str(done)


@pytest.mark.behaviour("page.staff")
async def test_a_colleague_takes_over_and_hands_back(stage: Stage, browser: Browser) -> None:
    await browser.say("I want a human")
    await stage.answer("A colleague will be with you.")
    thread = ThreadKey(platform="web", space="page", channel="main", root=browser.root)
    await stage.platform.notify("team", Card(title="Ada asks for a human", text="…", thread=thread))
    robin = browser.as_("colleague")
    assert [entry["kind"] for entry in (await robin.shown()).values()] == ["message", "answer", "card"]
    assert [entry["kind"] for entry in (await browser.shown()).values()] == ["message", "answer"]
    assert (await browser.client.get("/api/threads")).json()[0]["badge"] == "waiting"
    async with browser.following() as events:
        assert await until(events, "state") == {"mode": "bot"}
        taken = await robin.say("/support takeover")
        assert taken.json()["text"] == "You have the thread."
        assert await until(events, "state") == {"mode": "human"}
    assert await stage.mailbox.mode(thread) is Mode.HUMAN
    assert any(entry["kind"] == "notice" for entry in (await robin.shown()).values())
    assert not any(entry["kind"] == "notice" for entry in (await browser.shown()).values())
    await browser.say("/support handback")
    assert await stage.mailbox.mode(thread) is Mode.HUMAN, "a customer gives no commands"
    await robin.say("/support handback")
    assert await stage.mailbox.mode(thread) is Mode.BOT


@pytest.mark.behaviour("page.addressed")
async def test_who_is_not_addressed_is_told_how_to_ask(stage: Stage, browser: Browser) -> None:
    await browser.say("Hello")
    await stage.answer("Hi.")
    message = new_id()
    ben = browser.as_("customer-b")
    assert (await ben.say("and mine?", message)).json()["verdict"] == "ignored"
    assert (await ben.shown())[f"message:{message}"]["hint"] == "not_addressed"
    await ben.say("@frontdesk and mine?")
    lease = await stage.claim()
    assert asked(lease).author.id == "customer-b"


async def test_what_one_person_is_told_nobody_else_sees(stage: Stage, browser: Browser) -> None:
    await browser.say("Hello")
    lease = await stage.claim()
    await stage.platform.direct(lease.thread, asked(lease).author, "Between us.")
    assert [entry["text"] for entry in (await browser.shown()).values()] == ["Hello", "Between us."]
    assert [entry["text"] for entry in (await browser.as_("customer-b").shown()).values()] == ["Hello"]


async def test_a_message_the_bot_may_delete_is_gone(stage: Stage, browser: Browser) -> None:
    message = new_id()
    await browser.say("Hello", message)
    thread = (await stage.claim()).thread
    assert await stage.platform.delete(thread, message)
    assert not await stage.platform.delete(thread, new_id())
    assert (await browser.shown())[f"message:{message}"]["deleted"]


# ----------------------------------------------------------------------------------------------------------- the record


@pytest.mark.behaviour("page.record")
async def test_the_record_is_shown_exactly_as_it_is_kept(stage: Stage, browser: Browser) -> None:
    await browser.say("Hello")
    thread = ThreadKey(platform="web", space="page", channel="main", root=browser.root)
    waiting = (await browser.ask("GET", "record")).json()
    assert (waiting["rows"], len(waiting["inbox"])) == ([], 1)
    await stage.answer("Hi.")
    kept = await stage.mailbox.load(thread)
    record = await browser.ask("GET", "record")
    assert all(entry.row in record.content for entry in kept.entries)
    assert len(record.json()["rows"]) == 2
    rest = await browser.client.get(f"/api/threads/{browser.root}/record", params={"start": "1"})
    assert (rest.json()["start"], len(rest.json()["rows"])) == (1, 1)


async def test_stopping_reaches_the_running_turn(stage: Stage, browser: Browser) -> None:
    await browser.say("Hello")
    lease: Lease = await stage.claim()
    assert (await browser.ask("POST", "stop", json={})).json()["verdict"] == "done"
    assert (await stage.mailbox.renew(lease)).order == "stop"


# ------------------------------------------------------------------------------------------------------------- the door


@pytest.mark.behaviour("page.headers")
@pytest.mark.parametrize("path", ["/", "/static/app.js", "/api/session", "/api/threads", "/api/threads/x/record"])
async def test_every_response_says_what_it_may_do(browser: Browser, path: str) -> None:
    headers = (await browser.client.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "server" not in headers


@pytest.mark.behaviour("page.origin")
async def test_a_write_from_another_page_is_refused(stage: Stage, browser: Browser) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        sent = await browser.ask("POST", "messages", json={"id": new_id(), "text": "x"}, headers={"origin": origin})
        assert sent.status_code == 403
    bent = await browser.client.get("/api/threads", headers={"host": "evil.example"})
    assert bent.status_code == 403
    assert stage.taken == []


async def test_what_is_not_there_is_404_and_nobody_is_401(stage: Stage, browser: Browser) -> None:
    for path in ("events", "record", f"files/{'0' * 32}"):
        assert (await browser.ask("GET", path)).status_code == 404
    assert (await browser.as_("nobody").say("x")).status_code == 401
    assert stage.taken == []


@pytest.mark.behaviour("page.stops")
async def test_open_streams_end_when_the_process_stops(redis_url: str, tmp_path: Path) -> None:
    async with staged(redis_url, tmp_path) as stage:
        client = httpx2.AsyncClient(base_url=stage.url, headers={"origin": stage.url}, timeout=PATIENCE_S)
        browser = Browser(client, new_id())
        await browser.say("Hello")
        response = await client.send(client.build_request("GET", f"/api/threads/{browser.root}/events"), stream=True)
        events = _events(response)
        await anext(events)
    async with asyncio.timeout(PATIENCE_S):
        assert [name async for name, _, _ in events if name == "items"] == []
    await client.aclose()
