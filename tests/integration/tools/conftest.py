"""A shop to call tools in: the demo's data, and contexts for whoever speaks."""

from __future__ import annotations

import asyncio
import functools
import itertools
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot import evidence
from bot.conversation import Conversation, UserTurn
from bot.errors import BotError, ToolError, ToolFailed, ToolInputError
from bot.llm.wire import to_wire
from bot.messages import Attachment, Audience, Person, ThreadKey
from bot.ports import Image, Schema
from bot.principal import Grants, Principal
from bot.store.codec import encode
from bot.store.shared_state import RedisSharedState
from bot.tool import Tool, ToolContext
from bot.verification import Verification
from tests.servers.postgres import Postgres
from tools import Kit, build, demo
from tools.database import Database, migrate
from tools.desk import SqlDesk
from tools.tables import audit


@dataclass
class ScriptedVision:
    """Answers every picture with the same JSON, or with an error, and keeps what it was shown."""

    answer: Mapping[str, object] = field(default_factory=dict)
    error: BotError | None = None
    seen: list[Image] = field(default_factory=list)

    async def extract(self, image: Image, schema: type[Schema]) -> Schema:
        """The scripted answer, in the schema."""
        self.seen.append(image)
        if self.error is not None:
            raise self.error
        return schema.model_validate_json(orjson.dumps(self.answer))


@dataclass(frozen=True)
class TypedSecrets:
    """Opens the handles that it was given."""

    values: Mapping[str, str]

    async def open(self, handle: str, *, used_by: str) -> SecretStr:
        """The value behind a handle."""
        if handle not in self.values:
            raise ToolInputError("no_such_secret", "There is no such secret.")
        return SecretStr(self.values[handle])


@dataclass
class Files:
    """What attachments hold, by reference."""

    held: dict[str, bytes] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)

    async def read(self, attachment: Attachment) -> bytes:
        """The bytes."""
        self.reads.append(attachment.ref)
        if attachment.ref not in self.held:
            raise ToolFailed("gone", "The file is gone.")
        return self.held[attachment.ref]


class Shop:
    """The tools with everything they stand on, and a speaker to call them."""

    def __init__(self, database: Database, state: RedisSharedState) -> None:
        self.database = database
        self.desk = SqlDesk(database, hasher=QUICK)
        self.vision = ScriptedVision()
        self.files = Files()
        self.handed_over: list[str] = []
        self.kit = Kit(database=database, desk=self.desk, vision=self.vision)
        self._grants = Grants(state.within("grants"), lasts_s=1800)
        self.verification = Verification(state.within("verification"), self._grants, self.desk)
        self._state = state.within("tools")
        self._calls = itertools.count()

    def tool(self, name: str) -> Tool:
        """One of the tools."""
        return {made.spec.name: made for made in build(self.kit)}[name]

    async def context(
        self,
        who: str = "U1",
        *,
        thread: str = "T1",
        turn: int = 1,
        call: str | None = None,
        tenant: str = "default",
        audience: Audience = Audience.DIRECT,
        secrets: Mapping[str, str] | None = None,
        attachments: Sequence[Attachment] = (),
        said: Mapping[str, str] | None = None,
    ) -> ToolContext:
        """The context of a call of this person, with what they have proved so far.

        Args:
            secrets: handle -> what this person typed.
            said: person -> what they wrote in this conversation.
        """
        key = thread_key(thread)
        attempt = f"{key}/{turn}/{call or f'{turn}.1.{next(self._calls)}'}"

        async def verify(username: str, api_key: SecretStr) -> Principal:
            return await self.verification.check(key, who, tenant, username, api_key, attempt)

        async def hand_over(reason: str) -> None:
            self.handed_over.append(reason)

        return ToolContext(
            tenant=tenant,
            thread=key,
            author=Person(id=who, display_name="Somebody"),
            principal=await self._grants.principal(key, who),
            audience=audience,
            idempotency_key=attempt,
            secrets=TypedSecrets(secrets or {}),
            read=self.files.read,
            wrote=lambda link: evidence.wrote(conversation(said or {}), who, link),
            verify=verify,
            hand_over=hand_over,
            state=self._state,
            attachments=attachments,
        )

    async def call(self, name: str, arguments: Mapping[str, object], context: ToolContext) -> dict[str, object]:
        """Call a tool as the loop does."""
        result: dict[str, object] = orjson.loads(await self.tool(name).call(context, orjson.dumps(arguments).decode()))
        return result

    async def refusal(self, name: str, arguments: Mapping[str, object], context: ToolContext) -> tuple[str, str]:
        """Call a tool that must refuse; the code and the sentence."""
        with pytest.raises(ToolError) as caught:
            await self.call(name, arguments, context)
        return caught.value.code, caught.value.message

    async def verified(
        self, who: str = "U1", customer: str = "john_doe", *, thread: str = "T1", tenant: str = "default"
    ) -> ToolContext:
        """The context of somebody who has shown a customer's key."""
        await self._grants.grant(thread_key(thread), who, customer)
        return await self.context(who, thread=thread, tenant=tenant)


