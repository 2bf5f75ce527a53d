"""Discord's stage: members of a server with the platform's program in hand; what stands on their screens counts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from adapters.discord.platform import create
from adapters.discord.render import nonce
from bot.app import App
from bot.messages import ThreadKey
from bot.ports import Form
from tests.servers.discord import Channel, DiscordServer, Guild, Message
from tests.servers.discord.interactions import Interaction
from tests.servers.discord.people import Files, Person
from tests.servers.discord.values import Json, inside
from tests.servers.patience import WAIT_S
from tests.stages.play import played

ADA, BEN, ROBIN = "Ada", "Ben", "Robin"

HUMAN = "human"
"""A part of the label of the button that stands below every finished answer."""

FORM = "fd1|form|"
"""How the id of a button that opens a form begins."""

REGISTRY = {"discord": create}


class Town:
    """A server with a channel and a few people, whoever serves it.

    Args:
        server: the platform.
        guild: the community's server on it.
    """

    def __init__(self, server: DiscordServer, guild: Guild | None = None) -> None:
        self.server = server
        self.guild = guild or server.world.guild("Acme")
        self.channel = server.world.channel(self.guild, "help")
        self.team = server.world.channel(self.guild, "team")
        self.people: dict[str, Person] = {name: server.person(name, self.guild) for name in (ADA, BEN, ROBIN)}

    def variables(self, **more: str) -> dict[str, str]:
        """The settings of a Frontdesk that serves this place; Robin works here."""
        return {
            "DISCORD_BOT_TOKEN": self.server.token,
            "DISCORD_API_URL": self.server.api_url,
            "DISCORD_GATEWAY_URL": self.server.gateway_url,
            "ADMINS_DISCORD": str(self.people[ROBIN].user.id),
            "HANDOVER_CHANNEL_DISCORD": str(self.team.id),
            **more,
        }


class Talk:
    """One conversation as members see it; everybody may speak in it.

    Args:
        direct: it goes on in direct messages.
        reads: whose eyes `answer` and `form` look through.
    """

    def __init__(self, town: Town, *, direct: bool = False, reads: str = ADA) -> None:
        self.town = town
        self.server = town.server
        self.root: Message | None = None
        """The message that began it."""
        self._direct = direct
        self._reads = reads
        self._read: set[int] = set()

    @property
    def thread(self) -> ThreadKey:
        """The conversation's name in Frontdesk; one that nothing has while nothing was said."""
        if self._direct:
            direct = str(self.place.id)
            return ThreadKey(platform="discord", space="dm", channel=direct, root=direct)
        channel, root = (self.root.channel, str(self.root.id)) if self.root else (self.town.channel, "0")
        return ThreadKey(platform="discord", space=str(self.town.guild.id), channel=str(channel.id), root=root)

    @property
    def me(self) -> Person:
        """Whose eyes look."""
        return self.town.people[self._reads]

    @property
    def place(self) -> Channel:
        """Where it goes on: its thread once there is one."""
        if self._direct:
            return self.server.world.dm(self.me.user)
        if self.root is None:
            return self.town.channel
        return self.server.world.channels.get(self.root.id, self.root.channel)

    async def say(self, text: str, *, by: str = "", files: Files = ()) -> str:
        message = await self.write(text, by=by, files=files)
        return message.content if message.id in message.channel.messages else ""

    async def write(self, text: str, *, by: str = "", files: Files = (), replies_to: Message | None = None) -> Message:
        """Write a message: the first one in the channel, with a mention; the others in the thread."""
        person = self.town.people[by or self._reads]
        for name, other in self.town.people.items():
            text = text.replace(f"@{name}", other.mention)
        text = text.replace("@Frontdesk", self.server.mention)
        if self.root is None and not self._direct and self.server.mention not in text:
            text = f"{self.server.mention} {text}"
        if self.root is not None and not self._direct:
            await self.until_thread()
        message = person.write(self.place, text, files=files, replies_to=replies_to)
        self.root = self.root or message
        return message

    async def until_thread(self) -> Channel:
        """Wait until the conversation has a thread of its own."""
        root = self.root
        assert root is not None
        thread = await self.server.until(lambda: self.server.world.channels.get(root.id), within_s=WAIT_S)
        assert thread is not None
        return thread

    async def answer(self) -> str:
        return "\n".join(as_read(part.content) for part in await self.parts())

    async def parts(self) -> list[Message]:
        """The messages of the next answer that stands: up to the one with the buttons of a finished answer."""
        parts = await self.server.until(self._finished, within_s=WAIT_S)
        self._read |= {part.id for part in parts}
        return parts

    async def shown(self, text: str) -> None:
        """Wait until this text stands on the screen."""
        await self.server.until(lambda: text in as_read(self.me.reads(self.place)), within_s=WAIT_S)

    def answers(self) -> list[str]:
        """Every finished answer that stands."""
        return [
            as_read(message.content)
            for message in self.me.sees(self.place)
            if message.author is self.server.world.app.bot and is_finished(message)
        ]

    async def form(self, *, by: str = "") -> Form:
        opened = await self.open_form(by=by)
        assert opened.modal is not None
        inputs = [item for item in inside(opened.modal["components"]) if item["type"] == 4]
        labels = [row["label"] if row["type"] == 18 else row["components"][0]["label"] for row in _rows(opened)]
        fields = {item["custom_id"]: label for item, label in zip(inputs, labels, strict=True)}
        return Form(id=opened.modal["custom_id"], title=opened.modal["title"], fields=fields)

    async def offered(self) -> Message:
        """The message whose button opens the latest form."""
        return (await self.server.until(lambda: [m for m in self.me.sees(self.place) if _offers(m)]))[-1]

    async def open_form(self, *, by: str = "") -> Interaction:
        """Press the button that opens the latest form."""
        offer = await self.offered()
        (button,) = [button for button in offer.buttons if str(button["custom_id"]).startswith(FORM)]
        pressed = self.town.people[by or self._reads].press_id(offer, button["custom_id"])
        return await pressed.answered()

    async def fill(self, fields: Mapping[str, str], *, by: str = "") -> str:
        person = self.town.people[by or self._reads]
        opened = await self.open_form(by=by)
        if opened.modal is None:
            return await opened.says()
        return as_read(await person.submit(opened, fields).says())

    def _finished(self) -> list[Message]:
        bot = self.server.world.app.bot
        unread = [m for m in self.me.sees(self.place) if m.author is bot and m.id not in self._read]
        for position, message in enumerate(unread):
            if is_finished(message):
                return [*(m for m in unread[:position] if m.nonce in self._names(message)), message]
        return []

    def _names(self, last: Message) -> set[str]:
        """The names under which the parts of this answer are posted: what else the bot says has others."""
        (turn,) = {str(button["custom_id"]).split("|")[4] for button in last.buttons}
        return {nonce(self.thread, turn, part, again) for part in range(10) for again in range(4)}


