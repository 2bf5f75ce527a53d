"""The sockets in the wall: what the core needs from outside. `bot/app.py` alone knows what is plugged in."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeVar

from pydantic import BaseModel

from bot.conversation import Conversation, Entries, Entry, ToolCall, ToolSpec, ToolTurn, Turn
from bot.messages import Attachment, Event, IncomingMessage, Person, PersonRef, ThreadKey

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

# --------------------------------------------------------------------------------------------------------- intake


class Verdict(StrEnum):
    """What became of an event; all but `BUSY` mean that the platform may be acknowledged."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    DONE = "done"
    REFUSED = "refused"
    BUSY = "busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that we made, such as a transcript."""

    name: str
    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What intake says to the adapter that brought an event.

    Args:
        verdict: see `Verdict`.
        text: the message as it may be kept and shown, secrets masked (for a message); what to tell the author, and the
            author alone (for everything else, and for a message that was refused), as Markdown.
        secrets: how many secrets were caught in the text.
        file: for the author alone, beside the text.
    """

    verdict: Verdict
    text: str = ""
    secrets: int = 0
    file: File | None = None

    @property
    def may_acknowledge(self) -> bool:
        """Whether the event is in safe hands (or settled), so that the platform need not send it again."""
        return self.verdict is not Verdict.BUSY


Intake = Callable[[Event], Awaitable[Outcome]]
"""Where adapters bring events.

Raises:
    Transient: it could not be stored; do not acknowledge.
"""

# ------------------------------------------------------------------------------------------------------- platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A private form for one person in one thread; secrets are typed into it instead of the conversation.

    Args:
        id: comes back in `FormSubmitted.form_id`.
        title: what the form is for.
        fields: name -> label, in order.
        secret_fields: names whose input is hidden.
    """

    id: str
    title: str
    fields: Mapping[str, str]
    secret_fields: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A message of ours for people who work here.

    Args:
        key: names the card in its place; a card with the key of an earlier one takes its place.
        text: Markdown.
        thread: the conversation that it is about; its buttons act on it, and the adapter links to it.
        buttons: action -> label; a press comes back as `ButtonPressed` with this thread.
    """

    key: str
    title: str
    text: str
    thread: ThreadKey
    buttons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted:
    """A tool is about to run."""

    call: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinished:
    """A tool ran, or was refused; `result.content` is what the model reads."""

    call: ToolCall
    result: ToolTurn


Activity = ToolStarted | ToolFinished


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The committed answer of a turn: from here on nobody can produce another one.

    Args:
        text: the whole answer as Markdown, filtered; empty when the turn ends without words.
        turn: the turn's number in the thread.
        addressee: id of the person who is answered, the only one who may be mentioned.
    """

    text: str
    turn: int
    addressee: str


class ReplyStream(Protocol):
    """One turn's answer on its way to a platform: the adapter paces, splits and edits; no delta waits for it."""

    def append(self, delta: str) -> None:
        """Show more text, soon. Never waits."""

    def status(self, activity: Activity) -> None:
        """Show what is being done. Never waits."""

    async def close(self, reply: Reply) -> None:
        """Make what is shown equal to `reply` and settle; repeating it changes nothing.

        Raises:
            Transient: not delivered; the same reply is delivered again later, by whoever holds the thread then.
            Permanent: cannot be delivered ever (channel archived, bot removed).
        """

    async def abandon(self) -> None:
        """Stop writing at once and leave what is shown to the next owner of the thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What `frontdesk check` says of a platform: what was found, and each thing that is wrong with its mend."""

    facts: Sequence[str] = ()
    problems: Sequence[str] = ()


