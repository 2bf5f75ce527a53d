"""What happens in Slack, as values, before it is known whom it is for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from adapters.slack.fields import Body
from bot.messages import Audience


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something happened.

    Args:
        channel: as Slack names it at this moment.
        ts: the message's id.
        root: the message that began the thread.
        kind: `im`, `mpim`, `group`, `channel`, or empty when the event does not tell.
        is_shared: other organisations are in the channel (Slack Connect).
    """

    channel: str
    ts: str
    root: str
    kind: str = ""
    is_shared: bool = False

    @property
    def is_direct(self) -> bool:
        """Whether this is a conversation of one person with us."""
        return self.kind == "im" or (not self.kind and self.channel.startswith("D"))

    @property
    def begins(self) -> bool:
        """Whether the message stands in no thread, so that one may begin with it."""
        return self.root == self.ts

    @property
    def audience(self) -> Audience:
        """Who reads along; what is not known is public."""
        if self.is_direct:
            return Audience.DIRECT
        if self.is_shared:
            return Audience.SHARED
        return Audience.PRIVATE if self.kind in ("group", "mpim") else Audience.PUBLIC


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """What all events share.

    Args:
        user: who did it.
        actor_team: the workspace of whoever did it, as far as the event tells; else empty.
        event_ids: see `bot.messages.Incoming`.
    """

    place: Place
    user: str
    actor_team: str
    event_ids: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Said(Happened):
    """Somebody wrote something; `text` is in Slack's markup.

    Args:
        bot: the id by which a bot is listed that is answered; empty when a person wrote it.
        name: as the bot calls itself.
    """

    text: str = field(repr=False)
    files: tuple[Body, ...] = ()
    bot: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed(Happened):
    """A message has another text.

    Args:
        said: the message as it reads at this moment, as if it were written only then.
    """

    text: str = field(repr=False)
    said: Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn(Happened):
    """A message is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(Happened):
    """Somebody pressed stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A channel has another id."""

    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """The app was removed from a workspace, or its token was revoked.

    Args:
        at: seconds since 1970; 0 when the event does not tell.
    """

    team: str
    at: float = 0.0


Happening = Said | Changed | Withdrawn | Stopped | Moved | Removed
