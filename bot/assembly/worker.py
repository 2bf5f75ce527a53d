"""From the mailbox to the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from bot.assembly.house import House
from bot.assembly.models import open_models
from bot.assembly.tracing import open_tracing
from bot.breaker import Breakers
from bot.budget import Meter
from bot.config import Settings, secrets_in
from bot.journal import Journal
from bot.loop import Loop, LoopLimits
from bot.metered import MeteredModel
from bot.modelless import Modelless
from bot.ports import VisionModel
from bot.prompt import Handbook, SystemPrompt, read_handbook
from bot.secrets import Masking
from bot.services import Services
from bot.tasks import end
from bot.tool import ToolSource
from bot.toolbox import Toolbox
from bot.troubles import Troubles
from bot.vitals import Probe
from bot.worker import Worker

ToolOpener = Callable[[VisionModel], AbstractAsyncContextManager[ToolSource]]
"""Gives what the model may call, while the context lasts."""


@asynccontextmanager
async def open_worker(
    house: House, environment: Mapping[str, str], open_tools: ToolOpener
) -> AsyncIterator[tuple[Worker, Probe]]:
    """A worker, and what tells whether its model may be asked.

    Raises:
        ConfigError: no model, a handbook that cannot be read, a server of tools that cannot be reached.
    """
    settings = house.settings
    withheld = settings.secrets() | secrets_in(environment)
    meter = Meter(settings.prices, settings.budget_turn)
    async with AsyncExitStack() as stack:
        chat, vision = await stack.enter_async_context(open_models(settings, used=meter.used))
        tools = await stack.enter_async_context(open_tools(vision))
        tracer = await stack.enter_async_context(open_tracing(environment, Masking(withheld).mask))
        breakers = Breakers(failures=settings.breaker_failures, rest_s=settings.breaker_rest_s)
        model = MeteredModel(chat, name=settings.openai_model, breaker=breakers.of("model"), meter=meter, tracer=tracer)
        journal = Journal(house.business.turns)
        stack.push_async_callback(end, asyncio.create_task(journal.run()))
        services = Services(
            mailbox=house.mailbox,
            platforms=house.platforms,
            loop=Loop(model, limits=LoopLimits(steps=settings.max_steps, calls_per_step=settings.max_calls_per_step)),
            system=SystemPrompt(_handbook(settings)),
            toolbox=Toolbox(tools, timeout_s=settings.tool_timeout_s, breakers=breakers, tracer=tracer),
            budgets=house.budgets,
            troubles=Troubles(
                state=house.state.within("troubles"), mailbox=house.mailbox, announcements=house.announcements
            ),
            modelless=Modelless(
                desk=house.business.desk,
                state=house.state.within("modelless"),
                announcements=house.announcements,
                interpreter=house.interpreter,
                tickets_per_day=settings.tickets_per_day,
            ),
            journal=journal,
            tracer=tracer,
            grants=house.grants,
            vault=house.vault,
            verification=house.verification,
            announcements=house.announcements,
            interpreter=house.interpreter,
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
        worker = Worker(services, concurrency=settings.worker_concurrency, drain_s=settings.drain_s)
        yield worker, model.ready


def _handbook(settings: Settings) -> Handbook:
    if settings.handbook is None:
        return Handbook()
    return read_handbook(settings.handbook, limit_tokens=settings.handbook_tokens)
