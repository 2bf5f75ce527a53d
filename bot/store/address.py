"""REDIS_URL read: one Redis, a cluster of them, or a master that sentinels name.

    redis://[user:password@]host:port[/db]          rediss:// the same over TLS
    unix://[user:password@]/path/to/socket[?db=n]
    redis+cluster://[user:password@]host:port[,host:port …]
    redis+sentinel://[user:password@]host:port[,host:port …]/service[/db]

`rediss+cluster` and `rediss+sentinel` are the same over TLS, to the sentinels too. User and password are those of the
Redis servers. At the end may follow, as after `?` in any address:

    ssl_ca_certs=/path/to/ca.pem                        whom to trust, where that is not who the machine trusts
    sentinel_username=user&sentinel_password=password   of the sentinels, where they want any
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio.connection import ConnectionPool

from bot.errors import ConfigError

FORMS = (
    "REDIS_URL is not a Redis address; write redis://host:6379/0, rediss://…, unix:///path/to/socket, "
    "redis+cluster://host:port,host:port or redis+sentinel://host:port,host:port/service/0."
)
_PORTS = {"cluster": 6379, "sentinel": 26379}


@dataclass(frozen=True, slots=True, kw_only=True)
class One:
    """One Redis, by an address that its client reads itself."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Some nodes of a cluster, who know the others.

    Args:
        login: what the client is given to log in with, TLS included.
    """

    nodes: tuple[tuple[str, int], ...]
    login: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentinels:
    """Sentinels who know the master of a service.

    Args:
        login: what the client is given to log in to the master with, TLS included.
        asking: the same for the sentinels.
    """

    nodes: tuple[tuple[str, int], ...]
    service: str
    db: int
    login: dict[str, Any]
    asking: dict[str, Any]


Address = One | Cluster | Sentinels


def parse_address(url: str) -> Address:
    """Read REDIS_URL.

    Raises:
        ConfigError: it is none of the forms above; the address itself is not repeated, for it may hold a password.
    """
    try:
        scheme, _, kind = urlsplit(url).scheme.partition("+")
        if not kind:
            ConnectionPool.from_url(url)  # connects to nothing; reads the address as it will be read
            return One(url=url)
        return _many(url, kind, is_tls={"redis": False, "rediss": True}[scheme])
    except (KeyError, ValueError):
        raise ConfigError(FORMS) from None


def _many(url: str, kind: str, *, is_tls: bool) -> Address:
    parts = urlsplit(url)
    user, _, hosts = parts.netloc.rpartition("@")
    nodes = tuple(_node(host, _PORTS[kind]) for host in hosts.split(","))
    name, _, password = user.partition(":")
    more = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    trust: dict[str, Any] = {"ssl": is_tls}
    if "ssl_ca_certs" in more:
        trust["ssl_ca_certs"] = more.pop("ssl_ca_certs")
    login = {"username": unquote(name) or None, "password": unquote(password) or None, **trust}
    asking = trust
    if kind == "sentinel":
        asking = {part: more.pop(f"sentinel_{part}", None) for part in ("username", "password")} | trust
    if more:
        raise ValueError("there is no such option")
    if kind == "cluster":
        if parts.path.strip("/") not in ("", "0"):
            raise ValueError("a cluster has one database, 0")
        return Cluster(nodes=nodes, login=login)
    service, _, db = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("a service is needed")
    return Sentinels(nodes=nodes, service=unquote(service), db=int(db or 0), login=login, asking=asking)


def _node(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("a host is needed")
    return parts.hostname, parts.port or port
