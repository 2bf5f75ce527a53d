"""Events of Slack's Events API, brought to intake."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog

from adapters.slack.aliases import Aliases
from adapters.slack.bots import Bots
from adapters.slack.errands import Errands
from adapters.slack.happenings import Changed, Happened, Moved, Removed, Said, Stopped, Withdrawn
from adapters.slack.inbound import files_alone, files_id, read_event, thread_key, to_message
from adapters.slack.installations import Installation, Installations
from adapters.slack.markup import mentioned, to_plain
from adapters.slack.people import People
from adapters.slack.posts import Posts
from adapters.slack.words import Words
from bot.errors import Rejected, Transient
from bot.messages import Event, MessageDeleted, MessageEdited, Person, StopRequested, ThreadKey
from bot.ports import Intake, Listening, Outcome, Resources, Verdict

log = structlog.get_logger(__name__)

YOUNG_S = 86_400.0
"""How old a message may be that a mention makes a question of; for a little longer it is known which were heard."""


class Events:
    """Takes events.

    Args:
        intake: gives the place where events are brought, once there is one.
    """

    def __init__(
        self,
        resources: Resources,
        installations: Installations,
        people: People,
        aliases: Aliases,
        posts: Posts,
        words: Words,
        errands: Errands,
        bots: Bots,
        intake: Callable[[], Intake | None],
    ) -> None:
        self._resources = resources
        self._installations = installations
        self._people = people
        self._aliases = aliases
        self._posts = posts
        self._words = words
        self._errands = errands
        self._bots = bots
        self._intake = intake

    async def take(self, body: dict[str, Any], me: Installation) -> None:
        """Settle an event.

        Raises:
            Transient: it is not in safe hands; Slack shall send it again.
        """
        match happening := read_event(body, me, str(body.get("frontdesk_actor_team", "")), self._bots.listed):
            case Said(bot=bot):
                try:
                    await self._said(happening, me)
                except Rejected as rejected:
                    self._resources.limited("bot")
                    log.warning("slack_message_rejected", reason=rejected.reason, bot=bot)
            case Changed():
                await self._changed(happening, me)
            case Withdrawn():
                await self._withdrawn(happening, me)
            case Stopped():
                thread, author = await self._where_and_who(happening, me)
                await self.bring(
                    StopRequested(thread=thread, author=author, event_ids=happening.event_ids, at=happening.at)
                )
            case Moved():
                await self._aliases.moved(me.team, happening.old, happening.new)
                log.info("slack_channel_moved", old=happening.old, new=happening.new)
            case Removed():
                if await self._installations.forget(happening.team, happening.at):
                    log.warning("slack_removed", team=happening.team)

    async def bring(self, event: Event) -> Outcome:
        """Bring an event to intake.

        Raises:
            Transient: it is not in safe hands.
        """
        intake = self._intake()
        if intake is None:
            raise Transient("slack_not_running")
        outcome = await intake(event)
        if not outcome.may_acknowledge:
            raise Transient("busy")
        return outcome

    async def _said(self, said: Said, me: Installation) -> None:
        place, people = said.place, mentioned(said.text)
        channel = await self._aliases.known(me.team, place.channel)
        somewhere = thread_key(me.team, channel, place.root)
        if not place.is_direct and place.begins and me.bot_user not in people:
            rules = await self._resources.channel_rules(somewhere)
            if rules.listening is not Listening.EVERYTHING:
                return  # nobody has spoken to us, and there is no thread in which we could take part
        rules, root, author, names = await asyncio.gather(
            self._resources.channel_rules(somewhere),
            self._aliases.root(me.team, place, said=True),
            self._author(said, me),
            self._people.names(me, people),
        )
        if author.is_bot and not said.bot:
            return  # the message does not show that a bot wrote it, but its user is one
        thread = thread_key(me.team, channel, root)
        message = to_message(said, thread, author, me=me, names=names, rules=rules)
        if said.bot:
            if not (message.mentions_bot or message.opens):
                return  # a bot is answered when it asks, not for being in a thread
            await self._bots.admit(thread, said.bot, place.ts)
        outcome = await self.bring(message)
        if outcome.verdict is Verdict.DUPLICATE and message.attachments:
            outcome = await self.bring(files_alone(message))
        if outcome.verdict is Verdict.REFUSED and outcome.text and not said.bot:
            self._errands.send(self._tell(thread, said.user, outcome.text), "refusal")

    async def _author(self, said: Said, me: Installation) -> Person:
        if said.bot:
            return await self._people.bot(me, said.user, said.name)
        return await self._people.person(me, said.user, said.actor_team)

    async def _changed(self, changed: Changed, me: Installation) -> None:
        thread, author = await self._where_and_who(changed, me)
        people = mentioned(changed.text)
        names = await self._people.names(me, people)
        outcome = await self.bring(
            MessageEdited(
                thread=thread,
                author=author,
                event_ids=changed.event_ids,
                at=changed.at,
                message_id=changed.place.ts,
                text=to_plain(changed.text, names, bot_user=me.bot_user),
            )
        )
        if outcome.verdict is Verdict.IGNORED and me.bot_user in people and _is_young(changed):
            await self._said(changed.said, me)  # nobody had spoken to us before the mention was written into it

    async def _withdrawn(self, withdrawn: Withdrawn, me: Installation) -> None:
        gone = MessageDeleted(
            thread=await self._thread(withdrawn, me),
            author=Person(id=withdrawn.user, display_name=""),
            event_ids=withdrawn.event_ids,
            at=withdrawn.at,
            message_id=withdrawn.place.ts,
        )
        await self.bring(gone)
        await self.bring(replace(gone, message_id=files_id(gone.message_id)))

    async def _where_and_who(self, happened: Happened, me: Installation) -> tuple[ThreadKey, Person]:
        return await asyncio.gather(
            self._thread(happened, me), self._people.person(me, happened.user, happened.actor_team)
        )

    async def _thread(self, happened: Happened, me: Installation) -> ThreadKey:
        channel, root = await asyncio.gather(
            self._aliases.known(me.team, happened.place.channel),
            self._aliases.root(me.team, happened.place, said=False),
        )
        return thread_key(me.team, channel, root)

    async def _tell(self, thread: ThreadKey, user: str, text: str) -> None:
        await self._words.tell(await self._posts.line(thread), user, text)


def _is_young(changed: Changed) -> bool:
    """Whether it would still be known that the message was heard before."""
    return (datetime.now(UTC) - changed.at).total_seconds() < YOUNG_S
