"""The platforms that Frontdesk speaks: one line each. A factory returns nothing when its settings are absent."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adapters.discord.platform import create as discord
from adapters.slack.platform import create as slack
from adapters.web.platform import create as web
from bot.ports import Platform, Resources

REGISTRY: Mapping[str, Callable[[Mapping[str, str], Resources], Platform | None]] = {
    "discord": discord,
    "slack": slack,
    "web": web,
}
