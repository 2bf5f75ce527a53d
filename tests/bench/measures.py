"""The measurements, one function each; they take the house and give rows."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median, quantiles
from typing import Any

from bot.budget import FLUSH_S, REST_S
from bot.store.keys import Partition
from bot.store.lua import FOLDER
from tests.bench.crowd import thread_of
from tests.bench.house import House
from tests.bench.report import Row

FEW, MANY = 2, 1_000
"""Earlier turns of a thread."""

PEOPLE = 200

COUNTS = "EVAL"
"""What was spent is added to the counts of all windows together, once a second."""

IDLE_S = 4.0
"""How long is counted what Frontdesk asks of Redis while nobody speaks."""

AT_REST_S = REST_S + 2 * FLUSH_S
"""After this time nobody spoke lately."""

SCRIPTS = {
    hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest(): path.stem for path in FOLDER.glob("*.lua")
}


async def cost(house: House) -> list[Row]:
    """CPU of a turn, in rounds that alternate with the bare loop's."""
    rows = []
    for earlier, target_ms in ((FEW, 3.0), (MANY, 5.0)):
        rounds, turns = (5, 20) if house.quick else (15, 40)
        if earlier == MANY:
            rounds, turns = (5, 3) if house.quick else (15, 6)
        roots, others = await house.threads(turns, earlier=earlier), await house.threads(turns, earlier=earlier)
        ours, bare, bytes_sent = [], [], 0
        for number in range(rounds + 1):
            if earlier == FEW and number:  # a few turns more make no difference to a thousand, but to two
                roots, others = await house.threads(turns, earlier=earlier), await house.threads(turns, earlier=earlier)
            run = _whole(await house.frontdesk.ask("talk", roots=roots, turns=turns))
            floor = _whole(await house.floor.ask("talk", roots=others, turns=turns))
            if number:  # the first round opens connections and fills caches
                ours.append(run["cpu_s"] / turns * 1e3)
                bare.append(floor["cpu_s"] / turns * 1e3)
            bytes_sent = floor["body_bytes"]
        name = f"CPU of a turn at {earlier:,} earlier turns"
        note = f"best round {min(ours):.2f}; {median(ours) / median(bare):.1f} times the bare loop's {median(bare):.2f}"
        rows.append(Row(name=name, measured=median(ours), unit="ms", target=target_ms, note=note))
        rows.append(
            Row(name=f"… the request is then {bytes_sent / 1e3:,.0f} kB long", measured=median(bare), unit="ms")
        )
    return rows


async def speed(house: House) -> list[Row]:
    """Turns in a second, and what goes wrong where many speak at once."""
    rows = []
    for at_once, turns in ((1, 60), (50, 300), (500, 1_000)) if house.quick else ((1, 300), (50, 2_000), (500, 5_000)):
        roots = await house.threads(2 * at_once + 8)
        await house.frontdesk.ask("talk", roots=roots, turns=2 * at_once, at_once=at_once)
        before = await _connections(house)
        run = await house.frontdesk.ask("talk", roots=roots, turns=turns, at_once=at_once)
        lost = await _connections(house) - before
        note = f"CPU of a turn {run['cpu_s'] / turns * 1e3:.2f} ms"
        rows.append(
            Row(name=f"Turns in a second, {at_once} at once", measured=turns / run["wall_s"], unit="/s", note=note)
        )
        if at_once == 500:
            rows.append(Row(name="… errors", measured=run["errors"], unit="", target=0))
            rows.append(Row(name="… connections opened again", measured=sum(lost.values()), unit="", target=0))
    return rows


async def _connections(house: House) -> Counter[str]:
    """Connections that were closed until this moment."""
    model = await house.model.ask("take")
    stats, clients = await house.redis.info("stats"), await house.redis.info("clients")
    return Counter(model=model["closed"], redis=stats["total_connections_received"] - clients["connected_clients"])


