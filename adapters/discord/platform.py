"""Discord as a `Platform`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import structlog

from adapters.discord.atlas import Atlas
from adapters.discord.files import Files
from adapters.discord.gateway import Gateway
from adapters.discord.inbound import DIRECT, PLATFORM
from adapters.discord.lanes import Lanes
from adapters.discord.limits import Limits
from adapters.discord.reception import Reception
from adapters.discord.reply import DiscordReply
from adapters.discord.rest import Rest
from adapters.discord.settings import DiscordSettings, read_settings
from adapters.discord.threads import Threads
from bot.messages import Attachment, IncomingMessage, Person, ThreadKey
from bot.ports import Card, Examination, Form, Intake, Lease, Resources

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

log = structlog.get_logger(__name__)

Json = dict[str, Any]


def create(environment: Mapping[str, str], resources: Resources) -> DiscordPlatform | None:
    """Discord, if there is a token for it.

    Raises:
        ConfigError: the settings are wrong.
    """
    settings = read_settings(environment)
    return None if settings is None else DiscordPlatform(settings, resources)


class DiscordPlatform:
    """See `bot.ports.Platform`."""

    name = PLATFORM

    def __init__(self, settings: DiscordSettings, resources: Resources) -> None:
        self._settings = settings
        self._resources = resources
        self._limits = Limits(resources.state.within("limits"))
        self._rest = Rest(settings, self._limits)
        self._threads = Threads(self._rest, resources, keep_s=settings.keep_s)
        self._atlas = Atlas(self._rest, settings.admins)
        self._files = Files(self._rest, settings, resources.desk)
        self._gateway: Gateway | None = None

    async def run(self, intake: Intake) -> None:
        """Bring what happens on Discord to `intake` until cancelled.

        Raises:
            ConfigError: Discord refuses what the settings ask for.
        """
        lanes = Lanes()
        reception = Reception(
            self._rest,
            self._atlas,
            self._threads,
            self._resources.state.within("reception"),
            intake,
            keep_s=self._settings.keep_s,
        )

        def heard(event: str, data: Json) -> None:
            self._atlas.hear(event, data)
            match event:
                case "MESSAGE_CREATE":
                    lanes.put(str(data["channel_id"]), lambda: reception.message(data))
                case "MESSAGE_UPDATE":
                    lanes.put(str(data["channel_id"]), lambda: reception.edited(data))
                case "MESSAGE_DELETE":
                    lanes.put(str(data["channel_id"]), lambda: reception.deleted(str(data["channel_id"]), data["id"]))

        self._gateway = Gateway(self._settings, self._limits, self._resources.state.within("gateway"), heard)
        try:
            await self._gateway.run()
        finally:
            self._gateway = None
            await lanes.aclose()
            await self.aclose()

    async def aclose(self) -> None:
        """Close connections; a later request opens others."""
        await self._rest.aclose()

    def reply(self, lease: Lease) -> DiscordReply:
        """The answer of the turn that `lease` holds."""
        return DiscordReply(self._rest, self._threads, lease)

    async def fetch(self, attachment: Attachment, max_bytes: int) -> bytes:
        """The bytes of a file that somebody attached."""
        return await self._files.read(attachment, max_bytes, ("default",))

    async def offer(self, thread: ThreadKey, person: Person, form: Form) -> None:
        raise NotImplementedError

    async def notify(self, place: str, card: Card) -> None:
        raise NotImplementedError

    async def say(self, thread: ThreadKey, text: str, *, key: str) -> None:
        raise NotImplementedError

    async def earlier(self, thread: ThreadKey, before: str) -> Sequence[IncomingMessage]:
        return ()

    async def direct(self, thread: ThreadKey, person: Person, text: str) -> None:
        raise NotImplementedError

    async def delete(self, thread: ThreadKey, message_id: str) -> bool:
        return False

    async def describe(self, space: str, person_id: str) -> Person:
        """Look a person up."""
        return await self._atlas.describe("" if space == DIRECT else space, person_id)

    def routes(self) -> Sequence[BaseRoute]:
        """Nothing: everything comes through the gateway."""
        return ()

    async def ping(self) -> None:
        """Whether the gateway brings events to this process, if it is this process that holds it."""
        if self._gateway is not None:
            self._gateway.ping()

    async def examine(self) -> Examination:
        return Examination()
