"""What becomes of the gateway's events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from adapters.discord import commands
from adapters.discord.atlas import Atlas
from adapters.discord.callers import Callers
from adapters.discord.catchup import ALIVE_EVERY_S, Catchup
from adapters.discord.files import Files
from adapters.discord.interactions import Interactions
from adapters.discord.lanes import Lanes
from adapters.discord.permissions import invite_url
from adapters.discord.posts import Posts
from adapters.discord.pulse import BEHIND, WAITING, lateness
from adapters.discord.questions import Questions
from adapters.discord.reader import Reader
from adapters.discord.reception import Reception
from adapters.discord.rest import Refused, Rest
from adapters.discord.threads import Threads
from bot.errors import Transient
from bot.ports import Figures, Intake, Resources

log = structlog.get_logger(__name__)

Json = dict[str, Any]


class Listening:
    """Gives each event to whom it concerns: messages in order for each channel, interactions at once."""

    def __init__(
        self,
        rest: Rest,
        atlas: Atlas,
        threads: Threads,
        reader: Reader,
        posts: Posts,
        files: Files,
        resources: Resources,
        intake: Intake,
    ) -> None:
        self._rest = rest
        self._atlas = atlas
        self._state = resources.state.within("listening")
        self._lanes = Lanes(lambda channel: self._catchup.overflowed(channel))
        self._reception = Reception(reader, threads, posts, self._state, intake)
        callers = Callers(atlas, reader, self._reception)
        questions = Questions(callers, threads, files, resources)
        self._interactions = Interactions(
            rest, callers, questions, threads, posts, resources.state.within("interactions")
        )
        self.shard_of: Callable[[str], int] = lambda guild: 0
        self._catchup = Catchup(rest, self._reception, self._lanes, self._state, lambda guild: self.shard_of(guild))
        self._application = ""
        self._identified = asyncio.Event()

    def hear(self, event: str, data: Json) -> None:
        """Take an event; never waits."""
        self._atlas.hear(event, data)
        match event:
            case "READY":
                self._application = str((data.get("application") or {}).get("id") or "")
                self._identified.set()
                self._lanes.put("catchup", lambda: self._catchup.ready(int((data.get("shard") or (0,))[0])))
            case "GUILD_CREATE":
                self._lanes.put("catchup", lambda: self._catchup.guild(data))
            case "INTERACTION_CREATE":
                self._lanes.promise(self._interactions.take(data))
            case "MESSAGE_CREATE":
                channel = str(data["channel_id"])
                if not data.get("guild_id") and not data["author"].get("bot"):
                    self._lanes.put(channel, lambda: self._catchup.heard_direct(channel))
                self._lanes.put(channel, lambda: self._reception.message(data))
            case "MESSAGE_UPDATE":
                self._lanes.put(str(data["channel_id"]), lambda: self._reception.edited(data))
            case "MESSAGE_DELETE":
                self._deleted(str(data["channel_id"]), str(data["id"]))
            case "MESSAGE_DELETE_BULK":
                for message in data["ids"]:
                    self._deleted(str(data["channel_id"]), str(message))

    async def stay_alive(self, hearing: Callable[[], list[int]], *, staff_is_named: bool) -> None:
        """Tell Discord the commands, and remember from time to time that nothing was missed up to now.

        Args:
            hearing: tells the shards that hear at this moment.
        """
        await self._identified.wait()
        if self._application:
            log.info("discord_invite", url=invite_url(self._application))
            self._lanes.spawn(self._tell_commands(staff_is_named))
        while True:
            try:
                await self._catchup.alive(hearing())
            except Transient as failure:
                log.info("discord_alive_untold", reason=failure.reason)
            await asyncio.sleep(ALIVE_EVERY_S)

    def late(self) -> str:
        """Whether what was heard or missed waits for too long, in a few words."""
        return lateness(self._lanes.taken_until, self._lanes.depth, self._catchup.pending)

    def backlog(self) -> Figures:
        """How much was heard and is not taken yet, and how much is to be read again; tells the gauges, too."""
        events, channels = self._lanes.depth, self._catchup.pending
        WAITING.set(events)
        BEHIND.set(channels)
        return {"events_waiting": events, "channels_behind": channels}

    async def aclose(self) -> None:
        """Stop; what was not taken is read again by the next session."""
        await self._lanes.aclose()

    def _deleted(self, channel: str, message: str) -> None:
        self._lanes.put(channel, lambda: self._reception.deleted(channel, message))

    async def _tell_commands(self, staff_is_named: bool) -> None:
        pause_s = 1.0
        while True:
            try:
                wanted = commands.definitions(staff_is_named=staff_is_named)
                await commands.sync(self._rest, self._state, self._application, wanted)
            except Refused as refused:
                log.error("discord_commands_refused", code=refused.code)
            except Transient as failure:
                log.warning("discord_commands_wait", reason=failure.reason)
                await asyncio.sleep(pause_s)
                pause_s = min(60.0, pause_s * 2)
                continue
            return