class Platform(Protocol):
    """One chat platform. `run` holds the socket; everything else works without it, so that any process can use it."""

    name: str

    async def run(self, intake: Intake) -> None:
        """Bring events to `intake` until cancelled."""

    def reply(self, lease: Lease) -> ReplyStream:
        """Begin, or take over, the answer of the turn that `lease` holds."""

    async def fetch(self, attachment: Attachment, max_bytes: int) -> bytes:
        """Read a file that somebody attached.

        Raises:
            ToolFailed: gone, too large (`too_large`), or not what the platform serves as a file.
        """

    async def offer(self, thread: ThreadKey, person: Person, form: Form) -> None:
        """Put a way to open `form` before this person, in or near this thread; nobody else can use it."""

    async def notify(self, place: str, card: Card) -> None:
        """Post a card to a place of the team's, or change the one with its key; `""` is where hand-overs are told.

        Raises:
            Transient, Permanent: nobody was told.
        """

    async def say(self, thread: ThreadKey, text: str, *, key: str) -> None:
        """Post a message of the desk's own (no turn's answer) into the thread, once per `key`.

        Args:
            text: Markdown, filtered.

        Raises:
            Transient: it may be said again with the same key.
            Permanent: it cannot be said in this thread ever.
        """

    async def earlier(self, thread: ThreadKey, before: str) -> Sequence[IncomingMessage]:
        """What people wrote in a thread that was joined late, before message `before`: oldest first, the newest kept.

        Bounded in number; empty where threads begin with us. Nothing of it is a question to the bot.
        """

    async def direct(self, thread: ThreadKey, person: Person, text: str) -> None:
        """Tell one person something that others in the thread do not see."""

    async def delete(self, thread: ThreadKey, message_id: str) -> bool:
        """Delete a person's message where the bot may; whether it is gone."""

    async def describe(self, space: str, person_id: str) -> Person:
        """Look a person up."""

    def routes(self) -> Sequence[BaseRoute]:
        """What the one HTTP port shall serve for this platform."""

    async def ping(self) -> None:
        """Whether events can come in, as far as this process knows; never calls the platform.

        Raises:
            Transient: they cannot; the reason is shown by `/readyz`.
        """

    async def examine(self) -> Examination:
        """Look at the platform with the settings at hand, and say what an operator has to mend."""

    async def aclose(self) -> None:
        """Close connections that calls keep open; nothing is called after it."""


# -------------------------------------------------------------------------------------------------------- mailbox


class Order(StrEnum):
    """What a running turn is told to do at once."""

    STOP = "stop"
    PAUSE = "pause"
    HUMAN = "human"


class Mode(StrEnum):
    """Who has the thread."""

    BOT = "bot"
    PAUSED = "paused"
    HUMAN = "human"


class Put(StrEnum):
    """What `Mailbox.put` did."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    FULL = "full"
    BUSY = "busy"


class Address(StrEnum):
    """Whom a message is for, as far as the message itself tells; the mailbox knows the thread.

    `DESK` is for what code puts on the record: it is taken, and begins no conversation with its author.
    """

    BOT = "bot"
    DESK = "desk"
    PARTY = "party"
    OTHERS = "others"


class Refs(Protocol):
    """The platform messages of a turn, kept with the lease: part -> platform message id."""

    def get(self, part: str) -> str | None:
        """The id that is on record for this part."""

    async def put(self, part: str, message_id: str) -> None:
        """Keep an id before anything else happens with it.

        Raises:
            LeaseLost: another worker owns the thread; the message is not ours to write to.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A claimed thread. Values change by replacement: every fenced operation gives the lease as it is after it.

    Args:
        token: random owner token; compared for equality by every script.
        turn: number of the turn, from 1.
        step: how many steps of this turn are on the record; each append names the step that it follows.
        attempt: how often this turn was claimed, from 1.
        begins: index on the record of the turn's first entry.
        record: the window of the record, the turn's own entries at its end.
        mode: who has the thread.
        order: what was ordered since the claim.
        committed: the reply that is committed and not yet settled.
        exhausted: this was the last attempt allowed; close the turn with an apology and a dead letter.
        fault: why an earlier attempt was given back, where it was not the process that ended.
        refs: platform messages already posted for this turn.
    """

    thread: ThreadKey
    token: str
    turn: int
    step: int
    attempt: int
    begins: int
    record: Conversation
    mode: Mode
    refs: Refs
    order: Order | None = None
    committed: Reply | None = None
    exhausted: bool = False
    fault: str = ""

    @property
    def mail(self) -> Entries:
        """The entries of this turn."""
        return self.record.entries[max(0, self.begins - self.record.start) :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A message as the mailbox has it: at `index` of the record, or (without one) in the inbox."""

    entry: Entry
    index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A turn that was given up."""

    id: str
    thread: ThreadKey
    turn: int
    reason: str
    at: datetime
    author: Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits in the mailbox.

    Args:
        ready: threads that are due and that nobody has taken.
        oldest_s: how long the longest waiting of them has been due.
        open: messages that are accepted and not settled.
        dead: dead letters.
    """

    ready: int
    oldest_s: float
    open: int
    dead: int


