"""A person with the platform's program in hand: writes, presses, fills in; and sees what stands there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.servers.discord.interactions import Interaction, Interactions, Kind, is_reachable
from tests.servers.discord.shapes import file_json, member_json, user_json
from tests.servers.discord.values import (
    Channel,
    ChannelType,
    Guild,
    Json,
    Message,
    MessageType,
    P,
    Permission,
    Role,
    StoredFile,
    User,
)
from tests.servers.discord.world import World

Files = tuple[tuple[str, bytes], ...]

_TEXT_INPUT, _FILE_UPLOAD = 4, 19


class Person:
    """A member of servers."""

    def __init__(self, world: World, interactions: Interactions, name: str) -> None:
        self.user: User = world.user(name)
        self._world = world
        self._interactions = interactions

    @property
    def mention(self) -> str:
        return f"<@{self.user.id}>"

    def join(self, guild: Guild, *roles: Role) -> None:
        guild.people[self.user.id] = (self.user, [role.id for role in roles])

    # ----------------------------------------------------------------------------------------------------- writing

    def write(
        self,
        channel: Channel,
        text: str,
        *,
        files: Files = (),
        replies_to: Message | None = None,
        pings: bool = True,
        media_type: str = "",
    ) -> Message:
        """Write a message.

        Args:
            pings: whether a reply notifies the author of what it replies to.
        """
        self._must(channel, P.SEND_MESSAGES_IN_THREADS if channel.is_thread else P.SEND_MESSAGES)
        assert not channel.locked, "the thread is locked"
        world = self._world
        kept = [world.file(channel, name, data, media_type) for name, data in files]
        reference: Json | None = None
        if replies_to is not None:
            reference = {"type": 0, "message_id": str(replies_to.id), "channel_id": str(channel.id)}
        return world.post(
            Message(
                id=world.ids.next(),
                channel=channel,
                author=self.user,
                content=text,
                at=world.clock.now(),
                type=MessageType.REPLY if replies_to else MessageType.DEFAULT,
                files=kept,
                reference=reference,
                replies_to=replies_to,
                pings=world.pings(channel, self.user, text, None, replies_to.author if replies_to and pings else None),
            )
        )

    def forward(self, message: Message, channel: Channel) -> Message:
        """Send somebody's message on: its text comes in a snapshot, beside an empty text."""
        world = self._world
        reference = {"type": 1, "message_id": str(message.id), "channel_id": str(message.channel.id)}
        return world.post(
            Message(
                id=world.ids.next(), channel=channel, author=self.user, content="", at=world.clock.now(),
                reference=reference, snapshots=[message],
            )
        )  # fmt: skip

    def edit(self, message: Message, text: str) -> None:
        """Change a message of one's own."""
        assert message.author is self.user
        self._world.rewrite(message, text)

    def delete(self, message: Message) -> None:
        """Delete a message of one's own."""
        assert message.author is self.user
        self._world.remove(message)

    def open_thread(
        self, channel: Channel, name: str, text: str, *, files: Files = (), tags: tuple[str, ...] = ()
    ) -> Message:
        """Begin a thread with its first message: a post, in a forum, where both have one id."""
        if channel.type is not ChannelType.FORUM:
            return self.write(self._world.thread(channel, name, self.user), text, files=files)
        world = self._world
        thread = world.thread(channel, name, self.user, tags=tags)
        kept = [world.file(thread, file_name, data) for file_name, data in files]
        return world.post(
            Message(
                id=thread.id, channel=thread, author=self.user, content=text, at=world.clock.now(), files=kept,
                pings=world.pings(thread, self.user, text, None, None),
            )
        )  # fmt: skip

    def type(self, channel: Channel) -> None:
        """Let the others see that one types."""
        self._world.tell_person("TYPING_START", self.user, channel, timestamp=int(self._world.clock.time()))

    # -------------------------------------------------------------------------------------------------- interacting

    def press(self, message: Message, button: str, *, claimed_guild: Guild | None = None) -> Interaction:
        """Press a button, by a part of its label or by its custom id.

        Args:
            claimed_guild: pretend to press it in another server.
        """
        assert message.is_visible_to(self.user), "nobody presses what they do not see"
        found = [b for b in message.buttons if button in str(b.get("label", "")) or button == b.get("custom_id")]
        assert found, f"no button {button!r} but {[b.get('label') for b in message.buttons]}"
        assert not found[0].get("disabled"), f"the button {button!r} is switched off"
        return self.press_id(message, found[0]["custom_id"], claimed_guild=claimed_guild)

    def press_id(self, message: Message, custom_id: str, *, claimed_guild: Guild | None = None) -> Interaction:
        """Send what a press sends, whether or not there is such a button: what a changed program can do."""
        assert is_reachable(message.channel), "no button works where the thread is archived"
        data = {"component_type": 2, "custom_id": custom_id}
        return self._interactions.begin(
            Kind.COMPONENT, self.user, message.channel, data, message=message, claimed_guild=claimed_guild
        )

    def command(self, channel: Channel, name: str, **options: Any) -> Interaction:
        """Give a slash command; parts of its name are separated by spaces, files are `(name, bytes)`."""
        assert is_reachable(channel), "no command works where the thread is archived"
        top, *inner = name.split()
        registered = self._registered(channel, top, 1)
        resolved: Json = {}
        data: Json = {"id": registered["id"], "name": top, "type": 1, "options": []}
        level, schema = data, registered
        for part in inner:
            schema = next(option for option in schema["options"] if option["name"] == part)
            level["options"] = [{"name": part, "type": schema["type"], "options": []}]
            level = level["options"][0]
        known = {option["name"]: option for option in schema.get("options", [])}
        required = {option["name"] for option in known.values() if option.get("required")}
        assert required <= set(options), f"{name} needs {sorted(required)}"
        assert set(options) <= set(known), f"{name} has {sorted(known)}"
        level["options"] = [
            {"name": key, "type": known[key]["type"], "value": self._value(channel, known[key], value, resolved)}
            for key, value in options.items()
        ]
        if resolved:
            data["resolved"] = resolved
        return self._interactions.begin(Kind.COMMAND, self.user, channel, data)

    def menu(self, message: Message, name: str) -> Interaction:
        """Choose an action from the menu on a message: the bot gets the message's content with it."""
        registered = self._registered(message.channel, name, 3)
        resolved = {"messages": {str(message.id): self._world.show(message)}}
        data = {
            "id": registered["id"], "name": name, "type": 3, "target_id": str(message.id), "resolved": resolved,
        }  # fmt: skip
        return self._interactions.begin(Kind.COMMAND, self.user, message.channel, data)

    def submit(
        self, opened: Interaction, values: Mapping[str, str], *, files: Mapping[str, Files] | None = None
    ) -> Interaction:
        """Send a form that was opened.

        Args:
            values: custom id or label of an input -> what is typed into it.
            files: custom id or label of an upload -> the files.
        """
        modal = opened.modal
        assert modal is not None, "no form was opened"
        resolved: Json = {}
        left = dict(values) | dict(files or {})
        rows: list[Json] = []
        for row in modal["components"]:
            if row["type"] == 10:
                rows.append({"type": 10, "id": row.get("id", 0)})
                continue
            inputs = row["components"] if row["type"] == 1 else [row["component"]]
            sent = [self._typed(opened.channel, item, row, left, resolved) for item in inputs]
            rows.append({"type": 1, "components": sent} if row["type"] == 1 else {"type": 18, "component": sent[0]})
        assert not left, f"the form has no {sorted(left)}"
        data: Json = {"custom_id": modal["custom_id"], "components": rows}
        if resolved:
            data["resolved"] = resolved
        return self._interactions.begin(Kind.MODAL, self.user, opened.channel, data, message=opened.message)

    # ---------------------------------------------------------------------------------------------------- seeing

    def sees(self, channel: Channel) -> list[Message]:
        """What stands in a channel before this person's eyes, oldest first."""
        if channel.guild is not None and P.VIEW_CHANNEL not in channel.guild.permissions(self.user, channel):
            return []
        return [m for _, m in sorted(channel.messages.items()) if m.is_visible_to(self.user)]

    def reads(self, channel: Channel) -> str:
        """The texts of all that stands there."""
        return "\n".join(message.content for message in self.sees(channel))

    # ---------------------------------------------------------------------------------------------------- inside

    def _must(self, channel: Channel, permission: Permission) -> None:
        if channel.guild is not None:
            assert permission in channel.guild.permissions(self.user, channel), f"{self.user.name} may not write here"

    def _registered(self, channel: Channel, name: str, kind: int) -> Json:
        guild_id = channel.guild.id if channel.guild else 0
        commands = [*self._world.app.commands.get(guild_id, []), *self._world.app.commands.get(0, [])]
        for command in commands:
            if command["name"] == name and command.get("type", 1) == kind:
                return command
        raise AssertionError(f"no command {name!r} but {[command['name'] for command in commands]}")

    def _value(self, channel: Channel, option: Json, value: Any, resolved: Json) -> Any:
        match option["type"]:
            case 6:
                guild = channel.guild
                resolved.setdefault("users", {})[str(value.user.id)] = user_json(value.user)
                if guild is not None:
                    resolved.setdefault("members", {})[str(value.user.id)] = member_json(
                        guild, value.user, channel=channel, bare=True
                    )
                return str(value.user.id)
            case 11:
                file = self._keep(channel, *value)
                resolved.setdefault("attachments", {})[str(file.id)] = self._ephemeral(file)
                return str(file.id)
        allowed = [choice["value"] for choice in option.get("choices", [])]
        assert not allowed or value in allowed, f"{option['name']} is one of {allowed}"
        return value

    def _typed(self, channel: Channel, item: Json, row: Json, left: dict[str, Any], resolved: Json) -> Json:
        names = [name for name in (item["custom_id"], item.get("label"), row.get("label")) if name in left]
        value = left.pop(names[0]) if names else None
        sent: Json = {"type": item["type"], "custom_id": item["custom_id"], "id": item.get("id", 0)}
        if item["type"] == _FILE_UPLOAD:
            kept = [self._keep(channel, name, data) for name, data in value or ()]
            least, most = (1 if item.get(bound) is None else item[bound] for bound in ("min_values", "max_values"))
            assert (least if item.get("required", True) else 0) <= len(kept) <= most
            resolved.setdefault("attachments", {}).update({str(file.id): self._ephemeral(file) for file in kept})
            return sent | {"values": [str(file.id) for file in kept]}
        assert item["type"] == _TEXT_INPUT, f"nobody can type into {item}"
        text = str(value or "")
        assert text or not item.get("required", True), f"{item['custom_id']} must be filled in"
        assert not text or (item.get("min_length") or 0) <= len(text) <= (item.get("max_length") or 4_000)
        return sent | {"value": text}

    def _keep(self, channel: Channel, name: str, data: bytes) -> StoredFile:
        return self._world.file(channel, name, data, "image/png" if name.endswith(".png") else "")

    def _ephemeral(self, file: StoredFile) -> Json:
        return file_json(file, self._world.sign) | {"ephemeral": True}
