"""What would lose data or leak in production, and how to mend it. Pure; `bot.store.guard` asks Redis itself."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from bot.config import Settings
from bot.server import is_loopback

_SAME = 4
"""A secret of fewer different characters is a placeholder."""


def leaks(settings: Settings) -> Sequence[str]:
    """Each thing for which a start in production is refused, with its mend."""
    problems: list[str] = []
    public = urlsplit(settings.public_url or "")
    if public.scheme == "http" and not is_loopback(public.hostname or ""):
        problems.append(
            "PUBLIC_URL begins with http://, so tokens and what customers write would travel in the clear; put a proxy "
            "with TLS before the HTTP port and write https://."
        )
    for name in ("frontdesk_secret_key", "web_token"):
        secret = getattr(settings, name)
        if secret is not None and len(set(secret.get_secret_value())) < _SAME:
            problems.append(f"{name.upper()} can be guessed; make one with: openssl rand -hex 32")
    if settings.web_token is not None and settings.web_token == settings.frontdesk_secret_key:
        problems.append("WEB_TOKEN is FRONTDESK_SECRET_KEY; whoever opens the page must not open what is sealed.")
    return problems
