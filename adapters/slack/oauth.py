"""Many workspaces: `/slack/install` sends whoever installs the app to Slack, `/slack/oauth_redirect` keeps the token.

Slack's own library leads through it; what it must keep is kept in shared state, sealed.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from logging import Logger
from urllib.parse import urlsplit

import structlog
from pydantic import SecretStr
from slack_bolt.async_app import AsyncBoltRequest
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.response import BoltResponse
from slack_sdk.oauth.installation_store import Installation as SdkInstallation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.slack.calls import Calls, bolt_log
from adapters.slack.installations import Installation, Installations
from adapters.slack.manifest import SCOPES
from adapters.slack.settings import API_URL, SlackSettings
from bot.ports import SharedState

log = structlog.get_logger(__name__)

STATE_S = 600


class _States(AsyncOAuthStateStore):
    """States that were issued, each good for one use."""

    def __init__(self, state: SharedState) -> None:
        self._state = state

    @property
    def logger(self) -> Logger:
        return bolt_log

    async def async_issue(self, *args: object, **kwargs: object) -> str:
        issued = secrets.token_urlsafe(24)
        await self._state.set(f"oauth/{issued}", b"1", ttl_s=STATE_S)
        return issued

    async def async_consume(self, state: str) -> bool:
        return await self._state.delete(f"oauth/{state[:100]}")


class _Store(AsyncInstallationStore):
    """Takes a fresh installation; what is kept is read by `Installations`, never through the library."""

    def __init__(self, installations: Installations) -> None:
        self._installations = installations

    @property
    def logger(self) -> Logger:
        return bolt_log

    async def async_save(self, installation: SdkInstallation) -> None:
        kept = await self._installations.save(to_installation(installation))
        log.info("slack_installed", team=kept.team, name=kept.name)


class OAuth:
    """The two routes."""

    def __init__(self, settings: SlackSettings, state: SharedState, installations: Installations, calls: Calls) -> None:
        api = urlsplit(settings.api_url)
        elsewhere = None if settings.api_url == API_URL else f"{api.scheme}://{api.netloc}/oauth/v2/authorize"
        assert settings.client_secret is not None
        self.flow = AsyncOAuthFlow(
            client=calls.client(connected=False),
            logger=bolt_log,
            settings=AsyncOAuthSettings(
                client_id=settings.client_id,
                client_secret=settings.client_secret.get_secret_value(),
                scopes=list(SCOPES),
                user_scopes=[],
                redirect_uri=f"{settings.public_url}/slack/oauth_redirect" if settings.public_url else None,
                authorization_url=elsewhere,
                installation_store=_Store(installations),
                state_store=_States(state),
                state_expiration_seconds=STATE_S,
                logger=bolt_log,
            ),
        )

    def routes(self) -> Sequence[BaseRoute]:
        """What browsers are sent to."""
        return [
            Route("/slack/install", self._install, methods=["GET"]),
            Route("/slack/oauth_redirect", self._redirect, methods=["GET"]),
        ]

    async def _install(self, request: Request) -> Response:
        return to_response(await self.flow.handle_installation(_asked(request)))

    async def _redirect(self, request: Request) -> Response:
        return to_response(await self.flow.handle_callback(_asked(request)))


def to_installation(given: SdkInstallation) -> Installation:
    """An installation as the library has it after OAuth, as ours."""
    whole = bool(given.is_enterprise_install)
    return Installation(
        team=str((given.enterprise_id if whole else given.team_id) or ""),
        bot_user=given.bot_user_id or "",
        bot_id=given.bot_id or "",
        enterprise=given.enterprise_id or "",
        name=str((given.enterprise_name if whole else given.team_name) or ""),
        url=given.enterprise_url or "",
        token=SecretStr(given.bot_token or ""),
        scopes=frozenset(given.bot_scopes or ()),
        refresh_token=SecretStr(given.bot_refresh_token) if given.bot_refresh_token else None,
        expires_at=float(given.bot_token_expires_at or 0.0),
    )


def to_response(answer: BoltResponse) -> Response:
    """Bolt's answer as Starlette's."""
    response = Response(answer.body, status_code=answer.status)
    for name, values in answer.headers.items():
        for value in values:
            if name.lower() == "set-cookie":
                response.headers.append(name, value)
            elif name.lower() != "content-length":
                response.headers[name] = value
    response.headers["cache-control"] = "no-store"
    return response


def _asked(request: Request) -> AsyncBoltRequest:
    headers = {name: value for name, value in request.headers.items() if name in ("cookie", "host", "user-agent")}
    return AsyncBoltRequest(body="", query=request.url.query, headers=dict(headers))