class Mailbox(Protocol):
    """Threads as actors: an inbox, a record, and a lease each. Every operation is idempotent under client retry.

    All fenced operations (those that take a `Lease`) raise `LeaseLost` when another owner holds the thread, and
    `Transient` when the store cannot be reached.
    """

    async def put(
        self, thread: ThreadKey, turn: Turn, *, event_ids: Sequence[str], address: Address = Address.BOT
    ) -> Put:
        """Accept one piece of mail, once; the thread is due now."""

    async def find(self, thread: ThreadKey, message_id: str) -> Found | None:
        """A message that was accepted, in the inbox or on the record, as it was written down last."""

    async def edit(self, thread: ThreadKey, found: Found, turn: Turn) -> bool:
        """Replace mail that no turn has taken yet; whether it was still there."""

    async def erase(self, thread: ThreadKey, message_id: str) -> bool:
        """Forget a message in every form: drop what waits, empty what is on the record; whether it was found."""

    partitions: int
    """How many claims can be made independently of each other."""

    async def claim(self, partition: int, woken: ThreadKey | None = None) -> Lease | float:
        """Take `woken` if it is due, or the thread that has been due longest.

        Returns:
            The lease; else the seconds until the next thread is due, at most the poll time.
        """

    async def wait(self, partition: int, timeout_s: float) -> ThreadKey | None:
        """The thread for which mail has come, as soon as it does; nothing when none came for `timeout_s`."""

    async def join(self, lease: Lease) -> Lease:
        """Take further mail of the same author into this turn; the same lease when there is none."""

    async def step(self, lease: Lease, *turns: Turn) -> Lease:
        """Append to the record, once, and renew."""

    async def commit(
        self, lease: Lease, turns: Sequence[Turn], reply: Reply, *, dead: str | None = None, account: bytes = b""
    ) -> Lease:
        """Append the turn's last entries and keep the reply to deliver, once; `dead` also makes a dead letter.

        Args:
            account: what the turn took, kept in the place of the thread's last account.
        """

    async def account(self, thread: ThreadKey) -> bytes | None:
        """What the last committed turn with an account took."""

    async def done(self, lease: Lease, *, dead: str | None = None) -> None:
        """The turn is settled: the thread is idle, or due again when mail has come; with `dead` also a dead letter."""

    async def renew(self, lease: Lease) -> Lease:
        """Keep the thread for another lease time and hear orders."""

    async def release(self, lease: Lease, *, delay_s: float = 0.0, refund: bool = False, fault: str = "") -> None:
        """Give the thread back, due after `delay_s`; `refund` takes the attempt back (drain), `fault` says why."""

    async def is_gone(self, lease: Lease) -> bool:
        """Whether the store has lost the thread as a whole, record and all: nobody else will answer it."""

    async def order(self, thread: ThreadKey, order: Order) -> None:
        """Tell the running turn, if any; `HUMAN` and `PAUSE` also change the mode until `hand_back`."""

    async def hand_over(self, thread: ThreadKey) -> None:
        """A human has the thread from the next turn on; the running one may say its last words."""

    async def hand_back(self, thread: ThreadKey) -> None:
        """The bot has the thread again."""

    async def mode(self, thread: ThreadKey) -> Mode:
        """Who has the thread."""

    def news(self) -> AsyncGenerator[ThreadKey, None]:
        """Threads about which something was published (mail for a running turn, an order); only wakes, never tells."""

    async def load(self, thread: ThreadKey, start: int = 0) -> Conversation:
        """The record from index `start`."""

    async def inbox(self, thread: ThreadKey) -> Sequence[Entry]:
        """Mail that is accepted and not yet on the record."""

    async def backlog(self) -> Backlog:
        """What waits at this moment."""

    async def dead_letters(self) -> Sequence[DeadLetter]:
        """Turns that were given up, oldest first."""

    async def retry(self, letter_id: str) -> bool:
        """Make a given-up turn due again, once; whether the letter was there."""

    async def drop(self, letter_id: str) -> bool:
        """Throw a dead letter away; whether it was there."""


