"""The composition root: settings and overrides in, a running Frontdesk out. Only this file knows what is plugged in."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TextIO

import tools
from adapters import REGISTRY
from adapters.console.platform import ConsolePlatform
from adapters.console.settings import ConsoleSettings
from adapters.slack.manifest import render_manifest
from bot.accounts import Accounts
from bot.announcements import Announcements
from bot.breaker import Breakers
from bot.budget import LedgerBudgets, Meter
from bot.cases import Cases
from bot.channels import ChannelBook
from bot.chores import Chores
from bot.config import Settings, secrets_in
from bot.errors import ConfigError
from bot.gate import MessageGate
from bot.intake import IntakeDesk
from bot.journal import Journal
from bot.llm.openai import OpenAIChat
from bot.llm.vision import OpenAIVision
from bot.llm.wire import to_wire
from bot.loop import Loop, LoopLimits
from bot.metered import MeteredModel
from bot.modelless import Modelless
from bot.observe import waited
from bot.office import Clerk, Room
from bot.pauses import Switch
from bot.ports import ChatModel, Desk, Forgetting, Intake, Mailbox, Platform, Resources, TurnLog, Usage
from bot.principal import Grants
from bot.prompt import Handbook, SystemPrompt, read_handbook
from bot.retention import Retention
from bot.safety import leaks
from bot.sealing import AeadSealer
from bot.secrets import Masking, Vault, mask
from bot.server import application, bind, is_loopback, serving
from bot.services import Services
from bot.standing import StandingOrders
from bot.store.client import Connections
from bot.store.embedded import EmbeddedRedis, running_url
from bot.store.forgetting import RedisForgetting
from bot.store.guard import guard_memory, keep_partitions, refuse_unsafe
from bot.store.mailbox import Limits, RedisMailbox
from bot.store.rates import RedisCounts
from bot.store.shared_state import RedisSharedState
from bot.tasks import end
from bot.toolbox import Toolbox
from bot.tracing import open_tracing
from bot.troubles import Troubles
from bot.verification import Verification
from bot.vitals import Probe, Vitals, same_time, watch_loop
from bot.worker import Worker
from tools import demo
from tools.database import Database, migrate
from tools.desk import SqlDesk
from tools.fetch import GuardedFetch
from tools.forgetting import SqlForgetting
from tools.report import SqlTurnLog

NO_KEY = (
    "OPENAI_API_KEY is not set; set it (and OPENAI_BASE_URL for another endpoint than OpenAI's), or try "
    "`frontdesk demo`, which needs none."
)

DEMO_PLATFORMS = {"web": REGISTRY["web"]}

_KEY_CHARS = 64
"""Of the key that is made where none is set."""

_LEAST_KEY_BYTES = 16

PlatformMaker = Callable[[Mapping[str, str], Resources], Platform | None]


class Role(StrEnum):
    """What a process does: hold the platforms' sockets and serve HTTP, run turns, or both."""

    ALL = "all"
    PLATFORMS = "platforms"
    WORKERS = "workers"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _House:
    """What every role needs, connected; each is explained where it is made."""

    settings: Settings
    connections: Connections
    state: RedisSharedState
    mailbox: RedisMailbox
    database: Database
    desk: SqlDesk
    grants: Grants
    vault: Vault
    verification: Verification
    channels: ChannelBook
    platforms: Mapping[str, Platform]
    announcements: Announcements
    cases: Cases
    standing: StandingOrders
    accounts: Accounts
    budgets: LedgerBudgets

    async def writable(self) -> None:
        """Whether what is accepted can be kept.

        Raises:
            Transient: it cannot.
        """
        await self.connections.ping()
        await self.mailbox.probe()


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
    async with AsyncExitStack() as stack:
        house = await _open_house(stack, settings, environment, is_demo=is_demo, registry=registry, role=role)
        probes: dict[str, Probe] = {
            "redis": house.writable,
            "clock": partial(same_time, house.connections.time),
            "database": house.database.ping,
        }
        worker = None
        if role is not Role.PLATFORMS:
            worker, probes["model"] = await _open_worker(stack, house, environment, fetch or GuardedFetch())
        url = ""
        if http:
            served = {} if role is Role.WORKERS else house.platforms
            probes |= {name: platform.ping for name, platform in served.items()}
            web = application(
                [route for platform in served.values() for route in platform.routes()],
                probes=probes,
                read_vitals=Vitals(house.mailbox, probes).read,
                metrics_token=settings.web_token.get_secret_value() if settings.web_token else None,
                loopback=is_loopback(settings.http_host),
            )
            url = await stack.enter_async_context(serving(web, bind(settings.http_host, settings.http_port)))
        yield App(
            settings=settings,
            url=url,
            mailbox=house.mailbox,
            intake=_intake(house),
            platforms=house.platforms,
            worker=worker,
            chores=Chores(house.announcements, house.cases, house.platforms),
            standing=house.standing,
            desk=house.desk,
            database=house.database,
            role=role,
        )


