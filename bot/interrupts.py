"""Everything that can end the work on a turn early."""

from __future__ import annotations

from enum import StrEnum

from bot.messages import Person, ThreadKey
from bot.ports import Order
from bot.standing import StandingOrders


class Interrupt(StrEnum):
    """Why the work on a turn was cut short."""

    JOIN = "join"
    STOP = "stop"
    HUMAN = "human"
    PAUSE = "pause"
    STANDING = "standing"
    BLOCKED = "blocked"
    LOST = "lost"
    TIME = "time"
    DRAIN = "drain"


ORDERED = {Order.STOP: Interrupt.STOP, Order.PAUSE: Interrupt.PAUSE, Order.HUMAN: Interrupt.HUMAN}
"""What an order to the running turn means for its work."""


def by_standing_order(standing: StandingOrders, thread: ThreadKey, author: Person) -> Interrupt | None:
    """Why a standing order keeps this author from being answered here."""
    if standing.pause_of(thread) is not None:
        return Interrupt.STANDING
    return None if standing.hears(thread, author) else Interrupt.BLOCKED
