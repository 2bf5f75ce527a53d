"""What the turns of one process share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.accounts import Accounts
from bot.announcements import Announcements
from bot.budget import LedgerBudgets
from bot.cases import Cases
from bot.channels import ChannelBook
from bot.interpreter import Interpreter
from bot.journal import Journal
from bot.loop import Loop
from bot.modelless import Modelless
from bot.ports import Mailbox, Platform, SharedState
from bot.principal import Grants
from bot.prompt import SystemPrompt
from bot.secrets import Vault
from bot.standing import StandingOrders
from bot.toolbox import Toolbox
from bot.tracing import Tracer
from bot.troubles import Troubles
from bot.verification import Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Made once, in `bot/assembly/worker.py`.

    Args:
        platforms: name -> platform; threads of other platforms are left to other processes.
        system: the beginning of each request, by thread.
        announcements: what the desk itself says.
        interpreter: fixed sentences in the customer's language.
        cases: conversations that a human is called to.
        standing: pauses and blocks.
        channels: what admins set for channels.
        accounts: what turns took.
        tool_state: where tools keep facts, each in a namespace of its own.
        tenant_of: space -> tenant.
        link_hosts: hosts that an answer may link to.
        canaries: values that must never leave.
        budgets: what may be spent on models.
        modelless: serves those for whom the model may not be asked.
        troubles: tells the team of turns and tools that failed.
        journal: notes turns for reports.
        tracer: traces turns.
        history_tokens: budget of the window.
        turn_timeout_s: time for one attempt at a turn.
        lease_s: how long a claim holds without renewal.
        attempts: claims of a turn before it is given up.
    """

    mailbox: Mailbox
    platforms: Mapping[str, Platform]
    loop: Loop
    system: SystemPrompt
    toolbox: Toolbox
    grants: Grants
    vault: Vault
    verification: Verification
    announcements: Announcements
    interpreter: Interpreter
    cases: Cases
    standing: StandingOrders
    channels: ChannelBook
    accounts: Accounts
    tool_state: SharedState
    tenant_of: Callable[[str], str]
    link_hosts: frozenset[str]
    canaries: frozenset[str]
    budgets: LedgerBudgets
    modelless: Modelless
    troubles: Troubles
    journal: Journal
    tracer: Tracer
    history_tokens: int
    turn_timeout_s: float
    lease_s: float
    attempts: int
