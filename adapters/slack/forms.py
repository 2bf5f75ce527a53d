"""Private forms: a button in the thread that serves one person, and behind it a modal.

What is typed goes from the modal to intake and to nowhere else. Where no modal can be opened, the person gets another
way and is told which: a button that they alone see when it was too late for the modal, else a page that is good for
once (with `PUBLIC_URL`), or the button in a direct message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec
import structlog
from slack_bolt.response import BoltResponse

from adapters.slack.errands import Errands
from adapters.slack.events import Events
from adapters.slack.installations import Installation
from adapters.slack.people import People
from adapters.slack.posts import Line, Posts
from adapters.slack.presses import Pressed
from adapters.slack.render import form_view, render_again, render_offer, render_offer_done, text_view
from adapters.slack.words import Words
from bot.errors import BotError, Permanent, Transient
from bot.messages import Audience, FormSubmitted, Person, ThreadKey
from bot.ports import Form, Outcome, SharedState, Verdict

log = structlog.get_logger(__name__)

KEPT_S = 3600.0
CHECK_S = 2.2
"""How long somebody looks at the modal while what they typed is checked; Slack gives it three seconds."""

AGAIN = "That took too long. Please press this button."
LINK = "The form cannot be opened here. This page is for you alone; it can be used once, within 15 minutes: {link}"
DIRECT = "The form cannot be opened here. I have sent you a direct message with the button."
NO_WAY = "The form cannot be opened here, and I cannot reach you directly. Please press *Talk to a human*."
_TOO_LATE = frozenset({"expired_trigger_id", "trigger_expired", "trigger_exchanged", "exchanged_trigger_id"})

LATER = "This is being checked …"

NOT_YOURS = "This form was offered to somebody else, or its time is over."
BUSY = "We are very busy at the moment. Please try again in a minute."


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A form that was put before somebody.

    Args:
        thread: as text.
        ts: the message with the button.
    """

    thread: str
    person: str
    title: str
    fields: dict[str, str]
    secret_fields: list[str]
    ts: str = ""
    done: bool = False


