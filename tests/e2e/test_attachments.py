"""Attachments (acceptance 4, 15): what of them reaches the vision model, and what is refused at the door."""

from __future__ import annotations

import base64
import io
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from PIL import Image
from redis.asyncio import Redis

from tests.integration.tools import pictures
from tests.scenarios import RECEIPT, reads_attachment, relays
from tests.servers.openai import Reply, Request, ScriptedModel, calls, reads, says
from tests.stages.play import assert_whole, record
from tests.stages.search import redis_bytes
from tests.stages.web import WebStage, web_stage
from tools.images import LIMIT_BYTES


@pytest.fixture
async def stage(variables: dict[str, str]) -> AsyncIterator[WebStage]:
    async with web_stage(variables) as stage:
        yield stage


def shown(request: Request) -> bytes:
    """The picture in a request to the vision model, which holds nothing else but our own words."""
    (question,) = (message for message in request.messages if message["role"] == "user")
    text, picture = question["content"]
    assert text == {"type": "text", "text": "Read this picture."}
    head, _, data = picture["image_url"]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    return base64.b64decode(data, validate=True)


def looked_at(model: ScriptedModel) -> list[bytes]:
    """Every picture that the vision model was shown."""
    return [shown(request) for request in model.requests if request.is_vision]


def segments(jpeg: bytes) -> list[int]:
    """The markers before the picture itself: 0xE1 holds EXIF, 0xFE a remark."""
    assert jpeg.startswith(b"\xff\xd8")
    markers, at = [], 2
    while jpeg[at + 1] != 0xDA:
        markers.append(jpeg[at + 1])
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return markers


def attachments(request: Request) -> list[str]:
    """The ids of all files that the model was told of."""
    lines = "\n".join(str(message["content"]) for message in request.messages).splitlines()
    return [line.split()[1] for line in lines if line.startswith("[attached: ")]


def reads_all(request: Request) -> Reply:
    """Calls the vision tool with every file there is, in one step."""
    return calls(*(("analyze_receipt_image", {"image": file}) for file in attachments(request)))


def by_width(request: Request) -> Reply:
    """Reads a receipt whose total is the picture's width."""
    width = Image.open(io.BytesIO(shown(request))).width
    return reads({**RECEIPT, "items": [], "total_in_cents": width})


@pytest.mark.behaviour("images.refused")
@pytest.mark.parametrize(
    ("size_bytes", "told"),
    [(LIMIT_BYTES + 1, "“huge.png” is larger than 10 MB"), (60_000_000, "Too Large")],
    ids=["10 MB and a byte", "60 MB"],
)
async def test_a_file_that_is_too_large_is_refused_at_the_door(
    size_bytes: int, told: str, stage: WebStage, model: ScriptedModel
) -> None:
    response = await stage.request(
        "POST",
        "messages",
        data={"id": str(uuid.uuid4()), "text": "my receipt"},
        files=[("files", ("huge.png", pictures.png() + b"\0" * size_bytes, "image/png"))],
    )
    assert response.status_code == 413
    assert told in response.text
    assert await record(stage) == []
    assert model.requests == []


@pytest.mark.behaviour("images.clean")
@pytest.mark.parametrize(
    ("name", "make", "size"),
    [
        ("photo.jpg", pictures.phone_photo, (120, 200)),
        ("moving.gif", pictures.animation, (60, 40)),
        ("wrong-name.exe", lambda: pictures.png(300, 200), (300, 200)),
        ("big.webp", lambda: pictures.encoded(pictures.noise(3000, 1500), "WEBP", quality=30), (2048, 1024)),
    ],
)
async def test_nothing_but_a_fresh_picture_without_metadata_reaches_the_vision_model(
    name: str, make: Callable[[], bytes], size: tuple[int, int], stage: WebStage, model: ScriptedModel
) -> None:
    data = make()
    model.plays(reads_attachment, relays())
    model.sees(reads(RECEIPT))
    await stage.say("help me make sense of this", files=((name, data),))
    assert "Soda Regular" in await stage.answer()
    (jpeg,) = looked_at(model)
    assert set(segments(jpeg)) <= {0xE0, 0xDB, 0xC0, 0xC4}
    assert b"IGNORE ALL" not in jpeg
    assert data[:1000] not in jpeg
    picture = Image.open(io.BytesIO(jpeg))
    assert picture.size == size
    if name == "moving.gif":
        red, _, blue = picture.convert("RGB").getpixel((30, 20))  # type: ignore[misc]  # of RGB it is three numbers
        assert red > 200 > 50 > blue, "the first frame"
    for request in model.requests:
        assert request.is_vision or b"base64" not in request.body, "the model that may call tools sees no picture"


@pytest.mark.behaviour("receipts.many")
async def test_two_receipts_in_one_message_are_both_read(stage: WebStage, model: ScriptedModel) -> None:
    model.plays(reads_all, relays("Both:"))
    model.sees(by_width, by_width)
    await stage.say("compare these", files=(("a.png", pictures.png(301, 200)), ("b.png", pictures.png(302, 200))))
    answer = await stage.answer()
    assert answer.index('"total_in_cents": 301') < answer.index('"total_in_cents": 302')
    assert len(looked_at(model)) == 2
    assert_whole(await record(stage))


@pytest.mark.behaviour("receipts.many")
async def test_a_picture_of_an_earlier_message_is_read_when_it_is_asked_for(
    stage: WebStage, model: ScriptedModel
) -> None:
    model.plays(says("Nice. What shall I do with it?"), says("Sure."), reads_all, relays())
    model.sees(by_width)
    await stage.say("", files=(("receipt.png", pictures.png(333, 200)),))
    await stage.answer()
    await stage.say("wait a moment")
    await stage.answer()
    await stage.say("now tell me the total of the receipt")
    assert '"total_in_cents": 333' in await stage.answer()
    assert len(looked_at(model)) == 1


@pytest.mark.behaviour("receipts.many")
async def test_the_same_picture_twice_is_looked_at_once(stage: WebStage, model: ScriptedModel) -> None:
    receipt = pictures.png(340, 200)
    model.plays(reads_all, relays(), reads_attachment, relays())
    model.sees(by_width)
    await stage.say("the total?", files=(("receipt.png", receipt),))
    assert '"total_in_cents": 340' in await stage.answer()
    await stage.say("and of this one?", files=(("again.png", receipt),))
    assert '"total_in_cents": 340' in await stage.answer()
    assert len(set(attachments(model.requests[-1]))) == 2
    assert len(looked_at(model)) == 1


@pytest.mark.behaviour("leaks.file_names")
async def test_a_secret_in_the_name_of_an_uploaded_file_is_kept_nowhere(
    stage: WebStage, model: ScriptedModel, redis: Redis, tmp_path: Path
) -> None:
    token = "sk-proj-abcdefghij0123456789"
    model.plays(says("Nice."))
    await stage.say("look", files=((f"{token}.png", pictures.png(333, 200)),))
    await stage.answer()
    assert token.encode() not in b"".join([held async for _, held in redis_bytes(redis)])
    assert not any(token.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
