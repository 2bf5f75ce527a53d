"""A local Discord that the unmodified client library talks to over real sockets.

    async with DiscordServer() as discord:
        guild = discord.world.guild("Acme")
        channel = discord.world.channel(guild, "help")
        ada = discord.person("Ada", guild)
        …                                      # a bot with `discord.api_url`, `discord.gateway_url`, `discord.token`
        await discord.gateway.until_connected()
        ada.write(channel, f"{discord.mention} hi")
        await discord.until(lambda: "Hello" in ada.reads(channel))

What people do is in `people`, what goes wrong in `faults`, `gateway`, `cdn.odd` and `buckets`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from aiohttp import web

from tests.servers.discord.buckets import Buckets
from tests.servers.discord.cdn import Cdn
from tests.servers.discord.faults import Faults
from tests.servers.discord.gateway import Gateway
from tests.servers.discord.interactions import Interactions
from tests.servers.discord.people import Person
from tests.servers.discord.rest import API, Rest
from tests.servers.discord.routes import Routes
from tests.servers.discord.values import Channel, Guild, Role
from tests.servers.discord.world import Happening, World
from tests.servers.patience import WAIT_S

TOKEN = "test-token-of-no-bot.AAAAAA.0123456789"

T = TypeVar("T")


class DiscordServer:
    """REST, gateway and files on one port.

    Args:
        heartbeat_ms: how often clients are told to give a sign of life.
    """

    def __init__(self, *, heartbeat_ms: int = 41_250) -> None:
        self.token = TOKEN
        self.world = World(TOKEN)
        self.buckets = Buckets()
        self.faults = Faults()
        self.cdn = Cdn(self.world)
        self.gateway = Gateway(self.world, heartbeat_ms=heartbeat_ms)
        self.interactions = Interactions(self.world, self.gateway.interaction)
        self.routes = Routes(self.world, self.interactions, lambda: self.gateway_url)
        self.rest = Rest(self.world, self.routes, self.buckets, self.faults)
        self._tell_gateway = self.gateway.tell
        self.world.tell = self._tell
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def api_url(self) -> str:
        return f"{self.world.url}{API}"

    @property
    def gateway_url(self) -> str:
        return f"{self.world.url.replace('http', 'ws', 1)}/gateway"

    @property
    def mention(self) -> str:
        """The bot's name as people write it."""
        return f"<@{self.world.app.bot.id}>"

    def person(self, name: str, *guilds: Guild, roles: tuple[Role, ...] = ()) -> Person:
        """Somebody who is in these servers."""
        person = Person(self.world, self.interactions, name)
        for guild in guilds:
            person.join(guild, *roles)
        return person

    def answers(self, channel: Channel) -> list[str]:
        """What the bot has written in a channel and everybody sees, oldest first."""
        bot = self.world.app.bot
        return [
            message.content
            for _, message in sorted(channel.messages.items())
            if message.author is bot and message.only_for is None
        ]

    async def until(self, look: Callable[[], T], *, within_s: float = WAIT_S) -> T:
        """Wait until `look` finds something in what the platform has."""
        async with asyncio.timeout(within_s):
            while not (found := look()):
                self._changed.clear()
                try:
                    # Not all that is looked for is told to sessions (typing, a message for one person alone).
                    await asyncio.wait_for(self._changed.wait(), 0.02)
                except TimeoutError:
                    continue
            return found

    # -------------------------------------------------------------------------------------------------- coming, going

    async def start(self) -> None:
        """Answer; after a `stop` on the same port as before."""
        application = web.Application(client_max_size=64 << 20)
        application.router.add_get("/gateway", self.gateway.serve)
        application.router.add_get("/gateway/", self.gateway.serve)
        application.router.add_get("/attachments/{channel}/{file}/{name}", self.cdn.serve)
        application.router.add_route("*", API + "/{path:.*}", self.rest.serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        if not self._port:
            self._port = int(self._runner.addresses[0][1])
        self.world.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """The platform is gone: no connection, no answer; what it knows stays."""
        self.gateway.drop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _tell(self, happening: Happening) -> None:
        self._tell_gateway(happening)
        self._changed.set()