class SharedState(Protocol):
    """Small facts that every process sees, namespaced per owner. Values are bytes; keys are free text."""

    async def get(self, key: str) -> bytes | None: ...

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None: ...

    async def delete(self, key: str) -> bool: ...

    async def compare_and_set(
        self, key: str, expected: bytes | None, value: bytes, *, ttl_s: float | None = None
    ) -> bool:
        """Set only if the value is still `expected` (`None`: absent); whether it was set."""

    async def increment(self, key: str, *, ttl_s: float | None = None) -> int:
        """Count up by one; the time to live begins at the first count."""

    async def append(self, key: str, value: bytes, *, ttl_s: float | None = None) -> int:
        """Append to a log; the index of what was appended."""

    async def read(self, key: str, start: int = 0) -> Sequence[bytes]:
        """A log from index `start`."""

    async def replace(self, key: str, index: int, value: bytes) -> bool:
        """Put another entry in the place of one (what was deleted is forgotten); whether it was there."""

    async def plan(self, key: str, item: bytes, *, after_s: float) -> None:
        """Have an item of an agenda come up after a while; planned again, it comes up then instead."""

    async def cancel(self, key: str, item: bytes) -> bool:
        """Take an item off the agenda; whether it was on it."""

    async def due(self, key: str, *, lease_s: float) -> bytes | None:
        """An item whose time has come, kept from everybody else for `lease_s`; who has dealt with it cancels it."""

    async def publish(self, channel: str, value: bytes) -> None:
        """Tell whoever listens at this moment; nobody else will know."""

    def subscribe(self, channel: str) -> AsyncGenerator[bytes, None]:
        """What is published from now on. The first item is an empty one: from there on nothing is missed."""

    def within(self, owner: str) -> SharedState:
        """The same store under a longer namespace."""


# ----------------------------------------------------------------------------------------------------------- desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A row of the desk.

    Args:
        status: `Open` or `Closed`.
        customer: username of the verified customer, if any.
        person: who opened it, as `platform:space:person id`.
        receipt: SHA-256 of the picture of the receipt that it is about.
        assignee: the colleague who takes care, as `platform:space:person id`.
    """

    number: int
    status: str
    name: str
    issue: str
    customer: str | None
    person: str
    thread: str
    created_at: datetime
    platform: str = ""
    organisation: str = ""
    receipt: str | None = None
    assignee: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketNote:
    """What a colleague wrote on a ticket; customers never see it."""

    author: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketChange:
    """A ticket that was given a status; `changes` counts those that changed something, so that it names each."""

    ticket: Ticket
    before: str
    changes: int


class About(StrEnum):
    """What a vote judges."""

    ANSWER = "answer"
    CASE = "case"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what to which thing, when, and how it ended."""

    at: datetime
    actor: str
    action: str
    target: str
    result: str
    tenant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """Bytes that the platform cannot serve again (page uploads, a form's file), kept 24 h."""

    id: str
    thread: str
    person: str
    name: str
    media_type: str
    data: bytes = field(repr=False)


class Desk(Protocol):
    """Business data over SQL; every row and query has the tenant. `person` is `platform:space:person id`."""

    async def open_ticket(
        self,
        tenant: str,
        *,
        name: str,
        issue: str,
        person: str,
        customer: str | None,
        thread: str,
        idempotency_key: str,
        organisation: str = "",
        per_day: int | None = None,
    ) -> Ticket:
        """Open a ticket, once per key: the same key gives the same ticket.

        Args:
            per_day: how many this person may open in 24 hours; no limit when absent.

        Raises:
            ToolDenied: `too_many_tickets`.
        """

    async def find_ticket(self, tenant: str, number: int) -> Ticket | None: ...

    async def list_tickets(
        self,
        tenant: str,
        *,
        status: str | None = None,
        assignee: str | None = None,
        thread: str | None = None,
        limit: int = 20,
    ) -> Sequence[Ticket]:
        """The youngest tickets that fit, youngest first."""

    async def set_ticket(self, tenant: str, number: int, status: str) -> TicketChange | None:
        """Give a ticket another status; nothing when there is no such ticket."""

    async def assign_tickets(self, tenant: str, thread: str, assignee: str) -> None:
        """Have a colleague take care of the open tickets of a thread."""

    async def note_ticket(self, tenant: str, number: int, *, note_id: str, author: str, text: str) -> bool:
        """Write on a ticket, once per id; whether there is such a ticket."""

    async def ticket_notes(self, tenant: str, number: int) -> Sequence[TicketNote]:
        """What was written on a ticket, oldest first."""

    async def check_customer(self, tenant: str, username: str, key: str) -> str | None:
        """The customer's registered username when the key is right; takes as long when there is no such customer."""

    async def save_upload(self, tenant: str, upload: Upload) -> None: ...

    async def read_upload(self, tenant: str, upload_id: str) -> Upload | None: ...

    async def record_audit(self, tenant: str, *, actor: str, action: str, target: str, result: str) -> None: ...

    async def read_audit(self, *, tenant: str | None = None, limit: int = 100) -> Sequence[AuditEntry]:
        """The last entries, oldest first; of every tenant when none is named."""

    async def record_vote(
        self,
        tenant: str,
        *,
        thread: str,
        turn: int,
        person: str,
        value: int,
        comment: str = "",
        about: About = About.ANSWER,
    ) -> None:
        """Keep a vote; a later one of the same person on the same turn replaces it."""


