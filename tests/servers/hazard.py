"""A Frontdesk with a fault inside: a link to `/blocks` holds up its event loop, one to `/ends` ends its process.

    python -m tests.servers.hazard '{"REDIS_URL": …}'

It is what any program is whose tools, libraries or memory can fail; the fault is the download of a picture, because
that is handed in from outside.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from urllib.parse import urlsplit

import uvloop

from bot.app import DEMO_PLATFORMS, running
from bot.config import load
from bot.demo import with_handbook
from bot.errors import ToolFailed
from bot.observe import configure_logging
from bot.secrets import Masking


async def fetch(link: str) -> bytes:
    """Do what the link says."""
    parts = urlsplit(link)
    if parts.path == "/blocks":
        time.sleep(float(parts.query))  # noqa: ASYNC251  this is the fault
    elif parts.path == "/ends":
        os._exit(70)
    raise ToolFailed("nothing_there", "There is nothing at this address.")


async def main(variables: dict[str, str]) -> None:
    """Serve until the end."""
    settings = with_handbook(load(variables))  # the model is told the same as by `frontdesk demo`
    configure_logging(Masking(settings.secrets()), pretty=False)
    async with running(settings, variables, is_demo=True, registry=DEMO_PLATFORMS, fetch=fetch) as app:
        sys.stdout.write(f"{app.url}\n")
        sys.stdout.flush()
        await asyncio.gather(app.run())


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
