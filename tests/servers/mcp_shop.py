"""MCP servers made with the official SDK: a warehouse with good and bad habits, and one whose list has many pages.

    python -m tests.servers.mcp_shop stock        # over standard input and output
    async with serving(stock(Ledger(path))) as url: …   # over streamable HTTP, in this process

Every call of a tool that does something writes a line into the ledger, so that a test can count what was really done.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import signal
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
_OF_2026 = frozenset({"server/discover", "subscriptions/listen"})

REPEATS = types.ToolAnnotations(read_only_hint=False, idempotent_hint=True)


class Ledger:
    """What was done, one line each; survives the process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, line: str) -> None:
        """Add a line."""
        with self._path.open("a") as file:
            file.write(f"{line}\n")

    def lines(self) -> list[str]:
        """All lines."""
        return self._path.read_text().splitlines() if self._path.exists() else []


def stock(ledger: Ledger, *, legacy: bool = False, before: Callable[[], Awaitable[None]] | None = None) -> MCPServer:
    """The warehouse.

    Args:
        legacy: speak the protocol as it was before 2026: a handshake, and sessions over HTTP.
        before: awaited by `reserve` once it has written its line.
    """

    async def watch(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if legacy and ctx.method in _OF_2026:
            raise MCPError(types.METHOD_NOT_FOUND, "Method not found")
        if ctx.method == "initialize":
            ledger.write("handshake")
        return await call_next(ctx)

    server = MCPServer("stock", middleware=[watch], log_level="CRITICAL")

    @server.tool(annotations=READS)
    async def count(item: str) -> str:
        """Tell how many pieces of an item are in stock."""
        ledger.write(f"count {item}")
        return f"There are 7 pieces of {item}."

    @server.tool()
    async def reserve(item: str) -> str:
        """Reserve one piece."""
        ledger.write(f"reserve {item}")
        if before is not None:
            await before()
        return f"One {item} is reserved."

    @server.tool(annotations=REPEATS)
    async def label(item: str) -> str:
        """Print the item's label."""
        ledger.write(f"label {item}")
        if before is not None:
            await before()
        return f"{item} is labelled."

    @server.tool(annotations=READS)
    async def refuses(item: str) -> str:
        """Say no."""
        raise ToolError(f"The shelf of {item} is locked.")

    @server.tool(annotations=READS)
    async def crashes() -> str:
        """Fail in a way that nobody meant."""
        raise RuntimeError("the forklift's password is 1234")

    @server.tool(annotations=READS)
    async def refused_by_protocol() -> str:
        """Answer with an error of the protocol."""
        raise MCPError(types.INTERNAL_ERROR, "the forklift's password is 1234")

    @server.tool()
    async def dies() -> str:
        """End the process in the middle of the call."""
        ledger.write("dies")
        os._exit(9)

    @server.tool(annotations=READS)
    async def hangs() -> str:
        """Never answer."""
        try:
            await asyncio.Event().wait()
        finally:
            ledger.write("left alone")
        return "never"

    @server.tool(annotations=READS)
    def blocks() -> str:
        """Never answer, and let nobody else answer either."""
        os.kill(os.getpid(), signal.SIGSTOP)
        return "never"

    @server.tool(annotations=READS, structured_output=False)
    async def parts() -> Any:
        """Answer in several parts."""
        return types.CallToolResult(
            content=[
                types.TextContent(type="text", text="first"),
                types.ImageContent(type="image", data=base64.b64encode(b"x" * 3_000).decode(), mime_type="image/png"),
                types.TextContent(type="text", text="second"),
                types.ResourceLink(type="resource_link", name="manual", uri="https://example.com/manual"),
                types.EmbeddedResource(
                    type="resource",
                    resource=types.TextResourceContents(uri="file:///shelf.txt", text="not to be shown"),
                ),
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

    @server.tool(annotations=READS)
    async def secret() -> str:
        """Give away what the server was started with."""
        return f"The token is {os.environ.get('STOCK_TOKEN', 'unknown')}, as everybody knows."

    @server.tool()
    async def learn(name: str, ctx: Context) -> str:
        """Have one more tool from here on, and tell."""

        async def learned() -> str:
            """Something that was learned."""
            return f"I know {name}."

        server.add_tool(learned, name=name, annotations=READS)
        await ctx.session.send_tool_list_changed()
        await ctx.notify_tools_changed()
        return "learned"

    return server


def many(number: int, ledger: Ledger) -> MCPServer:
    """A server with this many tools that tell their name."""
    server = MCPServer("many", log_level="CRITICAL")
    for at in range(number):

        async def told(text: str, at: int = at) -> str:
            ledger.write(f"tool_{at:02} {text}")
            return f"tool_{at:02} heard {text}"

        server.add_tool(told, name=f"tool_{at:02}", description=f"Tool {at}", annotations=READS)
    return server


def paged(pages: int, *, endless: bool = False) -> Server[Any]:
    """A server whose list of tools has pages of two."""

    async def list_tools(_: Any, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        page = int((params.cursor if params else None) or 0)
        tools = [types.Tool(name=f"tool_{page}_{at}", input_schema={"type": "object"}) for at in range(2)]
        more = endless or page + 1 < pages
        return types.ListToolsResult(tools=tools, next_cursor=str(page + 1) if more else None)

    async def call_tool(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        return types.CallToolResult(content=[types.TextContent(type="text", text=params.name)])

    return Server("paged", on_list_tools=list_tools, on_call_tool=call_tool)


# -------------------------------------------------------------------------------------------------- streamable HTTP


class Guarded:
    """Lets nobody in without the bearer token; keeps the methods of what came."""

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
    stateless: bool = False,
    json: bool = False,
) -> AsyncIterator[str]:
    """Serve over streamable HTTP while the context lasts; the address."""
    listening = bind("127.0.0.1", port)
    app: ASGIApp = server.streamable_http_app(stateless_http=stateless, json_response=json)
    config = uvicorn.Config(
        Guarded(app, token) if token else app, log_config=None, access_log=False, timeout_graceful_shutdown=0
    )
    http = _Quiet(config)
    task = asyncio.create_task(http.serve(sockets=[listening]))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.wait, {task})
        stack.callback(setattr, http, "should_exit", True)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"


# ------------------------------------------------------------------------------------------------------------ stdio


async def _serve_as_before_2026(server: MCPServer) -> None:
    """Over standard input and output, as a server that knows nothing of 2026: it refuses what it never heard of."""
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
    ledger = Ledger(Path(os.environ["LEDGER"]))
    ledger.write(f"started {os.getpid()}")
    if "legacy" in sys.argv:
        anyio.run(_serve_as_before_2026, stock(ledger))
    else:
        stock(ledger).run("stdio")


if __name__ == "__main__":
    main()
