# ruff: noqa: N802 - a method is called as Slack calls it
"""Messages and streams of the Web API: `async def chat_update(call)` is `chat.update`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.servers.slack.faults import Call
from tests.servers.slack.screen import Refusal, check_blocks, check_chunks, check_metadata, check_text
from tests.servers.slack.world import APP, BOT, BOT_ID, Channel, Message, World

Json = dict[str, Any]
WHOLE_STREAM_LIMIT = 13_000


def place(world: World, name: str, *, writes: bool = False) -> Channel:
    """The channel that a call names; a person's id names the conversation with them."""
    channel = world.channels.get(name)
    if channel is None and name in world.members:
        channel = world.im(name)
    if channel is None:
        raise Refusal("channel_not_found")
    if writes and channel.archived:
        raise Refusal("is_archived")
    if writes and not channel.has_bot:
        raise Refusal("not_in_channel")
    return channel


class Chat:
    """What the methods whose names begin with `chat.` do to the world."""

    def __init__(self, world: World) -> None:
        self._world = world

    # ----------------------------------------------------------------------------------------------------- messages

    async def chat_postMessage(self, call: Call) -> Json:
        channel = place(self._world, str(call.arguments["channel"]), writes=True)
        check_text(call.arguments, updates=False)
        message = self._made(call, channel)
        self._world.put(message)
        return {"channel": channel.id, "ts": message.ts, "message": message.to_json(with_metadata=True)}

    async def chat_postEphemeral(self, call: Call) -> Json:
        channel = place(self._world, str(call.arguments["channel"]), writes=True)
        person = str(call.arguments["user"])
        if person not in self._world.members:
            raise Refusal("user_not_in_channel")
        check_text(call.arguments, updates=False)
        message = self._made(call, channel)
        message.seen_by = person
        self._world.messages[channel.id, message.ts] = message
        return {"message_ts": message.ts}

    def _made(self, call: Call, channel: Channel) -> Message:
        arguments = call.arguments
        root = arguments.get("thread_ts")
        if root is not None and self._world.find(channel.id, str(root)) is None:
            root = None  # Slack posts into the channel then
        return Message(
            ts=self._world.now(),
            channel=channel.id,
            user=BOT,
            bot_id=BOT_ID,
            app_id=APP,
            text=str(arguments.get("text") or ""),
            said=str(arguments.get("markdown_text") or ""),
            thread_ts=str(root) if root is not None else None,
            blocks=list(arguments.get("blocks") or ()),
            metadata=arguments.get("metadata"),
        )

    async def chat_update(self, call: Call) -> Json:
        channel = place(self._world, str(call.arguments["channel"]), writes=True)
        message = self._own(call)
        if message.seen_by:
            raise Refusal("message_not_found")
        if message.stream == "open":
            raise Refusal("streaming_state_conflict")
        check_text(call.arguments, updates=True)
        message.versions.append(message.shown)
        if call.arguments.get("text") is not None:
            message.text, message.said = str(call.arguments["text"]), ""
        message.said = str(call.arguments.get("markdown_text") or "")
        message.blocks = list(call.arguments.get("blocks") or ())
        message.metadata = call.arguments.get("metadata", message.metadata)
        message.edited = self._world.now()
        return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": message.to_json()}

    async def chat_delete(self, call: Call) -> Json:
        place(self._world, str(call.arguments["channel"]))
        message = self._own(call)
        if message.stream == "open":
            raise Refusal("streaming_state_conflict")
        message.deleted = True
        return {"channel": message.channel, "ts": message.ts}

    async def chat_getPermalink(self, call: Call) -> Json:
        channel, ts = str(call.arguments["channel"]), str(call.arguments["message_ts"])
        if self._world.find(channel, ts) is None:
            raise Refusal("message_not_found")
        return {"channel": channel, "permalink": f"https://home.slack.com/archives/{channel}/p{ts.replace('.', '')}"}

    # ------------------------------------------------------------------------------------------------------ streams

    async def chat_startStream(self, call: Call) -> Json:
        """Outside direct messages it is written for one person: both of their ids are needed, and must agree."""
        arguments = call.arguments
        channel = place(self._world, str(arguments["channel"]), writes=True)
        if self._world.find(channel.id, str(arguments["thread_ts"])) is None:
            raise Refusal("thread_not_found")
        recipient = (str(arguments.get("recipient_team_id") or ""), str(arguments.get("recipient_user_id") or ""))
        if channel.kind != "im":
            for name, value in zip(("team", "user"), recipient, strict=True):
                if not value:
                    raise Refusal(f"missing_recipient_{name}_id")
            member = self._world.members.get(recipient[1])
            if member is None or recipient[0] not in (member.team, member.enterprise):
                raise Refusal("user_not_found")
        _check_said(arguments)
        message = self._made(call, channel)
        message.stream, message.recipient = "open", recipient
        message.said = ""
        self._extend(message, arguments)
        self._world.put(message)
        return {"channel": channel.id, "ts": message.ts}

    async def chat_appendStream(self, call: Call) -> Json:
        message = self._streaming(call)
        if not (call.arguments.get("markdown_text") or call.arguments.get("chunks")):
            raise Refusal("no_text")
        _check_said(call.arguments)
        self._extend(message, call.arguments)
        return {"channel": message.channel, "ts": message.ts}

    async def chat_stopStream(self, call: Call) -> Json:
        message = self._streaming(call)
        _check_said(call.arguments)
        check_metadata(call.arguments.get("metadata"))
        blocks = list(call.arguments.get("blocks") or ())
        check_blocks(blocks, beside=len(message.said))
        self._extend(message, call.arguments)
        message.blocks = [*message.blocks, *blocks]
        message.metadata = call.arguments.get("metadata", message.metadata)
        message.stream = "closed"
        if status := call.arguments.get("session_status"):
            self._world.sessions[message.channel, message.root] = str(status)
        return {"channel": message.channel, "ts": message.ts, "message": message.to_json(with_metadata=True)}

    def _streaming(self, call: Call) -> Message:
        place(self._world, str(call.arguments["channel"]), writes=True)
        message = self._own(call)
        if message.stream != "open":
            raise Refusal("message_not_in_streaming_state")
        return message

    def _extend(self, message: Message, arguments: Mapping[str, Any]) -> None:
        said = message.said + str(arguments.get("markdown_text") or "")
        for chunk in arguments.get("chunks") or ():
            match chunk["type"]:
                case "markdown_text":
                    said += chunk["text"]
                case "task_update":
                    message.tasks[str(chunk["id"])] = dict(chunk)
                case "blocks":
                    message.blocks = [*message.blocks, *chunk["blocks"]]
        if len(said) > WHOLE_STREAM_LIMIT:
            raise Refusal("msg_too_long")
        if said != message.said:
            message.versions.append(said)
        message.said = said

    def _own(self, call: Call) -> Message:
        """A message of ours that a call names."""
        message = self._world.find(str(call.arguments["channel"]), str(call.arguments["ts"]))
        if message is None:
            raise Refusal("message_not_found")
        if message.user != BOT:
            raise Refusal("cant_update_message" if call.method == "chat.update" else "cant_delete_message")
        return message


def _check_said(arguments: Mapping[str, Any]) -> None:
    if len(arguments.get("markdown_text") or "") > 12_000:
        raise Refusal("msg_too_long")
    check_chunks(arguments.get("chunks"))