# --------------------------------------------------------------------------------------------------------- reports


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRow:
    """A turn as reports count it; nothing of what was said is in it.

    Args:
        person: `platform:space:person id`.
        response_ms: from the customer's message to the first text of the answer; nothing when there was none.
        handed_over: a human was called in this turn.
        money: in the currency of the settings.
    """

    tenant: str
    thread: ThreadKey
    turn: int
    person: str
    outcome: str
    at: datetime
    duration_ms: int
    response_ms: int | None = None
    calls: int = 0
    tool_calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    money: float = 0.0
    handed_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLine:
    """One day in one channel; times are UTC.

    Args:
        conversations: threads in which somebody was answered.
        alone: those of them that no human was called to.
        handed_over: why -> conversations: `bot` (the model, or a customer's words to it), `customer` (a button),
            `colleague` (who took it).
        first_response_ms: of each conversation that began on this day, sorted.
        unresolved: questions that got no answer, or one that the customer voted down.
        tokens: read and written.
    """

    day: date
    platform: str
    channel: str
    conversations: int
    turns: int
    alone: int
    handed_over: Mapping[str, int]
    first_response_ms: Sequence[int]
    votes_up: int
    votes_down: int
    unresolved: int
    tokens: int
    money: float


class TurnLog(Protocol):
    """Turns, one row each, for reports."""

    async def record(self, rows: Sequence[TurnRow]) -> None:
        """Keep rows; a turn that was tried again adds what that cost to its row.

        Raises:
            Transient: nothing was kept.
        """

    async def report(self, tenant: str, since: datetime, until: datetime) -> Sequence[ReportLine]:
        """Every day and channel in which something happened, oldest first."""


# ------------------------------------------------------------------------------------------------------ forgetting


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """How much was looked at, and how much of it names the person."""

    looked_at: int
    found: int


class Forgetting(Protocol):
    """A store that can forget one person, and show that it has.

    Raises:
        Transient: the store cannot be reached; forgetting may be begun again.
    """

    async def forget(self, person: PersonRef) -> Mapping[str, int]:
        """Forget; what was erased, and how much of it. Repeating it changes nothing."""

    async def search(self, person: PersonRef) -> Mapping[str, Searched]:
        """Look at everything that is kept: place -> how much names the person."""


# --------------------------------------------------------------------------------------------------------- budgets


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLine:
    """How much of one limit is used.

    Args:
        scope: whose it is: `thread`, `person`, `organisation`, `day` (everybody together), or `messages` of a person.
        unit: `calls`, `tokens`, `money` (in the currency of the settings), or `messages`.
        ends_at: when counting begins anew, aware UTC; nothing while nothing is counted.
    """

    scope: str
    unit: str
    used: float
    limit: float
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Something that is counted for a while, from the first of it on."""

    name: str
    lasts_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a window holds, and when it ends, aware UTC."""

    total: int
    ends_at: datetime


class Counts(Protocol):
    """Counts that every process adds to.

    Raises:
        Transient: they cannot be reached.
    """

    async def add(self, amounts: Mapping[Window, int]) -> Mapping[Window, Counted]:
        """Add, and tell what the windows hold after it."""

    async def read(self, windows: Sequence[Window]) -> Mapping[Window, Counted]:
        """What the windows hold, those left out that hold nothing."""


