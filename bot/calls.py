"""The calls of one turn: each gets its context, and what a call sets off besides its result happens here."""

from __future__ import annotations

import asyncio
from functools import partial

from pydantic import SecretStr

from bot import evidence
from bot.accounts import Tally
from bot.claimed import ClaimedTurn
from bot.conversation import ToolCall
from bot.errors import ToolDenied
from bot.ports import Platform
from bot.principal import Principal
from bot.services import Services
from bot.tasks import unasked
from bot.tool import ToolContext
from bot.toolbox import Ran, Toolset, refused

ATTACHMENT_LIMIT_BYTES = 10 * 1024 * 1024

FORM_HELPS = frozenset({"verification_required", "secret_unavailable"})
"""Rules whose refusal puts the private form before the person."""

NO_PERSON = (
    "no_person",
    "A program asked, not a person, and a program cannot be verified. Say that a person has to ask for this.",
)


class Calls:
    """Runs the calls of a turn.

    Args:
        platform: where the turn's thread is.
        tally: what is kept of the turn.
    """

    def __init__(self, turn: ClaimedTurn, services: Services, platform: Platform, tally: Tally) -> None:
        self._tally = tally
        self._turn = turn
        self._services = services
        self._platform = platform
        self._offered = False
        self._principal: asyncio.Future[Principal] | None = None

    def begin(self) -> None:
        """Begin anew: mail has joined, and what the author has proved may be more than it was."""
        self._principal = None

    def expect(self) -> None:
        """Calls will come: ask what their author has proved, while they are put on the record and on the same way."""
        if self._principal is None:
            self._principal = asking = asyncio.create_task(self._proved())
            asking.add_done_callback(unasked)

    async def _proved(self) -> Principal:
        turn = self._turn
        return await self._services.grants.principal(turn.lease.thread, turn.author.id)

    async def run(self, tools: Toolset, call: ToolCall) -> Ran:
        """Run one call; a refusal that the private form can help with puts it before the person, once a turn."""
        ran = await tools.run(call, await self._context(call))
        if ran.rule in FORM_HELPS and self._turn.author.is_bot:  # it could neither see a form nor prove anything by it
            ran = Ran(turn=refused(call, *NO_PERSON), rule=NO_PERSON[0])
        self._tally.ran(call.id, tools.requires(call.name), ran.rule)
        if ran.fault is not None:
            self._tally.faults[call.name] = ran.fault
        if ran.rule in FORM_HELPS and not self._offered:
            self._offered = True
            thread, author = self._turn.lease.thread, self._turn.author
            await self._platform.offer(thread, author, await self._services.verification.form(thread, author))
        return ran

    async def _context(self, call: ToolCall) -> ToolContext:
        services, turn = self._services, self._turn
        thread, author = turn.lease.thread, turn.author
        tenant, key = services.tenant_of(thread.space), f"{thread}/{turn.number}/{call.id}"
        self.expect()
        assert self._principal is not None
        return ToolContext(
            tenant=tenant,
            thread=thread,
            author=author,
            principal=await self._principal,
            audience=turn.audience,
            idempotency_key=key,
            secrets=services.vault.opener(thread, author.id),
            read=lambda attachment: self._platform.fetch(attachment, ATTACHMENT_LIMIT_BYTES),
            wrote=lambda link: evidence.wrote(turn.lease.record, author.id, link),
            verify=partial(self._verify, tenant, key),
            hand_over=partial(self._hand_over, key),
            state=services.tool_state.within(call.name),
            attachments=turn.attachments,
        )

    async def _verify(self, tenant: str, key: str, username: str, secret: SecretStr) -> Principal:
        thread, author = self._turn.lease.thread, self._turn.author
        if author.is_bot:
            raise ToolDenied(*NO_PERSON)
        principal = await self._services.verification.check(thread, author.id, tenant, username, secret, key)
        self._principal = asyncio.get_running_loop().create_future()
        self._principal.set_result(principal)
        return principal

    async def _hand_over(self, key: str, reason: str) -> None:
        """A human has the thread from the next turn on, and whoever works here is told."""
        case_id = key.rpartition("/")[2]
        await self._services.cases.call(self._turn.lease.thread, self._turn.author, reason, case_id=case_id)