async def traffic(house: House) -> list[Row]:
    """What a turn asks of Redis."""
    rows = []
    turns = 100 if house.quick else 300
    roots = await house.threads(turns, earlier=FEW)
    before = await _packets(house)
    await asyncio.sleep(IDLE_S)
    idle = (await _packets(house) - before - 1) / IDLE_S
    for kind, plain, target in (("without a tool", True, 6), ("with one round of tools", False, 8)):
        await house.frontdesk.ask("talk", roots=roots, turns=1, plain=plain)
        before = await _packets(house)
        run = _whole(await house.frontdesk.ask("talk", roots=roots, turns=turns, plain=plain))
        aside = idle + 1 / FLUSH_S
        packets = await _packets(house) - before - 1 - aside * run["wall_s"]
        measured = round(packets / turns, 1)  # what comes by the second varies by some hundredths of a turn
        commands = await _commands(house, roots, plain=plain)
        note = f"{commands}; taken off {idle:.0f} a second that come without turns, 1 that counts for all turns"
        rows.append(
            Row(name=f"Redis round trips of a turn {kind}", measured=measured, unit="a turn", target=target, note=note)
        )
    first = await house.redis.info("stats")
    _whole(await house.frontdesk.ask("talk", roots=roots, turns=turns))
    last = await house.redis.info("stats")
    kilobytes = [(last[key] - first[key]) / turns / 1e3 for key in ("total_net_input_bytes", "total_net_output_bytes")]
    note = f"{kilobytes[0]:.1f} sent, {kilobytes[1]:.1f} read"
    rows.append(Row(name="Redis traffic of a turn", measured=sum(kilobytes), unit="kB", note=note))
    return rows


async def _packets(house: House) -> int:
    """What Redis has read from its clients until this moment: commands that were sent together are one."""
    return int((await house.redis.info("stats"))["total_reads_processed"])


async def _commands(house: House, roots: Sequence[str], *, plain: bool) -> str:
    """The commands that every turn sends."""
    turns, counted = 10, Counter[str]()
    async with house.redis.monitor() as monitor:
        _whole(await house.frontdesk.ask("talk", roots=roots, turns=turns, plain=plain))
        await house.redis.set("bench:end", 1)
        async for command in monitor.listen():
            if "bench:end" in command["command"]:
                break
            if command["client_type"] != "lua":
                counted[_name(command["command"])] += 1
    return ", ".join(
        name if count < 2 * turns else f"{count // turns} {name}"
        for name, count in counted.items()
        if count >= turns and name != COUNTS
    )


async def memory(house: House) -> list[Row]:
    """What a conversation costs while nobody speaks in it."""
    count = 400 if house.quick else 2_000
    warm, roots = await house.threads(1_200), await house.threads(count)
    await house.frontdesk.ask("talk", roots=warm, turns=len(warm), at_once=50)
    await asyncio.sleep(AT_REST_S)
    before = await house.frontdesk.ask("objects")
    _whole(await house.frontdesk.ask("talk", roots=roots, turns=count, at_once=50))
    await asyncio.sleep(AT_REST_S)
    after = await house.frontdesk.ask("objects")
    sizes = []
    for root in roots[:50]:
        at, thread = Partition(0), thread_of(root)
        keys = at.turns(thread), at.meta(thread)
        sizes.append(sum([await house.redis.memory_usage(key, samples=0) or 0 for key in keys]))
    left = max(0.0, (after["objects"] - before["objects"]) / count)
    note = "a question, a call, its result, an answer of 60 words"
    return [
        Row(name="Memory of an idle thread in Redis", measured=median(sizes), unit="bytes", target=2_048, note=note),
        Row(name="Objects of an idle thread in the process", measured=left, unit="", target=0.5),
    ]


