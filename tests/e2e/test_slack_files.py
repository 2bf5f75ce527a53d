"""Pictures on Slack: with the token and to nobody else, bounded, and never a sign-in page for a picture
(F55, F56, F57, F61)."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson
import pytest
from aiohttp import web
from PIL import Image
from structlog.testing import capture_logs

from bot.conversation import UserTurn
from tests.scenarios import RECEIPT, reads_attachment, relays
from tests.servers.openai import Reply, Request, ScriptedModel, calls, reads, says
from tests.servers.slack import PLAIN, ROBIN, SHARED
from tests.stages.play import record, results_of
from tests.stages.slack import SlackStage, slack_stage


def picture() -> bytes:
    """Any picture."""
    data = io.BytesIO()
    Image.new("RGB", (300, 400), "white").save(data, "PNG")
    return data.getvalue()


@pytest.fixture(params=["socket", "http"])
async def stage(request: pytest.FixtureRequest, variables: dict[str, str]) -> AsyncIterator[SlackStage]:
    """The test runs with each way in which Slack brings events."""
    async with slack_stage(variables, mode=request.param) as stage:
        yield stage


@dataclass
class Elsewhere:
    """A host that must not be asked for anything."""

    url: str = ""
    asked: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(body=picture(), content_type="image/png")


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    host, app = Elsewhere(), web.Application()
    app.router.add_get("/{path:.*}", host.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host.url = f"http://127.0.0.1:{runner.addresses[0][1]}/latest/meta-data.png"
    yield host
    await runner.cleanup()


def reads_first(request: Request) -> Reply:
    """Reads the first picture of the conversation, wherever it was attached."""
    texts = [str(message["content"]) for message in request.messages if message["role"] == "user"]
    line = next(line for text in texts for line in text.splitlines() if line.startswith("[attached: "))
    return calls(("analyze_receipt_image", {"image": line.split()[1]}))


@pytest.mark.behaviour("slack.files")
@pytest.mark.parametrize(("where", "mode"), [("connect", "socket"), ("connect", "http"), ("home", "http")])
async def test_a_picture_is_read_wherever_it_was_sent(
    where: str, mode: str, variables: dict[str, str], model: ScriptedModel
) -> None:
    """In Slack Connect a file comes without its address; at home with it."""
    channel, by = (SHARED, "") if where == "connect" else (PLAIN, ROBIN.id)
    async with slack_stage(variables, mode=mode, channel=channel) as stage:
        model.plays(reads_attachment, relays("On it:"), reads_first, relays("Again:"))
        model.sees(reads(RECEIPT), reads(RECEIPT))
        await stage.write("what is this?", by=by, files=(("receipt.png", picture()),))
        assert "Soda Regular" in await stage.answer()
        (file,) = stage.slack.world.files.values()
        assert set(file.tokens) == {"xoxb-home"}
        await stage.write("@Frontdesk read it once more", by=by)
        assert "Soda Regular" in await stage.answer()
        infos = stage.slack.faults.seen["files.info"]
        assert infos > 0 if where == "connect" else True


@pytest.mark.behaviour("slack.files")
@pytest.mark.parametrize(
    ("serves", "code"),
    [
        ("login", "web_page"),
        ("html", "web_page"),
        ("elsewhere", "web_page"),
        ("gone", "gone"),
        ("endless", "too_large"),
        ("packed", "not_a_picture"),
    ],
)
async def test_what_is_no_picture_gets_a_sentence_and_goes_nowhere(
    serves: str, code: str, stage: SlackStage, model: ScriptedModel, elsewhere: Elsewhere
) -> None:
    model.plays(reads_attachment, relays("No:"), says("Fine."))
    serves = elsewhere.url if serves == "elsewhere" else serves
    asked = len(stage.slack.calls)
    with capture_logs() as logged:
        await stage.write("what is this?", files=(("receipt.png", picture()),), serves=serves)
        answer = await stage.answer()
    told = [line["scope"] for line in logged if line["event"] == "slack_scope_missing"]
    assert told == (["files:read"] if code == "web_page" else []), "the operator is told of a sign-in page"
    (result,) = results_of(await record(stage))
    assert orjson.loads(result.content)["error"] == code
    assert answer.startswith("No:")
    assert elsewhere.asked == 0
    (file,) = stage.slack.world.files.values()
    assert file.sent_bytes < 32 << 20, "it was read far beyond the limit"
    assert not any(request.is_vision for request in model.requests)
    await stage.write("thanks")
    assert await stage.answer() == "Fine."
    assert len(stage.slack.calls) > asked


@pytest.mark.behaviour("slack.files")
@pytest.mark.parametrize(
    ("name", "data"),
    [("empty.png", b""), ("cut.png", picture()[:60]), ("page.png", b"<!DOCTYPE html><html>Sign in</html>")],
    ids=["empty", "cut", "html"],
)
async def test_bytes_that_are_no_picture_are_told_apart(
    name: str, data: bytes, stage: SlackStage, model: ScriptedModel
) -> None:
    model.plays(reads_attachment, relays("No:"))
    await stage.write("what is this?", files=((name, data),))
    await stage.answer()
    (result,) = results_of(await record(stage))
    assert result.is_error or "error" in orjson.loads(result.content), result.content
    assert not any(request.is_vision for request in model.requests)


@pytest.mark.behaviour("slack.files")
async def test_a_file_that_says_that_it_is_huge_is_not_asked_for(stage: SlackStage, model: ScriptedModel) -> None:
    model.plays(reads_attachment, relays("No:"))
    await stage.write("what is this?", files=(("huge.png", picture()),), claimed_bytes=60 << 20)
    await stage.answer()
    (file,) = stage.slack.world.files.values()
    (result,) = results_of(await record(stage))
    assert "too_large" in result.content
    assert file.asked == 0


@pytest.mark.behaviour("slack.files")
@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_a_picture_counts_also_when_the_mention_comes_first_and_without_it(
    mode: str, variables: dict[str, str], model: ScriptedModel
) -> None:
    """Slack brings a mention twice, in any order, and only the message is sure to tell its files."""

    def told(request: Request) -> Reply:
        """Looks at the picture as soon as it is there; it may come while the rest is answered already."""
        last = request.messages[-1]
        if last["role"] == "tool":
            return says(f"On it: {last['content']}")
        return reads_first(request) if "[attached: " in str(last["content"]) else says("I see none.")

    async with slack_stage(variables, mode=mode) as stage:
        model.plays(says("Hello!"))
        model.answers(told)
        model.sees(reads(RECEIPT))
        await stage.write("hi")
        await stage.answer()
        sent = await stage.write("@Frontdesk what is this?", files=(("receipt.png", picture()),), mention_first=True)
        for body in sent.bodies:  # and once more
            assert (await stage.slack.delivery.event(body)).acknowledged
        await stage.slack.shows(SHARED, stage.root, "Soda Regular")
        await stage.settled()
        heard = [turn for turn in await record(stage) if isinstance(turn, UserTurn)]
        assert [len(turn.attachments) for turn in heard] == [0, 0, 1]
        assert (await stage.person().delete(sent.message)).acknowledged
        forgotten = [turn for turn in await record(stage) if isinstance(turn, UserTurn)][1:3]
        assert [(turn.text, turn.attachments) for turn in forgotten] == [("", ())] * 2


@pytest.mark.behaviour("slack.files")
async def test_a_picture_without_words_begins_nothing_in_a_channel_and_a_turn_in_a_thread(
    stage: SlackStage, model: ScriptedModel
) -> None:
    model.plays(says("Hello!"), reads_attachment, relays("On it:"))
    model.sees(reads(RECEIPT))
    await stage.write("hi")
    await stage.answer()
    await stage.write("", files=(("receipt.png", picture()),))
    assert "Soda Regular" in await stage.answer()
    assert len([request for request in model.requests if not request.is_vision]) == 3
