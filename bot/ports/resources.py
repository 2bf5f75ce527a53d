"""What the composition root hands to an adapter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bot.messages import ThreadKey
from bot.ports.desk import Desk
from bot.ports.mailbox import Mailbox
from bot.ports.shared_state import SharedState


class Sealer(Protocol):
    """Authenticated encryption with the installation's secret key, for what an adapter must keep (tokens)."""

    def seal(self, value: bytes, bound_to: str) -> bytes:
        """Encrypt; what is sealed opens only with the same `bound_to`."""

    def unseal(self, sealed: bytes, bound_to: str) -> bytes:
        """Undo `seal`.

        Raises:
            Permanent: it was not sealed with this key for this purpose.
        """


class Listening(StrEnum):
    """What of a channel is for the bot, besides threads that it takes part in."""

    MENTIONS = "mentions"
    EVERYTHING = "everything"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRules:
    """What admins set for one channel.

    Args:
        listening: what begins a conversation.
        private: conversations go on where only the customer and the team read along, if the platform can.
        language: answers are in this language (a name such as `German`); the customer's own when empty.
        greeting: said once at the beginning of a conversation.
        hours: when humans are at work, in words for the customer.
    """

    listening: Listening = Listening.MENTIONS
    private: bool = False
    language: str = ""
    greeting: str = ""
    hours: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What an adapter is given to work with.

    Args:
        state: the adapter's own namespace.
        desk: business data.
        mailbox: for showing a record, never for writing to one.
        tenant_of: space -> tenant.
        sealer: for secrets that the adapter must keep.
        channel_rules: what admins set for the channel of a thread.
        waited: told of every wait that the platform's rate limits ask for, in seconds.
        limited: told of every message that a rate of the adapter's own refuses, by whose it is.
        demo: this is `frontdesk demo` on the machine of whoever looks at it.
        mask: takes secrets out of a text that an adapter keeps by itself, such as a file's name.
    """

    state: SharedState
    desk: Desk
    mailbox: Mailbox
    tenant_of: Callable[[str], str]
    sealer: Sealer
    channel_rules: Callable[[ThreadKey], Awaitable[ChannelRules]]
    waited: Callable[[float], None] = lambda seconds: None
    limited: Callable[[str], None] = lambda scope: None
    demo: bool = False
    mask: Callable[[str], str] = lambda text: text
