"""MCP servers made with the official SDK: a warehouse with good and bad habits, and lists of every length.

    python -m tests.servers.mcp_shop [legacy]                   # over standard input and output
    async with serving(stock(Ledger(path))) as url: …           # over streamable HTTP, in this process

Tools that do something write a line into the ledger, so that a test can count what was really done.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from mcp import types
from mcp.server import MCPServer, NotificationOptions, Server
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.server import bind

READS = types.ToolAnnotations(read_only_hint=True)
REPEATS = types.ToolAnnotations(read_only_hint=False, idempotent_hint=True)
FORKLIFT = "the forklift's password is 1234"
"""What an exception says that was meant for nobody."""

_OF_2026 = frozenset({"server/discover", "subscriptions/listen"})


class Ledger:
    """What was done, one line each; survives the process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, line: str) -> None:
        """Add a line."""
        with self._path.open("a") as file:
            file.write(f"{line}\n")

    def lines(self, beginning: str = "") -> list[str]:
        """All lines that begin so."""
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        return [line for line in lines if line.startswith(beginning)]


async def _nothing() -> None:
    pass


def stock(ledger: Ledger, *, legacy: bool = False, then: Callable[[], Awaitable[None]] = _nothing) -> MCPServer:
    """The warehouse.

    Args:
        legacy: speak the protocol as it was before 2026: a handshake, and sessions over HTTP.
        then: awaited by tools that write, once their line stands.
    """

    async def watch(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if legacy and ctx.method in _OF_2026:
            raise MCPError(types.METHOD_NOT_FOUND, "Method not found")
        if ctx.method == "initialize":
            ledger.write("handshake")
        return await call_next(ctx)

    server = MCPServer("stock", middleware=[watch], log_level="CRITICAL")
    _good_habits(server, ledger, then)
    _bad_habits(server, ledger)
    _answers(server)
    return server


def _good_habits(server: MCPServer, ledger: Ledger, then: Callable[[], Awaitable[None]]) -> None:
    @server.tool(annotations=READS)
    async def count(item: str) -> str:
        """Tell how many pieces of an item are in stock."""
        ledger.write(f"count {item}")
        return f"There are 7 pieces of {item}."

    @server.tool()
    async def reserve(item: str) -> str:
        """Reserve one piece."""
        ledger.write(f"reserve {item}")
        await then()
        return f"One {item} is reserved."

    @server.tool(annotations=REPEATS)
    async def label(item: str) -> str:
        """Print the item's label."""
        ledger.write(f"label {item}")
        await then()
        return f"{item} is labelled."

    @server.tool(annotations=REPEATS)
    async def learn(name: str, ctx: Context) -> str:
        """Have one more tool from here on, and tell."""

        async def learned() -> str:
            """Something that was learned."""
            return f"I know {name}."

        server.add_tool(learned, name=name, annotations=READS)
        await ctx.session.send_tool_list_changed()
        await ctx.notify_tools_changed()
        return "learned"


def _bad_habits(server: MCPServer, ledger: Ledger) -> None:
    @server.tool(annotations=READS)
    async def refuses(item: str) -> str:
        """Say no."""
        raise ToolError(f"The shelf of {item} is locked.")

    @server.tool(annotations=READS)
    async def crashes() -> str:
        """Fail in a way that nobody meant."""
        raise RuntimeError(FORKLIFT)

    @server.tool(annotations=READS)
    async def refused_by_protocol() -> str:
        """Answer with an error of the protocol."""
        raise MCPError(types.INTERNAL_ERROR, FORKLIFT)

    @server.tool()
    async def dies() -> str:
        """End the process in the middle of the call."""
        ledger.write("dies")
        os._exit(9)

    @server.tool(annotations=READS)
    async def dies_reading() -> str:
        """End the process in the middle of a call that changes nothing."""
        os._exit(9)

    @server.tool(annotations=READS)
    async def hangs() -> str:
        """Never answer."""
        try:
            await asyncio.Event().wait()
        finally:
            ledger.write("left alone")
        return "never"

    @server.tool()
    async def hangs_writing() -> str:
        """Do something and never answer."""
        ledger.write("hangs_writing")
        await asyncio.Event().wait()
        return "never"

    @server.tool(annotations=READS)
    def blocks() -> str:
        """Never answer, and let nobody else answer either."""
        os.kill(os.getpid(), signal.SIGSTOP)
        return "never"

    @server.tool(annotations=READS)
    async def secret() -> str:
        """Give away what the server was started with."""
        return f"The token is {os.environ.get('STOCK_TOKEN')}."  # noqa: TID251 - a program of its own


def _answers(server: MCPServer) -> None:
    @server.tool(annotations=READS, structured_output=False)
    async def parts() -> Any:
        """Answer in several parts."""
        picture = base64.b64encode(b"x" * 3_000).decode()
        shelf = types.TextResourceContents(uri="file:///shelf.txt", text="not to be shown")
        return types.CallToolResult(
            content=[
                types.TextContent(type="text", text="first"),
                types.ImageContent(type="image", data=picture, mime_type="image/png"),
                types.TextContent(type="text", text="second"),
                types.ResourceLink(type="resource_link", name="manual", uri="https://example.com/manual"),
                types.EmbeddedResource(type="resource", resource=shelf),
            ]
        )

    @server.tool(annotations=READS, structured_output=False)
    async def structured() -> Any:
        """Answer with structured content only."""
        return types.CallToolResult(content=[], structured_content={"pieces": 7, "shelf": "A"})

    @server.tool(annotations=READS, structured_output=False)
    async def text(kilobytes: int) -> str:
        """Answer at length."""
        return "0123456789abcde\n" * (64 * kilobytes)

    @server.tool(annotations=READS)
    async def rows(number: int) -> list[dict[str, int]]:
        """Answer with rows that have a schema."""
        return [{"row": row} for row in range(number)]


def many(number: int) -> MCPServer:
    """A server with this many tools that tell their name."""
    server = MCPServer("many", log_level="CRITICAL")
    for at in range(number):

        async def told(text: str, at: int = at) -> str:
            return f"tool_{at:02} heard {text}"

        server.add_tool(told, name=f"tool_{at:02}", description=f"Tool {at}", annotations=READS)
    return server


def paged(pages: int | None) -> Server[Any]:
    """A server whose list of tools has pages of two; endless without a number."""

    async def list_tools(_: Any, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        page = int((params.cursor if params else None) or 0)
        tools = [types.Tool(name=f"tool_{page}_{at}", input_schema={"type": "object"}) for at in (1, 0)]
        more = pages is None or page + 1 < pages
        return types.ListToolsResult(tools=tools, next_cursor=str(page + 1) if more else None)

    async def call_tool(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        return types.CallToolResult(content=[types.TextContent(type="text", text=params.name)])

    return Server("paged", on_list_tools=list_tools, on_call_tool=call_tool)


# -------------------------------------------------------------------------------------------------- streamable HTTP


class _Guarded:
    """Lets nobody in without the bearer token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = dict(scope.get("headers", ())).get(b"authorization", b"").decode()
        if scope["type"] == "http" and given != f"Bearer {self._token}":
            await send({"type": "http.response.start", "status": 401, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"who are you?"})
            return
        await self._app(scope, receive, send)


class _Quiet(uvicorn.Server):
    """A server that leaves signals to pytest."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@asynccontextmanager
async def serving(
    server: MCPServer | Server[Any],
    *,
    token: str = "",
    port: int = 0,
    listening: socket.socket | None = None,
    stateless: bool = False,
    json: bool = False,
) -> AsyncIterator[str]:
    """Serve over streamable HTTP while the context lasts; the address.

    Args:
        listening: where requests may be waiting already.
    """
    listening = listening or bind("127.0.0.1", port)
    app: ASGIApp = server.streamable_http_app(stateless_http=stateless, json_response=json)
    config = uvicorn.Config(
        _Guarded(app, token) if token else app, log_config=None, access_log=False, timeout_graceful_shutdown=0
    )
    http = _Quiet(config)
    task = asyncio.create_task(http.serve(sockets=[listening]))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.wait, {task})
        stack.callback(setattr, http, "should_exit", True)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"


# ------------------------------------------------------------------------------------------------------------ stdio


async def _serve_as_before_2026(server: MCPServer) -> None:
    """Serve as a program that knows nothing of 2026: it refuses what it never heard of."""
    async with stdio_server() as (reading, writing):
        to_server, known = anyio.create_memory_object_stream[SessionMessage | Exception](0)

        async def sort() -> None:
            async with to_server:
                async for item in reading:
                    message = item.message if isinstance(item, SessionMessage) else None
                    if isinstance(message, types.JSONRPCRequest) and message.method in _OF_2026:
                        error = types.ErrorData(code=types.METHOD_NOT_FOUND, message="Method not found")
                        answer = types.JSONRPCError(jsonrpc="2.0", id=message.id, error=error)
                        await writing.send(SessionMessage(answer))
                    else:
                        await to_server.send(item)

        async with anyio.create_task_group() as group:
            group.start_soon(sort)
            inner = server._lowlevel_server
            options = inner.create_initialization_options(NotificationOptions(tools_changed=True))
            await inner.run(known, writing, options)


def main() -> None:
    """Serve over standard input and output."""
    ledger = Ledger(Path(os.environ["LEDGER"]))  # noqa: TID251 - a program of its own
    ledger.write(f"started {os.getpid()}")
    if "legacy" in sys.argv:
        anyio.run(_serve_as_before_2026, stock(ledger))
    else:
        stock(ledger).run("stdio")


if __name__ == "__main__":
    main()
