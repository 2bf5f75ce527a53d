"""Frontdesk's Slack over HTTP under measurement: its door, intake and mailbox as `bot/app.py` joins them, no worker.

Logs are written as in production.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from adapters.slack.platform import create
from bot.app import running
from bot.collector import spare_the_loaded
from bot.config import load
from bot.observe import configure_logging
from bot.secrets import Masking
from bot.tasks import end
from tests.bench.part import obey

API_KEY = "bench-key-of-nobody"
SECRET = "bench-signing-secret"


@asynccontextmanager
async def serving(redis_url: str, api_url: str, folder: Path) -> AsyncIterator[str]:
    """The process at work; gives its address."""
    variables = {
        "OPENAI_API_KEY": API_KEY,
        "REDIS_URL": redis_url,
        "FRONTDESK_SECRET_KEY": "bench-secret-key-0123456789",
        "FRONTDESK_DATA_DIR": str(folder),
        "HTTP_PORT": "0",
        "SLACK_BOT_TOKEN": "xoxb-home",
        "SLACK_SIGNING_SECRET": SECRET,
        "SLACK_API_URL": api_url,
    }
    settings = load(variables)
    configure_logging(Masking(settings.secrets()), pretty=False)
    async with running(settings, variables, is_demo=True, registry={"slack": create}) as app:
        doors = [asyncio.create_task(platform.run(app.intake)) for platform in app.platforms.values()]
        try:
            yield app.url
        finally:
            await end(*doors)


async def used() -> Mapping[str, Any]:
    """What this process has used so far."""
    return {"cpu_s": time.process_time()}


async def main() -> None:
    """Work until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("redis_url")
    parser.add_argument("api_url")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    async with serving(options.redis_url, options.api_url, options.folder) as url:
        await obey({"used": used}, url=url)


if __name__ == "__main__":
    spare_the_loaded()  # as `frontdesk` does: a look at all that is loaded takes longer than Slack is to wait
    uvloop.run(main())
