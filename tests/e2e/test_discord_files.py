"""Files on Discord (F55-F57, F61): read within limits, from the platform's own servers alone, or it is said why not."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from tests.scenarios import RECEIPT, reads_attachment, relays
from tests.servers.discord import Channel, DiscordServer
from tests.servers.discord.cdn import Odd
from tests.servers.openai import ScriptedModel, held, reads, says
from tests.servers.patience import WAIT_S
from tests.servers.process import FrontdeskProcess
from tests.stages.customers import becomes
from tests.stages.discord import DiscordStage, Talk, Town, discord_stage
from tests.stages.meters import Meters
from tests.stages.play import record, results_of

LIMIT_BYTES = 10 << 20
GROWTH_BYTES = 20_000_000


@pytest.fixture
async def stage(variables: dict[str, str]) -> AsyncIterator[DiscordStage]:
    async with discord_stage(variables) as stage:
        yield stage


def picture() -> bytes:
    """Any picture."""
    data = io.BytesIO()
    Image.new("RGB", (300, 400), "white").save(data, "PNG")
    return data.getvalue()


def sends(talk: Talk, data: bytes, odd: Odd | None = None) -> None:
    """Ada asks about a file, whose address may answer something else."""
    channel: Channel = talk.place if talk.root else talk.town.channel
    message = talk.me.write(channel, f"{talk.server.mention} what is this?", files=(("receipt.png", data),))
    if odd is not None:
        talk.server.cdn.odd[message.files[0].id] = odd
    talk.root = talk.root or message


async def asks_about(stage: DiscordStage, model: ScriptedModel, data: bytes, odd: Odd | None = None) -> str:
    """What the tool found in a file."""
    model.plays(reads_attachment, relays("I looked:"))
    sends(stage, data, odd)
    await stage.answer()
    return results_of(await record(stage))[-1].content


@pytest.mark.behaviour("discord.files")
@pytest.mark.parametrize(
    ("odd", "code", "told"),
    [
        (Odd(html="<!DOCTYPE html><html>Sign in</html>"), "web_page", "The file is a web page"),
        (Odd(status=403), "gone", "The file is not there any more."),
        (Odd(declared_bytes=len(picture()) + 9), "unavailable", "Files cannot be read at the moment."),
        (Odd(declared_bytes=1 << 30), "too_large", "too large"),
        (Odd(endless=True), "too_large", "too large"),
    ],
    ids=["a web page", "forbidden", "broken off", "declared", "endless"],
)
async def test_what_is_served_instead_of_a_file_is_told_and_ends(
    odd: Odd, code: str, told: str, stage: DiscordStage, model: ScriptedModel
) -> None:
    meters = Meters()
    await meters.begin()
    result = await asks_about(stage, model, picture(), odd)
    assert f'"error":"{code}"' in result
    counted = {"tool": "analyze_receipt_image", "result": code}
    assert await meters.added("frontdesk_tool_calls_total", **counted) == 1, "what could not be read is counted, by why"
    assert told in result
    assert "127.0.0.1" not in result
    assert stage.server.cdn.sent_bytes < 2 * LIMIT_BYTES
    assert not any(request.is_vision for request in model.requests)


@pytest.mark.behaviour("discord.files")
@pytest.mark.timeout_s(120)
async def test_a_body_without_an_end_costs_the_process_that_reads_it_little_memory(
    variables: dict[str, str], model: ScriptedModel, tmp_path: Path
) -> None:
    """A gigabyte that is declared is not read; one that is not declared is cut at the limit, and let go of."""
    async with DiscordServer() as server:
        town = Town(server)
        talk = Talk(town)
        async with FrontdeskProcess({**variables, **town.variables()}, tmp_path, command=("run",)) as process:
            await server.gateway.until_connected()
            for data in (picture(), Image.effect_noise((1_500, 1_500), 80)):  # what reading costs at the first time
                model.plays(reads_attachment, says("A receipt."))
                model.sees(reads(RECEIPT))
                sends(talk, data if isinstance(data, bytes) else png(data))
                assert await talk.answer() == "A receipt."
            before = memory(process.pid, "VmRSS")
            begin_again(process.pid)
            for odd in (Odd(declared_bytes=1 << 30), Odd(endless=True), Odd(endless=True)):
                server.cdn.sent_bytes = 0
                model.plays(reads_attachment, relays("I looked:"))
                sends(talk, picture(), odd)
                assert "too_large" in await talk.answer()
                assert (server.cdn.sent_bytes > LIMIT_BYTES) == odd.endless
                assert server.cdn.sent_bytes < 2 * LIMIT_BYTES
            assert memory(process.pid, "VmHWM") - before < GROWTH_BYTES


def png(drawn: Image.Image) -> bytes:
    data = io.BytesIO()
    drawn.save(data, "PNG")
    return data.getvalue()


def memory(pid: int, name: str) -> int:
    """What a process holds (`VmRSS`), or the most that it held (`VmHWM`)."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def begin_again(pid: int) -> None:
    """Forget the most that a process held."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


@pytest.mark.behaviour("discord.files")
async def test_a_file_that_is_said_to_be_large_is_not_fetched(stage: DiscordStage, model: ScriptedModel) -> None:
    model.plays(reads_attachment, says("Too large."))
    world = stage.server.world
    file = world.file(stage.town.channel, "receipt.png", picture(), "image/png")
    file.claimed_bytes = 60 << 20
    message = stage.me.write(stage.town.channel, "soon", files=())
    message.files.append(file)
    message.content = f"{stage.server.mention} what is this?"
    message.pings = world.pings(message.channel, message.author, message.content, None, None)
    world.tell_message("MESSAGE_CREATE", message)
    stage.root = message
    await stage.answer()
    assert "too_large" in results_of(await record(stage))[-1].content
    assert file.fetched == 0


@pytest.mark.behaviour("discord.files")
async def test_an_address_that_ended_is_asked_for_again_once(stage: DiscordStage, model: ScriptedModel) -> None:
    running = held("One ", "moment.")
    model.plays(running)
    await stage.say("Hi")
    await stage.shown("One")
    model.plays(reads_attachment, says("I see."))
    model.sees(reads(RECEIPT))
    message = stage.me.write(stage.place, "what is this?", files=(("receipt.png", picture()),))
    await becomes(lambda: stage.server.gateway.told[-1].message is message, within_s=WAIT_S)
    stage.server.world.clock.advance(25 * 3_600)
    for pause in running.pauses:
        pause.release()
    assert await stage.answer() == "One moment."
    assert await stage.answer() == "I see."
    assert "2724" in results_of(await record(stage))[-1].content
    assert stage.server.cdn.refusals == 1
    assert message.files[0].fetched == 1


@pytest.mark.behaviour("discord.files")
async def test_a_file_that_leads_elsewhere_is_not_followed(stage: DiscordStage, model: ScriptedModel) -> None:
    visits: list[str] = []

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append((await reader.readline()).decode())
        writer.close()

    canary = await asyncio.start_server(visited, "127.0.0.1", 0)
    port = canary.sockets[0].getsockname()[1]
    async with canary:
        result = await asks_about(stage, model, picture(), Odd(location=f"http://127.0.0.1:{port}/latest/meta-data"))
    assert "error" in result
    assert visits == []
