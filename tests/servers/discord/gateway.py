"""The gateway: sessions that outlive their connections, and what the platform does to both.

Source: Discord API documentation, `events/gateway`, `topics/opcodes-and-status-codes` (close codes).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import zlib
from collections import deque
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from tests.servers.discord.shapes import HIDDEN, guild_json, user_json
from tests.servers.discord.values import Guild, Intent, Json
from tests.servers.discord.world import Happening, World

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT, REQUEST_MEMBERS = 0, 1, 2, 6, 7, 8
INVALID_SESSION, HELLO, HEARTBEAT_ACK = 9, 10, 11

UNKNOWN_OPCODE, DECODE_ERROR, NOT_AUTHENTICATED, AUTHENTICATION_FAILED = 4001, 4002, 4003, 4004
INVALID_SHARD, DISALLOWED_INTENTS = 4010, 4014

PRIVILEGED = Intent.GUILD_MEMBERS | Intent.GUILD_PRESENCES | Intent.MESSAGE_CONTENT

KEPT = 1_000
"""So many events of a session can be replayed."""


@dataclass(eq=False)
class Connection:
    """A socket, as long as it lasts.

    Args:
        zlib: one context for the whole connection, when the client asked for `zlib-stream`.
    """

    socket: web.WebSocketResponse
    request: web.Request
    zlib: zlib._Compress | None
    outgoing: asyncio.Queue[Json | str] = field(default_factory=asyncio.Queue)
    session: Session | None = None
    closed_by_us: bool = False

    async def write(self) -> None:
        while True:
            payload = await self.outgoing.get()
            text = payload if isinstance(payload, str) else json.dumps(payload)
            if self.zlib is None:
                await self.socket.send_str(text)
            else:
                data = self.zlib.compress(text.encode()) + self.zlib.flush(zlib.Z_SYNC_FLUSH)
                await self.socket.send_bytes(data)

    def send(self, op: int, data: object = None) -> None:
        self.outgoing.put_nowait({"op": op, "d": data, "s": None, "t": None})


@dataclass(eq=False)
class Session:
    """What a client began with IDENTIFY and may go on with after a RESUME.

    Args:
        shard: (shard, of how many).
    """

    id: str
    intents: Intent
    shard: tuple[int, int]
    number: int
    sequence: int = 0
    events: deque[Json] = field(default_factory=lambda: deque(maxlen=KEPT))
    connection: Connection | None = None

    def hears(self, guild: Guild | None) -> bool:
        """Whether this session's shard serves a server; direct messages are told to shard 0."""
        shard, count = self.shard
        return shard == (guild.shard(count) if guild else 0)

    def dispatch(self, name: str, data: object) -> None:
        self.sequence += 1
        payload = {"op": DISPATCH, "d": data, "s": self.sequence, "t": name}
        self.events.append(payload)
        if self.connection is not None:
            self.connection.outgoing.put_nowait(payload)


