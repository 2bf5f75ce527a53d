"""Messages of ours in Slack: posted at the pace that Slack allows, found again, and never there twice.

Slack has no key by which a post could be repeated safely. So a message says in its metadata what it is, its id is kept
before anything else, and when nobody knows whether it was posted the thread is looked through for it. Two processes may
still both have posted: then shared state decides which of the messages stays, and only one that is known not to be it
is deleted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackClientError
from slack_sdk.webhook.async_client import AsyncWebhookClient

from adapters.slack.aliases import Aliases
from adapters.slack.calls import PATIENCE_S, Calls, Unsure, sdk_log, to_error
from adapters.slack.installations import Installation, Installations
from adapters.slack.render import PART_CHARS, Post, body, notice
from bot.errors import Permanent, Transient
from bot.messages import ThreadKey
from bot.ports import File, SharedState

log = structlog.get_logger(__name__)

INTERVAL_S = 1.0
BURST = 3
"""Slack takes about one message a second in a channel, and a few at once.

Source: https://docs.slack.dev/apis/web-api/rate-limits
"""

LONGEST_S = 60.0
"""The longest queue; a place further off was taken by a clock that is ahead."""

RACES = 50

AGAIN_S = (0.3, 1.0)
"""How long to wait before an edit whose answer was lost is made again."""

RESPOND_S = 5

PAGES = 5
DAY_S = 86_400.0

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A place in Slack at this moment, with what is needed to write there."""

    me: Installation
    channel: str
    root: str


class Pace:
    """Spreads what is posted into a channel: one after another, a few at once, then one a second. The queue is one for
    all processes; each place in it is a moment by their clocks.

    Args:
        state: where the next free place is kept.
    """

    def __init__(self, state: SharedState) -> None:
        self._state = state

    async def turn(self, team: str, channel: str) -> None:
        """Wait for the next place in the channel's queue.

        Raises:
            Transient: nobody can say which it is.
        """
        key, stored = f"pace/{team}/{channel}", None
        for _ in range(RACES):
            now = time.time()
            place = max(now, min(float(stored or 0.0), now + LONGEST_S))
            after = place + INTERVAL_S
            # It is kept while it lies ahead, so that a quiet channel has none, and one way to the store is enough.
            if await self._state.compare_and_set(key, stored, f"{after:.3f}".encode(), ttl_s=after - now):
                break
            stored = await self._state.get(key)
        else:
            raise Transient("slack_channel_contended", retry_after_s=INTERVAL_S)
        wait_s = place - now - (BURST - 1) * INTERVAL_S
        if wait_s > 0:
            await asyncio.sleep(wait_s)


