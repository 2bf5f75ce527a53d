"""The office's counter as people of every kind stand before it, one for each platform: who they are there, how they
order and press, and what they alone are told. A kind that a platform cannot show is missing from `people`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from bot.app import App
from bot.messages import ThreadKey
from tests.servers import slack
from tests.servers.discord import Message
from tests.servers.discord.interactions import Interaction
from tests.servers.discord.values import MessageFlag, P
from tests.servers.slack import HOME, TEAM, Member, Slack, payloads
from tests.servers.slack.delivery import Receipt
from tests.servers.slack.people import Somebody
from tests.servers.slack.screen import buttons
from tests.servers.slack.world import View, values_of
from tests.stages import web
from tests.stages.discord import ADA, ROBIN, DiscordStage, as_read, discord_stage
from tests.stages.slack import SlackStage, slack_stage
from tests.stages.web import Page, WebStage, page_stage, web_stage

CUSTOMER, EXTERNAL, MEMBER, TWIN, ADMIN = "customer", "external", "member", "twin", "admin"
"""Who the thread serves, somebody of another organisation, a member who is no admin, one more who is called like the
admin, and the admin."""


class Counter(Protocol):
    """One conversation and the channel around it."""

    @property
    def app(self) -> App:
        """The Frontdesk that serves it."""

    @property
    def people(self) -> Mapping[str, str]:
        """Kind -> the person's id on this platform."""

    @property
    def thread(self) -> ThreadKey:
        """The conversation."""

    async def say(self, text: str) -> None:
        """The customer writes, and reads the answer."""

    async def call_human(self) -> None:
        """The customer presses the button for it; the team has a card then."""

    async def refused(self, orders: Sequence[str], buttons: Sequence[str], by: str) -> Sequence[str]:
        """What a person is told by each order given in the conversation and each button of the card, at once."""

    async def order(self, text: str, *, in_channel: bool = False) -> str:
        """The admin gives an order; what they alone are told."""

    async def press(self, action: str) -> str:
        """The admin presses a button of the card; what they alone are told."""

    async def said(self, words: str) -> None:
        """Wait until the desk has said this for all to read."""

    async def given(self) -> str:
        """The text of the file that the admin alone was given last."""


class DiscordCounter:
    """Commands are typed in the thread itself; who may not give them is kept from nothing by this server."""

    def __init__(self, stage: DiscordStage) -> None:
        town, server = stage.town, stage.server
        guests = server.world.role(town.guild, "guests", P.VIEW_CHANNEL)
        self.app = stage.app
        self._stage = stage
        self._who = {
            CUSTOMER: town.people[ADA],
            EXTERNAL: server.person("Eve", town.guild),
            MEMBER: server.person("Max", town.guild, roles=(guests,)),
            TWIN: server.person(town.people[ROBIN].user.name, town.guild),
            ADMIN: town.people[ROBIN],
        }
        self.people = {kind: str(person.user.id) for kind, person in self._who.items()}
        self._file = b""

    @property
    def thread(self) -> ThreadKey:
        return self._stage.thread

    async def say(self, text: str) -> None:
        await self._stage.say(text)
        (self._answer,) = await self._stage.parts()

    async def call_human(self) -> None:
        await self._who[CUSTOMER].press(self._answer, "human").answered()
        await self._card()

    async def refused(self, orders: Sequence[str], buttons: Sequence[str], by: str) -> Sequence[str]:
        person, (card, ids) = self._who[by], await self._card()
        begun = [person.command(self._stage.place, "support", **{self._option(): text}) for text in orders]
        begun += [person.press_id(card, ids[action]) for action in buttons]
        return [await self._told(one) for one in begun]

    async def order(self, text: str, *, in_channel: bool = False) -> str:
        place = self._stage.town.channel if in_channel else self._stage.place
        return await self._told(self._who[ADMIN].command(place, "support", **{self._option(): text}))

    async def press(self, action: str) -> str:
        card, ids = await self._card(action)
        return await self._told(self._who[ADMIN].press_id(card, ids[action]))

    async def said(self, words: str) -> None:
        await self._stage.shown(words)

    async def given(self) -> str:
        return self._file.decode()

    async def _told(self, one: Interaction) -> str:
        told = as_read(await one.says())
        messages = [message for message in (one.original, *one.follow_ups) if message is not None]
        assert all(MessageFlag.EPHEMERAL in m.flags for m in messages if m is not one.message), "others read that"
        for message in messages:
            for file in message.files:
                self._file = file.data
        return told

    async def _card(self, action: str = "") -> tuple[Message, Mapping[str, str]]:
        """The team's card, with the ids of its buttons, once it has this one."""

        def shown() -> list[tuple[Message, Mapping[str, str]]]:
            found: list[tuple[Message, Mapping[str, str]]] = []
            for message in self._stage.town.team.messages.values():
                ids = [str(button["custom_id"]) for button in message.buttons if "custom_id" in button]
                if ids and any(id.endswith(action) for id in ids):
                    found.append((message, {id.rpartition("|")[2]: id for id in ids}))
            return found

        return (await self._stage.server.until(shown))[-1]

    def _option(self) -> str:
        commands = [command for found in self._stage.server.world.app.commands.values() for command in found]
        (support,) = [command for command in commands if command["name"] == "support"]
        return str(support["options"][0]["name"])


