"""Buttons, the message shortcut and the command, brought to intake; what comes of them is told to that person alone."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from slack_bolt.response import BoltResponse

from adapters.slack.aliases import Aliases
from adapters.slack.errands import Errands
from adapters.slack.events import Events
from adapters.slack.forms import BUSY, Forms
from adapters.slack.inbound import PLATFORM, thread_key
from adapters.slack.installations import Installation
from adapters.slack.markup import to_command_text
from adapters.slack.people import People
from adapters.slack.posts import Line, Posts
from adapters.slack.presses import Pressed, read_action, read_submission
from adapters.slack.render import CARD, FORM, HUMAN, SUPPORT, VOTE, WHY, support_view, why_view
from adapters.slack.words import Words
from bot.admin import COMMANDS
from bot.errors import BotError
from bot.messages import ButtonPressed, CommandGiven, Person, ThreadKey, VoteCast
from bot.ports import Outcome, Verdict

log = structlog.get_logger(__name__)

ACKNOWLEDGE_S = 1.5
"""How long somebody waits for what comes of an order before it is told later; Slack gives it three seconds."""


class Actions:
    """Takes what people press, order and submit."""

    def __init__(
        self,
        events: Events,
        people: People,
        aliases: Aliases,
        posts: Posts,
        words: Words,
        forms: Forms,
        errands: Errands,
    ) -> None:
        self._events = events
        self._people = people
        self._aliases = aliases
        self._posts = posts
        self._words = words
        self._forms = forms
        self._errands = errands

    async def take(self, body: dict[str, Any], me: Installation) -> None:
        """Settle a press, a shortcut or a command.

        Raises:
            Transient: it is not in safe hands; the person sees that it did not work.
        """
        pressed = read_action(body)
        if pressed is None:
            return
        author = await self._people.person(me, pressed.user, pressed.user_team)
        if body.get("command"):
            await self._command(pressed, me, author)
        elif body.get("type") == "message_action":
            await self._shortcut(pressed, me, author)
        elif pressed.action == FORM:
            self._errands.send(self._forms.open(pressed, me), "form")
        elif pressed.action == VOTE:
            await self._vote(pressed, me, author)
        elif pressed.action == HUMAN or pressed.action.startswith(CARD):
            await self._button(pressed, me, author)

    async def submit(self, body: dict[str, Any], me: Installation) -> BoltResponse | None:
        """Settle a submitted modal; the answer says what is wrong with it, or nothing, which closes it."""
        found = read_submission(body)
        if found is None:
            return None
        pressed, typed = found
        author = await self._people.person(me, pressed.user, pressed.user_team)
        if pressed.action == FORM:
            return await self._forms.submit(pressed, typed, author, me)
        if pressed.action == WHY:
            await self._vote(pressed, me, author, typed.get("comment", "").strip())
            return None
        if pressed.action == SUPPORT and (thread := _thread(pressed.value, me)) is not None:
            text = f"{typed.get('action', '')} {typed.get('text', '')}".strip()
            await self._give(pressed, thread, author, text)
        return None

    async def _command(self, pressed: Pressed, me: Installation, author: Person) -> None:
        thread = thread_key(me.team, await self._aliases.known(me.team, pressed.channel), "")
        await self._give(pressed, thread, author, to_command_text(pressed.value))

    async def _shortcut(self, pressed: Pressed, me: Installation, author: Person) -> None:
        channel = await self._aliases.known(me.team, pressed.channel)
        thread = thread_key(me.team, channel, pressed.root)
        if not author.is_staff:
            await self._give(pressed, thread, author, "help")  # refused, and told why, where all commands are
            return
        view = support_view(thread, {name: command.help for name, command in COMMANDS.items() if name != "help"})
        self._errands.send(self._open(pressed, thread, view), "shortcut")

    async def _open(self, pressed: Pressed, thread: ThreadKey, view: dict[str, Any]) -> None:
        line = await self._posts.line(thread)
        await self._posts.call(line, "views.open", {"trigger_id": pressed.trigger, "view": view})

    async def _give(self, pressed: Pressed, thread: ThreadKey, author: Person, text: str) -> None:
        command = CommandGiven(thread=thread, author=author, event_ids=pressed.event_ids, at=pressed.at, text=text)
        await self._order(pressed, thread, command)

    async def _order(self, pressed: Pressed, thread: ThreadKey, order: CommandGiven | ButtonPressed) -> None:
        """Have an order carried out to its end, however long that takes; what came of it is told when it is known.

        Slack sends it once, and what was cut off in the middle would be done and written down nowhere.
        """
        bringing = asyncio.create_task(self._events.bring(order))
        try:
            await asyncio.wait({bringing}, timeout=ACKNOWLEDGE_S)
        finally:
            if not bringing.done():
                self._errands.send(self._told_later(pressed, thread, bringing), "order")
        if bringing.done():
            self._told(pressed, thread, bringing.result())

    async def _told_later(self, pressed: Pressed, thread: ThreadKey, bringing: asyncio.Task[Outcome]) -> None:
        try:
            outcome = await bringing
        except BotError:
            outcome = Outcome(verdict=Verdict.BUSY, text=BUSY)
        await self._tell(pressed, thread, outcome)

    async def _button(self, pressed: Pressed, me: Installation, author: Person) -> None:
        thread = _thread(pressed.value, me)
        if thread is None:
            log.warning("slack_button_foreign", action=pressed.action)
            return
        button = ButtonPressed(
            thread=thread,
            author=author,
            event_ids=pressed.event_ids,
            at=pressed.at,
            action=pressed.action.removeprefix(CARD),
        )
        await self._order(pressed, thread, button)

    async def _vote(self, pressed: Pressed, me: Installation, author: Person, comment: str = "") -> None:
        """Keep a vote; who is not content may say why, in a modal that asks for nothing."""
        sign, _, rest = pressed.value.partition(" ")
        name, _, turn = rest.partition(" ")
        thread = _thread(name, me)
        if thread is None or sign not in ("+1", "-1") or not turn.isdecimal():
            return
        vote = VoteCast(
            thread=thread,
            author=author,
            event_ids=pressed.event_ids,
            at=pressed.at,
            turn=int(turn),
            value=int(sign),
            comment=comment,
        )
        self._told(pressed, thread, await self._events.bring(vote))
        if pressed.action == VOTE and vote.value < 0:
            self._errands.send(self._open(pressed, thread, why_view(pressed.value)), "why")

    def _told(self, pressed: Pressed, thread: ThreadKey, outcome: Outcome) -> None:
        if outcome.text or outcome.file is not None:
            self._errands.send(self._tell(pressed, thread, outcome), "outcome")

    async def _tell(self, pressed: Pressed, thread: ThreadKey, outcome: Outcome) -> None:
        line = await self._posts.line(thread)
        if outcome.text:
            here = Line(me=line.me, channel=pressed.channel or line.channel, root=pressed.root or line.root)
            await self._words.answer(here, pressed.user, outcome.text, pressed.response_url)
        if outcome.file is not None:
            await self._words.give(line, pressed.user, outcome.file)


def _thread(value: str, me: Installation) -> ThreadKey | None:
    """The thread that a button or view of ours is about; nothing when it is none of this workspace's."""
    try:
        thread = ThreadKey.parse(value)
    except ValueError:
        return None
    return thread if thread.platform == PLATFORM and thread.space == me.team else None
