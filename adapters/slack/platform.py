"""Slack as a `Platform`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import structlog
from starlette.routing import BaseRoute

from adapters.slack.actions import Actions
from adapters.slack.aliases import Aliases
from adapters.slack.bots import Bots
from adapters.slack.calls import Calls
from adapters.slack.checkup import Checkup
from adapters.slack.door import Door
from adapters.slack.earlier import Earlier
from adapters.slack.errands import Errands
from adapters.slack.events import Events
from adapters.slack.files import Files
from adapters.slack.forms import Forms
from adapters.slack.inbound import PLATFORM
from adapters.slack.installations import Installations
from adapters.slack.links import Links
from adapters.slack.oauth import OAuth
from adapters.slack.people import People
from adapters.slack.posts import Line, Posts
from adapters.slack.reception import Reception
from adapters.slack.refusals import GONE
from adapters.slack.render import render_card, render_said
from adapters.slack.reply import SlackReply
from adapters.slack.settings import SlackSettings, Streaming, read_settings
from adapters.slack.sockets import Sockets
from adapters.slack.words import Words
from bot.errors import Permanent, Transient
from bot.messages import Attachment, IncomingMessage, Person, ThreadKey
from bot.ports import Card, Examination, Form, Intake, Lease, Resources
from bot.tasks import end, to_the_end

log = structlog.get_logger(__name__)

ERRANDS_S = 5.0
INTRODUCE_S = (1.0, 2.0, 5.0, 15.0, 60.0)


def create(environment: Mapping[str, str], resources: Resources) -> SlackPlatform | None:
    """Slack, if it is set up.

    Raises:
        ConfigError: what is set does not make a whole.
    """
    settings = read_settings(environment)
    return None if settings is None else SlackPlatform(settings, resources)


class SlackPlatform:
    """Slack. Only `run` holds a socket; everything else is calls of the Web API with what shared state keeps."""

    name = PLATFORM

    def __init__(self, settings: SlackSettings, resources: Resources) -> None:
        state = resources.state
        self._settings = settings
        self._resources = resources
        self._intake: Intake | None = None
        self._calls = Calls(settings.api_url, resources.waited)
        self._installations = Installations(settings, state, resources.sealer, self._calls)
        self._people = People(settings, state, self._installations, self._calls, resources.tenant_of)
        self._aliases = Aliases(state)
        self._posts = Posts(self._calls, self._installations, self._aliases, state)
        self._words = Words(self._posts)
        self._files = Files(settings, self._installations, self._calls)
        self._earlier = Earlier(self._posts, self._people)
        self._errands = Errands()
        events = Events(
            resources,
            self._installations,
            self._people,
            self._aliases,
            self._posts,
            self._words,
            self._errands,
            Bots(state, settings.bots),
            lambda: self._intake,
        )
        self._forms = Forms(
            state, self._posts, self._words, self._people, self._errands, events, lambda form: self._links.make(form)
        )
        self._links = Links(settings.public_url, state, self._forms)
        self._oauth = OAuth(settings, state, self._installations, self._calls) if settings.has_many_workspaces else None
        actions = Actions(events, self._people, self._aliases, self._posts, self._words, self._forms, self._errands)
        reception = Reception(
            self._calls,
            self._installations,
            events=events.take,
            actions=actions.take,
            submissions=actions.submit,
            flow=None if self._oauth is None else self._oauth.flow,
        )
        secret = settings.signing_secret
        self._door = None if secret is None else Door(secret, reception)
        self._sockets = None if settings.app_token is None else Sockets(settings, self._calls, reception)

    async def run(self, intake: Intake) -> None:
        """Bring what happens in Slack to `intake` until cancelled."""
        self._intake = intake
        tasks: list[asyncio.Task[None]] = []
        if not self._settings.has_many_workspaces:
            tasks.append(asyncio.create_task(self._introduce(), name="slack-introduce"))
        if self._sockets is not None:
            tasks.append(asyncio.create_task(self._sockets.run(), name="slack-sockets"))
        try:
            await asyncio.Event().wait()
        finally:
            await to_the_end(self._close(tasks))

    async def _close(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        await end(*tasks)
        if self._sockets is not None:
            await self._sockets.aclose()
        self._intake = None
        await self._errands.finish(ERRANDS_S)
        await self._people.aclose()

    async def _introduce(self) -> None:
        """Learn who we are; until then nothing is acknowledged that nobody has kept from before."""
        for attempt in range(1_000_000):
            try:
                me = await self._installations.introduce()
            except (Transient, Permanent) as failure:
                wait_s = INTRODUCE_S[min(attempt, len(INTRODUCE_S) - 1)]
                log.error("slack_not_introduced", reason=failure.reason, again_in_s=wait_s)
                await asyncio.sleep(wait_s)
            else:
                log.info("slack_introduced", team=me.team, name=me.name)
                return

    def reply(self, lease: Lease) -> SlackReply:
        """The answer of the turn that `lease` holds."""
        return SlackReply(self._posts, self._aliases, lease, streaming=self._settings.streaming is Streaming.AUTO)

    async def fetch(self, attachment: Attachment, max_bytes: int) -> bytes:
        """The bytes of a file that came with a message."""
        return await self._files.fetch(attachment, max_bytes)

    async def offer(self, thread: ThreadKey, person: Person, form: Form) -> None:
        """Put a button in the thread that opens the form for this person alone."""
        await self._forms.offer(thread, person, form)

    async def notify(self, place: str, card: Card) -> None:
        """Post a card into a channel of the team's, or give the one with its key another content.

        Raises:
            Permanent: `no_handover_channel`: there is no such place.
        """
        channel = place or self._settings.handover_channel
        if not channel:
            raise Permanent("no_handover_channel")
        me = await self._installations.of(card.thread.space)
        line = Line(me=me, channel=channel, root="")
        key, post = f"card/{channel}/{card.key}", render_card(card, await self.link(card.thread))
        stands = await self._posts.standing(key)
        if stands is not None:
            try:
                await self._posts.update(line, stands, post)
            except Permanent as failure:
                if failure.reason not in GONE:
                    raise
                await self._posts.forget(key)  # somebody deleted it
            else:
                return
        await self._posts.once(line, key, post)

    async def say(self, thread: ThreadKey, text: str, *, key: str) -> None:
        """Post a message into the thread, once per key."""
        line = await self._posts.line(thread)
        await self._posts.once(line, f"say/{thread}/{key}", render_said(text, f"say/{thread}/{key}"))

    async def earlier(self, thread: ThreadKey, before: str) -> Sequence[IncomingMessage]:
        """What people wrote in the thread before us, the newest of it."""
        return await self._earlier.read(thread, before)

    async def direct(self, thread: ThreadKey, person: Person, text: str) -> None:
        """Tell one person something in the thread, unseen by others."""
        await self._words.tell(await self._posts.line(thread), person.id, text)

    async def delete(self, thread: ThreadKey, message_id: str) -> bool:
        """Never: Slack lets a bot delete its own messages only."""
        return False

    async def link(self, thread: ThreadKey) -> str:
        """Where members of the conversation's channel open it."""
        me = await self._installations.of(thread.space)
        current = await self._aliases.current(thread.space, thread.channel)
        return f"{me.url}archives/{quote(current)}/p{thread.root.replace('.', '')}" if me.url and thread.root else ""

    async def describe(self, space: str, person_id: str) -> Person:
        """Somebody, as Slack knows them."""
        return await self._people.person(await self._installations.of(space), person_id)

    def routes(self) -> Sequence[BaseRoute]:
        """What the HTTP port serves for Slack."""
        events = [] if self._door is None else [self._door.route()]
        return [*events, *([] if self._oauth is None else self._oauth.routes()), *self._links.routes()]

    async def ping(self) -> None:
        """Whether events can come in, as far as this process knows.

        Raises:
            Transient: they cannot.
        """
        if self._sockets is not None:
            await self._sockets.check()
        if self._door is not None:
            self._door.check_clock()

    async def examine(self) -> Examination:
        """Look at Slack with the settings at hand."""
        return await Checkup(self._settings, self._calls, self._installations).look()

    async def aclose(self) -> None:
        """End what is done beside the turns, and close connections."""
        await self._errands.finish(ERRANDS_S)
        await self._people.aclose()
        await self._calls.aclose()
