"""The composition root: settings and overrides in, a running Frontdesk out.

Only this file knows what is plugged in: which platforms there are (`adapters`), what the model may call, and where the
business data is (`tools`). How the parts of the core are connected is told in `bot/assembly`.

    running            a whole Frontdesk, in one of the roles of a process
    open_…             one part without anything around it, for a command that looks after it
    check_…, reach_…   whether a part outside can be used, for `frontdesk check`
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TextIO

import tools
from adapters import REGISTRY
from bot.assembly.house import Business, House, open_house
from bot.assembly.intake import build_intake
from bot.assembly.models import open_models
from bot.assembly.platforms import PlatformMaker, plugged_in
from bot.assembly.storage import data_folder, mailbox_in, open_connections, state_in
from bot.assembly.worker import open_worker
from bot.channels import ChannelBook
from bot.chores import Chores
from bot.config import Settings
from bot.errors import ConfigError
from bot.llm.wire import to_wire
from bot.pauses import Switch
from bot.ports import Desk, Forgetting, Intake, Mailbox, Platform, TurnLog, VisionModel
from bot.roles import Role
from bot.safety import leaks
from bot.server import application, bind, is_loopback, serving
from bot.standing import StandingOrders
from bot.store.forgetting import RedisForgetting
from bot.store.guard import refuse_unsafe
from bot.tasks import end
from bot.tool import ToolSource
from bot.vitals import Probe, Vitals, same_time
from bot.worker import Worker
from tools import demo
from tools.database import Database, migrate
from tools.desk import SqlDesk
from tools.fetch import GuardedFetch
from tools.forgetting import SqlForgetting
from tools.report import SqlTurnLog

__all__ = [
    "DEMO_PLATFORMS",
    "PLATFORMS",
    "App",
    "PlatformMaker",
    "Role",
    "check_redis",
    "open_database",
    "open_desk",
    "open_mailbox",
    "open_memory",
    "open_models",
    "open_platforms",
    "open_switch",
    "open_turn_log",
    "reach_servers",
    "running",
    "slack_manifest",
    "terminal",
]

DEMO_PLATFORMS = {"web": REGISTRY["web"]}

PLATFORMS = frozenset({*REGISTRY, "console"})
"""Names of all that conversations may have come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A Frontdesk whose parts are reached and connected.

    Args:
        url: where the HTTP port answers; empty when none was asked for.
        platforms: what turns are answered through; their sockets are held only in a role with platforms.
        worker: runs turns; none in a role without workers.
        role: what `run` does.
    """

    settings: Settings
    url: str
    mailbox: Mailbox
    intake: Intake
    platforms: Mapping[str, Platform]
    worker: Worker | None
    chores: Chores
    standing: StandingOrders
    desk: Desk
    database: Database
    role: Role = Role.ALL

    async def run(self) -> None:
        """Work until cancelled, or until a platform's `run` ends (a terminal's does); then drain."""
        platforms = () if self.role is Role.WORKERS else self.platforms.values()
        sockets = [asyncio.create_task(platform.run(self.intake)) for platform in platforms]
        workers = [asyncio.create_task(self.worker.run())] if self.worker is not None else []
        chores = asyncio.create_task(self.chores.run())
        try:
            done, _ = await asyncio.wait({*sockets, *workers, chores}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for worker in workers:
                worker.cancel()  # once: a second time would cut its drain short
                await asyncio.wait({worker})
            await end(*sockets, chores)


@asynccontextmanager
async def running(
    settings: Settings,
    environment: Mapping[str, str],
    *,
    is_demo: bool = False,
    registry: Mapping[str, PlatformMaker] | None = None,
    http: bool = True,
    fetch: Callable[[str], Awaitable[bytes]] | None = None,
    role: Role = Role.ALL,
) -> AsyncIterator[App]:
    """Connect everything, and take it apart again in the opposite order.

    Args:
        environment: what adapters read their own settings from.
        is_demo: fill the database with the demo shop and open the page to whoever sits at this machine.
        registry: the platforms to plug in; `adapters.REGISTRY` when absent.
        http: open the HTTP port.
        fetch: how a picture behind a link is downloaded; guarded, from the internet, when absent.
        role: what this process does.

    Raises:
        ConfigError: something in the settings, or something that they name, does not work.
        Transient: Redis cannot be reached.
    """
    if role is not Role.ALL and settings.redis_url is None:
        raise ConfigError(
            "REDIS_URL is not set; `--only` is for several processes on one Redis. Set it to the Redis that they share."
        )
    async with AsyncExitStack() as stack:
        connections = await stack.enter_async_context(open_connections(settings))
        if not is_demo:
            if problems := leaks(settings):
                raise ConfigError(*problems)
            await refuse_unsafe(connections.commands)
        database = await stack.enter_async_context(open_database(settings))
        if is_demo:
            await demo.fill(database)
        desk = SqlDesk(database)
        business = Business(desk=desk, turns=SqlTurnLog(database), rows=SqlForgetting(database), ping=database.ping)
        house = await stack.enter_async_context(
            open_house(settings, environment, connections, business, registry=registry or REGISTRY, is_demo=is_demo)
        )
        probes, worker = dict(house.probes), None
        if role is not Role.PLATFORMS:
            callable_tools = _tools(settings, database, desk, fetch or GuardedFetch())
            worker, probes["model"] = await stack.enter_async_context(open_worker(house, environment, callable_tools))
        served = {} if role is Role.WORKERS else house.platforms
        url = await stack.enter_async_context(_http(house, served, probes)) if http else ""
        yield App(
            settings=settings,
            url=url,
            mailbox=house.mailbox,
            intake=build_intake(house),
            platforms=house.platforms,
            worker=worker,
            chores=Chores(house.announcements, house.cases, house.platforms),
            standing=house.standing,
            desk=desk,
            database=database,
            role=role,
        )


def _tools(
    settings: Settings, database: Database, desk: SqlDesk, fetch: Callable[[str], Awaitable[bytes]]
) -> Callable[[VisionModel], AbstractAsyncContextManager[ToolSource]]:
    """What the model may call, once there is one that reads pictures."""

    def opened(vision: VisionModel) -> AbstractAsyncContextManager[ToolSource]:
        kit = tools.Kit(
            database=database, desk=desk, vision=vision, fetch=fetch, tickets_per_day=settings.tickets_per_day
        )
        return tools.opened(kit, settings.mcp_servers, timeout_s=settings.tool_timeout_s)

    return opened


@asynccontextmanager
async def _http(house: House, platforms: Mapping[str, Platform], probes: Mapping[str, Probe]) -> AsyncIterator[str]:
    """The HTTP port with health, metrics and what these platforms mount; gives its address."""
    settings = house.settings
    probes = {**probes, **{name: platform.ping for name, platform in platforms.items()}}
    web = application(
        [route for platform in platforms.values() for route in platform.routes()],
        probes=probes,
        read_vitals=Vitals(house.mailbox, probes).read,
        metrics_token=settings.web_token.get_secret_value() if settings.web_token else None,
        loopback=is_loopback(settings.http_host),
    )
    async with serving(web, bind(settings.http_host, settings.http_port)) as url:
        yield url


@asynccontextmanager
async def open_mailbox(settings: Settings) -> AsyncIterator[Mailbox]:
    """The mailbox, for commands that look after it."""
    async with open_connections(settings, shared=True) as connections:
        yield mailbox_in(connections, settings)


@asynccontextmanager
async def open_switch(settings: Settings) -> AsyncIterator[Switch]:
    """The operator's switch."""
    async with open_connections(settings, shared=True) as connections, open_database(settings) as database:
        standing = StandingOrders(state_in(connections, "app").within("standing"), settings.tenant_of)
        yield Switch(standing, mailbox_in(connections, settings), SqlDesk(database))


