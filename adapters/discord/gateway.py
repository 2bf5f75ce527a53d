"""The gateway session: discord.py's client, kept alive by us.

discord.py holds the socket: heartbeats, RESUME, shards. Events are taken as the JSON objects that came, before anything
can change them; one that is not as documented is logged and ends nothing. Connecting waits with a growing pause and
identifies only when Discord's budget and all processes of this token allow it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import discord
import structlog
import yarl
from discord.errors import DiscordException
from discord.gateway import DiscordWebSocket
from discord.state import AutoShardedConnectionState

from adapters.discord.limits import Limits
from adapters.discord.pulse import Pulse, feel, trouble
from adapters.discord.rest import Client, to_error
from adapters.discord.settings import DiscordSettings
from bot.errors import ConfigError, Transient
from bot.ports import SharedState

log = structlog.get_logger(__name__)

Json = dict[str, Any]
Heard = Callable[[str, Json], None]

IDENTIFY_S = 5.0
"""One IDENTIFY in this time for each of the shards that may start at once."""

IDENTIFY_RESERVE = 20
"""So many of the day's identifies are left for a person who has to restart something."""

OFTEN = 10
OFTEN_S = 600.0
"""More identifies per shard in this time look like a crash loop: each further one waits longer."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0
SETTLED_S = 60.0
"""A session that lasted so long was a good one: the pause begins anew."""

SILENT_S = 60.0
"""A connection on which nothing came for this long, not even an acknowledgement, is given up for another one."""

_RAW = ("MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK", "INTERACTION_CREATE")
"""Events of which discord.py makes nothing that we use."""

_TOKEN_REFUSED = 4004
_MEND = {
    4010: "DISCORD_SHARD_IDS and DISCORD_SHARD_COUNT do not fit together.",
    4011: "Discord asks for more shards; set DISCORD_SHARD_COUNT higher, or leave it and DISCORD_SHARD_IDS empty.",
    4012: "Discord does not serve this version of its interface any more; update Frontdesk.",
    4013: "Discord does not know the intents that were asked for; update Frontdesk.",
}

INTENT_MISSING = (
    "Discord refuses the Message Content intent: open https://discord.com/developers/applications, choose the "
    "application, then Bot, and switch on “Message Content Intent” under Privileged Gateway Intents. Or set "
    "DISCORD_MESSAGE_CONTENT=false: then people mention the bot each time, or use /ask."
)
RESET_IT = (
    "Discord refuses DISCORD_BOT_TOKEN: open https://discord.com/developers/applications, choose the application, then "
    "Bot, press “Reset Token” and set the new one."
)


class Identify:
    """When a shard may identify: one at a time, within the day's budget, slower when it happens often."""

    def __init__(self, state: SharedState) -> None:
        self._state = state
        self.waits_for = ""
        """What a shard waits for, in a word; nothing when none waits long."""

    async def turn(self, shard: int, concurrency: int, remaining: int, reset_s: float, shards: int) -> None:
        """Wait until this shard may identify."""
        try:
            await self._turn(shard, concurrency, remaining, reset_s, shards)
        finally:
            self.waits_for = ""

    async def _turn(self, shard: int, concurrency: int, remaining: int, reset_s: float, shards: int) -> None:
        if remaining <= IDENTIFY_RESERVE:
            log.error("discord_identify_budget", remaining=remaining, reset_s=reset_s)
            self.waits_for = "discord_identify_budget"
            await asyncio.sleep(reset_s)
        while True:
            try:
                recent = await self._state.increment(f"identified/{int(time.time() // OFTEN_S)}", ttl_s=OFTEN_S * 2)
                if (over := recent - OFTEN * max(1, shards)) > 0:
                    pause_s = min(OFTEN_S / 2, 2.0 ** min(over, 10))
                    log.warning("discord_identifies_often", recent=recent, pause_s=pause_s)
                    self.waits_for = "discord_identifies_often"
                    await asyncio.sleep(pause_s)
                key = f"identify/{shard % max(1, concurrency)}"
                while not await self._state.compare_and_set(key, None, b"1", ttl_s=IDENTIFY_S):  # noqa: ASYNC110
                    await asyncio.sleep(IDENTIFY_S / 20)
            except Transient:
                await asyncio.sleep(1.0)  # without shared state no event could be stored
                continue
            return


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
            pause_s = min(LONGEST_PAUSE_S / 2, pause_s * 2)