async def audited(shop: Shop) -> list[tuple[str, str, str, str]]:
    """Who did what to which thing with what result, oldest first."""

    async def work(connection: AsyncConnection) -> list[tuple[str, str, str, str]]:
        rows = await connection.execute(select(audit).where(audit.c.tenant == "default").order_by(audit.c.at))
        return [(row.actor, row.action, row.target, row.result) for row in rows]

    return await shop.database.read(work)


def thread_key(thread: str) -> ThreadKey:
    """The conversation of that name."""
    return ThreadKey(platform="web", space="demo", channel="support", root=thread)


def conversation(said: Mapping[str, str]) -> Conversation:
    """A record on which each person said one thing."""
    turns = (
        UserTurn(
            message_ids=(f"m-{who}",),
            author=Person(id=who, display_name="Somebody"),
            text=text,
            audience=Audience.DIRECT,
            at=datetime.now(UTC),
        )
        for who, text in said.items()
    )
    return Conversation().extended(tuple(encode(turn, to_wire) for turn in turns))


QUICK = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
"""Keys are checked hundreds of times here; one test looks at what a real check costs."""

hash_quickly = functools.cache(QUICK.hash)


async def _prepare(url: str, *, filled: bool) -> None:
    await migrate(url)
    if filled:
        async with Database(url) as database:
            await demo.fill(database, hash_key=hash_quickly)


@pytest.fixture(scope="session")
def _sqlite_sources(tmp_path_factory: pytest.TempPathFactory) -> Mapping[bool, Path]:
    """A migrated database without (False) and with (True) the demo's shop, for tests to copy."""
    folder = tmp_path_factory.mktemp("sqlite")
    sources = {filled: folder / f"{filled}.sqlite3" for filled in (False, True)}
    for filled, path in sources.items():
        asyncio.run(_prepare(f"sqlite:///{path}", filled=filled))
    return sources


@pytest.fixture(scope="session")
def _postgres_sources(_postgres: Postgres) -> Iterator[Mapping[bool, str]]:
    """The same in PostgreSQL."""
    with _postgres.database() as empty, _postgres.database() as filled:
        asyncio.run(_prepare(empty, filled=False))
        asyncio.run(_prepare(filled, filled=True))
        yield {False: empty, True: filled}


@pytest.fixture(params=("sqlite", "postgres"))
def _copied_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    filled = "shop" in request.fixturenames
    if request.param == "sqlite":
        path = tmp_path / "frontdesk.sqlite3"
        shutil.copyfile(request.getfixturevalue("_sqlite_sources")[filled], path)
        yield f"sqlite:///{path}"
        return
    sources, postgres = request.getfixturevalue("_postgres_sources"), request.getfixturevalue("_postgres")
    with postgres.database(template=sources[filled]) as url:
        yield url


@pytest.fixture
async def database(_copied_url: str) -> AsyncIterator[Database]:
    """A migrated database, once SQLite and once PostgreSQL; a test that asks for `shop` has the demo's data in it."""
    async with Database(_copied_url) as opened:
        yield opened


@pytest.fixture
async def shop(database: Database, redis: Redis) -> Shop:
    """The demo's shop in the tenant `default`."""
    return Shop(database, RedisSharedState(redis, namespace="test"))
