"""Who somebody is: looked up once, kept for a while. What is not known for certain is external and no colleague."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import structlog

from adapters.slack.calls import Calls
from adapters.slack.installations import Installation, Installations
from adapters.slack.settings import SlackSettings
from bot.errors import BotError, Permanent, Transient
from bot.messages import DEFAULT_TENANT, Person
from bot.ports import SharedState

log = structlog.get_logger(__name__)

KEPT_S = 3600.0
"""How long a profile is believed."""

MEMORY_S = 60.0
"""How long this process believes it without looking into shared state."""

LOOK_S = 0.5
"""How long an event may wait for a profile that is not known; Slack wants its acknowledgement."""

REST_S = 10.0
"""How long nobody asks again after a look that failed."""

GROUP_S = 300.0
"""How long the members of a user group are believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What Slack says of somebody.

    Args:
        is_member: a full member of the workspace in which Frontdesk is installed.
        leads: an admin or owner of it.
        is_bot: the user of an app.
    """

    id: str
    name: str
    team: str
    is_member: bool
    leads: bool
    timezone: str = ""
    is_bot: bool = False


class People:
    """Profiles of people, by workspace and id.

    Args:
        tenant_of: workspace -> tenant.
    """

    def __init__(
        self,
        settings: SlackSettings,
        state: SharedState,
        installations: Installations,
        calls: Calls,
        tenant_of: Callable[[str], str],
    ) -> None:
        self._tenant_of = tenant_of
        self._installations = installations
        self._settings = settings
        self._state = state
        self._calls = calls
        self._known: dict[str, tuple[float, Profile | None]] = {}
        self._asking: dict[str, asyncio.Task[Profile | None]] = {}
        self._groups: dict[str, tuple[float, frozenset[str]]] = {}

    async def person(self, me: Installation, user: str, actor_team: str = "", *, wait_s: float = LOOK_S) -> Person:
        """Somebody who speaks. When Slack does not say in time who it is: external, and no colleague.

        Args:
            actor_team: what the event itself says of the speaker's workspace.
        """
        profile = await self.profile(me, user, wait_s=wait_s)
        if profile is None:
            # The event alone may say that somebody is from outside, never that somebody is one of us.
            team = actor_team if actor_team != me.team else ""
            return Person(id=user, display_name=user, organisation=team)
        team = profile.team or actor_team
        return Person(
            id=user,
            display_name=profile.name or user,
            organisation=team,
            is_staff=await self._is_staff(me, profile),
            is_bot=profile.is_bot,
        )

    async def bot(self, me: Installation, user: str, name: str) -> Person:
        """A bot that speaks: never a colleague, and external unless Slack says that it is of the workspace.

        Args:
            user: the bot's user, or the bot's own id when the message tells no user: then nobody is looked up.
            name: as it calls itself.
        """
        if user.startswith("B"):
            return Person(id=user, display_name=name[:80] or user, is_bot=True)
        return replace(await self.person(me, user), is_staff=False, is_bot=True)

    async def names(self, me: Installation, users: Iterable[str]) -> dict[str, str]:
        """Names for mentions; who is not known in time has none."""
        asked = [user for user in users if user != me.bot_user][:10]
        profiles = await asyncio.gather(*(self.profile(me, user) for user in asked))
        return {profile.id: profile.name for profile in profiles if profile is not None and profile.name}

    async def profile(self, me: Installation, user: str, *, wait_s: float = LOOK_S) -> Profile | None:
        """What is known of somebody, or can be learnt in time."""
        key = f"people/{me.team}/{user}"
        at, known = self._known.get(key, (0.0, None))
        if time.monotonic() - at < (MEMORY_S if known is not None else REST_S) and at:
            return known
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._learn(me, user, key))
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        try:
            async with asyncio.timeout(wait_s):
                return await asyncio.shield(asking)
        except TimeoutError:
            return None

    async def aclose(self) -> None:
        """Stop asking."""
        for task in list(self._asking.values()):
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    async def _learn(self, me: Installation, user: str, key: str) -> Profile | None:
        profile: Profile | None = None
        try:
            stored = await self._state.get(key)
            if stored is not None:
                profile = msgspec.json.decode(stored, type=Profile)
            else:
                token = (await self._installations.of(me.team)).token
                answer = await self._calls.call("users.info", token, {"user": user})
                profile = to_profile(answer.get("user") or {}, me)
                await self._state.set(key, msgspec.json.encode(profile), ttl_s=KEPT_S)
        except (Transient, Permanent) as failure:
            log.warning("slack_person_unknown", reason=failure.reason)
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[key] = (time.monotonic(), profile)
        return profile

    async def _is_staff(self, me: Installation, profile: Profile) -> bool:
        if not profile.is_member:
            return False
        if not (self._settings.admins or self._settings.admin_groups):
            return profile.leads and self._is_ours(me)
        if profile.id in self._settings.admins:
            return True
        for group in self._settings.admin_groups:
            if profile.id in await self._members(me, group):
                return True
        return False

    def _is_ours(self, me: Installation) -> bool:
        """Whether who leads this workspace may give orders to the desk. One that installed the app by itself is
        anybody's, until the settings name a tenant for it."""
        return not self._settings.has_many_workspaces or self._tenant_of(me.team) != DEFAULT_TENANT

    async def _members(self, me: Installation, group: str) -> frozenset[str]:
        """A user group's members; when Slack does not say, those it named last, and nobody before that."""
        key = f"{me.team}/{group}"
        at, members = self._groups.get(key, (0.0, frozenset()))
        if at and time.monotonic() - at < GROUP_S:
            return members
        try:
            stored = await self._state.get(f"group/{key}")
            if stored is not None:
                members = frozenset(msgspec.json.decode(stored, type=list[str]))
            else:
                async with asyncio.timeout(LOOK_S):
                    answer = await self._calls.call("usergroups.users.list", me.token, {"usergroup": group})
                members = frozenset(user for user in answer.get("users") or () if isinstance(user, str))
                await self._state.set(f"group/{key}", msgspec.json.encode(sorted(members)), ttl_s=GROUP_S)
        except (BotError, TimeoutError) as failure:
            log.warning("slack_group_unknown", group=group, reason=type(failure).__name__)
            self._groups[key] = (time.monotonic() - GROUP_S + REST_S, members)
            return members
        self._groups[key] = (time.monotonic(), members)
        return members