async def _open_house(
    stack: AsyncExitStack,
    settings: Settings,
    environment: Mapping[str, str],
    *,
    is_demo: bool,
    registry: Mapping[str, PlatformMaker] | None,
    role: Role,
) -> _House:
    if role is not Role.ALL and settings.redis_url is None:
        raise ConfigError(
            "REDIS_URL is not set; `--only` is for several processes on one Redis. Set it to the Redis that they share."
        )
    connections = await stack.enter_async_context(open_connections(settings))
    state = RedisSharedState(connections.commands, "app", listener=connections.listener)
    mailbox = RedisMailbox(connections, to_wire, limits=_limits(settings), partitions=settings.partitions)
    await keep_partitions(connections.commands, settings.partitions)
    if not is_demo:
        if problems := leaks(settings):
            raise ConfigError(*problems)
        await refuse_unsafe(connections.commands)
    database = await stack.enter_async_context(open_database(settings))
    if is_demo:
        await demo.fill(database)
    desk = SqlDesk(database)
    grants = Grants(state.within("grants"), lasts_s=settings.verified_minutes * 60)
    channels = ChannelBook(RedisSharedState(connections.commands, "channels"))
    platforms = plug_in(
        settings,
        environment,
        connections,
        desk,
        mailbox,
        channels=channels,
        is_demo=is_demo,
        registry=registry or REGISTRY,
    )
    for platform in platforms.values():
        stack.push_async_callback(platform.aclose)
    announcements = Announcements(state.within("announcements"), platforms)
    standing = StandingOrders(state.within("standing"), settings.tenant_of)
    await standing.load()
    budgets = LedgerBudgets(RedisCounts(connections.commands), settings.limits, tenant_of=settings.tenant_of)
    retention = Retention(
        state=state.within("retention"), mailbox=mailbox, rows=SqlForgetting(database), days=settings.retention_days
    )
    watches = (
        guard_memory(connections.commands, mailbox),
        watch_loop(),
        budgets.run(),
        standing.run(),
        channels.run(),
        retention.run(),
    )
    stack.push_async_callback(end, *[asyncio.create_task(watch) for watch in watches])
    return _House(
        settings=settings,
        connections=connections,
        state=state,
        mailbox=mailbox,
        database=database,
        desk=desk,
        grants=grants,
        vault=Vault(state.within("vault"), _secret_key(settings)),
        verification=Verification(state.within("verification"), grants, desk),
        channels=channels,
        platforms=platforms,
        announcements=announcements,
        cases=Cases(
            state.within("cases"),
            mailbox,
            announcements,
            hours_of=channels.hours,
            reminder_s=settings.human_reminder_minutes * 60,
        ),
        standing=standing,
        accounts=Accounts(mailbox, model=settings.openai_model, settings=settings.fingerprint()),
        budgets=budgets,
    )


