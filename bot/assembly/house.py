"""What every role of a process needs, connected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from bot.accounts import Accounts
from bot.announcements import Announcements
from bot.assembly.platforms import PlatformMaker, plugged_in
from bot.assembly.storage import mailbox_in, secret_key, state_in
from bot.budget import LedgerBudgets
from bot.cases import Cases
from bot.channels import ChannelBook
from bot.config import Settings
from bot.interpreter import Interpreter
from bot.ports import Desk, Mailbox, Platform, SharedState, TurnLog
from bot.principal import Grants
from bot.retention import Old, Retention
from bot.secrets import Vault
from bot.standing import StandingOrders
from bot.store.client import Connections
from bot.store.guard import guard_memory, keep_partitions
from bot.store.rates import RedisCounts
from bot.tasks import end
from bot.verification import Verification
from bot.vitals import Probe, same_time, watch_loop


@dataclass(frozen=True, slots=True, kw_only=True)
class Business:
    """The business data, as `bot/app.py` plugs it in.

    Args:
        desk: tickets, customers, the audit.
        turns: turns, for reports.
        rows: what grows old.
        ping: whether all of it can be reached.
    """

    desk: Desk
    turns: TurnLog
    rows: Old
    ping: Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What every role needs; each part is explained where it is defined.

    Args:
        state: where parts keep small facts, each in a namespace of its own.
        probes: part -> raises when it cannot be reached.
    """

    settings: Settings
    business: Business
    state: SharedState
    mailbox: Mailbox
    grants: Grants
    vault: Vault
    verification: Verification
    channels: ChannelBook
    platforms: Mapping[str, Platform]
    announcements: Announcements
    interpreter: Interpreter
    cases: Cases
    standing: StandingOrders
    accounts: Accounts
    budgets: LedgerBudgets
    probes: Mapping[str, Probe]


@asynccontextmanager
async def open_house(
    settings: Settings,
    environment: Mapping[str, str],
    connections: Connections,
    business: Business,
    *,
    registry: Mapping[str, PlatformMaker],
    is_demo: bool,
) -> AsyncIterator[House]:
    """Connect everything, and have the house's own watches run as long as the context lasts.

    Raises:
        ConfigError: something in the settings does not work.
        Transient: Redis cannot be reached.
    """
    state = state_in(connections, "app")
    mailbox = mailbox_in(connections, settings)
    await keep_partitions(connections.commands, settings.partitions)
    grants = Grants(state.within("grants"), lasts_s=settings.verified_minutes * 60)
    channels = ChannelBook(state_in(connections, "channels"))
    standing = StandingOrders(state.within("standing"), settings.tenant_of)
    await standing.load()
    budgets = LedgerBudgets(RedisCounts(connections.commands), settings.limits, tenant_of=settings.tenant_of)
    retention = Retention(
        state=state.within("retention"), mailbox=mailbox, rows=business.rows, days=settings.retention_days
    )

    async def writable() -> None:
        await connections.ping()
        await mailbox.probe()

    async with AsyncExitStack() as stack:
        platforms = await stack.enter_async_context(
            plugged_in(
                registry,
                settings,
                environment,
                connections,
                desk=business.desk,
                mailbox=mailbox,
                channels=channels,
                is_demo=is_demo,
            )
        )
        interpreter = Interpreter(channels, mailbox)
        announcements = Announcements(state.within("announcements"), platforms, interpreter)
        watches = (
            guard_memory(connections.commands, mailbox),
            watch_loop(),
            budgets.run(),
            standing.run(),
            channels.run(),
            retention.run(),
        )
        stack.push_async_callback(end, *[asyncio.create_task(watch) for watch in watches])
        yield House(
            settings=settings,
            business=business,
            state=state,
            mailbox=mailbox,
            grants=grants,
            vault=Vault(state.within("vault"), secret_key(settings)),
            verification=Verification(state.within("verification"), grants, business.desk),
            channels=channels,
            platforms=platforms,
            announcements=announcements,
            interpreter=interpreter,
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
            probes={"redis": writable, "clock": partial(same_time, connections.time), "database": business.ping},
        )
