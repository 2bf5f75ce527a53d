"""Where Frontdesk is installed: tokens, and who it is in each workspace.

What an incoming event needs is answered from memory or shared state and never by a call to Slack: an event that cannot
be attributed is not acknowledged, and Slack brings it again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec
import structlog
from pydantic import SecretStr

from adapters.slack.calls import Calls
from adapters.slack.settings import SlackSettings
from bot.errors import Permanent, Transient
from bot.ports import Sealer, SharedState

log = structlog.get_logger(__name__)

UNKNOWN = "slack_unknown_workspace"

RENEW_S = 3600.0
"""A token that is good for less than this is renewed."""

RENEWING_S = 30.0

CLOCKS_S = 5.0
"""How far Slack's clock and ours may be apart."""

MEMORY_S = 30.0
"""How long this process believes what it read of a workspace that installed the app by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Frontdesk in one workspace (or, on Enterprise Grid, in all of an organisation's).

    Args:
        team: the workspace's id; the organisation's when it was installed for all of it.
        bot_user: who Frontdesk is there.
        bot_id: the same, as bot messages name it.
        url: the workspace's address, ending in a slash.
        refresh_token: with token rotation; the token is good until `expires_at` (seconds since 1970).
        installed_at: seconds since 1970, of a workspace that installed the app by itself.
    """

    team: str
    bot_user: str
    bot_id: str
    token: SecretStr = field(repr=False)
    enterprise: str = ""
    name: str = ""
    url: str = ""
    scopes: frozenset[str] = frozenset()
    refresh_token: SecretStr | None = field(default=None, repr=False)
    expires_at: float = 0.0
    installed_at: float = 0.0

    def pack(self) -> bytes:
        """As bytes, to be sealed."""
        values = {
            name: getattr(self, name)
            for name in ("team", "bot_user", "bot_id", "enterprise", "name", "url", "expires_at", "installed_at")
        }
        secret = {
            "token": self.token.get_secret_value(),
            "refresh_token": self.refresh_token.get_secret_value() if self.refresh_token else "",
            "scopes": sorted(self.scopes),
        }
        return msgspec.json.encode({**values, **secret})

    @classmethod
    def unpack(cls, packed: bytes) -> Installation:
        """Undo `pack`."""
        values = msgspec.json.decode(packed)
        refresh = values.pop("refresh_token")
        return cls(
            token=SecretStr(values.pop("token")),
            refresh_token=SecretStr(refresh) if refresh else None,
            scopes=frozenset(values.pop("scopes")),
            **values,
        )


