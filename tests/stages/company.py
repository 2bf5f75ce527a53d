"""Stages on which several people play: the page, and the square."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from bot.app import App
from bot.messages import Audience, FormSubmitted, ThreadKey
from bot.ports import Form
from tests.scenes import COLLEAGUE, CUSTOMER, OTHER
from tests.stages import square
from tests.stages.square import Square, SquareStage, a_place, square_stage
from tests.stages.web import ADA, BEN, ROBIN, Page, WebStage, page_stage, web_stage

SPEAKERS = {CUSTOMER: ADA, OTHER: BEN, COLLEAGUE: ROBIN}
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

    async def card(self, words: str) -> None:
        if self._team is None:
            self._team = await self._stack.enter_async_context(page_stage(self.app.url, self._stage.root, reads=ROBIN))
        team = self._team

        async def shown() -> bool:
            return any(item["kind"] == "card" and words in item["title"] + item["text"] for item in team.items.values())

        await team.until(shown)


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
