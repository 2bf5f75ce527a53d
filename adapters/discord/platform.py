"""Discord as a `Platform`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from adapters.discord.atlas import Atlas
from adapters.discord.examination import examine
from adapters.discord.files import Files
from adapters.discord.gateway import Gateway
from adapters.discord.inbound import DIRECT, PLATFORM
from adapters.discord.limits import Limits
from adapters.discord.listening import Listening
from adapters.discord.posts import Posts
from adapters.discord.pulse import measure, sum_up
from adapters.discord.reader import Reader
from adapters.discord.reply import DiscordReply
from adapters.discord.rest import Rest
from adapters.discord.settings import DiscordSettings, read_settings
from adapters.discord.threads import Threads
from bot.errors import Unwell
from bot.messages import Attachment, IncomingMessage, Person, ThreadKey
from bot.ports import Card, Examination, Figures, Form, Intake, Lease, Resources
from bot.tasks import end, to_the_end

if TYPE_CHECKING:
    from starlette.routing import BaseRoute


def create(environment: Mapping[str, str], resources: Resources) -> DiscordPlatform | None:
    """Discord, if there is a token for it.

    Raises:
        ConfigError: the settings are wrong.
    """
    settings = read_settings(environment)
    return None if settings is None else DiscordPlatform(settings, resources)


class DiscordPlatform:
    """Discord: `run` holds the gateway session, everything else is HTTP and works in any process."""

    name = PLATFORM

    def __init__(self, settings: DiscordSettings, resources: Resources) -> None:
        self._settings = settings
        self._resources = resources
        self._rest = Rest(settings, Limits(resources.state.within("limits"), resources.waited))
        self._threads = Threads(self._rest, resources, keep_s=settings.keep_s)
        self._atlas = Atlas(self._rest, settings.admins, resources.tenant_of)
        self._reader = Reader(self._rest, self._atlas, self._threads)
        self._files = Files(self._rest, settings, resources.desk)
        self._posts = Posts(
            self._rest,
            self._threads,
            resources,
            handover_channel=settings.handover_channel,
            keep_s=settings.keep_s,
        )
        self._gateway: Gateway | None = None
        self._listening: Listening | None = None

    async def run(self, intake: Intake) -> None:
        """Bring what happens on Discord to `intake` until cancelled.

        Raises:
            ConfigError: Discord refuses what the settings ask for.
        """
        self._listening = listening = Listening(
            self._rest, self._atlas, self._threads, self._reader, self._posts, self._files, self._resources, intake
        )
        self._gateway = gateway = Gateway(
            self._settings, self._rest.limits, self._resources.state.within("gateway"), listening.hear
        )
        listening.shard_of = gateway.shard_of
        beat = asyncio.create_task(listening.stay_alive(gateway.hearing, staff_is_named=bool(self._settings.admins)))
        try:
            await gateway.run()
        finally:
            self._gateway = self._listening = None
            await to_the_end(self._close(beat, listening))

    async def _close(self, beat: asyncio.Task[None], listening: Listening) -> None:
        await end(beat)
        await listening.aclose()
        await self.aclose()

    async def aclose(self) -> None:
        """Close connections; a later request opens others."""
        await self._rest.aclose()

    def reply(self, lease: Lease) -> DiscordReply:
        """The answer of the turn that `lease` holds."""
        return DiscordReply(self._rest, self._threads, lease)

    async def fetch(self, attachment: Attachment, max_bytes: int) -> bytes:
        """The bytes of a file that somebody attached."""
        return await self._files.read(attachment, max_bytes)

    async def offer(self, thread: ThreadKey, person: Person, form: Form) -> None:
        """Put a button in the thread that opens the form for this person and nobody else."""
        await self._posts.offer(thread, person, form)

    async def notify(self, place: str, card: Card) -> None:
        """Post a card in a channel of the team's, or change the one with its key."""
        await self._posts.notify(place, card)

    async def say(self, thread: ThreadKey, text: str, *, key: str) -> None:
        """Post a sentence of the desk's own, once per key."""
        await self._posts.say(thread, text, key)

    async def earlier(self, thread: ThreadKey, before: str) -> Sequence[IncomingMessage]:
        """What people wrote in a thread that they began themselves."""
        return await self._reader.earlier(thread, before)

    async def direct(self, thread: ThreadKey, person: Person, text: str) -> None:
        """Tell one person where nobody else reads along."""
        await self._posts.direct(thread, person.id, text)

    async def delete(self, thread: ThreadKey, message_id: str) -> bool:
        """Delete a person's message where the bot may."""
        return await self._posts.delete(thread, message_id)

    async def describe(self, space: str, person_id: str) -> Person:
        """Look a person up."""
        return await self._atlas.describe("" if space == DIRECT else space, person_id)

    async def link(self, thread: ThreadKey) -> str:
        """Where members open the conversation; a direct one is its customer's alone."""
        return await self._posts.link(thread)

    def routes(self) -> Sequence[BaseRoute]:
        """Nothing: everything comes through the gateway."""
        return ()

    async def ping(self) -> Figures:
        """Whether the gateway brings events and they are taken; only a process that holds a session is asked.

        Raises:
            Unwell: it does not, or they wait too long.
        """
        gateway, listening = self._gateway, self._listening
        if gateway is None or listening is None:
            raise Unwell("discord_connecting", {})
        serves, pulses = gateway.serves, gateway.pulses()
        measure(serves, pulses)
        figures = {**sum_up(serves, pulses), **listening.backlog()}
        if trouble := gateway.trouble() or listening.late():
            raise Unwell(trouble, figures)
        return figures

    async def examine(self) -> Examination:
        """Look at the token, the intents, the servers and what the bot may do in their channels."""
        try:
            return await examine(self._rest, self._settings)
        finally:
            if self._gateway is None:
                await self.aclose()
