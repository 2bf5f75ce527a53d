"""What the page needs to know, read from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from bot.errors import ConfigError

SPACE = "page"
"""The page's only space; `TENANTS` may map it."""

CHANNEL = "main"

DAY_S = 86_400.0

_TOKEN_LEAST = 16
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_ANY_ADDRESS = frozenset({"", "0.0.0.0", "::", "[::]"})  # noqa: S104  compared with, never bound


class WebSettings(BaseModel):
    """Settings of the page.

    Args:
        token: what a visitor of `run` must know; absent in the demo.
        origin: `https://host` under which the page is reached, from `PUBLIC_URL`; empty when unknown.
        hosts: names that a request may ask for, against DNS rebinding; empty: any (there is a token then).
        keep_s: how long a conversation is shown after its last message.
    """

    model_config = ConfigDict(frozen=True)

    token: SecretStr | None
    origin: str
    hosts: frozenset[str]
    keep_s: float

    @property
    def is_https(self) -> bool:
        """Whether browsers reach the page encrypted, so that cookies need never travel otherwise."""
        return self.origin.startswith("https://")


def read_settings(environment: Mapping[str, str], *, demo: bool) -> WebSettings | None:
    """The settings, or nothing when the page is off.

    Raises:
        ConfigError: the page is on and cannot be served safely.
    """
    token = environment.get("WEB_TOKEN", "").strip()
    if not demo and not token:
        return None
    problems: list[str] = []
    if not demo and len(token) < _TOKEN_LEAST:
        problems.append(f"WEB_TOKEN is shorter than {_TOKEN_LEAST} characters; make one with: openssl rand -hex 24")
    public = urlsplit(environment.get("PUBLIC_URL", "").strip().rstrip("/"))
    if public.geturl() and (public.scheme not in ("http", "https") or not public.hostname):
        problems.append("PUBLIC_URL is not an address; write it as https://support.example.com")
    days = _days(environment.get("RETENTION_DAYS", "").strip() or "30")
    if days is None:
        problems.append("RETENTION_DAYS is not a number of days; 30 is the default")
    if problems or days is None:
        raise ConfigError(*problems)
    return WebSettings(
        token=None if demo else SecretStr(token),
        origin=f"{public.scheme}://{public.netloc}" if public.netloc else "",
        hosts=_hosts(environment.get("HTTP_HOST", ""), public.hostname or "") if demo else frozenset(),
        keep_s=days * DAY_S,
    )


def _days(text: str) -> float | None:
    try:
        days = float(text)
    except ValueError:
        return None
    return days if 0 < days < 100_000 else None


def _hosts(bound: str, public: str) -> frozenset[str]:
    """Names under which a demo may be asked for: no other name leads here unless somebody bent DNS."""
    named = {host.lower() for host in (bound.strip(), public) if host not in _ANY_ADDRESS}
    return _LOOPBACK | named