async def _open_worker(
    stack: AsyncExitStack,
    house: _House,
    environment: Mapping[str, str],
    fetch: Callable[[str], Awaitable[bytes]],
) -> tuple[Worker, Probe]:
    """A worker, and what tells whether its model may be asked."""
    settings = house.settings
    withheld = settings.secrets() | secrets_in(environment)
    meter = Meter(settings.prices, settings.budget_turn)
    chat, vision = await stack.enter_async_context(open_models(settings, used=meter.used))
    kit = tools.Kit(
        database=house.database,
        desk=house.desk,
        vision=vision,
        fetch=fetch,
        tickets_per_day=settings.tickets_per_day,
    )
    source = await stack.enter_async_context(tools.opened(kit, settings.mcp_servers, timeout_s=settings.tool_timeout_s))
    tracer = await stack.enter_async_context(open_tracing(environment, Masking(withheld).mask))
    breakers = Breakers(failures=settings.breaker_failures, rest_s=settings.breaker_rest_s)
    model = MeteredModel(chat, name=settings.openai_model, breaker=breakers.of("model"), meter=meter, tracer=tracer)
    journal = Journal(SqlTurnLog(house.database))
    stack.push_async_callback(end, asyncio.create_task(journal.run()))
    services = Services(
        mailbox=house.mailbox,
        platforms=house.platforms,
        loop=_loop(settings, model),
        system=SystemPrompt(_handbook(settings)),
        toolbox=Toolbox(source, timeout_s=settings.tool_timeout_s, breakers=breakers, tracer=tracer),
        budgets=house.budgets,
        troubles=Troubles(state=house.state.within("troubles"), announcements=house.announcements),
        modelless=Modelless(
            desk=house.desk,
            state=house.state.within("modelless"),
            announcements=house.announcements,
            tickets_per_day=settings.tickets_per_day,
        ),
        journal=journal,
        tracer=tracer,
        grants=house.grants,
        vault=house.vault,
        verification=house.verification,
        announcements=house.announcements,
        cases=house.cases,
        standing=house.standing,
        channels=house.channels,
        accounts=house.accounts,
        tool_state=house.state.within("tools"),
        tenant_of=settings.tenant_of,
        link_hosts=settings.link_hosts,
        canaries=withheld,
        history_tokens=settings.history_tokens,
        turn_timeout_s=settings.turn_timeout_s,
        lease_s=settings.lease_s,
        attempts=settings.max_attempts,
    )
    return Worker(services, concurrency=settings.worker_concurrency, drain_s=settings.drain_s), model.ready


def _intake(house: _House) -> Intake:
    """What adapters bring events to."""
    room = Room(
        state=house.state.within("office"),
        mailbox=house.mailbox,
        desk=house.desk,
        platforms=house.platforms,
        tenants=house.settings.tenant_of,
        verification=house.verification,
        announcements=house.announcements,
        cases=house.cases,
        standing=house.standing,
        channels=house.channels,
        accounts=house.accounts,
        budgets=house.budgets,
        turns=SqlTurnLog(house.database),
        currency=house.settings.currency,
    )
    desk = IntakeDesk(
        house.mailbox,
        vault=house.vault,
        verification=house.verification,
        desk=house.desk,
        tenant_of=house.settings.tenant_of,
        clerk=Clerk(room),
        standing=house.standing,
        channels=house.channels,
        cases=house.cases,
    )
    state = house.state.within("gate")
    return MessageGate(intake=desk, budgets=house.budgets, mailbox=house.mailbox, state=state)


@asynccontextmanager
async def open_mailbox(settings: Settings) -> AsyncIterator[Mailbox]:
    """The mailbox without anything around it, for commands that look after it."""
    async with open_connections(settings, shared=True) as connections:
        yield RedisMailbox(connections, to_wire, limits=_limits(settings), partitions=settings.partitions)


