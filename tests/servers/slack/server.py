"""The sockets of this Slack: the Web API, files, response URLs, Socket Mode's WebSockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import TracebackType
from typing import Any, Self

import orjson
from aiohttp import web

from tests.servers.patience import WAIT_S
from tests.servers.slack import payloads
from tests.servers.slack.api import WebApi
from tests.servers.slack.delivery import Delivery, Receipt
from tests.servers.slack.doors import Doors, token_of
from tests.servers.slack.faults import Call, Faults
from tests.servers.slack.people import Somebody
from tests.servers.slack.screen import Refusal
from tests.servers.slack.world import BOT, HOME, Member, Message, World, texts

JSON_FIELDS = frozenset({"blocks", "chunks", "metadata", "view", "attachments", "files", "prompts", "loading_messages"})


class Slack:
    """A Slack. What it refuses without having been asked to stands in `refused` and raises when it is left.

    Args:
        strict: raise for it.
        port: where to listen; any free port when 0.
    """

    def __init__(self, *, strict: bool = True, port: int = 0) -> None:
        self.world = World()
        self.api = WebApi(self.world)
        self.faults = Faults()
        self.delivery = Delivery()
        self.calls: list[Call] = []
        self.refused: list[str] = []
        self.may_refuse: set[str] = set()
        """Words that a test expects, such as `message_not_in_streaming_state` after a take-over."""
        self.echoes = True
        """Tell the app of its own messages, as Slack does."""
        self.clock_off_s = 0.0
        """How far this Slack's clock is ahead, in the `Date` header and in signatures."""
        self._strict = strict
        self._port = port
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._runner: web.AppRunner | None = None

    @property
    def api_url(self) -> str:
        """What SLACK_API_URL is for this Slack."""
        return f"{self.api.base}/api/"

    def person(self, member: Member) -> Somebody:
        """Somebody who can do things."""
        self.world.members.setdefault(member.id, member)
        return Somebody(self, member)

    def event_id(self) -> str:
        """An id that no event had."""
        return f"Ev{self.world.number():010d}"

    def response_url(self, message: Message | None, person: str, channel: str = "") -> str:
        """Where an app answers to what somebody did."""
        token = str(self.world.number())
        self.world.links[token] = (message.channel if message else channel, person, message.ts if message else None)
        return f"{self.api.base}/actions/{HOME}/{token}"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/api/{method}", self._api)
        Doors(self).add_to(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.api.base, self.api.socket_base = f"http://127.0.0.1:{self._port}", f"ws://127.0.0.1:{self._port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.delivery.aclose()
        assert self._runner is not None
        await self._runner.cleanup()
        if self._strict and error is None:
            wrong = [line for line in self.refused if not self.may_refuse & set(line.replace(":", "").split())]
            assert not wrong, "Slack refused:\n" + "\n".join(wrong)

    # ------------------------------------------------------------------------------------------------------- looking

    async def until(self, look: Callable[[], Any], *, within_s: float = WAIT_S) -> Any:
        """Wait until `look` finds something in what there is."""
        try:
            async with asyncio.timeout(within_s), self._changed:
                while not (found := look()):
                    await self._changed.wait()
                return found
        except TimeoutError:
            raise AssertionError(f"it did not come to be; there is:\n{self.picture()}") from None

    def picture(self) -> str:
        """Everything on all screens, for a test that failed."""
        lines = []
        for message in sorted(
            self.world.messages.values(), key=lambda message: (message.channel, message.root, message.ts)
        ):
            name = self.world.members[message.user].name
            marks = [mark for mark in (message.stream, "deleted" if message.deleted else "") if mark]
            marks += [f"only {message.seen_by}"] if message.seen_by else []
            lines.append(f"{message.channel} {message.root} {message.ts} {name} {marks}: {message.shown!r}")
        calls = " ".join(call.method for call in self.calls[-40:])
        return "\n".join([*lines, f"statuses {self.world.statuses}", f"calls {calls}", f"refused {self.refused}"])

    def answers(self, channel: str, root: str) -> list[Message]:
        """The bot's messages in a thread, oldest first."""
        return [message for message in self.world.thread(channel, root) if message.user == BOT]

    def read(self, channel: str, root: str) -> str:
        """All that the bot says in a thread, as it stands at this moment."""
        return "\n".join(texts(self.answers(channel, root)))

    async def shows(self, channel: str, root: str, words: str, **how: Any) -> str:
        """Wait until the bot's part of a thread holds these words; all of it."""
        await self.until(lambda: words in self.read(channel, root), **how)
        return self.read(channel, root)

    async def called(self, method: str, times: int = 1) -> list[Call]:
        """Wait until a method was called so often; these calls."""
        await self.until(lambda: len(self.calls_of(method)) >= times)
        return self.calls_of(method)

    def calls_of(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    def assert_at_rest(self) -> None:
        """No stream is open, nothing "is thinking", and no session is at work."""
        dead = [
            message.ts for message in self.world.messages.values() if message.stream == "open" and not message.deleted
        ]
        assert not dead, f"streams that nobody ended: {dead}\n{self.picture()}"
        assert not self.world.statuses, f"statuses that nobody cleared: {self.world.statuses}"
        assert "processing" not in self.world.sessions.values(), f"sessions: {self.world.sessions}"

    async def notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def start(self, doing: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Do something beside the test."""
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # ------------------------------------------------------------------------------------------------------- Web API

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        call = Call(method, await _arguments(request), token_of(request), time.monotonic())
        self.calls.append(call)
        self.faults.seen[method] += 1
        times = self.faults.seen[method]
        fault = self.faults.next(method)
        self.faults.before(call, times)
        if fault.gate is not None and not fault.late:
            fault.gate.reached.set()
            await fault.gate.go.wait()
        if fault.drops:
            return _abort(request)
        if fault.retry_after_s is not None:
            await self.notify()
            return self._answer({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(fault.retry_after_s)})
        if fault.status:
            await self.notify()
            return web.Response(
                status=fault.status, text="<html>Slack has an incident</html>", content_type="text/html"
            )
        body = {"ok": False, "error": fault.error} if fault.error else await self._done(call)
        self.faults.after(call, times)
        await self.notify()
        if fault.gate is not None and fault.late:
            fault.gate.reached.set()
            await fault.gate.go.wait()
        if fault.loses:
            return _abort(request)
        return self._answer(body)

    async def _done(self, call: Call) -> dict[str, Any]:
        try:
            body = await self.api.do(call)
        except Refusal as refusal:
            self.refused.append(f"{call.method}: {refusal.error} {' '.join(refusal.details)}".strip())
            answer: dict[str, Any] = {"ok": False, "error": refusal.error, **refusal.more}
            return answer | ({"response_metadata": {"messages": list(refusal.details)}} if refusal.details else {})
        if self.echoes and self.delivery_is_up and call.method in _ECHOED:
            self.start(self._echo(call.method, body))
        return {"ok": True, **body}

    @property
    def delivery_is_up(self) -> bool:
        return bool(self.delivery.request_url or self.delivery.open)

    async def _echo(self, method: str, body: dict[str, Any]) -> None:
        """An app hears of its own messages."""
        message = self.world.find(str(body["channel"]), str(body["ts"]))
        if message is None:
            return
        channel = self.world.channels[message.channel]
        if method == "chat.update":
            before = message.to_json() | {"text": message.versions[-1] if message.versions else ""}
            event = payloads.changed_event(before, message, channel, self.world.now())
        else:
            event = payloads.message_event(message, self.world.members[BOT], channel)
        await self.delivery.event(payloads.enveloped(event, self.event_id(), shared=channel.shared), retries=False)

    def _answer(self, body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=self.clock_off_s), usegmt=True)
        shown = {"Date": date, "x-oauth-scopes": self.api.scopes, "x-slack-req-id": "r1", **(headers or {})}
        return web.Response(body=orjson.dumps(body), status=status, headers=shown, content_type="application/json")

    # ------------------------------------------------------------------------------------------------- what happens

    async def happens(self, event: dict[str, Any], *, shared: bool = False, team: str = HOME) -> Receipt:
        """Any other event."""
        return await self.delivery.event(payloads.enveloped(event, self.event_id(), team=team, shared=shared))

    async def rename_channel(self, old: str, new: str) -> Receipt:
        """A private channel is shared: another id for ever.

        Source: docs.slack.dev/reference/events/channel_id_changed
        """
        channel = self.world.channels[new] = self.world.channels.pop(old)
        channel.id, channel.shared = new, True
        for message in [message for message in self.world.messages.values() if message.channel == old]:
            del self.world.messages[old, message.ts]
            message.channel = new
            self.world.messages[new, message.ts] = message
        event = {
            "type": "channel_id_changed",
            "old_channel_id": old,
            "new_channel_id": new,
            "event_ts": self.world.now(),
        }
        return await self.happens(event)

    async def uninstall(self) -> Receipt:
        """The app is taken out of its workspace. Source: docs.slack.dev/reference/events/app_uninstalled"""
        self.api.revoked |= {token for token, team in self.api.bot_tokens.items() if team == HOME}
        return await self.happens({"type": "app_uninstalled", "event_ts": self.world.now()})

    async def revoke_tokens(self) -> Receipt:
        """Its token is taken away. Source: docs.slack.dev/reference/events/tokens_revoked"""
        self.api.revoked |= {token for token, team in self.api.bot_tokens.items() if team == HOME}
        event = {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [BOT]}, "event_ts": self.world.now()}
        return await self.happens(event)

    async def expire_streams(self) -> None:
        """Five minutes went by: Slack closes what is streamed."""
        for message in self.world.messages.values():
            if message.stream == "open":
                message.stream = "expired"
        await self.notify()


_ECHOED = frozenset({"chat.postMessage", "chat.update", "chat.stopStream"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def _arguments(request: web.Request) -> dict[str, Any]:
    """What a method is asked, from the query, a form or JSON, as the SDK sends it."""
    arguments: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        arguments |= orjson.loads(await request.read() or b"{}")
    elif request.method == "POST":
        arguments |= {key: value for key, value in (await request.post()).items() if isinstance(value, str)}
    for name in JSON_FIELDS & arguments.keys():
        if isinstance(arguments[name], str):
            arguments[name] = orjson.loads(arguments[name])
    return arguments


def _abort(request: web.Request) -> web.StreamResponse:
    """End the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError
