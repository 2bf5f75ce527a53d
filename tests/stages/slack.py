"""Slack's stage: a customer in a thread of a Slack Connect channel, who sees what is on the screen and nothing else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from adapters.slack.platform import create
from bot.app import App
from bot.messages import ThreadKey
from bot.ports import Form
from bot.store.keys import Partition
from tests.servers.openai import Reply
from tests.servers.patience import WAIT_S
from tests.servers.slack import ADA, HOME, ROBIN, SHARED, TEAM, Member, Message, Slack, Somebody
from tests.servers.slack.delivery import SECRET
from tests.servers.slack.people import Said
from tests.servers.slack.screen import buttons
from tests.stages.customers import status
from tests.stages.play import played

POLL_S = 0.01
OUTCOME = re.compile(r"verified as|not match|too many|somebody else|trouble", re.IGNORECASE)
VERIFY = re.compile(r"verif", re.IGNORECASE)


class SlackStage:
    """One conversation.

    Args:
        channel: where it is; a direct conversation begins with `D`.
        customer: who speaks when nobody is named.
    """

    def __init__(self, app: App, slack: Slack, redis: Redis, channel: str, customer: Member) -> None:
        self.app = app
        self.slack = slack
        self.channel = channel
        self.root = ""
        self.said: list[Said] = []
        self._redis = redis
        self._customer = customer
        self._read: set[str] = set()

    @property
    def thread(self) -> ThreadKey:
        return ThreadKey(platform="slack", space=HOME, channel=self.channel, root=self.root or "nothing.said")

    def person(self, by: str = "") -> Somebody:
        """Somebody, by their user id; the customer without one."""
        return self.slack.person(self.slack.world.members[by] if by else self._customer)

    async def write(self, text: str, *, by: str = "", **how: Any) -> Said:
        """Write a message, in the thread once there is one; the first of a channel's mentions the bot."""
        if not self.root and self.slack.world.channels[self.channel].kind != "im":
            text = f"@Frontdesk {text}"
        said = await self.person(by).say(text, self.channel, thread=self.root or None, **how)
        assert said.acknowledged, f"it was not acknowledged: {[receipt.statuses for receipt in said.receipts]}"
        self.root = self.root or said.ts
        self.said.append(said)
        return said

    async def say(self, text: str, *, by: str = "", files: tuple[tuple[str, bytes], ...] = ()) -> str:
        return (await self.write(text, by=by, files=files)).message.shown

    def screen(self) -> list[Message]:
        """What the bot shows in the thread."""
        return self.slack.answers(self.channel, self.root)

    def shown(self) -> list[str]:
        """The same, as it is read."""
        return [message.shown for message in self.screen()]

    async def answer(self) -> str:
        """What the bot wrote since the last answer was read, once the thread is at rest."""
        await self.slack.until(lambda: self._fresh())
        await self.settled()
        fresh = self._fresh()
        self._read |= {message.ts for message in fresh}
        return "\n".join(message.shown for message in fresh)

    def _fresh(self) -> list[Message]:
        return [message for message in self.screen() if message.ts not in self._read]

    async def settled(self) -> None:
        """Wait until nothing is on the agenda; then no stream is open and nothing "is thinking"."""
        async with asyncio.timeout(WAIT_S):
            while await self._redis.zcard(Partition(0).due):
                await asyncio.sleep(POLL_S)
        await self.becomes(self._is_at_rest)
        self.slack.assert_at_rest()

    def _is_at_rest(self) -> bool:
        try:
            self.slack.assert_at_rest()
        except AssertionError:
            return False
        return True

    async def becomes(self, look: Callable[[], Any]) -> Any:
        """Wait until something is so on this Slack, or stop waiting: what comes next says what is wrong."""
        try:
            async with asyncio.timeout(WAIT_S / 4):
                while not (found := look()):
                    await asyncio.sleep(POLL_S)
                return found
        except TimeoutError:
            return None

    # -------------------------------------------------------------------------------------------------------- forms

    def offers(self, by: str = "") -> list[Message]:
        """Messages with a button for the private form that this person sees, oldest first."""
        person = self.person(by)
        seen = [*self.screen(), *person.ephemerals(), *person.direct()]
        found = [message for message in seen if self.button(message)]
        return sorted({message.ts: message for message in found}.values(), key=lambda message: message.ts)

    @staticmethod
    def button(message: Message, label: re.Pattern[str] = VERIFY) -> str:
        """The label of the button that opens the form."""
        for _, element in buttons(message.blocks):
            text = element.get("text", {}).get("text", "")
            if label.search(text):
                return str(text)
        return ""

    async def form(self, *, by: str = "") -> Form:
        """Open the private form."""
        await self.slack.until(lambda: self.offers(by))
        offer, person = self.offers(by)[-1], self.person(by)
        if person.view is None:
            receipt = await person.press(offer, self.button(offer))
            assert receipt.acknowledged, "the button did nothing"
        view = await self.slack.until(lambda: person.view)
        labels = {
            str(block["element"]["action_id"]): str(block["label"]["text"])
            for block in view.body["blocks"]
            if block["type"] == "input"
        }
        return Form(id=view.id, title=view.body["title"]["text"], fields=labels)

    async def fill(self, fields: Mapping[str, str], *, by: str = "") -> str:
        """Fill in the private form; every word that the person is told."""
        person = self.person(by)
        await self.form(by=by)
        before = self._private(person)
        told = await person.submit(fields)

        def words() -> str:
            """What was said in the form, and what came as a message because the check took longer than a form waits."""
            said = " ".join([*told.words, *self._private(person, since=before).values()])
            return said if OUTCOME.search(said) else ""

        return str(await self.slack.until(words))

    @staticmethod
    def _private(person: Somebody, *, since: Mapping[str, str] | None = None) -> dict[str, str]:
        """What this person alone reads: messages, and the modal while nothing can be typed into it."""
        messages = {message.ts: message.shown for message in (*person.ephemerals(), *person.direct())}
        if person.view is not None:
            messages[person.view.id] = person.view.shown
        return {name: text for name, text in messages.items() if text and (since or {}).get(name) != text}


def settings(slack: Slack, mode: str, *, streaming: str = "auto", **more: str) -> dict[str, str]:
    """What a Frontdesk on this Slack is set up with."""
    way = {"SLACK_SIGNING_SECRET": SECRET} if mode == "http" else {"SLACK_APP_TOKEN": "xapp-home"}
    return {
        "SLACK_BOT_TOKEN": "xoxb-home",
        "SLACK_API_URL": slack.api_url,
        "SLACK_STREAMING": streaming,
        "HANDOVER_CHANNEL_SLACK": TEAM,
        "ADMINS_SLACK": ROBIN.id,
        **way,
        **more,
    }


@asynccontextmanager
async def slack_stage(
    variables: Mapping[str, str],
    *,
    mode: str = "socket",
    streaming: str = "auto",
    channel: str = SHARED,
    customer: Member = ADA,
    slack: Slack | None = None,
    is_up: bool = True,
    **more: str,
) -> AsyncIterator[SlackStage]:
    """A stage with a Slack and a Frontdesk of its own.

    Args:
        slack: a Slack that is there already.
        is_up: Slack can be reached at the start.
        channel: `im` for the direct conversation with the customer.
    """
    if slack is None:
        async with (
            Slack() as own,
            slack_stage(
                variables,
                mode=mode,
                streaming=streaming,
                channel=channel,
                customer=customer,
                slack=own,
                is_up=is_up,
                **more,
            ) as stage,
        ):
            yield stage
        return
    if channel == "im":
        channel = slack.world.im(customer.id).id
    own_settings = {**variables, **settings(slack, mode, streaming=streaming, **more)}
    async with (
        played(own_settings, registry={"slack": create}) as app,
        Redis.from_url(variables["REDIS_URL"]) as redis,
    ):
        await reached(slack, app.url, mode, is_up=is_up)
        try:
            yield SlackStage(app, slack, redis, channel, customer)
        finally:
            slack.delivery.request_url = ""


async def reached(slack: Slack, url: str, mode: str, *, is_up: bool = True) -> None:
    """Have this Slack bring its events to a Frontdesk that says that it is ready for them."""
    if mode == "http":
        slack.delivery.request_url = f"{url}/slack/events"
    async with asyncio.timeout(WAIT_S):
        while is_up and await status(url, "/readyz") != 200:
            await asyncio.sleep(POLL_S)
        if mode != "http":
            await slack.delivery.connected()


async def written(stage: SlackStage, running: Reply) -> None:
    """Let the model go on each time that what it said so far had its chance to be shown."""
    begun = ("chat.startStream", "chat.postMessage")
    more = ("chat.appendStream", "chat.update", "conversations.replies")
    seen = stage.slack.faults.seen
    for pause, methods in zip(running.pauses, (begun, more, ()), strict=False):
        await pause.reached.wait()
        before = sum(seen[method] for method in methods)
        if methods is begun:
            await stage.becomes(lambda: any(seen[method] for method in begun))
        elif methods:
            await stage.becomes(lambda methods=methods, before=before: sum(seen[m] for m in methods) > before)  # type: ignore[misc]  # a loop's values
        pause.release()


def once(stage: SlackStage, text: str) -> None:
    """The screen shows this answer and nothing else, once."""
    assert stage.shown() == [text], stage.slack.picture()