@asynccontextmanager
async def open_switch(settings: Settings) -> AsyncIterator[Switch]:
    """The operator's switch, without anything around it."""
    async with open_connections(settings, shared=True) as connections, open_database(settings) as database:
        mailbox = RedisMailbox(connections, to_wire, limits=_limits(settings), partitions=settings.partitions)
        state = RedisSharedState(connections.commands, "app", listener=connections.listener)
        standing = StandingOrders(state.within("standing"), settings.tenant_of)
        yield Switch(standing, mailbox, SqlDesk(database))


@asynccontextmanager
async def open_desk(settings: Settings) -> AsyncIterator[Desk]:
    """The desk without anything around it, for commands that read what it keeps."""
    async with open_database(settings) as database:
        yield SqlDesk(database)


@asynccontextmanager
async def open_turn_log(settings: Settings) -> AsyncIterator[TurnLog]:
    """Turns as they are kept for reports, without anything around them."""
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
async def open_connections(settings: Settings, *, shared: bool = False) -> AsyncIterator[Connections]:
    """The Redis of the settings, or an embedded one that runs as long as the context.

    Args:
        shared: an embedded one that another process runs on the same data folder will do.
    """
    async with AsyncExitStack() as stack:
        url = settings.redis_url.get_secret_value() if settings.redis_url else None
        if url is None and shared:
            url = await running_url(_data_dir(settings))
        if url is None:
            url = (await stack.enter_async_context(EmbeddedRedis(_data_dir(settings)))).url
        connections = Connections(url)
        stack.push_async_callback(connections.aclose)
        await connections.ping()
        yield connections


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The database of the settings, or a file in the data folder; migrated."""
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
    else:
        url = f"sqlite:///{_data_dir(settings) / 'desk.sqlite3'}"
    await migrate(url)
    async with Database(url) as database:
        yield database


@asynccontextmanager
async def open_models(
    settings: Settings, *, used: Callable[[Usage], None] = lambda usage: None
) -> AsyncIterator[tuple[OpenAIChat, OpenAIVision]]:
    """The models behind the endpoint of the settings.

    Args:
        used: told what each picture cost; what a chat costs it says itself.
    """
    if settings.openai_api_key is None:
        raise ConfigError(NO_KEY)
    key, base_url = settings.openai_api_key, settings.openai_base_url
    async with AsyncExitStack() as stack:
        chat = OpenAIChat(
            api_key=key,
            base_url=base_url,
            model=settings.openai_model,
            first_byte_timeout_s=settings.model_first_byte_timeout_s,
            stall_timeout_s=settings.model_stall_timeout_s,
            total_timeout_s=settings.model_timeout_s,
            extra=settings.openai_extra,
            count_tokens=settings.openai_stream_usage,
        )
        stack.push_async_callback(chat.aclose)
        vision = OpenAIVision(
            api_key=key,
            base_url=base_url,
            model=settings.vision_model,
            total_timeout_s=settings.model_timeout_s / 2,
            used=used,
        )
        stack.push_async_callback(vision.aclose)
        yield chat, vision


async def reach_servers(settings: Settings) -> Mapping[str, int]:
    """MCP server -> how many tools it has.

    Raises:
        ConfigError: says which could not be reached.
    """
    return await tools.reach(settings.mcp_servers, timeout_s=settings.tool_timeout_s)


def plug_in(
    settings: Settings,
    environment: Mapping[str, str],
    connections: Connections,
    desk: Desk,
    mailbox: Mailbox,
    *,
    channels: ChannelBook,
    is_demo: bool = False,
    registry: Mapping[str, PlatformMaker] = REGISTRY,
) -> dict[str, Platform]:
    """The platforms whose settings are present.

    Raises:
        ConfigError: there is none, or the settings of one are wrong.
    """
    platforms: dict[str, Platform] = {}
    for name, make in registry.items():
        resources = Resources(
            state=RedisSharedState(connections.commands, f"adapter/{name}", listener=connections.listener),
            desk=desk,
            mailbox=mailbox,
            tenant_of=settings.tenant_of,
            sealer=AeadSealer(_secret_key(settings), f"adapter {name}"),
            channel_rules=channels.rules,
            waited=partial(waited, name),
            demo=is_demo,
            mask=mask,
        )
        if (platform := make(environment, resources)) is not None:
            platforms[name] = platform
    if not platforms:
        raise ConfigError(
            "No platform is set up; set WEB_TOKEN for the web page (or try `frontdesk demo`, which needs nothing)."
        )
    return platforms


@asynccontextmanager
async def open_platforms(settings: Settings, environment: Mapping[str, str]) -> AsyncIterator[Mapping[str, Platform]]:
    """The platforms that `frontdesk run` would serve, without their sockets.

    Raises:
        ConfigError: there is none, or the settings of one are wrong.
    """
    async with open_connections(settings, shared=True) as connections, open_database(settings) as database:
        mailbox = RedisMailbox(connections, to_wire, limits=_limits(settings), partitions=settings.partitions)
        channels = ChannelBook(RedisSharedState(connections.commands, "channels"))
        platforms = plug_in(settings, environment, connections, SqlDesk(database), mailbox, channels=channels)
        try:
            yield platforms
        finally:
            for platform in platforms.values():
                await platform.aclose()


async def check_redis(settings: Settings) -> None:
    """Whether the Redis of the settings keeps what it is given.

    Raises:
        ConfigError: it would lose it; says how to mend it.
        Transient: it cannot be reached.
    """
    async with open_connections(settings, shared=True) as connections:
        await refuse_unsafe(connections.commands)
        await same_time(connections.time)


def slack_manifest(url: str = "", *, many: bool = False) -> str:
    """The Slack app as Slack is told of it, as YAML."""
    return render_manifest(url, many=many)


def terminal(
    lines: TextIO, screen: TextIO, *, name: str = "You", show_tools: bool = True
) -> Mapping[str, PlatformMaker]:
    """A registry with nothing but a conversation in a terminal."""
    settings = ConsoleSettings(input=lines, output=screen, name=name, show_tools=show_tools)
    return {"console": lambda _, resources: ConsolePlatform(settings, resources)}


def _data_dir(settings: Settings) -> Path:
    folder = settings.frontdesk_data_dir.absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"FRONTDESK_DATA_DIR: {folder} cannot be made ({error.strerror}); name a folder that is yours."
        ) from None
    return folder


def _handbook(settings: Settings) -> Handbook:
    if settings.handbook is None:
        return Handbook()
    return read_handbook(settings.handbook, limit_tokens=settings.handbook_tokens)


def _loop(settings: Settings, chat: ChatModel) -> Loop:
    limits = LoopLimits(steps=settings.max_steps, calls_per_step=settings.max_calls_per_step)
    return Loop(chat, limits=limits)


def _limits(settings: Settings) -> Limits:
    return Limits(
        lease_s=settings.lease_s,
        attempts=settings.max_attempts,
        inbox=settings.inbox_limit,
        open=settings.open_limit,
        retention_s=settings.retention_days * 86_400,
        debounce_ms=settings.debounce_ms,
    )


def _secret_key(settings: Settings) -> bytes:
    """32 bytes; from the setting, or from a file in the data folder that is made once."""
    if settings.frontdesk_secret_key is not None:
        return hashlib.sha256(settings.frontdesk_secret_key.get_secret_value().encode()).digest()
    path = _data_dir(settings) / "secret.key"
    if not path.exists():
        _make_key(path)
    key = path.read_bytes()
    if len(key) < _LEAST_KEY_BYTES:
        raise ConfigError(
            f"{path} is cut short, so it is no key. Put back the one that was there, or delete it: a new one is made, "
            "and what was sealed with the old one cannot be opened any more."
        )
    return hashlib.sha256(key).digest()


def _make_key(path: Path) -> None:
    """Make the file whole or not at all, whoever else makes it at the same time and whatever ends us in between."""
    made = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(_KEY_CHARS // 2))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(made, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