class Budgets(Protocol):
    """What may be spent on models, and what was."""

    async def status(self, thread: ThreadKey, person: Person | None = None) -> Sequence[BudgetLine]:
        """Every limit that is set and concerns this thread and, when one is named, this person.

        Raises:
            Transient: the counts cannot be read.
        """


# ---------------------------------------------------------------------------------------------------------- models


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """What a model is asked.

    Args:
        system: the stable prefix.
        messages: Chat Completions messages as JSON bytes, oldest first.
        tools: sorted by name; the same from request to request.
        may_call: whether the model may answer with calls (else it is told to use words).
    """

    system: str
    messages: Sequence[bytes]
    tools: Sequence[ToolSpec] = ()
    may_call: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """More text."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a request cost, in tokens, as the endpoint counts them.

    Args:
        request_bytes: length of the request as it was sent; 0 where that is not known.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    request_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedCall:
    """A call as the provider sent it, fragments joined; `id` is the provider's and proves nothing."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """The end of a model's answer: it came to its end, and this is the whole of it.

    Args:
        finish_reason: `stop`, `tool_calls`, `length`, `content_filter` or what the endpoint says.
    """

    text: str
    calls: tuple[RequestedCall, ...]
    finish_reason: str
    usage: Usage | None = None


class ChatModel(Protocol):
    """A chat model."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | Completion, None]:
        """Deltas as they come, then exactly one `Completion`, always last.

        Raises:
            Transient: rate limit, server error, time-out, broken or unfinished stream, something that is no answer.
            Permanent: the endpoint refuses for good (key, model name, request).
            ContextOverflow: see `bot.errors`; a smaller window may work.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A safe picture: re-encoded by us, without metadata."""

    media_type: str
    data: bytes = field(repr=False)
    width: int
    height: int


Schema = TypeVar("Schema", bound=BaseModel)


class VisionModel(Protocol):
    """A model that reads a picture into a schema; it has no tools and no history."""

    async def extract(self, image: Image, schema: type[Schema]) -> Schema:
        """Read a picture.

        Raises:
            ToolFailed: `unreadable`: no answer that fits the schema came back.
            Transient: the endpoint is not available.
        """


# ------------------------------------------------------------------------------------------------------- resources


class Sealer(Protocol):
    """Authenticated encryption with the installation's secret key, for what an adapter must keep (tokens)."""

    def seal(self, value: bytes, bound_to: str) -> bytes:
        """Encrypt; what is sealed opens only with the same `bound_to`."""

    def unseal(self, sealed: bytes, bound_to: str) -> bytes:
        """Undo `seal`.

        Raises:
            Permanent: it was not sealed with this key for this purpose.
        """


class Listening(StrEnum):
    """What of a channel is for the bot, besides threads that it takes part in."""

    MENTIONS = "mentions"
    EVERYTHING = "everything"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRules:
    """What admins set for one channel.

    Args:
        listening: what begins a conversation.
        private: conversations go on where only the customer and the team read along, if the platform can.
        language: answers are in this language (a name such as `German`); the customer's own when empty.
        greeting: said once at the beginning of a conversation.
        hours: when humans are at work, in words for the customer.
    """

    listening: Listening = Listening.MENTIONS
    private: bool = False
    language: str = ""
    greeting: str = ""
    hours: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What `bot/app.py` hands to an adapter.

    Args:
        state: the adapter's own namespace.
        desk: business data.
        mailbox: for showing a record, never for writing to one.
        tenant_of: space -> tenant.
        sealer: for secrets that the adapter must keep.
        channel_rules: what admins set for the channel of a thread.
        waited: told of every wait that the platform's rate limits ask for, in seconds.
        demo: this is `frontdesk demo` on the machine of whoever looks at it.
        mask: takes secrets out of a text that an adapter keeps by itself, such as a file's name.
    """

    state: SharedState
    desk: Desk
    mailbox: Mailbox
    tenant_of: Callable[[str], str]
    sealer: Sealer
    channel_rules: Callable[[ThreadKey], Awaitable[ChannelRules]]
    waited: Callable[[float], None] = lambda seconds: None
    demo: bool = False
    mask: Callable[[str], str] = lambda text: text
