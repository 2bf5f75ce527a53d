"""What people do with commands, buttons and forms.

Everything is answered first and worked on then. What a button or a form means is in its custom id and in shared state,
so that it works after a restart and in any process; whose it is and where it belongs is checked against the verified
event: a person, a server and a place that do not fit are refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog

from adapters.discord import commands
from adapters.discord.callers import BUSY, Callers, inputs, options, tell
from adapters.discord.exchange import Exchange
from adapters.discord.forms import render_modal, render_receipt_form, render_why_form
from adapters.discord.inbound import DIRECT, PLATFORM, moment, to_command_text
from adapters.discord.places import Place
from adapters.discord.posts import Posts
from adapters.discord.questions import Questions
from adapters.discord.render import (
    Pressed,
    custom_ids,
    parse_custom_id,
    title_of,
)
from adapters.discord.rest import Refused, Rest
from adapters.discord.threads import Threads
from bot.errors import Permanent, Transient
from bot.messages import (
    Audience,
    ButtonPressed,
    CommandGiven,
    FormSubmitted,
    Person,
    StopRequested,
    ThreadKey,
    VoteCast,
)
from bot.ports import SharedState, Verdict

log = structlog.get_logger(__name__)

Json = dict[str, Any]
T = TypeVar("T")

CLAIM_S = 900.0
SOON_S = 1.0

FAILED = "This does not work at the moment."
NOT_HERE = "This button does not belong here any more. Please write your question again."
NOT_YOURS = "This button is for the person who was answered."
FORM_OVER = "This form is not open any more. Ask again, and you are offered a new one."
FORM_NOT_YOURS = "This form was offered to somebody else."
NO_PRIVATE = "There can be no private thread here. Please write to me in a direct message."

_COMMAND, _COMPONENT, _MODAL = 2, 3, 5


class Interactions:
    """Takes interactions."""

    def __init__(
        self, rest: Rest, callers: Callers, questions: Questions, threads: Threads, posts: Posts, state: SharedState
    ) -> None:
        self._rest = rest
        self._callers = callers
        self._questions = questions
        self._threads = threads
        self._posts = posts
        self._state = state

    async def take(self, data: Json) -> None:
        """Take an interaction; of several processes that hear of it one does."""
        exchange = Exchange(self._rest, data)
        try:
            if await _soon(self._state.compare_and_set(f"claim/{exchange.id}", None, b"1", ttl_s=CLAIM_S)):
                await self._dispatch(exchange, data)
        except Transient as failure:
            log.warning("discord_interaction_failed", reason=failure.reason)
            await exchange.tell(BUSY)
        except Permanent as failure:
            log.warning("discord_interaction_failed", reason=failure.reason)
            await exchange.tell(FAILED)
        except Exception as failure:  # whatever is wrong with it, a person looks at a wheel that turns
            log.error("discord_interaction_failed", exc_info=failure)
            await exchange.tell(FAILED)

    async def _dispatch(self, exchange: Exchange, data: Json) -> None:
        inner = data.get("data") or {}
        match data["type"]:
            case 2 if inner["name"] == commands.SUPPORT:
                await self._support(exchange, data)
            case 2 if inner["name"] == commands.ASK:
                await self._questions.ask(exchange, data)
            case 2 if inner["name"] == commands.RECEIPT:
                private = "1" if options(data).get("private") else "0"
                await exchange.open(render_receipt_form(f"fd1|receipt|{private}"))
            case 2 if inner["name"] == commands.ABOUT:
                await self._questions.about(exchange, data)
            case 3 | 5:
                pressed = parse_custom_id(str(inner["custom_id"]))
                if data["type"] == _COMPONENT and not _stands(data):
                    await exchange.tell(NOT_HERE)
                    return
                work = self._works(data["type"]).get(pressed.what) if pressed is not None else None
                if pressed is None or work is None:
                    await exchange.tell(NOT_HERE if data["type"] == _COMPONENT else FORM_OVER)
                    return
                await work(exchange, data, pressed)
            case _:
                await exchange.tell(FAILED)

    def _works(self, kind: int) -> dict[str, Callable[[Exchange, Json, Pressed], Coroutine[None, None, None]]]:
        if kind == _MODAL:
            return {"form": self._form_submitted, "receipt": self._questions.receipt, "why": self._explained}
        return {
            "form": self._form_wanted,
            "up": self._answer_button,
            "down": self._answer_button,
            "human": self._answer_button,
            "stop": self._answer_button,
            "private": self._answer_button,
            "card": self._card_button,
        }

    # ----------------------------------------------------------------------------------------------------- commands

    async def _support(self, exchange: Exchange, data: Json) -> None:
        if not await exchange.defer():
            return
        place = await self._callers.place(data)
        key = await self._callers.key(place, "")
        event = CommandGiven(
            thread=key,
            author=await self._callers.person(data),
            event_ids=(f"{PLATFORM}:{exchange.id}",),
            at=moment(exchange.id),
            text=to_command_text(str(options(data).get("command") or "")),
        )
        await tell(exchange, await self._callers.bring(event))

    # ------------------------------------------------------------------------------------------------------ buttons

    async def _answer_button(self, exchange: Exchange, data: Json, pressed: Pressed) -> None:
        """A button under an answer: bound to a conversation of this place, to a turn and to a person."""
        channel, root, turn, owner = pressed.values
        asks_why = pressed.what == "down" and exchange.person == owner
        if not await (exchange.open(render_why_form(*pressed.values)) if asks_why else exchange.acknowledge()):
            return
        place = await self._callers.place(data)
        key = ThreadKey(platform=PLATFORM, space=place.guild or DIRECT, channel=channel, root=root)
        is_here = channel in (place.id, place.parent) and place.guild == str(data.get("guild_id") or "")
        if not is_here or str(data["message"]["author"]["id"]) != await self._rest.me():
            await exchange.tell(NOT_HERE)
            return
        author = await self._callers.person(data)
        may_press = author.id == owner or pressed.what == "human" or (pressed.what == "stop" and author.is_staff)
        if not may_press:
            await exchange.tell(NOT_YOURS)
            return
        if pressed.what == "private":
            await self._go_private(exchange, key, place, author)
            return
        ids, at = (f"{PLATFORM}:{exchange.id}",), moment(exchange.id)
        event: VoteCast | ButtonPressed | StopRequested
        match pressed.what:
            case "human":
                event = ButtonPressed(thread=key, author=author, event_ids=ids, at=at, action="human")
            case "stop":
                event = StopRequested(thread=key, author=author, event_ids=ids, at=at)
            case vote:
                value = 1 if vote == "up" else -1
                event = VoteCast(thread=key, author=author, event_ids=ids, at=at, turn=int(turn), value=value)
        outcome = await self._callers.bring(event)
        if outcome.text or outcome.verdict is Verdict.BUSY:
            await tell(exchange, outcome)

    async def _explained(self, exchange: Exchange, data: Json, pressed: Pressed) -> None:
        """What was wrong with an answer, of whoever voted so and for the place in which they did."""
        if not await exchange.defer():
            return
        channel, root, turn, owner = pressed.values
        place = await self._callers.place(data)
        if exchange.person != owner or channel not in (place.id, place.parent):
            await exchange.tell(FORM_NOT_YOURS)
            return
        event = VoteCast(
            thread=ThreadKey(platform=PLATFORM, space=place.guild or DIRECT, channel=channel, root=root),
            author=await self._callers.person(data),
            event_ids=(f"{PLATFORM}:{exchange.id}",),
            at=moment(exchange.id),
            turn=int(turn),
            value=-1,
            comment=next((str(item.get("value") or "").strip() for item in inputs(data)), ""),
        )
        await tell(exchange, await self._callers.bring(event))

    async def _go_private(self, exchange: Exchange, key: ThreadKey, place: Place, author: Person) -> None:
        """Move a conversation into a private thread; whoever writes in the old one begins another conversation."""
        current = await self._threads.register.place(key)
        if current is not None and current.private:
            await exchange.tell(f"This conversation goes on in <#{current.channel}>.")
            return
        try:
            private = await self._threads.private(key, author.id, title_of(f"Support for {author.display_name}"))
        except Refused as refused:
            log.warning("discord_no_private_thread", code=refused.code, channel=key.channel)
            await exchange.tell(NO_PRIVATE)
            return
        if place.kind.is_thread:
            other = ThreadKey(platform=PLATFORM, space=key.space, channel=key.channel, root=exchange.id)
            await self._threads.register.part(place.id, key, other)
        greeting = f"<@{author.id}> Here only you and the team read along. What was said so far is known; please go on."
        await self._posts.greet(private.channel, greeting, author.id, exchange.id)
        await exchange.tell(f"This conversation goes on in <#{private.channel}>.")

    async def _card_button(self, exchange: Exchange, data: Json, pressed: Pressed) -> None:
        if not await exchange.acknowledge():
            return
        digest, action = pressed.values
        card = await self._posts.card(digest)
        if card is None or card.channel != str(data["channel_id"]):
            await exchange.tell(NOT_HERE)
            return
        event = ButtonPressed(
            thread=ThreadKey.parse(card.thread),
            author=await self._callers.person(data),
            event_ids=(f"{PLATFORM}:{exchange.id}",),
            at=moment(exchange.id),
            action=action,
        )
        await tell(exchange, await self._callers.bring(event))

    # -------------------------------------------------------------------------------------------------------- forms

    async def _form_wanted(self, exchange: Exchange, data: Json, pressed: Pressed) -> None:
        form = await _soon(self._posts.form(pressed.values[0]))
        if form is None:
            await exchange.tell(FORM_OVER)
        elif form.person != exchange.person or not _is_of_server(form.thread, data):
            await exchange.tell(FORM_NOT_YOURS)
        else:
            await exchange.open(render_modal(pressed.values[0], form.title, form.fields))

    async def _form_submitted(self, exchange: Exchange, data: Json, pressed: Pressed) -> None:
        if not await exchange.defer():
            return
        form = await self._posts.form(pressed.values[0])
        if form is None:
            await exchange.tell(FORM_OVER)
            return
        if form.person != exchange.person or not _is_of_server(form.thread, data):
            await exchange.tell(FORM_NOT_YOURS)
            return
        typed = {str(item["custom_id"]): str(item.get("value") or "") for item in inputs(data)}
        thread = ThreadKey.parse(form.thread)
        event = FormSubmitted(
            thread=thread,
            author=await self._callers.person(data),
            event_ids=(f"{PLATFORM}:{exchange.id}",),
            at=moment(exchange.id),
            form_id=pressed.values[0],
            audience=await self._audience(thread),
            fields={name: typed.get(name, "") for name in form.fields},
        )
        await tell(exchange, await self._callers.bring(event))

    async def _audience(self, thread: ThreadKey) -> Audience:
        """Who reads along where a conversation goes on."""
        place = await self._threads.register.place(thread)
        if thread.space == DIRECT or (place is not None and place.private and not place.is_thread):
            return Audience.DIRECT
        return Audience.PRIVATE if place is not None and place.private else Audience.PUBLIC


async def _soon(looking: Awaitable[T]) -> T:
    """What has to be known before the first answer, which Discord waits for three seconds.

    Raises:
        Transient: it takes too long.
    """
    try:
        async with asyncio.timeout(SOON_S):
            return await looking
    except TimeoutError:
        raise Transient("store_slow") from None


def _stands(data: Json) -> bool:
    """Whether the button that was pressed is one of those below its message."""
    return str(data["data"]["custom_id"]) in custom_ids(data["message"].get("components", ()))


def _is_of_server(thread: str, data: Json) -> bool:
    """Whether a form belongs to the server in which it is used; by direct message it may belong to any."""
    guild = str(data.get("guild_id") or "")
    return not guild or ThreadKey.parse(thread).space == guild
