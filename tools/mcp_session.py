"""The session with one MCP server: opened when it is first needed, owned by one task, opened again after it broke.

The SDK's context managers must be left by the task that entered them, so everything that lasts happens in that task,
and calls are handed to it. It wakes up for a call, a change of the server's tools, the end of the connection, and its
own end; each call runs in a task of its own, so that a slow one holds up no other.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from mcp import Client
from mcp.client.session import IncomingMessage
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp.types import METHOD_NOT_FOUND, CallToolResult, Implementation, ToolListChangedNotification

from bot.mounts import LocalMount, Mount
from tools.mcp_http import http
from tools.mcp_listing import Listed, read_list
from tools.mcp_stdio import stdio
from tools.mcp_wire import Fault, Streams, reason, watched

log = structlog.get_logger(__name__)

OPEN_S = 60.0
"""How long a server may take to start; some download themselves first."""

LOOK_AGAIN_S = 300.0
"""After this time the tools are listed again: not every server can say that they changed, or that it is dead."""

PAUSES_S = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""How long to wait after the first, second and each later failure in a row."""

CALLED_PAUSE_S = 1.0
"""The same when a call waits for the session."""

CLOSE_S = 5.0
"""How long the end of a session may take before it is cut short."""

STEADY_S = 10.0
"""A session that held this long breaks the row of failures."""

_GONE = Fault.GONE.name


class Unavailable(Exception):
    """There is no session; nothing was sent."""


@dataclass(eq=False, slots=True, kw_only=True)
class _Call:
    name: str
    arguments: dict[str, Any]
    result: asyncio.Future[CallToolResult]
    sent_twice: bool = False


@dataclass(eq=False, slots=True)
class _Open:
    """What belongs to one connection."""

    client: Client
    calls: set[asyncio.Task[None]] = field(default_factory=set)
    others: set[asyncio.Task[None]] = field(default_factory=set)