class Gateway:
    """All sessions of the bot.

    Args:
        heartbeat_ms: what clients are told in HELLO.
    """

    def __init__(self, world: World, *, heartbeat_ms: int = 41_250) -> None:
        self.sessions: dict[str, Session] = {}
        self.identified: list[tuple[int, int]] = []
        """The shard of every IDENTIFY, in order."""
        self.resumed: list[str] = []
        """The session of every RESUME that was granted."""
        self.closed: list[int] = []
        """The code of every close that a client sent."""
        self.heartbeats = 0
        self.heartbeat_ms = heartbeat_ms
        self.acknowledges = True
        self.refuses = 0
        """So many connections are turned away at the door."""
        self.told: list[Happening] = []
        self._world = world
        self._connections: set[Connection] = set()
        self._numbers = itertools.count(1)
        self._changed = asyncio.Condition()
        world.tell = self.tell

    # ------------------------------------------------------------------------------------------------- connections

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection from HELLO to its end."""
        if self.refuses > 0:
            self.refuses -= 1
            raise web.HTTPServiceUnavailable
        compress = request.query.get("compress") == "zlib-stream"
        socket = web.WebSocketResponse(max_msg_size=1 << 16)
        try:
            await socket.prepare(request)
        except ConnectionError:
            return socket
        connection = Connection(socket, request, zlib.compressobj() if compress else None)
        self._connections.add(connection)
        writing = asyncio.create_task(connection.write())
        connection.send(HELLO, {"heartbeat_interval": self.heartbeat_ms})
        try:
            async for frame in socket:
                if frame.type is not WSMsgType.TEXT:
                    await socket.close(code=DECODE_ERROR)
                    break
                if (code := await self._hear(connection, json.loads(frame.data))) is not None:
                    await _flushed(connection)
                    connection.closed_by_us = True
                    await socket.close(code=code)
                    break
        except (ConnectionError, asyncio.CancelledError):
            _abort(connection)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await self._left(connection)
        return socket

    async def _hear(self, connection: Connection, payload: Json) -> int | None:
        """Take one payload of a client; the code to close with, if it must go."""
        op, data = payload.get("op"), payload.get("d")
        match op:
            case 1:
                self.heartbeats += 1
                if self.acknowledges:
                    connection.send(HEARTBEAT_ACK)
                await self._notify()
                return None
            case 2 if isinstance(data, dict):
                return await self._identify(connection, data)
            case 6 if isinstance(data, dict):
                return await self._resume(connection, data)
            case 3 | 4 | 8:
                return None if connection.session else NOT_AUTHENTICATED
        return UNKNOWN_OPCODE

    async def _identify(self, connection: Connection, data: Json) -> int | None:
        shard, count = data.get("shard") or (0, 1)
        self.identified.append((shard, count))
        intents = Intent(data["intents"])
        if data["token"] != self._world.app.token:
            await self._notify()
            return AUTHENTICATION_FAILED
        if intents & PRIVILEGED & ~self._world.app.intents:
            await self._notify()
            return DISALLOWED_INTENTS
        if not 0 <= shard < count:
            return INVALID_SHARD
        session = Session(secrets.token_hex(16), intents, (shard, count), next(self._numbers), connection=connection)
        connection.session = session
        self.sessions[session.id] = session
        app = self._world.app
        guilds = [guild for guild in self._world.guilds.values() if session.hears(guild)]
        ready: Json = {
            "v": 10,
            "user": user_json(app.bot) | {"verified": True, "mfa_enabled": True, "email": None, "flags": 0},
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self._world.url.replace("http", "ws", 1) + "/gateway",
            "shard": [shard, count],
            "application": {"id": str(app.id), "flags": app_flags(app.intents)},
            "private_channels": [],
            "relationships": [],
        }
        session.dispatch("READY", ready)
        for guild in guilds:
            session.dispatch("GUILD_CREATE", guild_json(guild, app.bot))
        await self._notify()
        return None

    async def _resume(self, connection: Connection, data: Json) -> int | None:
        if data["token"] != self._world.app.token:
            return AUTHENTICATION_FAILED
        session = self.sessions.get(str(data["session_id"]))
        if session is None or data["seq"] is None:
            connection.send(INVALID_SESSION, False)
            return None
        if session.connection is not None:
            _abort(session.connection)
        session.connection, connection.session = connection, session
        for payload in [event for event in session.events if event["s"] > data["seq"]]:
            connection.outgoing.put_nowait(payload)
        session.dispatch("RESUMED", {"_trace": []})
        self.resumed.append(session.id)
        await self._notify()
        return None

    async def _left(self, connection: Connection) -> None:
        self._connections.discard(connection)
        code = None if connection.closed_by_us else connection.socket.close_code
        if code is not None:
            self.closed.append(code)
        session = connection.session
        if session is not None and session.connection is connection:
            session.connection = None
            if code in (1000, 1001):  # the client said good-bye: nothing is kept for it
                self.sessions.pop(session.id, None)
        await self._notify()

    # ------------------------------------------------------------------------------------------------------ telling

    def tell(self, happening: Happening) -> None:
        """Tell every session that is to hear of it, connected or not."""
        self.told.append(happening)
        world = self._world
        if happening.channel is not None and happening.guild is not None and not world.may(happening.channel):
            return
        for session in list(self.sessions.values()):
            if not session.hears(happening.guild) or not happening.intent & session.intents:
                continue
            data, message = happening.data, happening.message
            if (
                message is not None
                and Intent.MESSAGE_CONTENT not in session.intents
                and not world.is_open_to_the_bot(message)
            ):
                data = data | HIDDEN
            session.dispatch(happening.name, data)

    def tell_again(self, *names: str) -> None:
        """Deliver the latest event of each name once more, as after a hiccup between the platform's machines."""
        for name in names:
            self.tell(next(happening for happening in reversed(self.told) if happening.name == name))

    def interaction(self, data: Json, guild: Guild | None) -> None:
        """Every session of the shard is told of an interaction, whatever its intents."""
        for session in self.sessions.values():
            if session.hears(guild):
                session.dispatch("INTERACTION_CREATE", data)

    def malformed(self, name: str = "MESSAGE_CREATE", data: object = None) -> None:
        """An event that is not as documented."""
        for session in self.sessions.values():
            session.dispatch(name, {} if data is None else data)

    # --------------------------------------------------------------------------------------------------- disturbing

    def drop(self) -> None:
        """Every connection ends without a word; the sessions can be resumed."""
        for connection in list(self._connections):
            _abort(connection)

    async def close(self, code: int) -> None:
        """Close every connection with a code."""
        closing = list(self._connections)
        for connection in closing:
            connection.closed_by_us = True
        await asyncio.gather(*(connection.socket.close(code=code) for connection in closing))

    def reconnect(self) -> None:
        """Ask every client to connect again (op 7)."""
        for connection in self._connections:
            connection.send(RECONNECT)

    def invalidate(self, *, resumable: bool = False) -> None:
        """Tell every client that its session is over (op 9)."""
        for connection in self._connections:
            if not resumable and connection.session is not None:
                self.sessions.pop(connection.session.id, None)
                connection.session = None
            connection.send(INVALID_SESSION, resumable)

    def forget(self) -> None:
        """Sessions are not kept: a RESUME finds none."""
        self.sessions.clear()

    # ------------------------------------------------------------------------------------------------------ waiting

    @property
    def connected(self) -> list[Session]:
        """Sessions with a connection, the oldest first."""
        live = [session for session in self.sessions.values() if session.connection is not None]
        return sorted(live, key=lambda session: session.number)

    async def until_connected(self, sessions: int = 1) -> None:
        """Wait until so many sessions are connected."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.connected) >= sessions)

    async def until_identified(self, times: int) -> None:
        """Wait until a session was asked for so many times."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.identified) >= times)

    async def until_resumed(self, times: int) -> None:
        """Wait until so many sessions went on."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.resumed) >= times)

    async def until_left(self) -> None:
        """Wait until nobody is connected."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._connections)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def app_flags(intents: Intent) -> int:
    """The application's flags: which privileged intents an unverified app has."""
    return (1 << 15 if Intent.GUILD_MEMBERS in intents else 0) | (1 << 19 if Intent.MESSAGE_CONTENT in intents else 0)


def _abort(connection: Connection) -> None:
    if connection.request.transport is not None:
        connection.request.transport.abort()


async def _flushed(connection: Connection) -> None:
    while not connection.outgoing.empty():
        await asyncio.sleep(0)
