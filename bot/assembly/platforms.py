"""The platforms that are set up, each with what it may work with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from bot.assembly.storage import secret_key, state_in
from bot.channels import ChannelBook
from bot.config import Settings
from bot.errors import ConfigError
from bot.observe import limited, waited
from bot.ports import Desk, Mailbox, Platform, Resources
from bot.sealing import AeadSealer
from bot.secrets import mask
from bot.store.client import Connections

PlatformMaker = Callable[[Mapping[str, str], Resources], Platform | None]
"""Makes a platform of the environment's settings; nothing where they are absent."""


@asynccontextmanager
async def plugged_in(
    registry: Mapping[str, PlatformMaker],
    settings: Settings,
    environment: Mapping[str, str],
    connections: Connections,
    *,
    desk: Desk,
    mailbox: Mailbox,
    channels: ChannelBook,
    is_demo: bool = False,
) -> AsyncIterator[Mapping[str, Platform]]:
    """The platforms of the registry whose settings are present, without their sockets.

    Raises:
        ConfigError: there is none, or the settings of one are wrong.
    """
    async with AsyncExitStack() as stack:
        platforms: dict[str, Platform] = {}
        for name, make in registry.items():
            resources = Resources(
                state=state_in(connections, f"adapter/{name}"),
                desk=desk,
                mailbox=mailbox,
                tenant_of=settings.tenant_of,
                sealer=AeadSealer(secret_key(settings), f"adapter {name}"),
                channel_rules=channels.rules,
                waited=partial(waited, name),
                limited=limited,
                demo=is_demo,
                mask=mask,
            )
            if (platform := make(environment, resources)) is not None:
                stack.push_async_callback(platform.aclose)
                platforms[name] = platform
        if not platforms:
            raise ConfigError(
                "No platform is set up; see docs/slack.md for SLACK_BOT_TOKEN, docs/discord.md for DISCORD_BOT_TOKEN, "
                "or set WEB_TOKEN for the web page (or try `frontdesk demo`, which needs nothing)."
            )
        yield platforms
