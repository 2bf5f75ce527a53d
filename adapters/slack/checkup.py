"""`frontdesk check` for Slack: what the settings promise is tried, and what is wrong is said with its mend."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from pydantic import SecretStr

from adapters.slack.calls import Calls
from adapters.slack.installations import Installation, Installations, to_installation
from adapters.slack.manifest import SCOPES
from adapters.slack.people import to_profile
from adapters.slack.settings import SlackSettings
from bot.errors import Permanent, Transient
from bot.ports import Examination

CLOCK_S = 30.0
"""How far the clock may be off: Slack's signatures are good for five minutes, and early ones for one."""

_REFUSED = {
    "invalid_auth": "it is not a token of this Slack; copy it again",
    "not_authed": "it is empty",
    "account_inactive": "the app was removed from the workspace; install it again",
    "token_revoked": "it was revoked; install the app again and copy the new one",
    "token_expired": "it has expired: token rotation is on, which is for many workspaces (SLACK_CLIENT_ID)",
    "not_allowed_token_type": "it is another kind of token",
    "missing_scope": "it lacks a scope",
}


class Checkup:
    """Looks at Slack with the settings at hand."""

    def __init__(self, settings: SlackSettings, calls: Calls, installations: Installations) -> None:
        self._settings = settings
        self._calls = calls
        self._installations = installations
        self._facts: list[str] = []
        self._problems: list[str] = []

    async def look(self) -> Examination:
        """What was found, and what is to be mended."""
        settings = self._settings
        if settings.app_token is not None:
            await self._socket(settings.app_token)
        if settings.signing_secret is not None:
            self._http()
        if settings.has_many_workspaces:
            await self._many()
        elif settings.bot_token is not None:
            await self._one(settings.bot_token)
        return Examination(facts=tuple(self._facts), problems=tuple(self._problems))

    async def _one(self, token: SecretStr) -> None:
        try:
            answer, headers = await self._calls.respond("auth.test", token, {})
        except (Permanent, Transient) as failure:
            self._problems.append(_told("SLACK_BOT_TOKEN", failure))
            return
        me = to_installation(answer, headers, token)
        self._facts.append(f"in {me.name or me.team} ({me.team}) as {me.bot_user}")
        self._clock(headers)
        self._scopes(me)
        await self._handover(me)
        await self._admins(me)

    async def _many(self) -> None:
        if not self._settings.public_url:
            self._problems.append("PUBLIC_URL is missing: workspaces install the app at PUBLIC_URL/slack/install")
            return
        self._facts.append(f"workspaces install the app at {self._settings.public_url}/slack/install")
        if not (self._settings.admins or self._settings.admin_groups):
            self._facts.append("no ADMINS_SLACK: admins and owners of workspaces that have a tenant in TENANTS are")
        try:
            _, headers = await self._calls.respond("api.test", None, {})
        except (Permanent, Transient) as failure:
            self._problems.append(_told("SLACK_API_URL", failure))
        else:
            self._clock(headers)

    async def _socket(self, token: SecretStr) -> None:
        try:
            await self._calls.respond("apps.connections.open", token, {})
        except (Permanent, Transient) as failure:
            mend = " (Basic Information, App-Level Tokens, scope connections:write; and Socket Mode must be on)"
            self._problems.append(_told("SLACK_APP_TOKEN", failure) + mend)
        else:
            self._facts.append("Socket Mode: a socket may be opened")

    def _http(self) -> None:
        url = self._settings.public_url
        if url:
            self._facts.append(f"HTTP: Slack's request URL (events, interactivity, command) is {url}/slack/events")
        else:
            self._facts.append("HTTP: Slack's request URL is this server's public address and /slack/events")

    def _clock(self, headers: Mapping[str, str]) -> None:
        try:
            off_s = time.time() - parsedate_to_datetime(headers.get("date", "")).timestamp()
        except (TypeError, ValueError):
            return
        if abs(off_s) > CLOCK_S:
            ahead = "ahead of" if off_s > 0 else "behind"
            self._problems.append(
                f"This machine's clock is {abs(off_s):.0f} s {ahead} Slack's, so that signatures are refused; set it "
                "right (chrony, systemd-timesyncd)"
            )
        else:
            self._facts.append("the clock agrees with Slack's")

    def _scopes(self, me: Installation) -> None:
        missing = [scope for scope in SCOPES if scope not in me.scopes]
        if not me.scopes:
            self._problems.append("Slack does not say which scopes the token has; install the app again")
        elif missing:
            told = ", ".join(f"{scope} (to {SCOPES[scope]})" for scope in missing)
            self._problems.append(
                f"Missing scopes: {told}. Add them under OAuth & Permissions, or take the manifest of "
                "`frontdesk slack-manifest`, and install the app again"
            )
        else:
            self._facts.append(f"all {len(SCOPES)} scopes")

    async def _handover(self, me: Installation) -> None:
        channel = self._settings.handover_channel
        if not channel:
            self._facts.append("no HANDOVER_CHANNEL_SLACK: nobody is told when a customer waits for a human")
            return
        try:
            answer = await self._calls.call("conversations.info", me.token, {"channel": channel})
        except (Permanent, Transient) as failure:
            self._problems.append(
                f"HANDOVER_CHANNEL_SLACK: {channel} cannot be looked at ({failure.reason}); if it is private, invite "
                "the bot there first"
            )
            return
        found = answer.get("channel") or {}
        if found.get("is_archived"):
            self._problems.append(f"HANDOVER_CHANNEL_SLACK: {channel} is archived; name another channel")
        elif not found.get("is_member"):
            self._problems.append(
                f"HANDOVER_CHANNEL_SLACK: the bot is not in {channel}; write /invite @Frontdesk there"
            )
        elif found.get("is_ext_shared"):
            self._problems.append(
                f"HANDOVER_CHANNEL_SLACK: {channel} is shared with another company, which reads along"
            )
        else:
            self._facts.append(f"hand-overs are told in #{found.get('name') or channel}")

    async def _admins(self, me: Installation) -> None:
        settings = self._settings
        if not (settings.admins or settings.admin_groups):
            self._facts.append("no ADMINS_SLACK: the workspace's admins and owners are")
        for user in sorted(settings.admins):
            try:
                answer = await self._calls.call("users.info", me.token, {"user": user})
            except (Permanent, Transient) as failure:
                self._problems.append(f"ADMINS_SLACK: {user} cannot be looked up ({failure.reason})")
                continue
            if not to_profile(answer.get("user") or {}, me).is_member:
                self._problems.append(f"ADMINS_SLACK: {user} is no full member of the workspace, and stays a customer")
        for group in sorted(settings.admin_groups):
            try:
                await self._calls.call("usergroups.users.list", me.token, {"usergroup": group})
            except (Permanent, Transient) as failure:
                self._problems.append(f"ADMINS_SLACK: the user group {group} cannot be looked up ({failure.reason})")


def _told(setting: str, failure: Permanent | Transient) -> str:
    if isinstance(failure, Transient):
        return (
            f"{setting} cannot be tried: Slack is not reached ({failure.reason}); check the network and SLACK_API_URL"
        )
    return f"{setting} is refused: {_REFUSED.get(failure.reason, failure.reason)}"
