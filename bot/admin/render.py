"""What an admin reads, as Markdown. Pure; what customers and tools wrote is inert in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from bot.accounts import Account
from bot.casework import Case, named, quoted
from bot.conversation import AssistantTurn, Entry, ToolTurn
from bot.ports import BudgetLine, ChannelRules, DeadLetter, Listening, Mode, ReportLine, Ticket, TicketNote
from bot.questions import Question
from bot.report import summary

_RESULT_CHARS = 300

CHANNELS = 8
"""Channels that `status` tells by themselves, the busiest."""

TOLD_CHARS = 6_000
"""How long a list may be: Slack takes 12,000 characters of Markdown in a message, Discord four parts of 2,000."""

_WHO = {
    Mode.BOT: "Frontdesk answers in this thread.",
    Mode.PAUSED: "Frontdesk is paused in this thread; messages are kept on the record.",
    Mode.HUMAN: "A human colleague has this thread; Frontdesk is silent and keeps the record.",
}


def status(
    mode: Mode | None,
    case: Case | None,
    *,
    paused: Sequence[str],
    tickets: Sequence[Ticket],
    letters: int,
    blocked: int,
) -> str:
    """How a thread (with a mode) and the desk stand.

    Args:
        paused: where nobody is answered, in words.
        tickets: open ones, of the thread or of the whole desk.
        letters: dead letters of this tenant.
        blocked: persons who are not listened to.
    """
    lines = [] if mode is None else [_WHO[mode]]
    if mode is Mode.HUMAN and case is not None and case.is_open:
        by = named(case.assignee) if case.assignee else "nobody yet"
        waits = f"; {named(case.person)} has waited since {_at(case.waiting)}" if case.waiting else ""
        lines.append(f"Taken by: {by}{waits}.")
    lines += [f"Paused: {place}." for place in paused]
    lines.append(_counted(len(tickets), "open ticket") + (f": {_numbers(tickets)}." if tickets else "."))
    lines.append(f"{_counted(letters, 'dead letter')}, {_counted(blocked, 'blocked person', 'blocked people')}.")
    return "\n".join(f"- {line[0].upper()}{line[1:]}" for line in lines)


def _numbers(tickets: Sequence[Ticket]) -> str:
    return ", ".join(str(ticket.number) for ticket in tickets)


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count or 'no'} {one if count == 1 else many or one + 's'}"


def today(lines: Sequence[ReportLine], found: Sequence[tuple[Question, str]], day: date, currency: str) -> str:
    """How today goes: all together, each channel, and what was not resolved last."""
    told = [f"- Today: {summary(lines, day, currency)}"]
    if len(lines) > 1:
        busiest = sorted(lines, key=lambda line: -line.conversations)
        told += [f"  - {_place(line)}: {summary([line], day, currency)}" for line in busiest[:CHANNELS]]
        if len(lines) > CHANNELS:
            told.append(f"  - {_counted(len(lines) - CHANNELS, 'more channel')}: `frontdesk report`")
    elif lines:
        told[0] = f"- Today, all of it in {_place(lines[0])}: {summary(lines, day, currency)}"
    if found:
        told.append("- To look at (more: `/support unresolved`):")
        told += [f"  - {_question(*one)}" for one in found]
    return "\n".join(told)


def _place(line: ReportLine) -> str:
    return f"{line.platform} `{_code(line.channel, 40)}`"


def unresolved(found: Sequence[tuple[Question, str]], days: int, *, is_cut: bool) -> str:
    """Conversations that somebody should look at, with links, as far as one answer holds them.

    Args:
        is_cut: there may be more.
    """
    since = "today" if days == 1 else f"in the last {days} days"
    if not found:
        return f"Nothing was left unresolved {since}."
    lines = [f"Not resolved by Frontdesk alone {since}, youngest first:", ""]
    left = TOLD_CHARS
    for one in found:
        line = f"- {_question(*one)}"
        if (left := left - len(line) - 1) < 0:
            is_cut = True
            break
        lines.append(line)
    if is_cut:
        lines += ["", "There is more: `frontdesk report` lists it."]
    return "\n".join(lines)


def _question(one: Question, link: str) -> str:
    where = f"[open]({link})" if link else f"`{_code(str(one.thread), 120)}`"
    said = f"{quoted(one.author.display_name, 40)}: {quoted(one.text, 100)}" if one.author else "no longer on record"
    whys = "; ".join(quoted(why, 120) for why in one.whys[:4])
    return f"{_at(one.at)} · {where} · {said} ({whys})"


def tickets(found: Sequence[Ticket]) -> str:
    """A list of tickets."""
    if not found:
        return "There are no such tickets."
    return "\n".join(
        f"- **{ticket.number}** {ticket.status} · {quoted(ticket.name, 60)} · {quoted(ticket.issue, 120)}"
        f" · {_at(ticket.created_at)}"
        for ticket in found
    )


def ticket(found: Ticket, notes: Sequence[TicketNote]) -> str:
    """One ticket with its notes."""
    lines = [
        f"**Ticket {found.number}**: {found.status}",
        f"- Name: {quoted(found.name, 100)}",
        f"- Issue: {quoted(found.issue, 1_000)}",
        f"- Opened: {_at(found.created_at)} by {quoted(found.person, 200)}",
        f"- Organisation: {quoted(found.organisation, 80) or 'unknown'}",
        f"- Verified customer: {quoted(found.customer, 80) if found.customer else 'no'}",
        f"- Thread: {quoted(found.thread, 300)}",
    ]
    if found.assignee:
        lines.append(f"- Assigned to: {quoted(found.assignee, 200)}")
    if found.receipt:
        lines.append(f"- Receipt: {quoted(found.receipt[:12], 12)}")
    lines += [f"- Note of {_at(note.at)} by {quoted(note.author, 200)}: {quoted(note.text, 500)}" for note in notes]
    return "\n".join(lines)


def why(account: Account, entries: Sequence[Entry]) -> str:
    """What led to an answer: `entries` are the turn's own."""
    asked = [sum(counts) for counts in zip(*account.requests, strict=True)] or [0, 0, 0]
    lines = [
        f"**Turn {account.turn}** ({quoted(account.outcome, 60)}), {_at(account.at)}, "
        f"{account.duration_ms / 1000:.1f} s, attempt {account.attempt}",
        f"- Model {quoted(account.model, 80)}: {_counted(len(account.requests), 'call')}, {asked[0]} tokens in "
        f"({asked[1]} from the cache), {asked[2]} out",
    ]
    turns = [entry.turn for entry in entries]
    results = {turn.call_id: turn for turn in turns if isinstance(turn, ToolTurn)}
    for call in (call for turn in turns if isinstance(turn, AssistantTurn) for call in turn.tool_calls):
        lines.append(f"- `{_code(call.name, 60)}` `{_code(call.arguments, _RESULT_CHARS)}`")
        if (result := results.get(call.id)) is not None:
            how = "refused or failed" if result.is_error else "done"
            lines.append(f"  - {how} in {result.duration_ms} ms: `{_code(result.content, _RESULT_CHARS)}`")
        lines += [f"  - gate {gate}: {_code(met, 60)}" for gate, met in account.gates.get(call.id, ())]
    lines.append(f"- Settings {account.settings}")
    return "\n".join(lines)