@asynccontextmanager
async def open_desk(settings: Settings) -> AsyncIterator[Desk]:
    """The desk, for commands that read what it keeps."""
    async with open_database(settings) as database:
        yield SqlDesk(database)


@asynccontextmanager
async def open_turn_log(settings: Settings) -> AsyncIterator[TurnLog]:
    """Turns as they are kept for reports."""
    async with open_database(settings) as database:
        yield SqlTurnLog(database)


@asynccontextmanager
async def open_memory(settings: Settings) -> AsyncIterator[Mapping[str, Forgetting]]:
    """Every store that keeps something of people, by name."""
    async with open_connections(settings, shared=True) as connections, open_database(settings) as database:
        yield {
            "Redis": RedisForgetting(connections, to_wire, partitions=settings.partitions),
            "Database": SqlForgetting(database),
        }


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The database of the settings, or a file in the data folder; migrated."""
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
    else:
        url = f"sqlite:///{data_folder(settings) / 'desk.sqlite3'}"
    await migrate(url)
    async with Database(url) as database:
        yield database


@asynccontextmanager
async def open_platforms(settings: Settings, environment: Mapping[str, str]) -> AsyncIterator[Mapping[str, Platform]]:
    """The platforms that `frontdesk run` would serve, without their sockets.

    Raises:
        ConfigError: there is none, or the settings of one are wrong.
    """
    async with (
        open_connections(settings, shared=True) as connections,
        open_database(settings) as database,
        plugged_in(
            REGISTRY,
            settings,
            environment,
            connections,
            desk=SqlDesk(database),
            mailbox=mailbox_in(connections, settings),
            channels=ChannelBook(state_in(connections, "channels")),
        ) as platforms,
    ):
        yield platforms


async def check_redis(settings: Settings) -> None:
    """Whether the Redis of the settings keeps what it is given.

    Raises:
        ConfigError: it would lose it; says how to mend it.
        Transient: it cannot be reached.
    """
    async with open_connections(settings, shared=True) as connections:
        await refuse_unsafe(connections.commands)
        await same_time(connections.time)


async def reach_servers(settings: Settings) -> Mapping[str, int]:
    """MCP server -> how many tools it has.

    Raises:
        ConfigError: says which could not be reached.
    """
    return await tools.reach(settings.mcp_servers, timeout_s=settings.tool_timeout_s)


def slack_manifest(url: str = "", *, many: bool = False) -> str:
    """The Slack app as Slack is told of it, as YAML."""
    from adapters.slack.manifest import render_manifest

    return render_manifest(url, many=many)


def terminal(
    lines: TextIO, screen: TextIO, *, name: str = "You", show_tools: bool = True
) -> Mapping[str, PlatformMaker]:
    """A registry with nothing but a conversation in a terminal."""
    from adapters.console.platform import ConsolePlatform
    from adapters.console.settings import ConsoleSettings

    settings = ConsoleSettings(input=lines, output=screen, name=name, show_tools=show_tools)
    return {"console": lambda _, resources: ConsolePlatform(settings, resources)}
