"""The sockets in the wall: what the core needs from outside. `bot/app.py` alone knows what is plugged in.

A module for each socket, which also holds the small values that go through it; everybody imports them from here.

    intake        Intake         where an adapter brings an event; the `Outcome` says what it may tell the platform
    platform      Platform       a chat platform: hold its socket, offer a form, fetch a file, …     adapters/
    reply         ReplyStream    the answer of one turn on its way to people                         adapters/
    mailbox       Mailbox        threads as actors: an inbox, a record and a lease each              bot/store/
    shared_state  SharedState    small facts that every process sees, namespaced per owner           bot/store/
    models        ChatModel      a model that talks and asks for tools                               bot/llm/
                  VisionModel    a model that reads a picture into a schema                          bot/llm/
    desk          Desk           the business: tickets, customers, votes, uploads, the audit         tools/
    reports       TurnLog        turns, one row each, to be counted                                  tools/
    budgets       Budgets        what may be spent on models, and what was                           bot/budget.py
                  Counts         counts that every process adds to                                   bot/store/
    forgetting    Forgetting     a store that forgets one person, and shows that it has              bot/store/, tools/
    resources     Resources      what an adapter is given to work with; its `Sealer` encrypts        bot/app.py

A message goes through them in this order: `Platform.run`, `Intake`, `Mailbox.put`; then, in a worker, `Mailbox.claim`,
`ChatModel.stream`, `ReplyStream.append`, `Mailbox.commit`, `ReplyStream.close`, `Mailbox.done`.
"""

from bot.ports.budgets import BudgetLine, Budgets, Counted, Counts, Window
from bot.ports.desk import About, AuditEntry, Desk, Ticket, TicketChange, TicketNote, Upload
from bot.ports.forgetting import Forgetting, Searched
from bot.ports.intake import File, Intake, Outcome, Verdict
from bot.ports.mailbox import Address, Backlog, DeadLetter, Found, Lease, Mailbox, Mode, Order, Put, Refs
from bot.ports.models import (
    ChatModel,
    Completion,
    Image,
    ModelRequest,
    RequestedCall,
    Schema,
    TextDelta,
    Usage,
    VisionModel,
)
from bot.ports.platform import Card, Examination, Figures, Form, Platform
from bot.ports.reply import Activity, Reply, ReplyStream, ToolFinished, ToolStarted
from bot.ports.reports import ReportLine, TurnLog, TurnRow, Unresolved
from bot.ports.resources import ChannelRules, Listening, Resources, Sealer
from bot.ports.shared_state import SharedState

__all__ = [
    "About",
    "Activity",
    "Address",
    "AuditEntry",
    "Backlog",
    "BudgetLine",
    "Budgets",
    "Card",
    "ChannelRules",
    "ChatModel",
    "Completion",
    "Counted",
    "Counts",
    "DeadLetter",
    "Desk",
    "Examination",
    "Figures",
    "File",
    "Forgetting",
    "Form",
    "Found",
    "Image",
    "Intake",
    "Lease",
    "Listening",
    "Mailbox",
    "Mode",
    "ModelRequest",
    "Order",
    "Outcome",
    "Platform",
    "Put",
    "Refs",
    "Reply",
    "ReplyStream",
    "ReportLine",
    "RequestedCall",
    "Resources",
    "Schema",
    "Sealer",
    "Searched",
    "SharedState",
    "TextDelta",
    "Ticket",
    "TicketChange",
    "TicketNote",
    "ToolFinished",
    "ToolStarted",
    "TurnLog",
    "TurnRow",
    "Unresolved",
    "Upload",
    "Usage",
    "Verdict",
    "VisionModel",
    "Window",
]