def is_finished(message: Message) -> bool:
    """Whether this is the last message of a whole answer."""
    return any(HUMAN in str(button.get("label", "")).lower() for button in message.buttons)


def as_read(text: str) -> str:
    """A text as the program shows it: without the signs that only keep others from being markup."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)


def _offers(message: Message) -> bool:
    return any(str(button.get("custom_id", "")).startswith(FORM) for button in message.buttons)


def _rows(opened: Interaction) -> list[Json]:
    assert opened.modal is not None
    return [row for row in opened.modal["components"] if row["type"] in (1, 18)]


class DiscordStage(Talk):
    """A conversation beside the Frontdesk that serves it."""

    def __init__(self, app: App, town: Town, *, direct: bool = False, reads: str = ADA) -> None:
        super().__init__(town, direct=direct, reads=reads)
        self.app = app


@asynccontextmanager
async def frontdesk(town: Town, variables: Mapping[str, str], **more: str) -> AsyncIterator[App]:
    """One more Frontdesk for this place, connected."""
    before = len(town.server.gateway.connected)
    async with played({**town.variables(**more), **variables}, registry=REGISTRY, http=False) as app:
        async with asyncio.timeout(WAIT_S):
            await town.server.gateway.until_connected(before + 1)
        yield app


@asynccontextmanager
async def discord_stage(
    variables: Mapping[str, str],
    *,
    direct: bool = False,
    town: Town | None = None,
    app: App | None = None,
    reads: str = ADA,
) -> AsyncIterator[DiscordStage]:
    """A stage with a platform and a Frontdesk of its own, or one more conversation with those that are there."""
    async with AsyncExitStack() as stack:
        if town is None:
            town = Town(await stack.enter_async_context(DiscordServer()))
        if app is None:
            app = await stack.enter_async_context(frontdesk(town, variables))
        yield DiscordStage(app, town, direct=direct, reads=reads)
