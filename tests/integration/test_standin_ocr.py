"""Rendered receipts, read by the real OCR through the real protocol: fonts, layouts, slants, and what is no receipt."""

from __future__ import annotations

import base64
import io
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from PIL import Image, ImageDraw, ImageFont
from pydantic import BaseModel

from bot.standin import ocr
from tests.integration.test_standin_server import stand_in

pytestmark = pytest.mark.behaviour("standin.receipt")

FONTS = (
    "",  # the one that Pillow brings; the others are read where the system has them
    "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationSerif-Regular.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationSansNarrow-Regular.ttf",
)
PRESENT = tuple(font for font in FONTS if not font or Path(font).exists())

Line = str | tuple[str, str]

SANDWICHES: Sequence[Line] = (
    "THE SANDWICH PLACE", "2023-09-27 19:45", "", ("1 New Yorker", "$12.99"), ("1 Tuna Salad (Classic)", "$10.49"),
    ("1 Soda Regular", "$1.88"), ("1 Water Bottled", "$1.88"), ("TOTAL", "$27.24"), "Thank you!",
)  # fmt: skip
DINER: Sequence[Line] = (
    "Joe's Diner", "Date: 03/14/2024  Time: 7:45 PM", "Table 12  Server: Ann", ("2 x Coffee", "$7.00"),
    ("1 x Pancakes", "$8.50"), ("3 x Juice", "$9.00"), ("Subtotal", "$24.50"), ("Sales Tax 8%", "$1.96"),
    ("Tip", "$4.00"), ("TOTAL", "$30.46"), ("VISA ****1234", "$30.46"), "Thank you, come again",
)  # fmt: skip
# Without umlauts: the font that Pillow brings has none.
GASTHAUS: Sequence[Line] = (
    "Gasthaus Zum Hirsch", "Datum 27.09.2023 19:45 Uhr", "Tisch 7", ("Kaffee", ""), ("  2 x 3,50", "7,00 A"),
    ("Apfelkuchen", "3,20 A"), ("3 Wasser", "7,50 B"), ("Zwischensumme", "17,70"), ("Trinkgeld", "2,00"),
    ("Summe EUR", "19,70"), ("Bar EUR", "20,00"), ("Zurueck EUR", "0,30"), "enthaltene MwSt 19%: 2,83",
)  # fmt: skip
EXPECTED = {
    "sandwiches": (
        SANDWICHES,
        [
            ("New Yorker", 1, 1299),
            ("Tuna Salad (Classic)", 1, 1049),
            ("Soda Regular", 1, 188),
            ("Water Bottled", 1, 188),
        ],
        ("2023-09-27T19:45:00", "USD", 2724),
    ),
    "diner": (
        DINER,
        [("Coffee", 2, 350), ("Pancakes", 1, 850), ("Juice", 3, 300), ("Sales Tax 8%", 1, 196), ("Tip", 1, 400)],
        ("2024-03-14T19:45:00", "USD", 3046),
    ),
    "gasthaus": (
        GASTHAUS,
        [("Kaffee", 2, 350), ("Apfelkuchen", 1, 320), ("Wasser", 3, 250), ("Trinkgeld", 1, 200)],
        ("2023-09-27T19:45:00", "EUR", 1970),
    ),
}


class Item(BaseModel):
    name: str
    quantity: int
    price_in_cents: int


class Receipt(BaseModel):
    date: str | None
    items: list[Item]
    currency: str
    total_in_cents: int


def render(lines: Sequence[Line], font: str = "", *, width: int = 480, size: int = 20) -> Image.Image:
    """A receipt on white paper: a line in the middle, or a name on the left and an amount on the right."""
    face = ImageFont.truetype(font, size) if font else ImageFont.load_default(size)
    step = round(size * 1.5)
    paper = Image.new("RGB", (width, 40 + step * len(lines)), "white")
    pen = ImageDraw.Draw(paper)
    for number, line in enumerate(lines):
        top = 20 + number * step
        if isinstance(line, str):
            pen.text(((width - pen.textlength(line, font=face)) / 2, top), line, font=face, fill="black")
        else:
            pen.text((20, top), line[0], font=face, fill="black")
            pen.text((width - 20 - pen.textlength(line[1], font=face), top), line[1], font=face, fill="black")
    return paper


def to_url(picture: Image.Image, kind: str = "PNG") -> str:
    data = io.BytesIO()
    picture.save(data, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(data.getvalue()).decode()}"


@pytest.fixture(scope="module")
def client() -> Iterator[OpenAI]:
    with stand_in() as (_, url), OpenAI(base_url=url, api_key="x", max_retries=0, timeout=25) as client:
        yield client


def read(client: OpenAI, url: str) -> tuple[Receipt | None, str | None]:
    """What stands on a picture, or why it cannot be told."""
    message = client.chat.completions.parse(
        model="m",
        messages=[
            {"role": "system", "content": "Read the receipt."},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url, "detail": "high"}}]},
        ],
        response_format=Receipt,
    ).choices[0].message  # fmt: skip
    return message.parsed, message.refusal


@pytest.mark.parametrize("font", PRESENT, ids=lambda font: Path(font).stem or "Pillow")
@pytest.mark.parametrize("name", EXPECTED)
def test_a_rendered_receipt_is_read(client: OpenAI, name: str, font: str) -> None:
    lines, items, (date, currency, total) = EXPECTED[name]
    receipt, refusal = read(client, to_url(render(lines, font)))
    assert receipt is not None, refusal
    assert [(item.name, item.quantity, item.price_in_cents) for item in receipt.items] == items
    assert (receipt.date, receipt.currency, receipt.total_in_cents) == (date, currency, total)


@pytest.mark.parametrize("degrees", (4, -6, 90, 180, 270))
def test_a_picture_may_be_held_as_it_likes(client: OpenAI, degrees: int) -> None:
    picture = render(SANDWICHES, width=600, size=24).rotate(degrees, expand=True, fillcolor=(205, 195, 185))
    receipt, refusal = read(client, to_url(picture, "JPEG"))
    assert receipt is not None, refusal
    assert [item.price_in_cents for item in receipt.items] == [1299, 1049, 188, 188]
    assert receipt.total_in_cents == 2724


@pytest.mark.parametrize(
    ("lines", "reason"), (((), "no text"), (("Hello world", "no receipt here"), "no items with prices"))
)
def test_what_is_no_receipt_is_refused_with_a_reason(client: OpenAI, lines: Sequence[Line], reason: str) -> None:
    receipt, refusal = read(client, to_url(render(lines)))
    assert receipt is None
    assert reason in str(refusal)


def test_a_picture_in_a_plain_conversation_is_explained(client: OpenAI) -> None:
    url = to_url(render(SANDWICHES))
    asked: Any = [{"type": "text", "text": "what is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": asked}])
    content = answer.choices[0].message.content
    assert "Soda Regular" in str(content)
    assert "$27.24" in str(content)


async def test_it_reads_without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("reading a picture must not open a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    lines = await ocr.Eye().read(to_url(render(SANDWICHES)))
    assert "TOTAL  $27.24" in lines


async def test_where_there_is_no_ocr_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    # The interpreter's own way to say that a package is not there.
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(ocr.CannotRead, match="not installed"):
        await ocr.Eye().read(to_url(render(SANDWICHES)))
