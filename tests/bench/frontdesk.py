"""Frontdesk under measurement: intake, mailbox, worker, loop and model client as `bot/app.py` joins them, one tool.

Only the platform and the tool are the benchmark's own. Logs are written as in production.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from bot.accounts import Accounts
from bot.announcements import Announcements
from bot.breaker import Breaker
from bot.budget import Allowance, LedgerBudgets, Meter, Prices
from bot.cases import Cases
from bot.channels import ChannelBook
from bot.collector import spare_the_loaded
from bot.config import load
from bot.intake import IntakeDesk
from bot.interpreter import Interpreter
from bot.journal import Journal
from bot.llm.openai import OpenAIChat
from bot.llm.wire import to_wire
from bot.loop import Loop
from bot.metered import MeteredModel
from bot.modelless import Modelless
from bot.observe import configure_logging
from bot.office import Clerk, Room
from bot.principal import Grants
from bot.secrets import Masking, Vault
from bot.services import Services
from bot.standing import StandingOrders
from bot.store.client import Connections
from bot.store.guard import guard_memory
from bot.store.mailbox import Limits, RedisMailbox
from bot.store.rates import RedisCounts
from bot.store.shared_state import RedisSharedState
from bot.tasks import end
from bot.tool import unchanging
from bot.toolbox import Toolbox
from bot.tracing import Tracer
from bot.troubles import Troubles
from bot.verification import Verification
from bot.worker import Worker
from tests.bench.crowd import PLATFORM, Crowd
from tests.bench.model import ANSWER
from tests.bench.part import obey
from tests.bench.prefix import LOOK_UP, PROMPT
from tests.bench.stalls import Stalls
from tools.database import Database, migrate
from tools.desk import SqlDesk
from tools.report import SqlTurnLog

API_KEY = "bench-key-of-nobody"
HISTORY_TOKENS = 10_000_000
UNLIMITED = {
    "MESSAGES_PER_HOUR": "1000000000",
    **{f"BUDGET_{scope}": "calls=1000000000 tokens=1000000000000" for scope in ("THREAD", "PERSON", "ORGANISATION")},
}
"""What is spent is counted, and nobody reaches the end of it."""

CONCURRENCY = 500


class Bench:
    """What the process is told to do."""

    def __init__(self, crowd: Crowd, intake: IntakeDesk) -> None:
        self._crowd = crowd
        self._intake = intake

    async def talk(
        self, *, roots: Sequence[str], turns: int, stalls: bool = False, times: bool = False, **how: Any
    ) -> dict[str, Any]:
        async with Stalls(enabled=stalls) as longest:
            cpu_s, wall_s = time.process_time(), time.monotonic()
            asked = await self._crowd.talk(self._intake, roots, turns=turns, **how)
            cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
        return {
            "cpu_s": cpu_s,
            "wall_s": wall_s,
            "turns": len(asked),
            "errors": sum(one.text != ANSWER for one in asked),
            "stall_s": longest.wall_s,
            "stall_cpu_s": longest.cpu_s,
            "asked": [(one.id, one.accepted_at, one.first_text_at, one.closed_at) for one in asked] if times else [],
        }

    async def objects(self) -> dict[str, Any]:
        """How many objects live in the process."""
        gc.collect()
        return {"objects": len(gc.get_objects())}


@asynccontextmanager
async def running(redis_url: str, base_url: str, folder: Path) -> AsyncIterator[Bench]:
    """The process at work."""
    async with AsyncExitStack() as stack:
        connections = Connections(redis_url)
        stack.push_async_callback(connections.aclose)
        state = RedisSharedState(connections.commands, "app", listener=connections.listener)
        limits = Limits()
        mailbox = RedisMailbox(connections, to_wire, limits=limits)
        url = f"sqlite:///{folder / 'desk.sqlite3'}"
        await migrate(url)
        database = await stack.enter_async_context(Database(url))
        desk = SqlDesk(database)
        chat = OpenAIChat(api_key=API_KEY, base_url=base_url, model="bench")
        stack.push_async_callback(chat.aclose)
        toolbox = Toolbox(unchanging([LOOK_UP]), timeout_s=10)
        grants = Grants(state.within("grants"), lasts_s=1_800)
        vault = Vault(state.within("vault"), b"0" * 32)
        verification = Verification(state.within("verification"), grants, desk)
        crowd = Crowd()
        channels = ChannelBook(state.within("channels"))
        interpreter = Interpreter(channels, mailbox)
        announcements = Announcements(state.within("announcements"), {PLATFORM: crowd}, interpreter)
        cases = Cases(state.within("cases"), mailbox, announcements, hours_of=channels.hours, reminder_s=900)
        standing = StandingOrders(state.within("standing"), lambda _: "default")
        accounts = Accounts(mailbox, model="bench", settings="bench")
        budgets = LedgerBudgets(
            RedisCounts(connections.commands), load(UNLIMITED).limits, tenant_of=lambda space: "default"
        )
        meter, tracer = Meter(Prices(), Allowance()), Tracer()
        breaker = Breaker("model", failures=8, rest_s=15)
        model = MeteredModel(chat, name="bench", breaker=breaker, meter=meter, tracer=tracer)
        journal = Journal(SqlTurnLog(database))
        services = Services(
            mailbox=mailbox,
            platforms={PLATFORM: crowd},
            loop=Loop(model),
            budgets=budgets,
            modelless=Modelless(
                desk=desk,
                state=state.within("modelless"),
                announcements=announcements,
                interpreter=interpreter,
                tickets_per_day=5,
            ),
            troubles=Troubles(state=state.within("troubles"), mailbox=mailbox, announcements=announcements),
            journal=journal,
            tracer=tracer,
            system=PROMPT,
            toolbox=toolbox,
            grants=grants,
            vault=vault,
            verification=verification,
            announcements=announcements,
            interpreter=interpreter,
            cases=cases,
            standing=standing,
            channels=channels,
            accounts=accounts,
            tool_state=state.within("tools"),
            tenant_of=lambda space: "default",
            link_hosts=frozenset(),
            canaries=frozenset({API_KEY}),
            history_tokens=HISTORY_TOKENS,
            turn_timeout_s=90,
            lease_s=limits.lease_s,
            attempts=limits.attempts,
        )
        room = Room(
            state=state.within("office"),
            mailbox=mailbox,
            desk=desk,
            platforms={PLATFORM: crowd},
            tenants=lambda _: "default",
            verification=verification,
            announcements=announcements,
            cases=cases,
            standing=standing,
            channels=channels,
            accounts=accounts,
            budgets=budgets,
            turns=SqlTurnLog(database),
            currency="USD",
        )
        intake = IntakeDesk(
            mailbox,
            vault=vault,
            verification=verification,
            desk=desk,
            tenant_of=lambda _: "default",
            clerk=Clerk(room),
            standing=standing,
            channels=channels,
            cases=cases,
        )
        worker = Worker(services, concurrency=CONCURRENCY, drain_s=5)
        works = (
            guard_memory(connections.commands, mailbox),
            budgets.run(),
            journal.run(),
            standing.run(),
            channels.run(),
            worker.run(),
        )
        stack.push_async_callback(end, *[asyncio.create_task(work) for work in works])
        yield Bench(crowd, intake)


async def main() -> None:
    """Work until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("redis_url")
    parser.add_argument("base_url")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    configure_logging(Masking({API_KEY}), pretty=False)
    async with running(options.redis_url, options.base_url, options.folder) as bench:
        await obey({"talk": bench.talk, "objects": bench.objects})


if __name__ == "__main__":
    spare_the_loaded()
    uvloop.run(main())
