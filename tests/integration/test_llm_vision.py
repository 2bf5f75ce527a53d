"""The vision model against a real server: what is sent is strict, what comes back fits or is asked for once more."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from datetime import date
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from bot.errors import ToolFailed, Transient
from bot.llm.vision import OpenAIVision, strict_schema
from bot.ports import Image
from tests.servers import openai as play
from tests.servers.openai import ScriptedModel
from tests.servers.strict import violations


class Item(BaseModel):
    name: str = Field(max_length=80)
    price_in_cents: int = Field(ge=0)
    kind: Literal["food"] | None = None


class Receipt(BaseModel):
    """A receipt."""

    title: str = Field(default="", description="the shop's name", min_length=1)
    on: date | None = None
    items: list[Item] = Field(max_length=100)
    best: Item | None = None


GOOD = {
    "title": "Café",
    "on": "2023-09-27",
    "items": [{"name": "Soda", "price_in_cents": 188, "kind": None}],
    "best": None,
}
BAD = GOOD | {"items": [{"name": "Soda", "price_in_cents": -1, "kind": None}]}
IMAGE = Image(media_type="image/png", data=b"\x89PNG picture", width=1, height=1)


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as server:
        yield server


@pytest.fixture
async def vision(model: ScriptedModel) -> AsyncIterator[OpenAIVision]:
    vision = OpenAIVision(api_key="sk-test", base_url=model.base_url, model="m", total_timeout_s=0.5)
    yield vision
    await vision.aclose()


@pytest.mark.behaviour("model.vision")
async def test_a_picture_is_read(model: ScriptedModel, vision: OpenAIVision) -> None:
    model.sees(play.reads(GOOD))
    assert await vision.extract(IMAGE, Receipt) == Receipt.model_validate(GOOD)
    sent = model.requests[0].json
    assert set(sent) == {"model", "messages", "response_format"}
    url = sent["messages"][1]["content"][1]["image_url"]["url"]
    assert base64.b64decode(url.removeprefix("data:image/png;base64,")) == IMAGE.data


@pytest.mark.behaviour("model.vision")
@pytest.mark.parametrize(
    "first", [play.reads(BAD), play.reads("no JSON"), play.reads(None, refusal="I will not."), play.reads(None)]
)
async def test_what_does_not_fit_is_asked_once_more(
    model: ScriptedModel, vision: OpenAIVision, first: play.Reply
) -> None:
    model.sees(first, play.reads(GOOD))
    assert (await vision.extract(IMAGE, Receipt)).title == "Café"
    assert "does not fit" in model.requests[1].messages[-1]["content"]


@pytest.mark.behaviour("model.vision")
@pytest.mark.parametrize("reply", [play.reads(BAD), play.reads(None, refusal="no"), play.reads("x" * 300_000)])
async def test_what_never_fits_is_unreadable(model: ScriptedModel, vision: OpenAIVision, reply: play.Reply) -> None:
    model.sees(reply, reply)
    with pytest.raises(ToolFailed) as caught:
        await vision.extract(IMAGE, Receipt)
    assert caught.value.code == "unreadable"


@pytest.mark.behaviour("model.passing")
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (play.fails(429, retry_after=2), "model_rate_limited"),
        (play.fails(503), "model_server_error"),
        (play.page(), "model_answer_malformed"),
        (play.drops(), "model_unreachable"),
        (play.hangs(), "model_timeout"),
        (play.Reply(steps=(b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n{", play.Hang()), raw=True), "model_timeout"),
        (play.Reply(steps=(b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n{",), raw=True), "model_stream_broken"),
    ],
)
async def test_an_endpoint_that_is_not_available(
    model: ScriptedModel, vision: OpenAIVision, reply: play.Reply, reason: str
) -> None:
    model.sees(reply)
    with pytest.raises(Transient) as caught:
        await vision.extract(IMAGE, Receipt)
    assert caught.value.reason == reason


@pytest.mark.behaviour("model.permanent")
@pytest.mark.parametrize("reply", [play.fails(401), play.fails(400), play.fails(413)])
async def test_an_endpoint_that_refuses(model: ScriptedModel, vision: OpenAIVision, reply: play.Reply) -> None:
    model.sees(reply)
    with pytest.raises(ToolFailed) as caught:
        await vision.extract(IMAGE, Receipt)
    assert caught.value.code == "vision_unavailable"


@pytest.mark.behaviour("model.vision")
def test_the_schema_is_what_strict_endpoints_take() -> None:
    schema = strict_schema(Receipt)
    assert schema["required"] == ["title", "on", "items", "best"]
    assert schema["properties"]["title"] == {"type": "string", "description": "the shop's name"}
    described = {"type": "json_schema", "json_schema": {"name": "Receipt", "strict": True, "schema": schema}}
    message = {"role": "user", "content": "x"}
    assert not list(
        violations(json.dumps({"model": "m", "messages": [message], "response_format": described}).encode())
    )


@pytest.mark.behaviour("model.vision")
def test_fields_of_any_name_cannot_be_strict() -> None:
    class Loose(BaseModel):
        anything: dict[str, str]

    with pytest.raises(TypeError):
        strict_schema(Loose)