async def reaction(house: House) -> list[Row]:
    """How long a message and a word take through Frontdesk while nothing else happens."""
    turns = 40 if house.quick else 200
    roots = await house.threads(turns, earlier=FEW)
    await house.model.ask("take")
    await house.model.ask("pace", first_s=0.01, pace_s=0.0005)
    run = _whole(await house.frontdesk.ask("talk", roots=roots, turns=turns, pause_s=0.02, times=True))
    await house.model.ask("pace", first_s=0.0, pace_s=0.0)
    served = _by_question((await house.model.ask("take"))["log"])
    first, words = [], []
    for who, accepted_at, first_text_at, _ in run["asked"]:
        call, speech = served[who]
        first.append((call["came_at"] - accepted_at) * 1e3)
        words.append((first_text_at - speech["first_at"]) * 1e3)
    return [
        _spread("Accepted -> first request at the model", first, target=3.0),
        _spread("First word leaves the model -> first text at the adapter", words, target=1.0),
    ]


async def crowd(house: House) -> list[Row]:
    """What Frontdesk adds where 200 conversations go on at once and the model speaks at the pace of a real one.

    They begin one after the other within the time that one turn takes, and each asks again when it is answered.
    """
    turns = 600 if house.quick else 3_000
    roots = await house.threads(2 * PEOPLE)
    await house.model.ask("take")
    await house.model.ask("pace", first_s=0.3, pace_s=0.02)
    how = {"at_once": PEOPLE, "spread_s": 1.8, "times": True}
    run = _whole(await house.frontdesk.ask("talk", roots=roots, turns=turns, **how))
    await house.model.ask("pace", first_s=0.0, pace_s=0.0)
    served = _by_question((await house.model.ask("take"))["log"])
    added = [
        (closed_at - accepted_at - sum(answer["lasts_s"] for answer in served[who])) * 1e3
        for who, accepted_at, _, closed_at in run["asked"]
    ]
    cuts = quantiles(added, n=100)
    busy = run["cpu_s"] / run["wall_s"] * 100
    note = f"300 ms to the first word, 20 ms a word, both taken off; the process computes {busy:.0f} % of the time"
    return [
        Row(
            name=f"Added to a turn with {PEOPLE} at once, p50", measured=median(added), unit="ms", target=60, note=note
        ),
        Row(name="… p99", measured=cuts[98], unit="ms", target=250),
    ]


async def stalls(house: House) -> list[Row]:
    """How long one long conversation keeps everybody else waiting."""
    turns = 6 if house.quick else 20
    roots = await house.threads(4, earlier=MANY)
    _whole(await house.frontdesk.ask("talk", roots=roots, turns=4))
    longest, computed = [], []
    for _ in range(turns):
        run = _whole(await house.frontdesk.ask("talk", roots=roots, turns=1, stalls=True, pause_s=0.01))
        longest.append(run["stall_s"] * 1e3)
        computed.append(run["stall_cpu_s"] * 1e3)
    note = f"longest of a turn, median of {turns}; worst {max(longest):.1f}; computing {median(computed):.1f}"
    name = f"A thread of {MANY:,} turns stops the event loop"
    return [Row(name=name, measured=median(longest), unit="ms", target=10, note=note)]


ALL = (cost, reaction, traffic, stalls, memory, speed, crowd)


def _whole(run: dict[str, Any]) -> dict[str, Any]:
    """A run in which every answer was right: another one's numbers would mean nothing."""
    if run["errors"]:
        raise RuntimeError(f"{run['errors']} of {run['turns']} answers were wrong")
    return run


def _name(command: str) -> str:
    """A command's name; a script's own."""
    word, _, rest = command.partition(" ")
    return SCRIPTS.get(rest.partition(" ")[0].strip('"'), word.upper())


def _by_question(log: Sequence[dict[str, Any]]) -> Mapping[str, list[dict[str, Any]]]:
    """The model's log: question -> its answers, in order."""
    served: dict[str, list[dict[str, Any]]] = {}
    for answer in log:
        served.setdefault(answer["who"], []).append(answer)
    return served


def _spread(name: str, samples: Sequence[float], *, target: float) -> Row:
    note = f"p50; p90 {quantiles(samples, n=10)[8]:.2f}"
    return Row(name=name, measured=median(samples), unit="ms", target=target, note=note)
