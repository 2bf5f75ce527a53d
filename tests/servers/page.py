"""The page with everything real but the bot: Redis, database, HTTP port; a test plays intake's rules and the worker."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson

from adapters.web.platform import WebPlatform, create
from bot.channels import ChannelBook
from bot.conversation import AssistantTurn, StaffTurn, ToolCall, ToolTurn, UserTurn
from bot.llm.wire import to_wire
from bot.messages import (
    CommandGiven,
    Event,
    FormSubmitted,
    IncomingMessage,
    MessageDeleted,
    MessageEdited,
    StopRequested,
)
from bot.ports import (
    Address,
    Lease,
    Order,
    Outcome,
    Put,
    Reply,
    ReplyStream,
    Resources,
    ToolFinished,
    ToolStarted,
    Verdict,
)
from bot.sealing import AeadSealer
from bot.server import application, bind, serving
from bot.store.client import Connections
from bot.store.mailbox import RedisMailbox
from bot.store.shared_state import RedisSharedState
from tests.servers.patience import WAIT_S
from tools.database import Database
from tools.desk import SqlDesk
from tools.migrations import migrate

_SECRET = re.compile(r"sk-\w+")
_VERDICTS = {Put.STORED: Verdict.STORED, Put.DUPLICATE: Verdict.DUPLICATE, Put.IGNORED: Verdict.IGNORED}
PATIENCE_S = WAIT_S


class Stage:
    """A running page. A test claims turns and writes answers by hand, so that it knows what is shown when.

    Args:
        url: where the page is.
        taken: every event that came to intake, oldest first.
        busy: refuse what comes, as an overloaded intake does.
    """

    def __init__(self, platform: WebPlatform, mailbox: RedisMailbox, state: RedisSharedState, desk: SqlDesk) -> None:
        self.platform = platform
        self.mailbox = mailbox
        self.state = state
        self.desk = desk
        self.url = ""
        self.taken: list[Event] = []
        self.busy = False

    async def intake(self, event: Event) -> Outcome:
        """The border: what `bot.intake` does, as far as a page can see it."""
        self.taken.append(event)
        if self.busy:
            return Outcome(verdict=Verdict.BUSY, text="We are very busy at the moment.")
        match event:
            case IncomingMessage():
                return await self._message(event)
            case MessageEdited():
                text, secrets = _masked(event.text)
                return Outcome(verdict=Verdict.DONE, text=text, secrets=secrets)
            case MessageDeleted():
                await self.mailbox.erase(event.thread, event.message_id)
            case FormSubmitted() if event.fields["api_key"] != "key":
                return Outcome(verdict=Verdict.REFUSED, text="These details do not match.")
            case FormSubmitted():
                return Outcome(verdict=Verdict.DONE, text="Thank you. You are verified as john_doe.")
            case CommandGiven(text="takeover"):
                await self.mailbox.order(event.thread, Order.HUMAN)
                return Outcome(verdict=Verdict.DONE, text="You have the thread.")
            case CommandGiven():
                await self.mailbox.hand_back(event.thread)
                return Outcome(verdict=Verdict.DONE, text="Frontdesk has the thread again.")
            case StopRequested():
                await self.mailbox.order(event.thread, Order.STOP)
            case _:
                pass
        return Outcome(verdict=Verdict.DONE)

    async def _message(self, event: IncomingMessage) -> Outcome:
        text, secrets = _masked(event.text)
        at = datetime.now(UTC)
        ids = (event.message_id,)
        turn: StaffTurn | UserTurn
        if event.author.is_staff and not event.mentions_bot:
            turn, address = StaffTurn(message_ids=ids, author=event.author, text=text, at=at), Address.OTHERS
        else:
            turn = UserTurn(
                message_ids=ids,
                author=event.author,
                text=text,
                audience=event.audience,
                at=at,
                attachments=event.attachments,
            )
            address = Address.BOT if event.opens or event.mentions_bot else Address.PARTY
        put = await self.mailbox.put(event.thread, turn, event_ids=event.event_ids, address=address)
        return Outcome(verdict=_VERDICTS[put], text=text, secrets=secrets)

    async def claim(self) -> Lease:
        """The next turn, as a worker claims it."""
        async with asyncio.timeout(PATIENCE_S):
            while not isinstance(claimed := await self.mailbox.claim(0), Lease):
                await self.mailbox.wait(0, min(claimed, 0.2))
        return claimed

    async def call(
        self, lease: Lease, stream: ReplyStream, name: str, arguments: object, result: object, *, number: int = 0
    ) -> Lease:
        """Run a tool: its card appears, and both of its turns are on the record."""
        call = ToolCall(id=f"{lease.turn}.0.{number}", name=name, arguments=orjson.dumps(arguments).decode())
        now = datetime.now(UTC)
        lease = await self.mailbox.step(lease, AssistantTurn(text="", at=now, tool_calls=(call,)))
        stream.status(ToolStarted(call=call))
        is_error = isinstance(result, dict) and "error" in result
        done = ToolTurn(
            call_id=call.id, content=orjson.dumps(result).decode(), at=now, duration_ms=38, is_error=is_error
        )
        lease = await self.mailbox.step(lease, done)
        stream.status(ToolFinished(call=call, result=done))
        return lease

    async def finish(self, lease: Lease, stream: ReplyStream, text: str) -> None:
        """Commit an answer, deliver it, settle."""
        reply = Reply(text=text, turn=lease.turn, addressee="")
        lease = await self.mailbox.commit(lease, [AssistantTurn(text=text, at=datetime.now(UTC))], reply)
        await stream.close(reply)
        await self.mailbox.done(lease)

    async def answer(self, text: str, *, deltas: Sequence[str] = ()) -> None:
        """Answer the next turn."""
        lease = await self.claim()
        stream = self.platform.reply(lease)
        for delta in deltas:
            stream.append(delta)
        await self.finish(lease, stream, text)


@asynccontextmanager
async def staged(
    redis_url: str, folder: Path, environment: Mapping[str, str] | None = None, *, demo: bool = True
) -> AsyncIterator[Stage]:
    """A page that runs while the context lasts."""
    connections = Connections(redis_url)
    database_url = f"sqlite:///{folder / 'desk.sqlite3'}"
    await migrate(database_url)
    async with Database(database_url) as database:
        state = RedisSharedState(connections.commands, "adapter/web", listener=connections.listener)
        mailbox = RedisMailbox(connections, to_wire)
        desk = SqlDesk(database)
        resources = Resources(
            state=state,
            desk=desk,
            mailbox=mailbox,
            tenant_of=lambda _: "default",
            sealer=AeadSealer(b"only for tests", "adapter web"),
            channel_rules=ChannelBook(state.within("channels")).rules,
            demo=demo,
        )
        platform = create(environment or {}, resources)
        assert platform is not None
        stage = Stage(platform, mailbox, state, desk)
        app = application(platform.routes(), probes={}, metrics_token=None, loopback=True)
        async with serving(app, bind("127.0.0.1", 0)) as stage.url:
            running = asyncio.create_task(platform.run(stage.intake))
            try:
                yield stage
            finally:
                running.cancel()
                await asyncio.wait([running])
    await connections.aclose()


def asked(lease: Lease) -> UserTurn:
    """The message that a turn answers."""
    turn = lease.mail[0].turn
    assert isinstance(turn, UserTurn)
    return turn


def _masked(text: str) -> tuple[str, int]:
    """A stand-in for the catching of secrets: what begins with `sk-` becomes a handle."""
    masked, count = _SECRET.subn("(secret:1)", text)
    return masked, count
