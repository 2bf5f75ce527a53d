"""Somebody lets the bot into a server of their own: there they give no orders to the company's desk."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.discord import identify
from tests.servers.discord import Channel, DiscordServer, Guild
from tests.servers.discord.people import Person
from tests.servers.discord.values import Permission
from tests.stages.discord import ROBIN, Town, frontdesk

STAFF_ONLY = "Only people who work here can do this."


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identify, "IDENTIFY_S", 0.2)


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with DiscordServer() as server:
        yield Town(server)


def a_stranger(town: Town) -> tuple[Person, Guild, Channel]:
    """Somebody who manages another server, and a channel of it."""
    guild = town.server.world.guild("Elsewhere")
    channel = town.server.world.channel(guild, "general")
    mallory = town.server.person("Mallory", guild)
    town.server.world.role(guild, "boss", Permission.MANAGE_GUILD, mallory.user)
    return mallory, guild, channel


@pytest.mark.behaviour("discord.strangers")
@pytest.mark.parametrize("tenants", ["", "mapped"])
async def test_who_manages_a_server_of_their_own_is_no_colleague_where_anybody_may_let_the_bot_in(
    tenants: str, variables: dict[str, str], town: Town
) -> None:
    app = town.server.world.app
    app.is_public = True
    mallory, guild, channel = a_stranger(town)
    more = {"TENANTS": f"{guild.id}=elsewhere"} if tenants else {}
    async with frontdesk(town, {**variables, "ADMINS_DISCORD": "", **more}):
        await town.server.until(lambda: app.commands)
        told = await mallory.command(channel, "support", command="tickets all").says()
        if tenants:  # whoever named a tenant of its own for this server has given its people a desk of their own
            assert told == "There are no such tickets."
        else:
            assert told == STAFF_ONLY


@pytest.mark.behaviour("discord.strangers")
async def test_who_manages_the_server_is_a_colleague_where_only_the_owner_lets_the_bot_in(
    variables: dict[str, str], town: Town
) -> None:
    robin = town.people[ROBIN]
    town.server.world.role(town.guild, "boss", Permission.MANAGE_GUILD, robin.user)
    async with frontdesk(town, {**variables, "ADMINS_DISCORD": ""}):
        await town.server.until(lambda: town.server.world.app.commands)
        assert "Billing Query" in await robin.command(town.channel, "support", command="tickets all").says()
