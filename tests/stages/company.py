"""Stages on which several people play, one for each platform."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.app import App
from bot.messages import Audience, FormSubmitted, ThreadKey
from bot.ports import Form
from tests.scenes import COLLEAGUE, CUSTOMER, OTHER
from tests.servers import slack
from tests.servers.discord import Message
from tests.servers.slack import TEAM
from tests.servers.slack import Message as Message_
from tests.servers.slack.people import Somebody
from tests.servers.slack.screen import buttons
from tests.stages import square
from tests.stages.discord import DiscordStage, as_read, discord_stage
from tests.stages.slack import SlackStage, slack_stage
from tests.stages.square import Square, SquareStage, a_place, square_stage
from tests.stages.web import ADA, BEN, ROBIN, Page, WebStage, page_stage, web_stage

SPEAKERS = {CUSTOMER: ADA, OTHER: BEN, COLLEAGUE: ROBIN}
NAMES = {CUSTOMER: "Ada", OTHER: "Ben", COLLEAGUE: "Robin"}
MEMBERS = {CUSTOMER: slack.ADA, OTHER: slack.BEN, COLLEAGUE: slack.ROBIN}
PEOPLE = {CUSTOMER: square.CUSTOMER, OTHER: square.EXTERNAL, COLLEAGUE: square.COLLEAGUE}


class WebCompany:
    """The page: three speakers of the demo in one conversation."""

    def __init__(self, stage: WebStage, stack: AsyncExitStack) -> None:
        self.app = stage.app
        self._stage = stage
        self._stack = stack
        self._team: Page | None = None

    @property
    def thread(self) -> ThreadKey:
        return self._stage.thread

    def mention(self, player: str) -> str:
        return {"bot": "@Frontdesk", OTHER: "@Ben"}[player]

    async def say(self, text: str, *, by: str = CUSTOMER, files: tuple[tuple[str, bytes], ...] = ()) -> str:
        return await self._stage.say(text, by=SPEAKERS[by], files=files)

    async def answer(self) -> str:
        return await self._stage.answer()

    async def form(self, *, by: str = "") -> Form:
        return await self._stage.form()

    async def fill(self, fields: Mapping[str, str], *, by: str = CUSTOMER) -> str:
        return await self._stage.fill(fields, by=SPEAKERS[by])

    async def order(self, text: str, *, by: str) -> str:
        if by == COLLEAGUE:
            return await self._stage.say(f"/support {text}", by=ROBIN)
        return await self.press(text, by=by)  # the page takes a customer's `/support` for a message

    async def press(self, action: str, *, by: str) -> str:
        response = await self._stage.request("POST", "buttons", by=SPEAKERS[by], json={"action": action})
        return str(response.json()["text"])

    async def said(self, words: str) -> None:
        async def shown() -> bool:
            items = self._stage.items.values()
            return any(item["kind"] == "notice" and not item.get("to") and words in item["text"] for item in items)

        await self._stage.until(shown)

    async def write(self, text: str) -> PageMessage:
        return PageMessage(self._stage, (await self._stage.post(text))["id"])

    async def stop(self) -> None:
        await self._stage.request("POST", "stop")

    async def shown(self, words: str) -> None:
        async def seen() -> bool:
            return any(words in text for text in (self._stage.live, *self._stage.answers()))

        await self._stage.until(seen)

    def answers(self) -> list[str]:
        return self._stage.answers()

    async def card(self, words: str) -> None:
        if self._team is None:
            self._team = await self._stack.enter_async_context(page_stage(self.app.url, self._stage.root, reads=ROBIN))
        team = self._team

        async def shown() -> bool:
            return any(item["kind"] == "card" and words in item["title"] + item["text"] for item in team.items.values())

        await team.until(shown)


@dataclass(frozen=True)
class PageMessage:
    """A message on the page."""

    stage: WebStage
    id: str

    async def edit(self, text: str) -> None:
        await self.stage.request("PATCH", f"messages/{self.id}", json={"text": text})

    async def delete(self) -> None:
        await self.stage.request("DELETE", f"messages/{self.id}")


class SquareCompany:
    """The square: three people in one thread."""

    def __init__(self, stage: SquareStage) -> None:
        self.app: App = stage.app
        self.thread = a_place("scene")
        self._stage = stage
        self._read = 0

    def mention(self, player: str) -> str:
        return f"@{player}"

    async def say(self, text: str, *, by: str = CUSTOMER, files: tuple[tuple[str, bytes], ...] = ()) -> str:
        outcome = await self._stage.say(
            text,
            at=self.thread,
            by=PEOPLE[by],
            opens=False,
            mentions="@bot" in text,
            mentions_people="@other" in text,
        )
        return outcome.text

    async def answer(self) -> str:
        answers = await self._stage.answered(self.thread, self._read + 1)
        self._read += 1
        return answers[self._read - 1]

    async def form(self, *, by: str = "") -> Form:
        forms = self._stage.square.forms
        await self._stage.square.until(lambda: forms)
        return forms[-1]

    async def fill(self, fields: Mapping[str, str], *, by: str = CUSTOMER) -> str:
        form = await self.form()
        outcome = await self.app.intake(
            FormSubmitted(
                thread=self.thread,
                author=PEOPLE[by],
                event_ids=(f"form-{by}-{form.id}",),
                at=datetime.now(UTC),
                form_id=form.id,
                audience=Audience.SHARED,
                fields=fields,
            )
        )
        return outcome.text

    async def order(self, text: str, *, by: str) -> str:
        return (await self._stage.order(text, at=self.thread, by=PEOPLE[by])).text

    async def press(self, action: str, *, by: str) -> str:
        return (await self._stage.press(action, at=self.thread, by=PEOPLE[by])).text

    async def said(self, words: str) -> None:
        await self._stage.square.until(lambda: any(words in text for text in self._stage.said(self.thread)))

    async def card(self, words: str) -> None:
        cards = self._stage.square.cards
        await self._stage.square.until(lambda: any(words in card.title + card.text for card in cards.values()))


class DiscordCompany:
    """Discord: three members in one thread, and the team's channel."""

    def __init__(self, stage: DiscordStage) -> None:
        self.app = stage.app
        self._stage = stage

    @property
    def thread(self) -> ThreadKey:
        return self._stage.thread

    def mention(self, player: str) -> str:
        return {"bot": "@Frontdesk", OTHER: "@Ben"}[player]

    async def say(self, text: str, *, by: str = CUSTOMER, files: tuple[tuple[str, bytes], ...] = ()) -> str:
        return await self._stage.say(text, by=NAMES[by], files=files)

    async def answer(self) -> str:
        return await self._stage.answer()

    async def form(self, *, by: str = CUSTOMER) -> Form:
        return await self._stage.form(by=NAMES[by])

    async def fill(self, fields: Mapping[str, str], *, by: str = CUSTOMER) -> str:
        return await self._stage.fill(fields, by=NAMES[by])

    async def order(self, text: str, *, by: str) -> str:
        commands = [command for found in self._stage.server.world.app.commands.values() for command in found]
        (support,) = [command for command in commands if command["name"] == "support"]
        option = {support["options"][0]["name"]: text}
        person = self._stage.town.people[NAMES[by]]
        return as_read(await person.command(self._stage.place, "support", **option).says())

    async def press(self, action: str, *, by: str) -> str:
        def offered() -> list[tuple[Message, str]]:
            return [
                (message, str(button["custom_id"]))
                for message in self._stage.town.team.messages.values()
                for button in message.buttons
                if action in str(button.get("custom_id", ""))
            ]

        message, custom_id = (await self._stage.server.until(offered))[-1]
        return as_read(await self._stage.town.people[NAMES[by]].press_id(message, custom_id).says())

    async def said(self, words: str) -> None:
        await self._stage.shown(words)

    async def card(self, words: str) -> None:
        def shown() -> bool:
            messages = self._stage.town.team.messages.values()
            return any(words in as_read(f"{message.content} {message.embeds}") for message in messages)

        await self._stage.server.until(shown)

    async def write(self, text: str) -> DiscordMessage:
        return DiscordMessage(self._stage, await self._stage.write(text))

    async def stop(self) -> None:
        writing = await self._stage.server.until(
            lambda: [m for m in self._stage.me.sees(self._stage.place) if m.buttons]
        )
        await self._stage.me.press(writing[-1], "Stop").answered()

    async def shown(self, words: str) -> None:
        await self._stage.shown(words)

    def answers(self) -> list[str]:
        return self._stage.answers()