class SlackCounter:
    """In a thread orders come from a message's menu. Slack opens its modal for the admin alone; here everybody else has
    got a copy of it, so that what the server says to each order is seen, and not only what Slack does not offer.
    """

    def __init__(self, stage: SlackStage) -> None:
        world: Slack = stage.slack
        self.app = stage.app
        self._stage = stage
        self._who = {
            CUSTOMER: world.person(slack.ADA),
            EXTERNAL: world.person(slack.BEN),
            MEMBER: world.person(Member(id="U0MAX00001", name="Max", team=HOME)),
            TWIN: world.person(Member(id="U0TWIN0001", name=slack.ROBIN.name, team=HOME)),
            ADMIN: world.person(slack.ROBIN),
        }
        self.people = {kind: person.member.id for kind, person in self._who.items()}

    @property
    def thread(self) -> ThreadKey:
        return self._stage.thread

    async def say(self, text: str) -> None:
        await self._stage.write(text)
        await self._stage.answer()

    async def call_human(self) -> None:
        assert (await self._who[CUSTOMER].press(self._stage.screen()[-1], "Talk to a human")).acknowledged
        await self._card()

    async def refused(self, orders: Sequence[str], buttons: Sequence[str], by: str) -> Sequence[str]:
        person, (card, ids) = self._who[by], await self._card()
        before = len(self._read(person))
        await person.choose(self._stage.said[0].message, "support")
        await self._stage.slack.until(lambda: len(self._read(person)) == before + 1)
        assert person.view is None, "who may not order is shown no modal"
        modal = await self._modal(self._who[ADMIN])
        sent = [self._copied(modal, number, text, person) for number, text in enumerate(orders)]
        pressed = [person.press(card, ids[action]) for action in buttons]
        assert all(receipt.acknowledged for receipt in await asyncio.gather(*sent, *pressed))
        expected = before + 1 + len(orders) + len(buttons)
        await self._stage.slack.until(lambda: len(self._read(person)) >= expected)
        modal.is_open = False
        return self._read(person)[before + 1 :]

    async def order(self, text: str, *, in_channel: bool = False) -> str:
        person = self._who[ADMIN]
        before = len(self._read(person))
        if in_channel:
            assert (await person.command(text, self._stage.channel)).acknowledged
        else:
            await self._modal(person)
            action, _, rest = text.partition(" ")
            assert (await person.submit([action, rest])).closed
        await self._stage.slack.until(lambda: len(self._read(person)) > before)
        return self._read(person)[-1]

    async def press(self, action: str) -> str:
        person, (card, ids) = self._who[ADMIN], await self._card(action)
        before = len(self._read(person))
        assert (await person.press(card, ids[action])).acknowledged
        await self._stage.slack.until(lambda: len(self._read(person)) > before)
        return self._read(person)[-1]

    async def said(self, words: str) -> None:
        await self._stage.slack.shows(self._stage.channel, self._stage.root, words)

    async def given(self) -> str:
        def file() -> list[str]:
            return [str(one["id"]) for message in self._who[ADMIN].direct() for one in message.files]

        found = await self._stage.slack.until(file)
        return self._stage.slack.world.files[found[-1]].data.decode()

    async def _copied(self, modal: View, number: int, text: str, person: Somebody) -> Receipt:
        """Send the admin's modal as somebody else."""
        world, (action, _, rest) = self._stage.slack.world, text.partition(" ")
        view = View(id=modal.id, person=person.member.id, body={**modal.body, "hash": f"copy-{number}"})
        values = dict(zip(values_of(modal.body), (action, rest), strict=True))
        payload = payloads.submitted(view, person.member, values, world.trigger(person.member.id))
        return await self._stage.slack.delivery.interaction(payload)

    @staticmethod
    def _read(person: Somebody) -> list[str]:
        return [message.shown for message in person.ephemerals()]

    async def _modal(self, person: Somebody) -> View:
        assert (await person.choose(self._stage.said[0].message, "support")).acknowledged
        view: View = await self._stage.slack.until(lambda: person.view)
        return view

    async def _card(self, action: str = "") -> tuple[slack.Message, Mapping[str, str]]:
        def shown() -> list[tuple[slack.Message, Mapping[str, str]]]:
            found: list[tuple[slack.Message, Mapping[str, str]]] = []
            for message in self._stage.slack.world.history(TEAM):
                ids = [str(element["action_id"]) for _, element in buttons(message.blocks)]
                if ids and any(id.endswith(action) for id in ids):
                    found.append((message, {id.rpartition(":")[2]: id for id in ids}))
            return found

        found: list[tuple[slack.Message, Mapping[str, str]]] = await self._stage.slack.until(shown)
        return found[-1]


