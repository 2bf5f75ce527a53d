"""How fast Slack is acknowledged under load, and what it is told while Redis hangs.

`python -m tests.bench.slack` measures this alone.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

import aiohttp
import orjson

from bot.collector import spare_the_loaded
from bot.llm.wire import to_wire
from bot.messages import ThreadKey
from bot.store.client import Connections
from bot.store.keys import Partition
from bot.store.mailbox import RedisMailbox
from tests.bench.house import House
from tests.bench.part import Part
from tests.bench.report import Row, table
from tests.bench.slack_desk import SECRET
from tests.servers.redis import RedisServer, serving
from tests.servers.slack import SHARED, Member, Slack, Somebody
from tests.servers.slack.delivery import KEPT_S, signed
from tests.servers.slack.world import ACME

RATE = 150
"""Requests a second."""

PEOPLE = 200
TWINS, RETRIES = 0.2, 0.1
"""Which part of the messages comes twice as message and mention, and which part of the requests is sent again."""

PATIENCE_S = 3.0
"""How long Slack waits."""

AGAIN_S = (0.1, 10.0, 6.0, 6.0)
"""When a request that was not acknowledged is sent again: at once, then later; Slack takes minutes for that."""


@dataclass(slots=True)
class Load:
    """What was sent, and what came back.

    Args:
        took_s: of each answer, from the moment at which its request was due to be sent.
        late_s: how late the sender itself was with each, which `took_s` holds as well.
        statuses: how often each came; 0 for none within Slack's patience.
    """

    messages: set[str] = field(default_factory=set)
    took_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    unacknowledged: int = 0


@dataclass(slots=True, kw_only=True)
class Site:
    """A Slack, a Redis, and the Frontdesk between them."""

    slack: Slack
    redis: RedisServer
    desk: Part
    url: str
    people: Sequence[Somebody]
    session: aiohttp.ClientSession

    def bodies(self, count: int, load: Load) -> list[bytes]:
        """Requests in their order: direct messages, and mentions with their twins."""
        made: list[bytes] = []
        while len(made) < count:
            number = len(made)
            person = self.people[number % len(self.people)]
            if number % round(1 / TWINS) == 0:
                message = person.writes(f"@Frontdesk question {number}", SHARED)
            else:
                message = person.writes(f"question {number}", self.slack.world.im(person.member.id).id)
            load.messages.add(message.ts)
            for body in person.events(message):
                made.append(orjson.dumps(body))
                if len(made) % round(1 / RETRIES) == 0:
                    made.append(made[-1])
        return made

    async def send(self, bodies: Sequence[bytes], load: Load, *, again_s: Sequence[float] = ()) -> None:
        """Send them at the rate, whether or not answers come; what is not acknowledged again and again."""
        begun = time.monotonic()
        sending = []
        for number, body in enumerate(bodies):
            due = begun + number / RATE
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            load.late_s.append(time.monotonic() - due)
            sending.append(asyncio.create_task(self._until_acknowledged(body, due, load, again_s)))
        await asyncio.gather(*sending)

    async def _until_acknowledged(self, body: bytes, due: float, load: Load, again_s: Sequence[float]) -> None:
        for number, rest_s in enumerate((0.0, *again_s)):
            if rest_s:
                await asyncio.sleep(rest_s)
                due = time.monotonic()
            if await self._once(body, due, load, number) == 200:
                return
        load.unacknowledged += 1

    async def _once(self, body: bytes, due: float, load: Load, number: int) -> int:
        headers = {"content-type": "application/json", **signed(body, secret=SECRET)}
        if number:
            headers |= {"x-slack-retry-num": str(number), "x-slack-retry-reason": "http_error"}
        try:
            async with asyncio.timeout(PATIENCE_S), self.session.post(self.url, data=body, headers=headers) as answer:
                await answer.read()
            status = answer.status
        except (TimeoutError, aiohttp.ClientError):
            status = 0
        load.took_s.append(time.monotonic() - due)
        load.statuses[status] += 1
        return status

    async def used(self) -> tuple[float, int]:
        """What Frontdesk has used so far: seconds of CPU, and ways to Redis and back."""
        with self.redis.client() as client:
            ways = client.info("stats")["total_reads_processed"]
        return (await self.desk.ask("used"))["cpu_s"], ways

    async def kept(self) -> Mapping[str, int]:
        """How often each message is in the mailbox."""
        connections = Connections(self.redis.url)
        mailbox = RedisMailbox(connections, to_wire)
        counted: Counter[str] = Counter()
        try:
            due: list[bytes] = await connections.commands.zrange(Partition(0).due, 0, -1)  # type: ignore[assignment]  # plain
            for name in due:
                for entry in await mailbox.inbox(ThreadKey.parse(str(name, "utf-8"))):
                    counted.update(getattr(entry.turn, "message_ids", ()))
        finally:
            await connections.aclose()
        return counted


@asynccontextmanager
async def opened() -> AsyncIterator[Site]:
    """The site while the context lasts; Redis writes to the disk at once."""
    with tempfile.TemporaryDirectory(prefix="bench-slack-") as name:
        folder = Path(name)
        redis = RedisServer(folder / "redis")
        with serving(redis):
            async with (
                Slack() as slack,
                Part("slack_desk", redis.url, slack.api_url, name, log=folder / "log") as desk,
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_S)) as session,
            ):
                members = [Member(id=f"U0PERSON{n:03d}", name=f"Person {n}", team=ACME) for n in range(PEOPLE)]
                people = [slack.person(member) for member in members]
                url = f"{desk.told['url']}/slack/events"
                yield Site(slack=slack, redis=redis, desk=desk, url=url, people=people, session=session)


async def acknowledgement(house: House) -> list[Row]:
    """Acknowledged in time, under load and while Redis hangs, and everything stored once."""
    return await measured(quick=house.quick)


async def measured(*, quick: bool) -> list[Row]:
    """The rows."""
    spare_the_loaded()  # a pause of the sender's would count as one of Slack's
    async with opened() as site:
        first, steady, frozen = Load(), Load(), Load()
        await site.send(site.bodies(PEOPLE, first), first, again_s=(0.5,) * 20)  # who they are is known from here on
        before = await site.used()
        await site.send(site.bodies(RATE * (4 if quick else 20), steady), steady, again_s=AGAIN_S)
        after = await site.used()
        freeze_s = 3.0 if quick else 8.0
        bodies = site.bodies(round(RATE * (freeze_s + 2)), frozen)
        sending = asyncio.create_task(site.send(bodies, frozen, again_s=AGAIN_S))
        await asyncio.sleep(1.0)
        site.redis.freeze()
        await asyncio.sleep(freeze_s)
        site.redis.thaw()
        await sending
        kept = await site.kept()
    milliseconds = [took_s * 1e3 for took_s in steady.took_s]
    cuts = quantiles(milliseconds, n=100)
    late = quantiles([late_s * 1e3 for late_s in steady.late_s], n=100)[98]
    note = f"p50 {cuts[49]:.1f}, longest {max(milliseconds):.0f}; the sender's own lateness, p99 {late:.1f}; "
    note += "a tenth sent twice, a fifth as message and mention"
    told = ", ".join(f"{status}: {count}" for status, count in sorted(frozen.statuses.items()))
    requests = steady.statuses.total()
    return [
        Row(
            name="CPU of an event of Slack's, until it is acknowledged",
            measured=(after[0] - before[0]) / requests * 1e3,
            unit="ms",
        ),
        Row(name="… ways to Redis and back", measured=(after[1] - before[1]) / requests, unit="", target=3),
        Row(
            name=f"Slack is answered at {RATE} requests a second, p99",
            measured=cuts[98],
            unit="ms",
            target=50,
            note=note,
        ),
        Row(name="… lost, twice or not acknowledged", measured=_wrong(steady, kept), unit="", target=0),
        Row(
            name=f"Slack's longest wait while Redis hangs for {freeze_s:.0f} s",
            measured=max(frozen.took_s),
            unit="s",
            target=2,
            note=f"answers by status: {told}",
        ),
        Row(name="… lost, twice or not acknowledged after all", measured=_wrong(frozen, kept), unit="", target=0),
    ]


def _wrong(load: Load, kept: Mapping[str, int]) -> int:
    return load.unacknowledged + sum(kept.get(message, 0) != 1 for message in load.messages)


if __name__ == "__main__":
    rows = asyncio.run(measured(quick="--quick" in sys.argv))
    sys.stdout.write(table(rows) + "\n")
    sys.exit(0 if all(row.is_met for row in rows) else 1)
