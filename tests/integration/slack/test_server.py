"""The local Slack, driven by the unmodified slack-bolt and slack-sdk: what it plays is what they understand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.servers.slack import ADA, BEN, BOT, HOME, ROBIN, SHARED, Fault, Slack
from tests.servers.slack.delivery import SECRET
from tests.servers.slack.world import ACME, GRID

pytestmark = pytest.mark.behaviour("slack.stand_in")


def client(slack: Slack, token: str = "xoxb-home") -> AsyncWebClient:
    return AsyncWebClient(token=token, base_url=slack.api_url, retry_handlers=[])


def bolt(slack: Slack) -> AsyncApp:
    return AsyncApp(client=client(slack), signing_secret=SECRET, process_before_response=True)


@asynccontextmanager
async def connected(app: AsyncApp, slack: Slack, mode: str) -> AsyncIterator[None]:
    """An app that hears of this Slack."""
    if mode == "socket":
        tokens = client(slack, "xapp-home")
        handler = AsyncSocketModeHandler(app, app_token="xapp-home", web_client=tokens)
        await handler.connect_async()  # type: ignore[no-untyped-call]  # the library has no types here
        await slack.delivery.connected()
        try:
            yield
        finally:
            await handler.close_async()  # type: ignore[no-untyped-call]  # the library has no types here
        return

    async def serve(request: web.Request) -> web.Response:
        asked = AsyncBoltRequest(body=await request.text(), headers=dict(request.headers))
        answer = await app.async_dispatch(asked)
        return web.Response(
            status=answer.status,
            text=answer.body,
            content_type=answer.headers.get("content-type", ["text/plain"])[0].partition(";")[0],
        )

    server = web.Application()
    server.router.add_post("/slack/events", serve)
    runner = web.AppRunner(server, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.delivery.request_url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_bolt_hears_a_message_and_its_mention_and_answers(slack: Slack, mode: str) -> None:
    app, heard = bolt(slack), []

    @app.event("app_mention")
    async def mentioned(event: dict[str, Any], say: Any, context: Any) -> None:
        heard.append((context.team_id, context.actor_team_id))
        await say(text="hello", thread_ts=event["ts"])

    @app.event("message")
    async def written(event: dict[str, Any], context: Any) -> None:
        heard.append((context.team_id, context.actor_team_id))

    async with connected(app, slack, mode):
        said = await slack.person(ADA).say("@Frontdesk hi")
        assert [receipt.statuses for receipt in said.receipts] == [[200], [200]]
        assert heard == [(HOME, ACME), (HOME, ACME)]
        assert await slack.shows(SHARED, said.ts, "hello") == "hello"
        await slack.person(BEN).say("@Frontdesk and me")
        assert heard[-1] == (HOME, None), "of a Grid's member the mention tells only the Grid"
        assert GRID in str(slack.world.members[BEN.id])


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_what_is_not_acknowledged_comes_again(slack: Slack, mode: str) -> None:
    app, seen = bolt(slack), []
    slack.delivery.patience_s = 0.5

    @app.event("message")
    async def fails(request: Any) -> None:
        seen.append(request.headers.get("x-slack-retry-num", ["0"])[0])
        if len(seen) < 3:
            raise RuntimeError("not now")

    async with connected(app, slack, mode):
        said = await slack.person(ADA).say("hi")
    assert seen == ["0", "1", "2"]
    assert said.receipts[0].statuses == ([0, 0, 200] if mode == "socket" else [500, 500, 200])


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_a_button_opens_a_modal_and_what_is_typed_comes_back(slack: Slack, mode: str) -> None:
    app, typed = bolt(slack), []
    button = {"type": "button", "action_id": "open", "text": {"type": "plain_text", "text": "Verify"}, "value": "x"}
    field = {"type": "plain_text_input", "action_id": "username"}
    view = {
        "type": "modal",
        "callback_id": "form",
        "title": {"type": "plain_text", "text": "Verify"},
        "submit": {"type": "plain_text", "text": "Send"},
        "blocks": [
            {"type": "input", "block_id": "b", "label": {"type": "plain_text", "text": "Name"}, "element": field}
        ],
    }

    @app.action("open")
    async def pressed(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=view)

    @app.view("form")
    async def submitted(ack: Any, body: dict[str, Any], context: Any) -> None:
        typed.append((context.team_id, body["view"]["state"]["values"]["b"]["username"]["value"]))
        if len(typed) == 1:
            await ack(response_action="errors", errors={"b": "Not that"})
        else:
            await ack()

    async with connected(app, slack, mode):
        ada = slack.person(ADA)
        posted = await client(slack).chat_postEphemeral(
            channel=SHARED, user=ADA.id, text="form", blocks=[{"type": "actions", "elements": [button]}]
        )
        (shown,) = ada.ephemerals()
        assert shown.ts == posted["message_ts"]
        assert (await ada.press(shown, "Verify")).acknowledged
        first = await ada.submit({"username": "wrong"})
        assert (first.words, first.closed) == (["Not that"], False)
        assert (await ada.submit(["right"])).closed
    assert typed == [(HOME, "wrong"), (HOME, "right")]


async def test_commands_and_shortcuts_reach_bolt(slack: Slack) -> None:
    app = bolt(slack)

    @app.command("/support")
    async def given(ack: Any, command: dict[str, Any]) -> None:
        await ack(f"you said {command['text']}")

    @app.shortcut("handback")
    async def chosen(ack: Any, shortcut: dict[str, Any], respond: Any) -> None:
        await ack()
        await respond(f"for {shortcut['message']['ts']}")

    async with connected(app, slack, "http"):
        robin = slack.person(ROBIN)
        assert (await robin.command("status")).body == "you said status"
        message = slack.person(ADA).writes("hi")
        assert (await robin.choose(message, "handback")).acknowledged
        await slack.until(lambda: [one.shown for one in robin.ephemerals()] == [f"for {message.ts}"])


async def test_streams_have_states(slack: Slack) -> None:
    slack.may_refuse |= {"missing_recipient_team_id", "streaming_state_conflict", "message_not_in_streaming_state"}
    root = slack.person(ADA).writes("hi")
    web = client(slack)
    with pytest.raises(SlackApiError, match="missing_recipient_team_id"):
        await web.chat_startStream(channel=SHARED, thread_ts=root.ts, markdown_text="x")
    stream = await web.chat_stream(
        channel=SHARED, thread_ts=root.ts, recipient_team_id=ACME, recipient_user_id=ADA.id, buffer_size=1
    )
    await stream.append(markdown_text="**Hel")
    (message,) = slack.answers(SHARED, root.ts)
    with pytest.raises(AssertionError, match="nobody ended"):
        slack.assert_at_rest()
    with pytest.raises(SlackApiError, match="streaming_state_conflict"):
        await web.chat_update(channel=SHARED, ts=message.ts, text="no")
    await stream.stop(markdown_text="lo**", metadata={"event_type": "turn", "event_payload": {"turn": 1}})
    assert (message.shown, message.stream, message.metadata is not None) == ("**Hello**", "closed", True)
    with pytest.raises(SlackApiError, match="message_not_in_streaming_state"):
        await web.chat_appendStream(channel=SHARED, ts=message.ts, markdown_text="more")
    await web.chat_update(channel=SHARED, ts=message.ts, text="Hello")
    assert message.shown == "Hello"


async def test_what_is_too_long_is_refused(slack: Slack) -> None:
    web = client(slack)
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3_001}}
    for arguments, error in (
        ({"text": "x", "blocks": [section]}, "invalid_blocks"),
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"text": "x", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"text": "x", "blocks": [{"type": "markdown", "text": "x" * 7_000}] * 2}, "msg_blocks_too_long"),
    ):
        slack.may_refuse.add(error)
        with pytest.raises(SlackApiError, match=error):
            await web.chat_postMessage(channel=SHARED, **arguments)
    posted = await web.chat_postMessage(channel=SHARED, text="x" * 11_800)
    with pytest.raises(SlackApiError, match="msg_too_long"):
        await web.chat_update(channel=SHARED, ts=str(posted["ts"]), text="x" * 11_800)


async def test_faults_happen_in_their_order(slack: Slack) -> None:
    web = client(slack)
    slack.faults.plan(
        "chat.postMessage",
        Fault(retry_after_s=1),
        Fault(error="channel_archived"),
        Fault(loses=True),
        Fault(drops=True),
    )
    with pytest.raises(SlackApiError) as limited:
        await web.chat_postMessage(channel=SHARED, text="1")
    assert limited.value.response.status_code == 429
    assert limited.value.response.headers["Retry-After"] == "1"
    with pytest.raises(SlackApiError, match="channel_archived"):
        await web.chat_postMessage(channel=SHARED, text="2")
    for text in ("3", "4"):
        with pytest.raises(aiohttp.ClientError):
            await web.chat_postMessage(channel=SHARED, text=text)
    assert [message.shown for message in slack.world.history(SHARED)] == ["3"]
    assert slack.refused == []


async def test_a_thread_is_read_oldest_first_in_pages(slack: Slack) -> None:
    ada = slack.person(ADA)
    root = ada.writes("root")
    for number in range(5):
        ada.writes(f"reply {number}", thread=root.ts)
    slack.api.replies_page = 2
    reading = await client(slack).conversations_replies(channel=SHARED, ts=root.ts, limit=100)
    assert [[message["text"] for message in page["messages"]] async for page in reading] == [
        ["root", "reply 0", "reply 1"],
        ["root", "reply 2", "reply 3"],
        ["root", "reply 4"],
    ]


async def test_files_need_the_token_and_are_hidden_in_slack_connect(slack: Slack) -> None:
    message = slack.person(ADA).writes("look", files=(("a.png", b"PNG"),))
    (hidden,) = message.files
    assert hidden == {"id": hidden["id"], "file_access": "check_file_info"}
    info = await client(slack).files_info(file=hidden["id"])
    url = info["file"]["url_private_download"]
    async with aiohttp.ClientSession() as session:
        async with session.get(url, headers={"authorization": "Bearer xoxb-home"}) as response:
            assert await response.read() == b"PNG"
        async with session.get(url) as response:
            assert (response.status, response.content_type) == (200, "text/html")
            assert len(response.history) == 1
    uploaded = await client(slack).files_upload_v2(
        filename="t.txt", content="words", channel=SHARED, thread_ts=message.ts, initial_comment="here"
    )
    assert uploaded["ok"]
    assert slack.world.files[uploaded["files"][0]["id"]].data == b"words"
    assert slack.read(SHARED, message.ts) == "here"


async def test_sockets_are_told_to_go_and_replaced(slack: Slack) -> None:
    app, seen = bolt(slack), []

    @app.event("message")
    async def written(event: dict[str, Any]) -> None:
        seen.append(event["text"])

    async with connected(app, slack, "socket"):
        await slack.delivery.say_goodbye("refresh_requested")
        await slack.delivery.opened(2)
        assert (await slack.person(ADA).say("after")).acknowledged
    assert seen == ["after"]


@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")  # the SDK's own business
async def test_oauth_gives_tokens_that_rotate(slack: Slack) -> None:
    slack.may_refuse |= {"invalid_refresh_token", "token_revoked"}
    slack.api.codes["code-1"] = ACME
    web = client(slack, "")
    first = await web.oauth_v2_access(client_id="client-id", client_secret="client-secret", code="code-1")
    again = await web.oauth_v2_access(
        client_id="client-id",
        client_secret="client-secret",
        grant_type="refresh_token",
        refresh_token=first["refresh_token"],
    )
    assert (await client(slack, again["access_token"]).auth_test())["team_id"] == ACME
    slack.api.revoked.add(str(again["access_token"]))
    with pytest.raises(SlackApiError, match="token_revoked"):
        await client(slack, again["access_token"]).auth_test()


async def test_who_is_who(slack: Slack) -> None:
    web = client(slack)
    me = await web.auth_test()
    assert (me["user_id"], me["team_id"]) == (BOT, HOME)
    assert "chat:write" in me.headers["x-oauth-scopes"]
    assert "email" not in (await web.users_info(user=ADA.id))["user"]["profile"]
    assert (await web.usergroups_users_list(usergroup="S0ADMINS1"))["users"] == [ROBIN.id]
    told = await asyncio.gather(*(web.conversations_open(users=ADA.id) for _ in range(2)))
    assert len({answer["channel"]["id"] for answer in told}) == 1