class WebCounter:
    """The page of the demo, with its three speakers. A customer's `/support` is a message like any other, so what they
    try here is what a changed page could send.
    """

    def __init__(self, stage: WebStage, team: Page) -> None:
        self.app = stage.app
        self.people = {CUSTOMER: web.ADA, EXTERNAL: web.BEN, ADMIN: web.ROBIN}
        self._stage = stage
        self._team = team

    @property
    def thread(self) -> ThreadKey:
        return self._stage.thread

    async def say(self, text: str) -> None:
        await self._stage.say(text)
        await self._stage.answer()

    async def call_human(self) -> None:
        await self._pressed("human", CUSTOMER)

    async def refused(self, orders: Sequence[str], buttons: Sequence[str], by: str) -> Sequence[str]:
        return [await self._pressed(order, by) for order in (*orders, *buttons)]

    async def order(self, text: str, *, in_channel: bool = False) -> str:
        return await self._stage.say(f"/support {text}", by=web.ROBIN)

    async def press(self, action: str) -> str:
        return await self._pressed(action, ADMIN)

    async def said(self, words: str) -> None:
        async def shown() -> bool:
            items = self._stage.items.values()
            return any(words in str(item.get("text")) for item in items if not item.get("to"))

        await self._stage.until(shown)

    async def given(self) -> str:
        async def file() -> list[str]:
            kept = [item["attachments"] for item in self._team.items.values() if item.get("attachments")]
            return [str(attached["upload"]) for files in kept for attached in files]

        path = f"files/{(await self._team.until(file))[-1]}"
        assert (await self._stage.request("GET", path, by=web.ADA)).status_code == 404, "others may not read it"
        return (await self._stage.request("GET", path, by=web.ROBIN)).text

    async def _pressed(self, action: str, by: str) -> str:
        response = await self._stage.request("POST", "buttons", by=self.people[by], json={"action": action})
        return str(response.json()["text"])


@asynccontextmanager
async def web_counter(variables: Mapping[str, str]) -> AsyncIterator[WebCounter]:
    """The counter on the page."""
    async with web_stage(variables) as stage, page_stage(stage.app.url, stage.root, reads=web.ROBIN) as team:
        yield WebCounter(stage, team)


@asynccontextmanager
async def discord_counter(variables: Mapping[str, str]) -> AsyncIterator[DiscordCounter]:
    """The counter on Discord."""
    async with discord_stage(variables) as stage:
        await stage.server.until(lambda: stage.server.world.app.syncs)
        yield DiscordCounter(stage)


@asynccontextmanager
async def slack_counter(variables: Mapping[str, str]) -> AsyncIterator[SlackCounter]:
    """The counter on Slack."""
    async with slack_stage(variables) as stage:
        yield SlackCounter(stage)
