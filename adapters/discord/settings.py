"""What Discord needs to know, read from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from bot.errors import ConfigError

API_URL = "https://discord.com/api/v10"
CDN_HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})

DAY_S = 86_400.0


class DiscordSettings(BaseModel):
    """Settings of the Discord adapter.

    Args:
        token: the bot's token.
        api_url: address of the HTTP interface up to and with its version; another one for a proxy.
        gateway_url: address of the gateway; the one that the HTTP interface names when empty.
        shard_ids: the shards that this process serves; all when empty.
        shard_count: of how many shards; as many as Discord recommends when absent.
        admins: ids of roles and of people who count as staff; who may manage the server when empty.
        handover_channel: id of the channel where hand-overs are told; nobody is told when empty.
        reads_messages: ask for the Message Content intent; without it people mention the bot each time.
        keep_s: how long what the adapter remembers of a conversation outlives its last message.
    """

    model_config = ConfigDict(frozen=True)

    token: SecretStr
    api_url: str = API_URL
    gateway_url: str = ""
    shard_ids: tuple[int, ...] = ()
    shard_count: int | None = None
    admins: frozenset[str] = frozenset()
    handover_channel: str = ""
    reads_messages: bool = True
    keep_s: float = 30 * DAY_S

    @property
    def file_hosts(self) -> frozenset[str]:
        """Hosts that attachments are read from."""
        if self.api_url == API_URL:
            return CDN_HOSTS
        return CDN_HOSTS | {urlsplit(self.api_url).hostname or ""}


def read_settings(environment: Mapping[str, str]) -> DiscordSettings | None:
    """The settings, or nothing when there is no token.

    Raises:
        ConfigError: says everything that is wrong.
    """
    given = {name: value.strip() for name, value in environment.items()}
    token = given.get("DISCORD_BOT_TOKEN", "")
    if not token:
        return None
    problems: list[str] = []
    if token.lower().startswith("bot "):
        problems.append("DISCORD_BOT_TOKEN begins with “Bot ”; write the token alone")
    api_url = given.get("DISCORD_API_URL", "").rstrip("/") or API_URL
    if urlsplit(api_url).scheme not in ("http", "https") or not urlsplit(api_url).hostname:
        problems.append(f"DISCORD_API_URL is not an address; write it as {API_URL}")
    gateway_url = given.get("DISCORD_GATEWAY_URL", "")
    if gateway_url and urlsplit(gateway_url).scheme not in ("ws", "wss"):
        problems.append("DISCORD_GATEWAY_URL is not an address; write it as wss://gateway.discord.gg")
    shard_ids, shard_count = _shards(given, problems)
    admins = _ids(given.get("ADMINS_DISCORD", ""))
    if admins is None:
        problems.append(
            "ADMINS_DISCORD holds something that is no id; copy ids of roles and people, separated by commas"
        )
    channel = given.get("HANDOVER_CHANNEL_DISCORD", "").removeprefix("<#").removesuffix(">")
    if channel and not is_id(channel):
        problems.append("HANDOVER_CHANNEL_DISCORD is not the id of a channel; copy it from the channel's menu")
    reads = given.get("DISCORD_MESSAGE_CONTENT", "").lower() or "true"
    if reads not in ("true", "false"):
        problems.append("DISCORD_MESSAGE_CONTENT is neither true nor false")
    days = _days(given.get("RETENTION_DAYS", "") or "30")
    if days is None:
        problems.append("RETENTION_DAYS is not a number of days; 30 is the default")
    if problems or admins is None or days is None:
        raise ConfigError(*problems)
    return DiscordSettings(
        token=SecretStr(token),
        api_url=api_url,
        gateway_url=gateway_url,
        shard_ids=shard_ids,
        shard_count=shard_count,
        admins=admins,
        handover_channel=channel,
        reads_messages=reads == "true",
        keep_s=days * DAY_S,
    )


def _shards(given: Mapping[str, str], problems: list[str]) -> tuple[tuple[int, ...], int | None]:
    """The shards of this process, and of how many; what is wrong is added to the problems."""
    ids, counts = _numbers(given.get("DISCORD_SHARD_IDS", "")), _numbers(given.get("DISCORD_SHARD_COUNT", ""))
    if ids is None:
        problems.append("DISCORD_SHARD_IDS is not a list of numbers; write it as 0,1 or 0-3")
    if counts is None or len(counts) > 1 or counts == (0,):
        problems.append("DISCORD_SHARD_COUNT is not a number from 1 on")
    elif ids and not counts:
        problems.append("DISCORD_SHARD_IDS needs DISCORD_SHARD_COUNT, the same in every process")
    elif ids and max(ids) >= counts[0]:
        problems.append(
            "DISCORD_SHARD_IDS names a shard that there is not; they count from 0 to DISCORD_SHARD_COUNT - 1"
        )
    return ids or (), counts[0] if counts else None


def is_id(text: str) -> bool:
    """Whether this is an id as Discord makes them."""
    return text.isascii() and text.isdecimal() and 15 <= len(text) <= 20


def _ids(text: str) -> frozenset[str] | None:
    ids = frozenset(text.replace(",", " ").split())
    return ids if all(map(is_id, ids)) else None


def _numbers(text: str) -> tuple[int, ...] | None:
    """`0,2` or `0-3`, in order; nothing when it is neither."""
    numbers: set[int] = set()
    for part in text.replace(",", " ").split():
        first, dash, last = part.partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)):
            return None
        numbers |= set(range(int(first), int(last or first) + 1))
    return tuple(sorted(numbers))


def _days(text: str) -> float | None:
    try:
        days = float(text)
    except ValueError:
        return None
    return days if 0 < days < 100_000 else None
