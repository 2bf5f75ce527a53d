"""What people do in Slack: write, edit, delete, press, fill in, choose, and what an administrator does to the app."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.servers.slack import payloads, screen
from tests.servers.slack.delivery import Receipt
from tests.servers.slack.world import BOT, HOME, SHARED, Channel, Member, Message, View, values_of

if TYPE_CHECKING:
    from tests.servers.slack.server import Slack


@dataclass(slots=True)
class Said:
    """A message that somebody wrote, and what became of its deliveries: the message itself, then its mention."""

    message: Message
    receipts: list[Receipt] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ts(self) -> str:
        return self.message.ts

    @property
    def root(self) -> str:
        return self.message.root

    @property
    def acknowledged(self) -> bool:
        return all(receipt.acknowledged for receipt in self.receipts)


@dataclass(slots=True)
class Told:
    """What a submitted modal showed: errors beside its fields, or another view, or nothing."""

    receipt: Receipt
    words: list[str]
    closed: bool


class Somebody:
    """A person at this Slack."""

    def __init__(self, slack: Slack, member: Member) -> None:
        self.slack = slack
        self.member = member
        self._world = slack.world

    # ------------------------------------------------------------------------------------------------------ writing

    def writes(
        self,
        text: str,
        channel: str = SHARED,
        *,
        thread: str | None = None,
        files: Sequence[tuple[str, bytes]] = (),
        broadcast: bool = False,
        client_msg_id: str | None = None,
        **how: Any,
    ) -> Message:
        """Put a message on the screen without telling the app."""
        written, rich = payloads.typed(text, self._world.members)
        kept = [self._world.keep_file(name, data, _type_of(name), **how) for name, data in files]
        where = self._world.channels[channel]
        as_sent = payloads.hidden_file if where.shared and self.member.team != HOME else self.slack.api.file_json
        message = Message(
            ts=self._world.now(),
            channel=channel,
            user=self.member.id,
            text=written,
            thread_ts=thread,
            blocks=[rich] if text else [],
            files=[as_sent(file.id) for file in kept],
            bot_id=self.member.bot_id,
            app_id=self.member.app_id,
            client_msg_id=f"uuid-{self._world.number()}" if client_msg_id is None else client_msg_id,
        )
        return self._world.put(message)

    async def say(
        self, text: str, channel: str = SHARED, *, mention_first: bool = False, twin: bool = True, **how: Any
    ) -> Said:
        """Write a message and wait until Slack has its acknowledgements.

        Args:
            twin: a mention comes by `app_mention` as well, as it does in channels.
            mention_first: that one comes first.
        """
        said = Said(self.writes(text, channel, **how))
        said.bodies = self.events(said.message, twin=twin)
        for body in reversed(said.bodies) if mention_first else said.bodies:
            said.receipts.append(await self.slack.delivery.event(body))
        return said

    def events(self, message: Message, *, twin: bool = True) -> list[dict[str, Any]]:
        """The events of a message: one, or two with different ids where the bot is mentioned in a channel."""
        channel = self._world.channels[message.channel]
        event = payloads.message_event(message, self.member, channel)
        team = self.member.team if channel.shared else HOME
        bodies = [payloads.enveloped(event, self.slack.event_id(), team=team, shared=channel.shared)]
        if twin and channel.kind != "im" and f"<@{BOT}>" in message.text:
            mention = payloads.mention_event(message, self.member, channel)
            bodies.append(payloads.enveloped(mention, self.slack.event_id(), shared=channel.shared))
        return bodies

    async def edit(self, message: Message, text: str) -> Receipt:
        """Write a message anew."""
        before = message.to_json()
        message.text, rich = payloads.typed(text, self._world.members)
        message.blocks, message.edited = [rich], self._world.now()
        return await self._happens(
            payloads.changed_event(before, message, self._world.channels[message.channel], self._world.now()), message
        )

    async def unfurled(self, message: Message) -> Receipt:
        """Slack adds a preview: an event like an edit, with the text unchanged."""
        before = message.to_json()
        event = payloads.changed_event(before, message, self._world.channels[message.channel], self._world.now())
        event["message"]["attachments"] = [{"id": 1, "from_url": "https://example.org", "title": "Example"}]
        return await self._happens(event, message)

    async def delete(self, message: Message) -> Receipt:
        """Take a message away."""
        message.deleted = True
        event = payloads.deleted_event(message, self._world.channels[message.channel], self._world.now())
        return await self._happens(event, message)

    async def _happens(self, event: dict[str, Any], message: Message) -> Receipt:
        shared = self._world.channels[message.channel].shared
        team = self.member.team if shared else HOME
        return await self.slack.delivery.event(
            payloads.enveloped(event, self.slack.event_id(), team=team, shared=shared)
        )

    # ----------------------------------------------------------------------------------------------------- pressing

    async def press(
        self, message: Message, label: str, *, shown: Message | None = None, theirs: bool = False
    ) -> Receipt:
        """Press the button with this label or action id.

        Args:
            shown: where the button really stands; another message than the pressed one is a forgery.
            theirs: the payload's `team` is this person's organisation.
        """
        for block, element in screen.buttons((shown or message).blocks):
            for part in _parts(element):
                if label in (part.get("text", {}).get("text"), element["action_id"]):
                    return await self._press(message, _action(block, element, part), theirs=theirs)
        raise AssertionError(f"no button {label!r} in {(shown or message).blocks}")

    async def vote(self, message: Message, *, up: bool) -> Receipt:
        """Press a thumb under an answer."""
        for block, element in screen.buttons(message.blocks):
            if element["type"] == "feedback_buttons":
                part = element["positive_button" if up else "negative_button"]
                return await self._press(message, _action(block, element, part))
        raise AssertionError(f"no thumbs in {message.blocks}")

    async def _press(self, message: Message, action: dict[str, Any], *, theirs: bool = False) -> Receipt:
        payload = payloads.pressed(
            message,
            self.member,
            self._world.channels[message.channel],
            action,
            trigger=self._world.trigger(self.member.id),
            url=self.slack.response_url(message, self.member.id),
            theirs=theirs,
        )
        return await self.slack.delivery.interaction(payload)

    # -------------------------------------------------------------------------------------------------------- forms

    @property
    def view(self) -> View | None:
        """The modal that is open before this person, if there is one."""
        found = [
            view
            for view in self._world.views.values()
            if view.person == self.member.id and view.is_open and view.body["type"] == "modal"
        ]
        return found[-1] if found else None

    @property
    def has_inputs(self) -> bool:
        """Whether a modal is open in which something can be typed."""
        return self.view is not None and bool(values_of(self.view.body))

    async def submit(self, fields: Mapping[str, str] | Sequence[str]) -> Told:
        """Send the open modal: values by the inputs' action or block ids, or in their order."""
        view = self.view
        assert view is not None, "no modal is open"
        inputs = values_of(view.body)
        if isinstance(fields, Mapping):
            values = {
                name: value
                for name in inputs
                for key, value in fields.items()
                if key in name or any(key in part for part in name)
            }
            assert len(values) == len(fields), f"{fields.keys()} do not fit {inputs}"
        else:
            values = dict(zip(inputs, fields, strict=True))
        trigger = self._world.trigger(self.member.id)
        receipt = await self.slack.delivery.interaction(payloads.submitted(view, self.member, values, trigger))
        return self._told(view, receipt)

    def _told(self, view: View, receipt: Receipt) -> Told:
        """Source: docs.slack.dev/surfaces/modals#response_actions"""
        if not receipt.acknowledged:
            return Told(receipt, ["We had some trouble connecting. Try again?"], closed=False)
        answer = receipt.body if isinstance(receipt.body, Mapping) else {}
        match answer.get("response_action"):
            case "errors":
                return Told(receipt, [str(text) for text in answer["errors"].values()], closed=False)
            case "update" | "push":
                screen.check_view(answer["view"])
                self.slack.api.changed(view, answer["view"])
                return Told(receipt, [view.shown], closed=False)
            case _:
                view.is_open = False
                return Told(receipt, [], closed=True)

    # ----------------------------------------------------------------------------------------------- the rest of it

    async def command(self, text: str, channel: str = SHARED, *, name: str = "/support") -> Receipt:
        """Type a slash command; people of other organisations cannot."""
        assert self.member.team == HOME, "Slack does not offer the app's commands to people of other organisations"
        form = payloads.command(
            name,
            text,
            self.member,
            self._world.channels[channel],
            trigger=self._world.trigger(self.member.id),
            url=self.slack.response_url(None, self.member.id, channel),
        )
        return await self.slack.delivery.command(form)

    async def choose(self, message: Message, callback_id: str) -> Receipt:
        """Choose an entry of a message's menu."""
        payload = payloads.shortcut(
            message,
            self.member,
            self._world.channels[message.channel],
            callback_id,
            trigger=self._world.trigger(self.member.id),
            url=self.slack.response_url(message, self.member.id),
        )
        return await self.slack.delivery.interaction(payload)

    async def stop(self, channel: str, root: str) -> Receipt:
        """Press the stop button of a running agent: Slack closes its streams and tells the app.

        Source: docs.slack.dev/reference/events/agent_session_stopped
        """
        open_now = [message for message in self._world.thread(channel, root) if message.stream == "open"]
        for message in open_now:
            message.stream = "closed"
        event = {
            "type": "agent_session_stopped",
            "channel": channel,
            "thread_ts": root,
            "user": self.member.id,
            "streaming_message_ts": [message.ts for message in open_now],
            "event_ts": self._world.now(),
        }
        shared = self._world.channels[channel].shared
        return await self.slack.delivery.event(payloads.enveloped(event, self.slack.event_id(), shared=shared))

    async def open_app(self) -> Receipt:
        """Open the Messages tab. Source: docs.slack.dev/reference/events/app_home_opened"""
        channel = self._world.im(self.member.id)
        event = {
            "type": "app_home_opened",
            "user": self.member.id,
            "channel": channel.id,
            "tab": "messages",
            "event_ts": self._world.now(),
        }
        return await self.slack.delivery.event(payloads.enveloped(event, self.slack.event_id()))

    def ephemerals(self, channel: Channel | None = None) -> list[Message]:
        """What this person alone was shown."""
        found = self._world.ephemerals(self.member.id)
        return [message for message in found if channel is None or message.channel == channel.id]

    def direct(self) -> list[Message]:
        """What the bot wrote to this person in their direct conversation."""
        im = self._world.im(self.member.id).id
        return sorted(
            (m for m in self._world.messages.values() if m.channel == im and m.user == BOT and not m.deleted),
            key=lambda message: message.ts,
        )


def _action(block: Mapping[str, Any], element: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    return payloads.pressed_action(block, element, part, f"{time.time():.6f}")


def _parts(element: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if element["type"] == "feedback_buttons":
        return [element["positive_button"], element["negative_button"]]
    return [element]


def _type_of(name: str) -> str:
    return {
        "png": "image/png",
        "jpg": "image/jpeg",
        "gif": "image/gif",
        "pdf": "application/pdf",
        "heic": "image/heic",
    }.get(name.rpartition(".")[2].lower(), "application/octet-stream")