class Forms:
    """Offers forms, opens them, and takes what comes back.

    Args:
        make_link: gives the address of a page for a form, where there are such pages.
    """

    def __init__(
        self,
        state: SharedState,
        posts: Posts,
        words: Words,
        people: People,
        errands: Errands,
        events: Events,
        make_link: Callable[[str], Awaitable[str | None]],
    ) -> None:
        self._people = people
        self._make_link = make_link
        self._state = state
        self._posts = posts
        self._words = words
        self._errands = errands
        self._events = events

    async def offer(self, thread: ThreadKey, person: Person, form: Form) -> None:
        """Put a button before this person; an earlier one for the same form goes away."""
        before = await self._read(form.id)
        line = await self._posts.line(thread)
        offered = Offer(
            thread=str(thread),
            person=person.id,
            title=form.title,
            fields=dict(form.fields),
            secret_fields=sorted(form.secret_fields),
        )
        await self._keep(form.id, offered)
        ts = await self._posts.post(line, render_offer(form, thread, person.id, f"form/{form.id}"))
        await self._keep(form.id, replace(offered, ts=ts))
        if before is not None and before.ts:
            self._errands.send(self._posts.delete(line, before.ts, may_stream=False), "old offer")

    async def open(self, pressed: Pressed, me: Installation) -> None:
        """Open the form for whoever it was offered to."""
        form_id = pressed.value.partition(" ")[0]
        offer = await self._read(form_id)
        here = Line(me=me, channel=pressed.channel, root=pressed.root)
        if offer is None or offer.done or offer.person != pressed.user:
            await self._words.answer(here, pressed.user, NOT_YOURS, pressed.response_url)
            return
        view = form_view(form_id, offer.thread, offer.title, offer.fields, offer.secret_fields)
        try:
            await self._posts.call(here, "views.open", {"trigger_id": pressed.trigger, "view": view}, patience_s=2.0)
        except (Transient, Permanent) as failure:
            log.warning("slack_form_not_opened", reason=failure.reason)
            await self._another_way(form_id, offer, here, pressed, failure.reason)

    async def _another_way(self, form_id: str, offer: Offer, here: Line, pressed: Pressed, reason: str) -> None:
        """Give the person another way to the form, and say which."""
        thread = ThreadKey.parse(offer.thread)
        form = Form(id=form_id, title=offer.title, fields=offer.fields)
        if reason in _TOO_LATE:
            await self._words.tell(here, pressed.user, AGAIN, render_again(AGAIN, form, thread))
            return
        link = await self._make_link(form_id)
        if link is not None:
            await self._words.answer(here, pressed.user, LINK.format(link=link), pressed.response_url)
            return
        post = render_offer(form, thread, pressed.user, f"form/{form_id}")
        told = DIRECT
        try:
            if here.channel.startswith("D"):
                raise Permanent("already_direct")
            await self._words.direct(here, pressed.user, post.text, list(post.blocks))
        except (Transient, Permanent):
            told = NO_WAY
        await self._words.answer(here, pressed.user, told, pressed.response_url)

    async def receive(self, form_id: str, offer: Offer, typed: Mapping[str, str], *, nonce: str) -> Outcome:
        """Bring what was typed on a page to its check.

        Raises:
            Transient: it was not checked.
        """
        line = await self._posts.line(ThreadKey.parse(offer.thread))
        author = await self._people.person(line.me, offer.person)
        outcome = await self._events.bring(
            _event(form_id, offer, typed, author, datetime.now(UTC), (f"page:{form_id}:{nonce}",))
        )
        if outcome.verdict is Verdict.DONE:
            self._errands.send(self._done(form_id, offer, author, outcome.text), "form done")
        return outcome

    async def open_offer(self, form_id: str) -> Offer | None:
        """A form that waits to be filled in."""
        offer = await self._read(form_id)
        return None if offer is None or offer.done else offer

    async def submit(
        self, pressed: Pressed, typed: Mapping[str, str], author: Person, me: Installation
    ) -> BoltResponse | None:
        """Bring what was typed to its check; what is wrong is said inside the form."""
        form_id = pressed.value.partition(" ")[0]
        offer = await self._read(form_id)
        if offer is None or offer.person != author.id:
            return _wrong(typed, NOT_YOURS)
        checking = asyncio.create_task(self._bring(form_id, offer, pressed, typed, author))
        await asyncio.wait({checking}, timeout=CHECK_S)
        if not checking.done():
            self._errands.send(self._told_later(form_id, offer, author, pressed.view, checking), "form")
            return BoltResponse(status=200, body={"response_action": "update", "view": text_view(offer.title, LATER)})
        outcome = checking.result()
        if outcome.verdict in (Verdict.REFUSED, Verdict.BUSY):
            return _wrong(typed, outcome.text or BUSY)
        self._errands.send(self._done(form_id, offer, author, outcome.text), "form done")
        return None

    async def _told_later(
        self, form_id: str, offer: Offer, author: Person, view_id: str, checking: asyncio.Task[Outcome]
    ) -> None:
        """Tell what came of a check that took long: in the modal, if it is still open."""
        outcome = await checking
        line = await self._posts.line(ThreadKey.parse(offer.thread))
        if outcome.verdict in (Verdict.REFUSED, Verdict.BUSY):
            told = outcome.text or BUSY
            view = form_view(form_id, offer.thread, offer.title, offer.fields, offer.secret_fields, told)
        else:
            await self._done(form_id, offer, author, outcome.text)
            told, view = "", text_view(offer.title, outcome.text)
        try:
            await self._posts.call(line, "views.update", {"view_id": view_id, "view": view})
        except Permanent as failure:
            log.info("slack_modal_closed", reason=failure.reason)
            if told:
                await self._words.tell(line, author.id, told)

    async def _bring(
        self, form_id: str, offer: Offer, pressed: Pressed, typed: Mapping[str, str], author: Person
    ) -> Outcome:
        try:
            return await self._events.bring(_event(form_id, offer, typed, author, pressed.at, pressed.event_ids))
        except BotError:
            return Outcome(verdict=Verdict.BUSY, text=BUSY)

    async def _done(self, form_id: str, offer: Offer, author: Person, told: str) -> None:
        line = await self._posts.line(ThreadKey.parse(offer.thread))
        await self._keep(form_id, replace(offer, done=True))
        if offer.ts:
            await self._posts.update(line, offer.ts, render_offer_done(offer.title, author.id, f"form/{form_id}"))
        if told:
            await self._words.tell(line, author.id, told)

    async def _read(self, form_id: str) -> Offer | None:
        stored = await self._state.get(f"form/{form_id}")
        return None if stored is None else msgspec.json.decode(stored, type=Offer)

    async def _keep(self, form_id: str, offer: Offer) -> None:
        await self._state.set(f"form/{form_id}", msgspec.json.encode(offer), ttl_s=KEPT_S)


def _event(
    form_id: str, offer: Offer, typed: Mapping[str, str], author: Person, at: datetime, event_ids: tuple[str, ...]
) -> FormSubmitted:
    thread = ThreadKey.parse(offer.thread)
    return FormSubmitted(
        thread=thread,
        author=author,
        event_ids=event_ids,
        at=at,
        form_id=form_id,
        audience=Audience.DIRECT if thread.channel.startswith("D") else Audience.SHARED,
        fields={name: typed.get(name, "") for name in offer.fields},
    )


def _wrong(typed: Mapping[str, str], text: str) -> BoltResponse:
    first = next(iter(typed), "username")
    return BoltResponse(status=200, body={"response_action": "errors", "errors": {first: text[:2000]}})
