"""The gateway session, kept alive by us.

Connecting waits with a growing pause and identifies only when Discord's budget and all processes of this token allow
it; what Discord refuses for good is told with its mend.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time

import aiohttp
import discord
import structlog
from discord.errors import DiscordException

from adapters.discord.identify import Identify
from adapters.discord.limits import Limits
from adapters.discord.pulse import Pulse, trouble
from adapters.discord.rest import to_error
from adapters.discord.session import Heard, Json, Session
from adapters.discord.settings import DiscordSettings
from bot.errors import ConfigError, Transient
from bot.ports import SharedState

log = structlog.get_logger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0
"""Between the end of a session and the next one."""

SETTLED_S = 60.0
"""A session that lasted so long was a good one: the pause begins anew."""

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


class Gateway:
    """Holds a session for as long as it runs.

    Args:
        heard: is given every event that matters.
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

    def trouble(self) -> str:
        """What keeps events from coming in, in a few words; nothing when they do."""
        if self._session is None or not self._ready:
            return self._identify.waits_for or self._reason
        return trouble(self.serves, self.pulses())

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