def to_profile(user: Mapping[str, Any], me: Installation) -> Profile:
    """What `users.info` says. A guest, a bot, a stranger and whoever left is no member, whatever the name.

    Source: https://docs.slack.dev/reference/objects/user-object
    """
    shown = user.get("profile") or {}
    organisation = (user.get("enterprise_user") or {}).get("enterprise_id") or ""
    team = str(user.get("team_id") or "")
    # On Enterprise Grid everybody of the organisation is one of us, whichever workspace is theirs.
    is_ours = team == me.team or (bool(me.enterprise) and me.enterprise in (organisation, team))
    outside = ("is_stranger", "is_restricted", "is_ultra_restricted", "deleted", "is_bot", "is_workflow_bot")
    names = (shown.get("display_name"), shown.get("real_name"), user.get("real_name"), user.get("name"))
    return Profile(
        id=str(user.get("id") or ""),
        name=next((name.strip() for name in names if isinstance(name, str) and name.strip()), "")[:80],
        team=team,
        is_member=is_ours and not any(user.get(flag) for flag in outside),
        leads=any(bool(user.get(flag)) for flag in ("is_admin", "is_owner", "is_primary_owner")),
        timezone=str(user.get("tz") or ""),
        is_bot=bool(user.get("is_bot") or user.get("is_workflow_bot")),
    )
