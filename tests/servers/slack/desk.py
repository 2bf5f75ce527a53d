"""A Frontdesk on Slack as a process of its own, for tests that kill it.

python -m tests.servers.slack.desk '{"SLACK_BOT_TOKEN": …}'
"""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop

from adapters.slack.platform import create
from bot.app import running
from bot.config import load
from bot.observe import configure_logging
from bot.secrets import Masking


async def main(variables: dict[str, str]) -> None:
    """Serve until the end."""
    settings = load(variables)
    configure_logging(Masking(settings.secrets()), pretty=False)
    async with running(settings, variables, is_demo=True, registry={"slack": create}) as app:
        sys.stdout.write(f"{app.url}\n")
        sys.stdout.flush()
        await asyncio.gather(app.run())


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