@dataclass(frozen=True)
class DiscordMessage:
    """A message on Discord, which tells of changes in the order in which they are made."""

    stage: DiscordStage
    message: Message

    async def edit(self, text: str) -> None:
        self.stage.me.edit(self.message, text)

    async def delete(self) -> None:
        self.stage.me.delete(self.message)


class SlackCompany:
    """Slack: people of three organisations in a thread of a shared channel, and the team's channel."""

    def __init__(self, stage: SlackStage) -> None:
        self.app = stage.app
        self._stage = stage

    @property
    def thread(self) -> ThreadKey:
        return self._stage.thread

    def mention(self, player: str) -> str:
        return {"bot": "@Frontdesk", OTHER: "@Ben"}[player]

    async def say(self, text: str, *, by: str = CUSTOMER, files: tuple[tuple[str, bytes], ...] = ()) -> str:
        if not self._stage.root:
            text = text.removeprefix("@Frontdesk").strip()  # the stage mentions the bot in the first message
        return await self._stage.say(text, by=MEMBERS[by].id, files=files)

    async def answer(self) -> str:
        return await self._stage.answer()

    async def form(self, *, by: str = CUSTOMER) -> Form:
        return await self._stage.form(by=MEMBERS[by].id)

    async def fill(self, fields: Mapping[str, str], *, by: str = CUSTOMER) -> str:
        if by == CUSTOMER:
            return await self._stage.fill(fields, by=MEMBERS[by].id)
        offer, person = self._stage.offers()[-1], self._stage.person(MEMBERS[by].id)
        return await self._told(person, person.press(offer, self._stage.button(offer)))

    async def order(self, text: str, *, by: str) -> str:
        """Slash commands cannot be typed in threads: the menu of a message has them."""
        person, (action, _, rest) = self._stage.person(MEMBERS[by].id), text.partition(" ")
        assert (await person.choose(self._stage.said[0].message, "support")).acknowledged
        await self._stage.slack.until(lambda: person.view)

        async def submit() -> object:
            return await person.submit([action, rest])

        return await self._told(person, submit())

    async def press(self, action: str, *, by: str) -> str:
        def offered() -> list[tuple[Message_, str]]:
            return [
                (message, str(element["action_id"]))
                for message in self._stage.slack.world.history(TEAM)
                for _, element in buttons(message.blocks)
                if action in str(element.get("action_id", ""))
            ]

        message, action_id = (await self._stage.slack.until(offered))[-1]
        person = self._stage.person(MEMBERS[by].id)
        return await self._told(person, person.press(message, action_id))

    async def said(self, words: str) -> None:
        await self._stage.slack.shows(self._stage.channel, self._stage.root, words)

    async def card(self, words: str) -> None:
        history = self._stage.slack.world.history
        await self._stage.slack.until(lambda: any(words in message.shown for message in history(TEAM)))

    async def write(self, text: str) -> SlackMessage:
        return SlackMessage(self._stage, (await self._stage.write(text)).message)

    async def stop(self) -> None:
        # Slack itself closes the stream of a session that was stopped.
        self._stage.slack.may_refuse.add("message_not_in_streaming_state")
        assert (await self._stage.person().stop(self._stage.channel, self._stage.root)).acknowledged

    async def shown(self, words: str) -> None:
        await self._stage.slack.shows(self._stage.channel, self._stage.root, words)

    def answers(self) -> list[str]:
        return self._stage.shown()

    async def _told(self, person: Somebody, act: Awaitable[object]) -> str:
        """What the person alone reads after they did something."""

        def read() -> list[str]:
            return [message.shown for message in (*person.ephemerals(), *person.direct())]

        before = len(read())
        await act
        await self._stage.slack.until(lambda: len(read()) > before)
        return " ".join(read()[before:])


@dataclass(frozen=True)
class SlackMessage:
    """A message on Slack."""

    stage: SlackStage
    message: Message_

    async def edit(self, text: str) -> None:
        assert (await self.stage.person().edit(self.message, text)).acknowledged

    async def delete(self) -> None:
        assert (await self.stage.person().delete(self.message)).acknowledged


@asynccontextmanager
async def web_company(variables: Mapping[str, str]) -> AsyncIterator[WebCompany]:
    """Several people on the page."""
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(web_stage(variables))
        yield WebCompany(stage, stack)


@asynccontextmanager
async def square_company(variables: Mapping[str, str]) -> AsyncIterator[SquareCompany]:
    """Several people on the square."""
    async with square_stage(variables, Square()) as stage:
        yield SquareCompany(stage)


@asynccontextmanager
async def discord_company(variables: Mapping[str, str]) -> AsyncIterator[DiscordCompany]:
    """Several people on Discord."""
    async with discord_stage(variables) as stage:
        yield DiscordCompany(stage)


@asynccontextmanager
async def slack_company(variables: Mapping[str, str]) -> AsyncIterator[SlackCompany]:
    """Several people on Slack."""
    async with slack_stage(variables) as stage:
        yield SlackCompany(stage)