class Session:
    """One server.

    Args:
        timeout_s: for a call, and for listing the tools again.
    """

    def __init__(self, mount: Mount, *, timeout_s: float) -> None:
        self.name = mount.name
        self.timeout_s = timeout_s
        self.settled = asyncio.Event()
        """Whether the first attempt to open it has ended, one way or the other."""
        self.tools: Sequence[Listed] = ()
        """What it last said that it has, sorted; the same object until that changes."""
        self.trouble: str | None = "no answer yet"
        """Why there is no session, in a word; nothing while there is one."""
        self._mount = mount
        self._owner: asyncio.Task[None] | None = None
        self._waiting: deque[_Call] = deque()
        self._woken = asyncio.Event()
        self._look_again = False
        self._broken: str | None = None
        self._opening = False
        self._closing = False
        self._last_words: deque[str] = deque(maxlen=3)

    def start(self) -> None:
        """See to it that there is a session, from here on."""
        if self._owner is None:
            # Without the thread and turn that happen to be the first: what is logged here concerns all of them.
            self._owner = asyncio.create_task(self._own(), context=contextvars.Context())

    async def call(self, name: str, arguments: dict[str, Any]) -> CallToolResult:
        """Call a tool. Cancelling this tells the server that nobody waits any more.

        Raises:
            Unavailable: there is no session, and there was none to be had.
            MCPError: the server's error, or a `Fault`.
            RuntimeError, ValueError: it answered with something that is no result of this tool.
        """
        if self._closing:
            raise Unavailable
        self.start()
        call = _Call(name=name, arguments=arguments, result=asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        self._woken.set()
        return await call.result

    def doubt(self) -> None:
        """It did not answer in time: see whether it answers at all."""
        self._look_again = True
        self._woken.set()

    async def aclose(self) -> None:
        """End the session, within a few seconds."""
        self._closing = True
        self._woken.set()
        if self._owner is not None:
            if self._opening:
                self._owner.cancel()
            await asyncio.wait({self._owner}, timeout=CLOSE_S)
            await _end({self._owner})

    # ------------------------------------------------------------------------------------------------- the owner

    async def _own(self) -> None:
        failures = 0
        clock = asyncio.get_running_loop().time
        try:
            while not self._closing:
                began = clock()
                opened = await self._attempt()
                failures = 0 if opened and clock() - began > STEADY_S else failures + 1
                if not opened:
                    self._turn_away()
                self.settled.set()
                if self._broken != _GONE:
                    await self._rest(_pause_s(failures))
        finally:
            self._closing = True
            self._turn_away()

    async def _attempt(self) -> bool:
        """Open a connection and serve it to its end; whether it could be opened."""
        self._broken, opened = None, None
        try:
            async with self._opened() as opened:
                await self._serve(opened)
        except Exception as failure:  # noqa: BLE001 - a server and its SDK fail in many ways; none may end the process
            if not self._closing:
                self._tell(failure, opened)
        finally:
            if opened is not None:
                await _end(opened.calls | opened.others)
        return opened is not None

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[_Open]:
        client = Client(
            watched(self._transport(), lambda: self._break("ended")),
            cache=None,
            client_info=Implementation(name="frontdesk", version="1"),
            message_handler=self._hear,
        )
        async with AsyncExitStack() as stack:
            self._opening = True
            try:
                async with asyncio.timeout(OPEN_S):
                    await stack.enter_async_context(client)
                    self._adopt(await self._listed(client))
            finally:
                self._opening = False
            log.info("mcp_opened", server=self.name, protocol=client.protocol_version, tools=len(self.tools))
            self.trouble = None
            self.settled.set()
            yield _Open(client)

    def _transport(self) -> AbstractAsyncContextManager[Streams]:
        if isinstance(self._mount, LocalMount):
            return stdio(self._mount, self._last_words.append)
        return http(self._mount)

    async def _serve(self, session: _Open) -> None:
        """Hand out calls until the session is not to be used any more."""
        clock = asyncio.get_running_loop().time
        self._spawn(session.others, self._listen(session.client))
        look_at = clock() + LOOK_AGAIN_S
        looking: asyncio.Task[None] | None = None
        while not self._closing and self._broken is None:
            while self._waiting:
                self._spawn(session.calls, self._send(session.client, self._waiting.popleft()))
            if (self._look_again or clock() >= look_at) and (looking is None or looking.done()):
                self._look_again, look_at = False, clock() + LOOK_AGAIN_S
                looking = self._spawn(session.others, self._list_again(session.client))
            await self._wake(look_at - clock())
        if self._broken == _GONE and session.calls:
            # The server forgot the session, but answers: the other calls learn that too, and are sent again.
            await asyncio.wait(session.calls, timeout=self.timeout_s)
        if self._broken is not None:
            raise ConnectionError(self._broken)

    async def _wake(self, within_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._woken.wait()
        self._woken.clear()

    async def _rest(self, pause_s: float) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        while not self._closing:
            left = began + (min(pause_s, CALLED_PAUSE_S) if self._waiting else pause_s) - clock()
            if left <= 0:
                return
            await self._wake(left)

    def _break(self, why: str) -> None:
        """Use this connection no more."""
        self._broken = self._broken or why
        self._woken.set()

    def _turn_away(self) -> None:
        while self._waiting:
            if not (call := self._waiting.popleft()).result.done():
                call.result.set_exception(Unavailable())

    def _spawn(self, among: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        among.add(task)
        task.add_done_callback(among.discard)
        task.add_done_callback(lambda _: self._woken.set())
        return task

    def _tell(self, failure: Exception, opened: _Open | None) -> None:
        self.trouble = reason(failure)
        # What the server prints later may quote what customers wrote.
        if opened is None:
            said = [self._mount.mask(line) for line in self._last_words]
            log.warning("mcp_not_opened", server=self.name, reason=self.trouble, said=said)
        else:
            log.warning("mcp_lost", server=self.name, reason=self.trouble)

    # ------------------------------------------------------------------------------------ beside the owner, in tasks

    async def _send(self, client: Client, call: _Call) -> None:
        if call.result.done():
            return  # whoever called has gone, and was told that nothing is known
        sending = asyncio.current_task()
        assert sending is not None
        call.result.add_done_callback(lambda result: result.cancelled() and sending.cancel())
        try:
            result = await client.call_tool(call.name, call.arguments)
        except asyncio.CancelledError:
            if not call.result.done():
                call.result.set_exception(MCPError(Fault.LOST, "lost"))
            raise
        except MCPError as failure:
            if failure.code == Fault.GONE and not call.sent_twice:
                call.sent_twice = True
                self._waiting.append(call)
                self._break(_GONE)
            elif not call.result.done():
                call.result.set_exception(failure)
        except Exception as failure:  # noqa: BLE001 - whoever called maps it; it must not be lost in this task
            if not call.result.done():
                call.result.set_exception(failure)
        else:
            if not call.result.done():
                call.result.set_result(result)

    async def _hear(self, message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification):
            self.doubt()

    async def _listen(self, client: Client) -> None:
        """Hear of changes from a server of 2026, which must be asked to tell; an earlier one tells without."""
        failures = 0
        while True:
            try:
                async with client.listen(tools_list_changed=True) as changes:
                    if failures:
                        self.doubt()  # what changed meanwhile was not heard
                    async for _ in changes:
                        self.doubt()
            except ListenNotSupportedError:
                return
            except (MCPError, SubscriptionLost) as failure:
                if isinstance(failure, MCPError) and failure.code == METHOD_NOT_FOUND:
                    return
            failures += 1
            await asyncio.sleep(_pause_s(failures))

    async def _list_again(self, client: Client) -> None:
        try:
            async with asyncio.timeout(self.timeout_s):
                self._adopt(await self._listed(client))
        except Exception as failure:  # noqa: BLE001 - a session on which tools cannot be listed is of no use
            self._break(reason(failure))

    async def _listed(self, client: Client) -> Sequence[Listed]:
        tools, is_whole = await read_list(lambda cursor: client.list_tools(cursor=cursor), self._mount.mask)
        if not is_whole:
            log.warning("mcp_list_too_long", server=self.name, tools=len(tools))
        if (allowed := self._mount.tools) is None:
            return tools
        if absent := allowed - {tool.name for tool in tools}:
            log.warning("mcp_tools_absent", server=self.name, tools=sorted(absent))
        return [tool for tool in tools if tool.name in allowed]

    def _adopt(self, tools: Sequence[Listed]) -> None:
        if tools != self.tools:
            self.tools = tools


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    """See tasks to their end."""
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=1.0)


def _pause_s(failures: int) -> float:
    return PAUSES_S[min(failures, len(PAUSES_S)) - 1] if failures else 0.0
