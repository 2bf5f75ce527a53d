"""What Slack needs to know, read from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from bot.errors import ConfigError

API_URL = "https://slack.com/api/"

_USER = re.compile(r"[UW][A-Z0-9]{2,}")
_GROUP = re.compile(r"S[A-Z0-9]{2,}")
_BOT = re.compile(r"[ABUW][A-Z0-9]{2,}")
_CHANNEL = re.compile(r"[CGD][A-Z0-9]{2,}")


class Streaming(StrEnum):
    """How an answer is shown while it is written."""

    AUTO = "auto"
    OFF = "off"


class SlackSettings(BaseModel):
    """Settings of Slack.

    Args:
        bot_token: the one workspace's; absent with many.
        app_token: opens the socket of Socket Mode.
        signing_secret: proves that a request over HTTP is Slack's.
        client_id: with `client_secret`, lets many workspaces install the app.
        api_url: where the Web API is, ending in a slash.
        admins: user ids; with `admin_groups` empty as well, the workspace's admins and owners.
        admin_groups: user group ids.
        bots: ids of other bots, of their apps or of their users, that are answered.
        handover_channel: where the team is told that somebody waits.
        public_url: where people reach the HTTP port, without a slash at its end; empty when they cannot.
    """

    model_config = ConfigDict(frozen=True)

    bot_token: SecretStr | None = None
    app_token: SecretStr | None = None
    signing_secret: SecretStr | None = None
    client_id: str = ""
    client_secret: SecretStr | None = None
    api_url: str = API_URL
    admins: frozenset[str] = frozenset()
    admin_groups: frozenset[str] = frozenset()
    bots: frozenset[str] = frozenset()
    handover_channel: str = ""
    streaming: Streaming = Streaming.AUTO
    public_url: str = ""

    @property
    def has_many_workspaces(self) -> bool:
        """Whether workspaces install the app by themselves."""
        return bool(self.client_id)

    @property
    def api_host(self) -> str:
        """Host (and port) of the Web API."""
        return urlsplit(self.api_url).netloc


def read_settings(environment: Mapping[str, str]) -> SlackSettings | None:
    """The settings, or nothing when Slack is not set up.

    Raises:
        ConfigError: what is set does not make a whole.
    """
    values = {name: environment.get(f"SLACK_{name.upper()}", "").strip() for name in _NAMES}
    if not any(values[name] for name in ("bot_token", "app_token", "signing_secret", "client_id")):
        return None
    problems = [*_missing(values), *_malformed(values)]
    admins = _listed(environment.get("ADMINS_SLACK", ""))
    problems += [
        f"ADMINS_SLACK: {admin[:40]} is neither a user id (U…) nor a user group id (S…)"
        for admin in sorted(admins)
        if not (_USER.fullmatch(admin) or _GROUP.fullmatch(admin))
    ]
    bots = _listed(environment.get("SLACK_BOTS", ""))
    problems += [
        f"SLACK_BOTS: {bot[:40]} is neither a bot's id (B…), an app's (A…) nor a bot user's (U…)"
        for bot in sorted(bots)
        if not _BOT.fullmatch(bot)
    ]
    handover = environment.get("HANDOVER_CHANNEL_SLACK", "").strip()
    if handover and not _CHANNEL.fullmatch(handover):
        problems.append("HANDOVER_CHANNEL_SLACK is not a channel id; it begins with C (channel details, at the bottom)")
    streaming = values["streaming"].lower() or Streaming.AUTO
    if streaming not in tuple(Streaming):
        problems.append("SLACK_STREAMING is neither auto nor off")
    if problems:
        raise ConfigError(*problems)
    return SlackSettings(
        bot_token=_secret(values["bot_token"]),
        app_token=_secret(values["app_token"]),
        signing_secret=_secret(values["signing_secret"]),
        client_id=values["client_id"],
        client_secret=_secret(values["client_secret"]),
        api_url=(values["api_url"] or API_URL).rstrip("/") + "/",
        admins=frozenset(filter(_USER.fullmatch, admins)),
        admin_groups=frozenset(filter(_GROUP.fullmatch, admins)),
        bots=bots,
        handover_channel=handover,
        streaming=Streaming(streaming),
        public_url=environment.get("PUBLIC_URL", "").strip().rstrip("/"),
    )


_NAMES = (
    "bot_token",
    "app_token",
    "signing_secret",
    "client_id",
    "client_secret",
    "api_url",
    "streaming",
)


def _missing(values: Mapping[str, str]) -> list[str]:
    problems: list[str] = []
    if bool(values["client_id"]) != bool(values["client_secret"]):
        problems.append("SLACK_CLIENT_ID and SLACK_CLIENT_SECRET belong together; set both or neither")
    if values["client_id"] and values["bot_token"]:
        problems.append("SLACK_BOT_TOKEN is one workspace and SLACK_CLIENT_ID many; set one of them")
    if values["client_id"] and not values["signing_secret"]:
        problems.append("SLACK_SIGNING_SECRET is missing: many workspaces install the app over HTTP")
    if not values["client_id"] and not values["bot_token"]:
        problems.append("SLACK_BOT_TOKEN is missing (OAuth & Permissions, Bot User OAuth Token)")
    if not values["app_token"] and not values["signing_secret"]:
        problems.append(
            "Events cannot come in: set SLACK_APP_TOKEN for Socket Mode (Basic Information, App-Level Tokens, scope "
            "connections:write) or SLACK_SIGNING_SECRET for HTTP (Basic Information, App Credentials)"
        )
    return problems


def _malformed(values: Mapping[str, str]) -> list[str]:
    problems: list[str] = []
    for name, prefix in (("bot_token", "xoxb-"), ("app_token", "xapp-")):
        if values[name] and not values[name].startswith(prefix):
            problems.append(f"SLACK_{name.upper()} does not begin with {prefix}; another kind of token is set there")
    address = urlsplit(values["api_url"])
    if values["api_url"] and (address.scheme not in ("http", "https") or not address.hostname):
        problems.append("SLACK_API_URL is not an address; leave it out for Slack's own")
    return problems


def _secret(value: str) -> SecretStr | None:
    return SecretStr(value) if value else None


def _listed(text: str) -> frozenset[str]:
    return frozenset(part for part in re.split(r"[\s,]+", text) if part)
