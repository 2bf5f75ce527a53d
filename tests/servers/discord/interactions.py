"""Interactions: what a person sets off (a command, a button, a form), and the few ways in which the bot may answer.

Source: Discord API documentation, `interactions/receiving-and-responding`, `interactions/application-commands`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from tests.servers.discord.errors import invalid, refused
from tests.servers.discord.posting import FILE_LIMIT_BYTES, Upload, check_body, check_components, rewrite, store
from tests.servers.discord.shapes import channel_json, member_json, user_json
from tests.servers.discord.values import (
    Channel,
    ChannelType,
    Guild,
    Json,
    Message,
    MessageFlag,
    MessageType,
    User,
    inside,
)
from tests.servers.discord.world import World
from tests.servers.patience import WAIT_S

FIRST_ANSWER_S = 3.0
LIFE_S = 15 * 60.0


class Kind(IntEnum):
    COMMAND = 2
    COMPONENT = 3
    MODAL = 5


class Callback(IntEnum):
    PONG = 1
    MESSAGE = 4
    DEFERRED_MESSAGE = 5
    DEFERRED_UPDATE = 6
    UPDATE = 7
    MODAL = 9


@dataclass(eq=False, kw_only=True)
class Interaction:
    """One of them, and how it was answered.

    Args:
        message: the message whose button was pressed.
        first: the kind of the first answer.
        took_s: how long the first answer took.
        modal: the form that was opened.
        original: the message that is the first answer.
        follow_ups: those after it.
    """

    id: int
    token: str
    kind: Kind
    user: User
    channel: Channel
    guild: Guild | None
    data: Json
    at: datetime
    message: Message | None = None
    first: Callback | None = None
    took_s: float = 0.0
    modal: Json | None = None
    original: Message | None = None
    ephemeral: bool = False
    follow_ups: list[Message] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def told(self) -> list[str]:
        """Every text that answers it, oldest first, without a placeholder; the pressed message is none."""
        messages = [*([self.original] if self.original and self.original is not self.message else []), *self.follow_ups]
        return [m.content for m in messages if MessageFlag.LOADING not in m.flags and m.id in m.channel.messages]

    async def answered(self) -> Interaction:
        """Wait for the first answer."""
        return await self.until(lambda it: it.first is not None)

    async def until(self, look: Callable[[Interaction], bool]) -> Interaction:
        """Wait until something is so."""
        async with asyncio.timeout(WAIT_S), self.changed:
            await self.changed.wait_for(lambda: look(self))
        return self

    async def says(self) -> str:
        """Wait for words; all of them."""
        await self.until(lambda it: bool("".join(it.told)))
        return "\n".join(self.told)

    async def opens(self) -> Json:
        """Wait for a form."""
        await self.until(lambda it: it.first is not None)
        assert self.modal is not None, f"no form, but {self.first!r}: {self.told}"
        return self.modal


class Interactions:
    """All of them, by their tokens."""

    def __init__(self, world: World, tell: Callable[[Json, Guild | None], None]) -> None:
        self.by_token: dict[str, Interaction] = {}
        self._world = world
        self._tell = tell

    def begin(
        self, kind: Kind, user: User, channel: Channel, data: Json, *, message: Message | None = None,
        claimed_guild: Guild | None = None,
    ) -> Interaction:  # fmt: skip
        """Tell the bot of one.

        Args:
            claimed_guild: the server that the payload names; the channel's own when absent.
        """
        world, guild = self._world, claimed_guild or channel.guild
        it = Interaction(
            id=world.ids.next(), token=f"token-{secrets.token_hex(12)}", kind=kind, user=user, channel=channel,
            guild=guild, data=data, at=world.clock.now(), message=message,
        )  # fmt: skip
        self.by_token[it.token] = it
        payload: Json = {
            "id": str(it.id),
            "application_id": str(world.app.id),
            "type": int(kind),
            "token": it.token,
            "version": 1,
            "data": data,
            "channel_id": str(channel.id),
            "channel": channel_json(channel) | {"permissions": "0"},
            "locale": "en-US",
            "entitlements": [],
            "authorizing_integration_owners": {"0": str(guild.id) if guild else "0"},
            "context": 0 if guild else 1,
            "attachment_size_limit": FILE_LIMIT_BYTES,
            "app_permissions": str(int(world.may(channel))),
        }
        if guild is not None:
            payload["guild_id"] = str(guild.id)
            payload["guild"] = {"id": str(guild.id), "locale": "en-US", "features": []}
            payload["guild_locale"] = "en-US"
            payload["member"] = member_json(guild, user, channel=channel)
        else:
            payload["user"] = user_json(user)
        if message is not None:
            payload["message"] = world.show(message)
        self._tell(payload, guild)
        return it

    # -------------------------------------------------------------------------------------------------- the answers

    async def callback(self, interaction_id: int, token: str, body: Json, uploads: dict[int, Upload]) -> Json:
        """The first answer.

        Raises:
            Refused: too late (10062), not the first (40060), or not valid.
        """
        it = self.by_token.get(token)
        took_s = (self._world.clock.now() - it.at).total_seconds() if it else 0.0
        if it is None or it.id != interaction_id or (took_s > FIRST_ANSWER_S and it.first is None):
            raise refused(10062)
        if it.first is not None:
            raise refused(40060)
        first = Callback(body["type"])
        self._answer(it, first, body.get("data") or {}, uploads)
        it.first, it.took_s = first, took_s
        await self._notify(it)
        resource: Json = {"type": int(first)}
        if it.original is not None:
            resource["message"] = self._world.show(it.original)
        shown: Json = {
            "id": str(it.id),
            "type": int(it.kind),
            "response_message_loading": first is Callback.DEFERRED_MESSAGE,
            "response_message_ephemeral": it.ephemeral,
        }
        if it.original is not None:
            shown["response_message_id"] = str(it.original.id)
        return {"interaction": shown, "resource": resource}

    def _answer(self, it: Interaction, first: Callback, data: Json, uploads: dict[int, Upload]) -> None:
        match first:
            case Callback.MODAL:
                if it.kind is Kind.MODAL:
                    raise invalid("type", "INTERACTION_RESPONSE_INVALID", "A form cannot open a form.")
                check_modal(data)
                it.modal = data
            case Callback.MESSAGE:
                it.ephemeral = MessageFlag.EPHEMERAL in MessageFlag(data.get("flags") or 0)
                it.original = self._post(it, data, uploads, loading=False)
            case Callback.DEFERRED_MESSAGE:
                it.ephemeral = MessageFlag.EPHEMERAL in MessageFlag(data.get("flags") or 0)
                it.original = self._post(it, {"flags": data.get("flags") or 0}, {}, loading=True)
            case Callback.UPDATE | Callback.DEFERRED_UPDATE:
                if it.message is None:
                    raise invalid("type", "INTERACTION_RESPONSE_INVALID", "There is no message to update.")
                if first is Callback.UPDATE:
                    rewrite(self._world, it.message, data, uploads)
                it.original = it.message
            case Callback.PONG:
                raise invalid("type", "INTERACTION_RESPONSE_INVALID", "Only a ping is answered with a pong.")

    async def follow_up(self, token: str, body: Json, uploads: dict[int, Upload]) -> Message:
        """A further message; the first one after a deferral takes the placeholder's place."""
        it = self._alive(token)
        if it.original is not None and MessageFlag.LOADING in it.original.flags:
            message = rewrite(self._world, it.original, _whole(body), uploads)
        else:
            message = self._post(it, body, uploads, loading=False, ephemeral=None)
            it.follow_ups.append(message)
        await self._notify(it)
        return message

    async def edit(self, token: str, which: str, body: Json, uploads: dict[int, Upload]) -> Message:
        """Change the first answer or a further one."""
        it = self._alive(token)
        message = rewrite(self._world, self.find(it, which), body, uploads)
        await self._notify(it)
        return message

    async def delete(self, token: str, which: str) -> None:
        it = self._alive(token)
        self._world.remove(self.find(it, which))
        await self._notify(it)

    def find(self, it: Interaction, which: str) -> Message:
        """The first answer (`@original`), or one by its id.

        Raises:
            Refused: there is none.
        """
        found = it.original
        if which != "@original":
            mine = [*it.follow_ups, *([it.original] if it.original else [])]
            found = next((message for message in mine if str(message.id) == which), None)
        if found is None or found.id not in found.channel.messages:
            raise refused(10008)
        return found

    def _alive(self, token: str) -> Interaction:
        it = self.by_token.get(token)
        if it is None:
            raise refused(10015)
        if (self._world.clock.now() - it.at).total_seconds() > LIFE_S:
            raise refused(50027)
        if it.first is None:
            raise refused(10015)
        if it.channel.id not in self._world.channels:
            raise refused(10003)
        if it.channel.locked and it.channel.archived:
            raise refused(50083)
        return it

    def _post(
        self, it: Interaction, body: Json, uploads: dict[int, Upload], *, loading: bool, ephemeral: bool | None = True
    ) -> Message:
        flags = MessageFlag(body.get("flags") or 0)
        content = "" if loading else check_body(body, uploads)
        if ephemeral is None and it.first is not None and it.ephemeral and not it.follow_ups and it.original is None:
            flags |= MessageFlag.EPHEMERAL
        if loading:
            flags |= MessageFlag.LOADING
        world = self._world
        allowed = body.get("allowed_mentions")
        return world.post(
            Message(
                id=world.ids.next(),
                channel=it.channel,
                author=world.app.bot,
                content=content,
                at=world.clock.now(),
                type=MessageType.CHAT_INPUT_COMMAND if it.kind is Kind.COMMAND else MessageType.DEFAULT,
                files=store(world, it.channel, body, uploads),
                components=body.get("components") or [],
                embeds=body.get("embeds") or [],
                flags=flags,
                pings=world.pings(it.channel, world.app.bot, content, allowed, None),
                allowed_mentions=allowed,
                webhook_id=world.app.id,
                application_id=world.app.id,
                only_for=it.user.id if MessageFlag.EPHEMERAL in flags else None,
            )
        )

    async def _notify(self, it: Interaction) -> None:
        async with it.changed:
            it.changed.notify_all()


def check_modal(modal: Json) -> None:
    """A title of 45 characters, one to five rows or labels."""
    if not 1 <= len(modal.get("title") or "") <= 45:
        raise invalid("data.title", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 45 in length.")
    if not 1 <= len(modal.get("custom_id") or "") <= 100:
        raise invalid("data.custom_id", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
    rows = modal.get("components") or []
    if not 1 <= len(rows) <= 5 or any(row["type"] not in (1, 10, 18) for row in rows):
        raise invalid("data.components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    check_components([row for row in rows if row["type"] == 1])
    for item in inside(rows):
        if len(item.get("label") or "") > 45 or len(item.get("placeholder") or "") > 100:
            raise invalid("data.components", "BASE_TYPE_MAX_LENGTH", "Must be 45 or fewer in length.")


def _whole(body: Json) -> Json:
    return {name: value for name, value in body.items() if name not in ("flags", "tts")}


def is_reachable(channel: Channel) -> bool:
    """Whether a person can press, type a command or send a form here: not where it is archived."""
    return not channel.archived and channel.type is not ChannelType.FORUM
