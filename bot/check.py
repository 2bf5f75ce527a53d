"""`frontdesk check`: every part is reached for real, and what is missing is said with its mend."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

import orjson

from bot.app import check_redis, open_database, open_mailbox, open_models, open_platforms, reach_servers
from bot.config import Settings
from bot.errors import BotError, ConfigError, Permanent, Transient
from bot.ports import Completion, ModelRequest, Platform
from bot.prompt import read_handbook
from bot.safety import leaks

PART_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One part: whether it works, and what to tell the operator."""

    part: str
    ok: bool
    told: str


async def examine(settings: Settings, environment: Mapping[str, str]) -> list[Finding]:
    """All findings; a broken part keeps none of the others from being looked at."""
    findings = [
        await _look("Redis", _redis(settings)),
        await _look("Production", _production(settings)),
        await _look("Database", _database(settings)),
        await _look("Model", _model(settings)),
        await _look("Handbook", _handbook(settings)),
        *await _platforms(settings, environment),
    ]
    if settings.mcp_servers:
        findings.append(await _look("MCP servers", _servers(settings)))
    return findings


async def _look(part: str, look: Awaitable[str]) -> Finding:
    try:
        async with asyncio.timeout(PART_TIMEOUT_S):
            return Finding(part=part, ok=True, told=await look)
    except ConfigError as error:
        return Finding(part=part, ok=False, told=" ".join(error.problems))
    except (Transient, Permanent) as failure:
        return Finding(part=part, ok=False, told=_MENDS.get(failure.reason, failure.reason))
    except TimeoutError:
        return Finding(
            part=part, ok=False, told=f"no answer within {PART_TIMEOUT_S:.0f} s; check its address and network."
        )
    except BotError as failure:
        return Finding(part=part, ok=False, told=str(failure))


REDIS_LOGIN = (
    "write its user and password into REDIS_URL: redis://user:password@host:6379 (redis://:password@… without one)."
)

_MENDS = {
    "clock_skew": "this machine's clock is wrong by more than a minute; every signed request would look forged. Set it "
    "(timedatectl set-ntp true).",
    "redis_unavailable": "cannot be reached; check REDIS_URL and that the server runs.",
    "redis_refuses": f"refuses us; {REDIS_LOGIN}",
    "database_unavailable": "cannot be reached; check DATABASE_URL and that the server runs.",
    "model_unauthorized": "the endpoint refuses the key; check OPENAI_API_KEY (and OPENAI_BASE_URL).",
    "model_not_found": "the endpoint does not know the model; check OPENAI_MODEL (and OPENAI_BASE_URL).",
    "model_unreachable": "the endpoint cannot be reached; check OPENAI_BASE_URL and the network.",
    "model_rate_limited": "the endpoint answers, but refuses for now (rate limit or no credit).",
}


async def _redis(settings: Settings) -> str:
    async with open_mailbox(settings) as mailbox:
        letters = await mailbox.dead_letters()
    where = "reached at REDIS_URL" if settings.redis_url else "an embedded one, in the data folder"
    return f"{where}; {len(letters)} dead letter{'s' * (len(letters) != 1)}."


async def _database(settings: Settings) -> str:
    async with open_database(settings):
        return "reached at DATABASE_URL." if settings.database_url else "an SQLite file in the data folder."


async def _model(settings: Settings) -> str:
    async with open_models(settings) as (chat, _):
        request = ModelRequest(
            system="Answer with the word ok.", messages=orjson.dumps({"role": "user", "content": "Are you there?"})
        )
        async for item in chat.stream(request):
            if isinstance(item, Completion):
                return f"{settings.openai_model} answers at {settings.openai_base_url or 'OpenAI'}."
    raise Transient("model_stream_unfinished")


async def _handbook(settings: Settings) -> str:
    if settings.handbook is None:
        return "none; set HANDBOOK to a Markdown file to tell the model who the company is."
    handbook = read_handbook(settings.handbook, limit_tokens=settings.handbook_tokens)
    return f"{len(handbook.general):,} characters, and channels with pages of their own: {len(handbook.channels)}."


async def _servers(settings: Settings) -> str:
    return f"{', '.join(f'{name} ({tools} tools)' for name, tools in (await reach_servers(settings)).items())}."


async def _production(settings: Settings) -> str:
    """Whether `frontdesk run` would refuse to start because something would be lost or leak."""
    problems = [*leaks(settings)]
    try:
        await check_redis(settings)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(*problems)
    return "nothing that was accepted would be lost, and nothing would leak."


async def _platforms(settings: Settings, environment: Mapping[str, str]) -> list[Finding]:
    """A finding for each platform that is set up: what it says of itself, and each thing that is to be mended."""
    async with AsyncExitStack() as stack:
        try:
            platforms = await stack.enter_async_context(open_platforms(settings, environment))
        except ConfigError as error:
            return [Finding(part="Platforms", ok=False, told=" ".join(error.problems))]
        except Transient as failure:
            return [Finding(part="Platforms", ok=False, told=_MENDS.get(failure.reason, failure.reason))]
        return [found for name, platform in platforms.items() for found in await _examined(name.capitalize(), platform)]


async def _examined(part: str, platform: Platform) -> list[Finding]:
    """What a platform found of itself, and each thing that is wrong, as findings of their own."""
    wrong: list[Finding] = []

    async def look() -> str:
        examined = await platform.examine()
        wrong.extend(Finding(part=part, ok=False, told=f"{problem.rstrip('.')}.") for problem in examined.problems)
        return f"{'; '.join(examined.facts)}." if examined.facts else "set up."

    return [await _look(part, look()), *wrong]
