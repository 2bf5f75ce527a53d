"""What Slack sends, by whichever way, brought to intake by slack-bolt and acknowledged only when it is in safe hands.

Bolt acknowledges an event before its listener runs unless told otherwise, and answers 200 without running it at all
when it cannot authorise. So it waits for the listener here, it is told who we are from memory, and whatever it answers
counts only when the listener itself has settled this very request.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp, AsyncBoltContext, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.response import BoltResponse

from adapters.slack.calls import Calls, bolt_log
from adapters.slack.inbound import installed_teams
from adapters.slack.installations import UNKNOWN, Installation, Installations
from bot.errors import BotError, Transient

log = structlog.get_logger(__name__)

EVENT_S = 1.4
"""How long an event may take to be stored; Slack waits three seconds, and a person for none of it."""

ACTION_S = 2.5
"""The same for what somebody pressed, typed as a command or submitted: it is not sent again."""

AT_ONCE = 200
"""Payloads that are taken at a time. On a machine that is too slow for what comes, the rest is told at once to come
again, instead of everything coming too late."""

_SETTLED = "frontdesk_settled"
_INSTALLATION = "frontdesk_installation"
_ANYTHING = re.compile(r".*", re.DOTALL)

Listener = Callable[[dict[str, Any], Installation], Awaitable[BoltResponse | None]]


class _Authorize(AsyncAuthorize):
    """Says who we are, from memory or shared state, or raises: never asks Slack, and never lets anything pass."""

    def __init__(self, installations: Installations) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Bolt leaves it untyped
        self._installations = installations

    async def __call__(self, *, context: AsyncBoltContext, **_: object) -> AuthorizeResult:
        found = await self._installations.find(*context["frontdesk_teams"])
        context[_INSTALLATION] = found
        return AuthorizeResult(
            enterprise_id=found.enterprise or None,
            team_id=found.team,
            bot_user_id=found.bot_user,
            bot_id=found.bot_id,
            bot_token=found.token.get_secret_value(),
        )


class Reception:
    """Takes payloads.

    Args:
        events: takes an event of the Events API.
        actions: takes a press, a shortcut or a command.
        submissions: takes a submitted modal.
        flow: with many workspaces, how they install the app.
    """

    def __init__(
        self,
        calls: Calls,
        installations: Installations,
        *,
        events: Listener,
        actions: Listener,
        submissions: Listener,
        flow: AsyncOAuthFlow | None = None,
    ) -> None:
        self._installations = installations
        self._taking = 0
        self.app = AsyncApp(
            name="frontdesk",
            logger=bolt_log,
            client=calls.client(connected=False),
            process_before_response=True,
            authorize=_Authorize(installations),
            oauth_flow=flow,
            request_verification_enabled=False,  # done on the raw bytes, in `door`
            ignoring_self_events_enabled=False,  # `inbound` knows which they are, and that they are settled
            attaching_conversation_kwargs_enabled=False,
        )
        self.app.error(_tell_error)
        self.app.event(_ANYTHING)(_listener(events, installations))
        self.app.view(_ANYTHING)(_listener(submissions, installations))
        acting = _listener(actions, installations)
        for kind in (self.app.action, self.app.command, self.app.shortcut):
            kind(_ANYTHING)(acting)
        for view in (self.app.view_closed, self.app.options):
            view(_ANYTHING)(_listener(_nothing, installations))

    async def take(self, payload: dict[str, Any], headers: Mapping[str, str]) -> BoltResponse | None:
        """Have a payload brought in; the answer to give, or nothing when Slack shall send it again."""
        if self._taking >= AT_ONCE:
            log.warning("slack_not_acknowledged", why="too_many", kind=payload.get("type"))
            return None
        self._taking += 1
        try:
            return await self._taken(payload, headers)
        finally:
            self._taking -= 1

    async def _taken(self, payload: dict[str, Any], headers: Mapping[str, str]) -> BoltResponse | None:
        if payload.get("type") == "app_rate_limited":
            # Source: https://docs.slack.dev/reference/events/app_rate_limited
            log.error("slack_events_withheld", minute=payload.get("minute_rate_limited"))
            return BoltResponse(status=200, body="")
        if payload.get("type") == "event_callback" and not isinstance(payload.get("event"), dict):
            return BoltResponse(status=400, body="")
        try:
            request = AsyncBoltRequest(
                mode="socket_mode",  # a payload that is parsed already; over HTTP its bytes were verified before
                body=payload,
                headers=dict(headers),
                context={"frontdesk_teams": installed_teams(payload)},
            )
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:  # Bolt trusts what it reads
            log.warning("slack_payload_senseless", error=type(error).__name__)
            return BoltResponse(status=400, body="")
        limit_s = EVENT_S if payload.get("type") == "event_callback" else ACTION_S
        try:
            async with asyncio.timeout(limit_s):
                answer = await self.app.async_dispatch(request)
        except TimeoutError:
            log.warning("slack_not_acknowledged", why="slow", kind=payload.get("type"))
            return None
        if answer.status == 200 and (_SETTLED in request.context or _is_handshake(payload)):
            return answer
        log.warning("slack_not_acknowledged", why=f"status_{answer.status}", kind=payload.get("type"))
        return None


def _listener(bring: Listener, installations: Installations) -> Callable[..., Awaitable[BoltResponse]]:
    async def listener(body: dict[str, Any], context: AsyncBoltContext) -> BoltResponse:
        me = context.get(_INSTALLATION)
        if me is None:  # Bolt does not authorise what tells of a removal; one that is not known is removed
            try:
                me = await installations.find(*context["frontdesk_teams"])
            except Transient as failure:
                if failure.reason != UNKNOWN:
                    raise
                context[_SETTLED] = True
                return BoltResponse(status=200, body="")
        answer = await bring({**body, "frontdesk_actor_team": context.actor_team_id or ""}, me)
        context[_SETTLED] = True
        return answer or BoltResponse(status=200, body="")

    return listener


async def _nothing(_: dict[str, Any], __: Installation) -> None:
    """What is none of our affair is settled by hearing it."""


async def _tell_error(error: Exception, body: dict[str, Any]) -> None:
    event = body.get("event")
    kind = (event.get("type") if isinstance(event, dict) else None) or body.get("type")
    if isinstance(error, BotError):
        reason = error.reason if isinstance(error, Transient) else type(error).__name__
        log.warning("slack_event_not_taken", kind=kind, reason=reason)
    else:
        log.error("slack_event_failed", kind=kind, exc_info=error)


def _is_handshake(payload: Mapping[str, Any]) -> bool:
    """Whether Slack only asks if somebody is there."""
    return payload.get("type") == "url_verification" or payload.get("ssl_check") == "1"