def _code(text: str, limit_chars: int) -> str:
    words = " ".join(text.replace("`", "'").split()) or " "
    return words if len(words) <= limit_chars else f"{words[: limit_chars - 1]}…"


_LISTENS = {
    Listening.MENTIONS: "a mention begins a conversation",
    Listening.EVERYTHING: "every message begins a conversation",
    Listening.NOTHING: "off: nothing here is for Frontdesk",
}


def rules(found: ChannelRules) -> str:
    """What is set for a channel."""
    return "\n".join(
        [
            f"- Listening: {_LISTENS[found.listening]}",
            f"- Private conversations: {'on' if found.private else 'off'}",
            f"- Language: {quoted(found.language, 80) or 'as the customer writes'}",
            f"- Greeting: {quoted(found.greeting, 500) or 'none'}",
            f"- Hours of human colleagues: {quoted(found.hours, 80) or 'not said'}",
        ]
    )


def budgets(found: Sequence[BudgetLine]) -> str:
    """What is spent, and of how much."""
    if not found:
        return "No budgets are set."
    return "\n".join(f"- {_budget(one)}" for one in found)


def _budget(one: BudgetLine) -> str:
    until = f", until {_at(one.ends_at)}" if one.ends_at else ""
    return f"{_SCOPES.get(one.scope, one.scope)}: {_amount(one.used)} of {_amount(one.limit)} {one.unit}{until}"


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


_SCOPES = {
    "thread": "This thread",
    "person": "This person",
    "organisation": "The organisation",
    "day": "Everybody together",
    "messages": "This person",
}


def letters(found: Sequence[DeadLetter]) -> str:
    """Turns that were given up."""
    if not found:
        return "There are no dead letters."
    return "\n".join(
        f"- `{letter.id}` {_at(letter.at)}: {quoted(letter.reason, 80)}, {quoted(str(letter.thread), 200)} turn "
        f"{letter.turn}"
        for letter in found
    )


def _at(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