class Installations:
    """Finds the installation that an event or a thread belongs to.

    Args:
        state: where they are kept, sealed.
    """

    def __init__(self, settings: SlackSettings, state: SharedState, sealer: Sealer, calls: Calls) -> None:
        self._settings = settings
        self._state = state
        self._sealer = sealer
        self._calls = calls
        self._only: Installation | None = None
        self._known: dict[str, tuple[float, Installation]] = {}

    async def introduce(self) -> Installation:
        """Ask Slack who we are in the one workspace, and keep it for every process.

        Raises:
            Permanent: the token is not good.
            Transient: Slack cannot be reached.
        """
        token = self._settings.bot_token
        if token is None:
            raise Permanent("no_bot_token")
        answer, headers = await self._calls.respond("auth.test", token, {})
        self._only = to_installation(answer, headers, token)
        await self._keep(_ONLY, self._only)
        return self._only

    async def find(self, *teams: str) -> Installation:
        """The installation in the first of these workspaces that has one.

        Raises:
            Transient: it is not known, or cannot be read at this moment.
        """
        if not self._settings.has_many_workspaces:
            only = self._only or await self._read(_ONLY)
            if only is None:
                raise Transient("slack_not_introduced")
            self._only = only
            if teams and not {only.team, only.enterprise} & set(teams):
                raise Transient(UNKNOWN)
            return only
        for team in filter(None, teams):
            found = await self._remembered(team)
            if found is not None:
                return found
        raise Transient(UNKNOWN)

    async def of(self, space: str) -> Installation:
        """The installation that a thread belongs to, to speak with: its token is fresh.

        Raises:
            Permanent: the app is not installed there any more.
            Transient: it cannot be read at this moment.
        """
        if not self._settings.has_many_workspaces:
            return self._only or await self._read(_ONLY) or await self.introduce()
        found = await self._remembered(space)
        if found is None:
            raise Permanent("not_installed")
        return await self._renewed(found)

    async def save(self, installation: Installation) -> Installation:
        """Keep a workspace's fresh installation.

        Raises:
            Transient, Permanent: see `Calls.call`; nothing is kept.
        """
        answer, headers = await self._calls.respond("auth.test", installation.token, {})
        asked = to_installation(answer, headers, installation.token)
        kept = replace(
            installation,
            url=asked.url,
            name=installation.name or asked.name,
            bot_id=installation.bot_id or asked.bot_id,
            scopes=asked.scopes or installation.scopes,
            installed_at=time.time(),
        )
        await self._keep(kept.team, kept)
        self._known[kept.team] = (time.monotonic(), kept)
        return kept

    async def _renewed(self, old: Installation) -> Installation:
        """The installation with a token that is good for a while; one process at a time asks for it.

        Source: https://docs.slack.dev/authentication/using-token-rotation
        """
        if not old.refresh_token or old.expires_at - time.time() > RENEW_S:
            return old
        if not await self._state.compare_and_set(f"renewing/{old.team}", None, b"1", ttl_s=RENEWING_S):
            if old.expires_at > time.time():
                return old
            raise Transient("slack_token_renewing", retry_after_s=1.0)
        try:
            current = await self._read(old.team) or old
            if current.expires_at - time.time() > RENEW_S or current.refresh_token is None:
                return current  # another process was faster
            secret = self._settings.client_secret
            arguments = {
                "client_id": self._settings.client_id,
                "client_secret": secret.get_secret_value() if secret else "",
                "grant_type": "refresh_token",
                "refresh_token": current.refresh_token.get_secret_value(),
            }
            answer, _ = await self._calls.respond("oauth.v2.access", None, arguments)
            fresh = replace(
                current,
                token=SecretStr(str(answer["access_token"])),
                refresh_token=SecretStr(str(answer["refresh_token"])),
                expires_at=time.time() + float(answer["expires_in"]),
            )
            await self._keep(fresh.team, fresh)
            self._known[fresh.team] = (time.monotonic(), fresh)
            log.info("slack_token_renewed", team=fresh.team)
            return fresh
        finally:
            await self._state.delete(f"renewing/{old.team}")

    async def forget(self, team: str, at: float) -> bool:
        """The app is not installed there any more; whether that is so.

        Args:
            at: when it was taken out, seconds since 1970. Slack may tell of it again after it was installed anew.
        """
        self._known.pop(team, None)
        if not self._settings.has_many_workspaces:
            return True
        found = await self._read(team)
        if found is not None and 0.0 < at < found.installed_at - CLOCKS_S:
            return False
        await self._state.delete(f"installation/{team}")
        return True

    async def _remembered(self, team: str) -> Installation | None:
        at, found = self._known.get(team, (0.0, None))
        if found is not None and time.monotonic() - at < MEMORY_S:
            return found
        found = await self._read(team)
        if found is None:
            self._known.pop(team, None)
        else:
            self._known[team] = (time.monotonic(), found)
        return found

    async def _read(self, name: str) -> Installation | None:
        sealed = await self._state.get(f"installation/{name}")
        if sealed is None:
            return None
        try:
            found = Installation.unpack(self._sealer.unseal(sealed, f"installation/{name}"))
        except Permanent:
            log.error("slack_installation_unreadable", team=name)  # sealed with another FRONTDESK_SECRET_KEY
            return None
        token = self._settings.bot_token
        if token is not None and found.token.get_secret_value() != token.get_secret_value():
            return None  # kept for another token than the one that is set
        return found

    async def _keep(self, name: str, installation: Installation) -> None:
        key = f"installation/{name}"
        await self._state.set(key, self._sealer.seal(installation.pack(), key))


_ONLY = "only"


def to_installation(answer: Mapping[str, object], headers: Mapping[str, str], token: SecretStr) -> Installation:
    """What `auth.test` says of a token.

    Source: https://docs.slack.dev/reference/methods/auth.test
    """
    return Installation(
        team=_text(answer, "team_id"),
        bot_user=_text(answer, "user_id"),
        bot_id=_text(answer, "bot_id"),
        enterprise=_text(answer, "enterprise_id"),
        name=_text(answer, "team"),
        url=_text(answer, "url"),
        token=token,
        scopes=frozenset(part.strip() for part in headers.get("x-oauth-scopes", "").split(",") if part.strip()),
    )


def _text(values: Mapping[str, object], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""