class Posts:
    """Writes into channels and threads.

    Args:
        state: where it is kept which message stands for what.
    """

    def __init__(self, calls: Calls, installations: Installations, aliases: Aliases, state: SharedState) -> None:
        self._calls = calls
        self._installations = installations
        self._aliases = aliases
        self._state = state
        self._pace = Pace(state)
        self.unsupported: set[tuple[str, str]] = set()
        """Workspaces and methods that are not to be had there; the next process asks again."""

    async def line(self, thread: ThreadKey) -> Line:
        """The thread as Slack has it at this moment."""
        me = await self._installations.of(thread.space)
        return Line(me=me, channel=await self._aliases.current(thread.space, thread.channel), root=thread.root)

    async def call(self, line: Line, method: str, arguments: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """Call a method in the line's workspace; see `Calls.call`."""
        return await self._calls.call(method, line.me.token, arguments, **more)

    async def turn(self, line: Line) -> None:
        """Wait until another message may be begun in the channel."""
        await self._pace.turn(line.me.team, line.channel)

    async def post(self, line: Line, post: Post) -> str:
        """Post a message into the thread; its id.

        Raises:
            Unsure: it may be there.
            Transient, Permanent: it is not.
        """
        await self.turn(line)
        where = {"channel": line.channel, "thread_ts": line.root or None}
        return str((await self.call(line, "chat.postMessage", {**where, **post.arguments()}))["ts"])

    async def update(self, line: Line, ts: str, post: Post, *, patience_s: float = PATIENCE_S) -> None:
        """Give a message another content; repeating it changes nothing."""
        arguments = post.arguments()
        for name in ("unfurl_links", "unfurl_media"):
            arguments.pop(name)  # they belong to posting
        for again_s in (*AGAIN_S, None):
            try:
                await self.call(
                    line, "chat.update", {"channel": line.channel, "ts": ts, **arguments}, patience_s=patience_s
                )
            except Unsure:
                if again_s is None:
                    raise
                await asyncio.sleep(again_s)
            else:
                return

    async def delete(self, line: Line, ts: str, *, may_stream: bool = True) -> None:
        """Take a message of ours away; one that is gone already is as good.

        Args:
            may_stream: it may be a stream that is open.
        """
        if may_stream:
            await self.stop_stream(line, ts)
        try:
            await self.call(line, "chat.delete", {"channel": line.channel, "ts": ts})
        except Permanent as failure:
            if failure.reason != "message_not_found":
                log.warning("slack_not_deleted", reason=failure.reason)

    async def stop_stream(self, line: Line, ts: str) -> None:
        """Stop a stream that may be open: an open one can be neither changed nor deleted."""
        try:
            await self.call(line, "chat.stopStream", {"channel": line.channel, "ts": ts})
        except Permanent as failure:
            log.debug("slack_no_stream", reason=failure.reason)

    async def look(self, line: Line, after: str, wanted: Callable[[Message], bool]) -> str | None:
        """The first message of ours in the thread (or channel), from `after` on, that is wanted."""
        cursor: str | None = None
        arguments = {"channel": line.channel, "inclusive": True, "include_all_metadata": True, "limit": 100}
        if after:
            arguments["oldest"] = after
        if line.root:
            arguments["ts"] = line.root
        method = "conversations.replies" if line.root else "conversations.history"
        for _ in range(PAGES):
            answer = await self.call(line, method, {**arguments, "cursor": cursor})
            for message in answer.get("messages") or ():
                ours = message.get("user") == line.me.bot_user or message.get("bot_id") == line.me.bot_id
                if ours and wanted(message):
                    return str(message["ts"])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return None
        return None

    async def respond(self, response_url: str, text: str) -> bool:
        """Say something to whoever pressed, at the address that came with the press; whether Slack took it."""
        client = AsyncWebhookClient(response_url, timeout=RESPOND_S, session=self._calls.session, logger=sdk_log)
        try:
            answer = await client.send(
                text=notice(text), blocks=body(text[:PART_CHARS]), response_type="ephemeral", replace_original=False
            )
        except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.info("slack_not_responded", reason=type(error).__name__)
            return False
        return answer.status_code == 200

    async def upload(self, line: Line, channel: str, file: File) -> None:
        """Put a file of ours into a channel."""
        try:
            await self._calls.client(line.me.token).files_upload_v2(
                channel=channel, filename=file.name, title=file.name, content=file.data
            )
        except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
            raise to_error(error) from None

    # -------------------------------------------------------------------------------------------- once per key

    async def once(self, line: Line, key: str, post: Post) -> str:
        """Post a message, once per key: a second time it is the message that is there already; its id.

        Args:
            post: its metadata has the key.
        """
        kept = await self.begin(key)
        ts = kept or None
        if kept == "":
            ts = await self.look(line, line.root, _has(key))
        if ts is None:
            try:
                ts = await self.post(line, post)
            except Unsure:
                raise
            except (Transient, Permanent):
                await self.forget(key)
                raise
        stands = await self.claim(key, ts)
        if stands != ts:
            await self.delete(line, ts)
        return stands

    async def begin(self, key: str) -> str | None:
        """Say that a message for this key is about to be posted.

        Returns:
            Nothing when nobody said so before; else the id of the message that stands for the key, empty when nobody
            knows whether there is one.
        """
        if await self._state.compare_and_set(_kept(key), None, b"", ttl_s=DAY_S):
            return None
        return ((await self._state.get(_kept(key))) or b"").decode()

    async def claim(self, key: str, ts: str) -> str:
        """Let this message stand for the key, if none does; the one that stands for it."""
        for expected in (b"", None):
            if await self._state.compare_and_set(_kept(key), expected, ts.encode(), ttl_s=DAY_S):
                return ts
        return ((await self._state.get(_kept(key))) or ts.encode()).decode()

    async def stands(self, key: str, ts: str) -> None:
        """Let this message stand for the key from now on, whichever did before."""
        await self._state.set(_kept(key), ts.encode(), ttl_s=DAY_S)

    async def standing(self, key: str) -> str | None:
        """The message that stands for the key, if one does."""
        return ((await self._state.get(_kept(key))) or b"").decode() or None

    async def forget(self, key: str) -> None:
        """No message stands for the key, and none was posted."""
        await self._state.delete(_kept(key))


def _has(key: str) -> Callable[[Message], bool]:
    return lambda message: payload(message).get("key") == key


def payload(message: Message) -> Mapping[str, Any]:
    """What the metadata of a message says."""
    metadata = message.get("metadata")
    found = metadata.get("event_payload") if isinstance(metadata, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _kept(key: str) -> str:
    return f"post/{key}"
