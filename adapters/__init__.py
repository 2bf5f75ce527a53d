"""The platforms that Frontdesk speaks: one line each. A factory returns nothing when its settings are absent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from bot.ports import Platform, Resources

Maker = Callable[[Mapping[str, str], Resources], Platform | None]


def _where_set(prefix: str, module: str, *, in_demo: bool = False) -> Maker:
    """The module's `create`, where a setting begins with `prefix`: a platform's library takes a while to load, and most
    processes speak one platform."""

    def create(environment: Mapping[str, str], resources: Resources) -> Platform | None:
        is_set = any(name.startswith(prefix) and value.strip() for name, value in environment.items())
        if not is_set and not (in_demo and resources.demo):
            return None
        make: Maker = import_module(module).create
        return make(environment, resources)

    return create


REGISTRY: Mapping[str, Maker] = {
    "discord": _where_set("DISCORD_", "adapters.discord.platform"),
    "slack": _where_set("SLACK_", "adapters.slack.platform"),
    "web": _where_set("WEB_TOKEN", "adapters.web.platform", in_demo=True),
}
