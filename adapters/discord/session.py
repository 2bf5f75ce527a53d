"""One life of discord.py's client: it holds the socket, with heartbeats, RESUME and shards, and we hear what comes.

Events are taken as the JSON objects that came, before anything can change them; one that is not as documented is logged
and ends nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import aiohttp
import discord
import structlog
import yarl
from discord.gateway import DiscordWebSocket
from discord.state import AutoShardedConnectionState

from adapters.discord.identify import Identify
from adapters.discord.limits import Limits
from adapters.discord.pulse import Pulse, feel
from adapters.discord.rest import Client
from adapters.discord.settings import DiscordSettings

log = structlog.get_logger(__name__)

Json = dict[str, Any]
Heard = Callable[[str, Json], None]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
"""Between two tries to connect."""

SILENT_S = 60.0
"""A connection on which nothing came for this long, not even an acknowledgement, is given up for another one."""

_RAW = ("MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK", "INTERACTION_CREATE")
"""Events of which discord.py makes nothing that we use."""


class Session(discord.AutoShardedClient):
    """One life of the client, from its login to its end.

    Args:
        heard: is given every event that matters, in order, and must not wait.
    """

    def __init__(self, settings: DiscordSettings, limits: Limits, identify: Identify, heard: Heard) -> None:
        self._settings = settings
        self._limits = limits
        self._identify = identify
        self._heard = heard
        intents = discord.Intents.none()
        intents.guilds = intents.guild_messages = intents.dm_messages = True
        intents.message_content = settings.reads_messages
        super().__init__(
            intents=intents,
            shard_ids=list(settings.shard_ids) or None,  # type: ignore[arg-type]  # None is what it is when not given
            shard_count=settings.shard_count,
            heartbeat_timeout=SILENT_S,
            shard_connect_timeout=None,  # waiting for the turn to identify takes as long as it takes
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self.serves: list[int] = []
        """The shards of this process, once their number is known."""
        self._leaving: set[asyncio.Future[None]] = set()
        self._sockets: dict[int | None, DiscordWebSocket] = {}
        self._connection._update_references = self._meet  # type: ignore[method-assign]  # noqa: SLF001
        parsers = self._connection.parsers
        for name, parse in list(parsers.items()):
            parsers[name] = self._guarded(name, parse)

    def _get_state(self, **options: Any) -> AutoShardedConnectionState[Any]:
        self.http = PatientClient(self._settings, self._limits)
        return super()._get_state(**options)

    async def launch_shards(self) -> None:
        """Start the shards of this process, at the gateway that the settings or Discord name."""
        count, url, _ = await self.http.get_bot_gateway()
        self.shard_count = self._settings.shard_count or count
        self._connection.shard_count = self.shard_count
        shards = self.shard_ids or list(range(self.shard_count))
        self._connection.shard_ids = self.serves = shards
        for shard in shards:
            if not self.is_closed():
                await self.launch_shard(yarl.URL(self._settings.gateway_url or url), shard, initial=True)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait for the turn of this shard; who gives up waiting leaves no half-open connection behind."""
        try:
            _, _, limit = await self.http.get_bot_gateway()
            await self._identify.turn(
                shard_id or 0,
                limit["max_concurrency"],
                limit["remaining"],
                limit["reset_after"] / 1000,
                self.shard_count or 1,
            )
        except BaseException:
            self._leave(shard_id)
            raise

    async def close(self) -> None:
        """Close everything, also connections that did not become a session."""
        await super().close()
        for shard in list(self._sockets):
            self._leave(shard)
        if self._leaving:
            await asyncio.wait(self._leaving)

    def pulse(self, shard: int) -> Pulse:
        """How the connection of a shard does that had a session before."""
        return feel(self._get_websocket(shard_id=shard))

    def _meet(self, ws: DiscordWebSocket) -> None:
        """Note the connection of a shard from its first moment: until it identified, discord.py keeps it nowhere."""
        self._sockets[ws.shard_id] = ws

    def _leave(self, shard: int | None) -> None:
        socket = self._sockets.pop(shard, None)
        if socket is not None:
            task = asyncio.ensure_future(socket.close(code=1000))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    def _guarded(self, name: str, parse: Callable[[Any], None]) -> Callable[[Any], None]:
        """A parser that ends no connection, and lets us hear what it was given."""

        def taken(data: Any) -> None:
            try:
                if name not in _RAW:
                    parse(data)
                self._heard(name, data)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one event, the next one may be right
                log.warning("discord_event_malformed", kind=name, error=type(error).__name__)

        return taken


class PatientClient(Client):
    """The session's own client: it connects as soon as there is something to connect to."""

    async def ws_connect(self, url: str, *, compress: int = 0) -> aiohttp.ClientWebSocketResponse:
        """Connect, with a growing pause between tries; none of them costs an identify."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return await super().ws_connect(url, compress=compress)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                log.warning("discord_gateway_unreachable", error=type(error).__name__, pause_s=round(pause_s, 1))
            await asyncio.sleep(pause_s * random.uniform(0.7, 1.0))  # noqa: S311 - spreads processes, hides nothing
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