class Gateway:
    """Holds a session for as long as it runs.

    Args:
        heard: is given every event that matters.
        ready: is awaited at the first sign of a session, before its events.
    """

    def __init__(self, settings: DiscordSettings, limits: Limits, state: SharedState, heard: Heard) -> None:
        self._settings = settings
        self._limits = limits
        self._identify = Identify(state)
        self._heard = heard
        self._session: Session | None = None
        self._reason = "discord_not_running"
        self._ready: set[int] = set()
        """Shards that had a session in this life of the client."""

    async def run(self) -> None:
        """Hold a session until cancelled, or for ever silent once Discord refuses the token.

        Raises:
            ConfigError: Discord refuses what the settings ask for.
        """
        logging.getLogger("discord").setLevel(logging.ERROR)
        pause_s = FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            self._reason = "discord_connecting"
            try:
                await self._live()
                reason = "discord_session_ended"
            except (DiscordException, aiohttp.ClientError, OSError, TimeoutError, Transient) as error:
                reason = self._judge(error)
            except Exception as error:  # noqa: BLE001 - a session may fail in any way; there is always another
                reason = f"discord_{type(error).__name__}"
            if reason == "discord_token_refused":
                log.error("discord_token_refused", mend=RESET_IT)
                self._reason = reason
                await asyncio.Event().wait()
            pause_s = FIRST_PAUSE_S if time.monotonic() - began > SETTLED_S else min(LONGEST_PAUSE_S, pause_s * 2)
            self._reason = reason
            log.warning("discord_session_over", reason=reason, pause_s=round(pause_s, 1))
            await asyncio.sleep(pause_s * random.uniform(0.7, 1.0))  # noqa: S311 - spreads processes, hides nothing

    def ping(self) -> None:
        """Whether events can come in.

        Raises:
            Transient: they cannot.
        """
        if self._session is None or not self._ready:
            raise Transient(self._identify.waits_for or self._reason)
        if reason := trouble(self.serves, self.pulses()):
            raise Transient(reason)

    @property
    def serves(self) -> list[int]:
        """The shards of this process, as far as they are known."""
        return self._session.serves if self._session is not None else []

    def pulses(self) -> dict[int, Pulse]:
        """The shards that have a session, and how their connections do."""
        session = self._session
        if session is None:
            return {}
        return {shard: session.pulse(shard) for shard, _ in session.latencies if shard in self._ready}

    def hearing(self) -> list[int]:
        """The shards that hear at this moment."""
        return [shard for shard, pulse in self.pulses().items() if pulse.is_felt]

    def shard_of(self, guild: str) -> int:
        """The shard that serves a server."""
        count = self._session.shard_count if self._session is not None else None
        return (int(guild) >> 22) % (count or 1)

    async def _live(self) -> None:
        self._session = session = Session(self._settings, self._limits, self._identify, self._hear)
        try:
            await session.start(self._settings.token.get_secret_value())
        finally:
            self._session = None
            self._ready.clear()
            await session.close()

    def _hear(self, event: str, data: Json) -> None:
        if event == "READY":
            self._ready.add(int((data.get("shard") or (0,))[0]))
        self._heard(event, data)

    def _judge(self, error: Exception) -> str:
        """What the end of a session means; a short word for logs and `/readyz`.

        Raises:
            ConfigError: an operator has to mend it.
        """
        match error:
            case discord.PrivilegedIntentsRequired():
                raise ConfigError(INTENT_MISSING) from error
            case discord.LoginFailure():
                return "discord_token_refused"
            case discord.ConnectionClosed() if error.code == _TOKEN_REFUSED:
                return "discord_token_refused"
            case discord.ConnectionClosed() if error.code in _MEND:
                raise ConfigError(_MEND[error.code]) from error
            case discord.ConnectionClosed():
                return f"discord_closed_{error.code}"
            case Transient():
                return error.reason
        return to_error(error).reason
