"""Where the orders of people who work here are carried out: what `bot.admin` decides changes the world here alone."""

from bot.office.clerk import HUMAN, Clerk
from bot.office.room import Room

__all__ = ["HUMAN", "Clerk", "Room"]
