"""Who interacts, and where: what every interaction has to be asked before anything is done for it."""

from __future__ import annotations

from typing import Any

from adapters.discord.atlas import Atlas
from adapters.discord.exchange import Exchange
from adapters.discord.places import Place, Self, to_place
from adapters.discord.reader import Reader
from adapters.discord.reception import Reception
from adapters.discord.rest import Refused
from bot.messages import Event, Person, ThreadKey
from bot.ports import Outcome, Verdict

Json = dict[str, Any]

BUSY = "We are very busy at the moment. Please try again in a minute."

PATIENCE_S = 10.0
"""A person who pressed something looks at a wheel that turns."""


class Callers:
    """Reads the verified part of an interaction."""

    def __init__(self, atlas: Atlas, reader: Reader, reception: Reception) -> None:
        self._atlas = atlas
        self._reader = reader
        self._reception = reception

    async def place(self, data: Json) -> Place:
        """Where it happened, as the platform's own index has it; the event's description serves when that is hidden."""
        try:
            return await self._atlas.place(str(data["channel_id"]))
        except Refused:
            return to_place({"guild_id": data.get("guild_id"), **data["channel"]})

    async def person(self, data: Json) -> Person:
        """Who did it."""
        member = data.get("member")
        user = (member or {}).get("user") or data["user"]
        return await self._atlas.person(user, member, str(data.get("guild_id") or ""))

    async def me(self, guild: str) -> Self:
        """How the bot is addressed there."""
        return await self._atlas.me(guild)

    async def key(self, place: Place, root: str) -> ThreadKey:
        """The conversation that goes on there; without one, the conversation that `root` begins."""
        return await self._reader.key(place, root)

    async def bring(self, event: Event) -> Outcome:
        """Hand an event to intake.

        Raises:
            Transient: it could not be stored while somebody waits for it.
        """
        return await self._reception.bring(event, patience_s=PATIENCE_S)


async def tell(exchange: Exchange, outcome: Outcome) -> None:
    """Tell a person what became of what they did."""
    text = outcome.text or (BUSY if outcome.verdict is Verdict.BUSY else "Done.")
    await exchange.tell(text, [outcome.file] if outcome.file else [])


def options(data: Json) -> Json:
    """What was given to a command."""
    return {str(option["name"]): option.get("value") for option in data["data"].get("options") or ()}


def inputs(data: Json) -> list[Json]:
    """What was typed and chosen in a form, whatever it is laid out with."""
    found = []
    for row in data["data"].get("components") or ():
        found += [row["component"]] if "component" in row else list(row.get("components") or ())
    return found
