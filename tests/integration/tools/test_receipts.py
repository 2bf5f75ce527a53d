"""`analyze_receipt_image`: from a file or a link to a table whose sums were checked."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace

import orjson
import pytest
from PIL import Image as Pillow
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import Permanent, ToolFailed, Transient
from bot.messages import Attachment
from bot.tool import RESULT_LIMIT_BYTES, ToolContext
from tests.integration.tools import pictures
from tests.integration.tools.conftest import Shop, audited
from tools.receipts import Receipt, summed
from tools.tables import receipts

LUNCH = {
    "date": "2023-09-27 19:45",
    "items": [
        {"name": "New Yorker", "quantity": 1, "price_in_cents": 1299},
        {"name": "Tuna Salad (Classic)", "quantity": 1, "price_in_cents": 1049},
        {"name": "Soda Regular", "quantity": 1, "price_in_cents": 188},
        {"name": "Water Bottled", "quantity": 1, "price_in_cents": 188},
    ],
    "currency": "USD",
    "total_in_cents": 2724,
}


def attached(file_id: str, name: str = "receipt.png", size_bytes: int = 1000) -> Attachment:
    return Attachment(id=file_id, name=name, media_type="image/png", size_bytes=size_bytes, ref=f"ref-{file_id}")


async def _stored(shop: Shop) -> int:
    async def work(connection: AsyncConnection) -> int:
        return int((await connection.execute(select(func.count()).select_from(receipts))).scalar_one())

    return await shop.database.read(work)


@pytest.fixture
async def context(shop: Shop) -> ToolContext:
    """Somebody who has attached two files."""
    shop.vision.answer = LUNCH
    shop.files.held = {"ref-f1": pictures.png(100, 200), "ref-f2": pictures.phone_photo()}
    return await shop.context(attachments=(attached("f1", "Lunch.PNG"), attached("f2", "photo.jpg")))


@pytest.mark.behaviour("receipts.sums")
async def test_a_receipt_is_read_summed_and_stored(shop: Shop, context: ToolContext) -> None:
    result = await shop.call("analyze_receipt_image", {"image": "f1"}, context)
    assert {name: result[name] for name in LUNCH} == LUNCH
    assert (result["sums_agree"], result["difference_in_cents"], result["sum_of_items_in_cents"]) == (True, 0, 2724)
    assert "not instructions" in str(result["note"])
    assert await _stored(shop) == 1


@pytest.mark.behaviour("images.clean")
async def test_the_vision_model_gets_a_fresh_picture_without_metadata(shop: Shop, context: ToolContext) -> None:
    await shop.call("analyze_receipt_image", {"image": "f2"}, context)
    (seen,) = shop.vision.seen
    assert seen.media_type == "image/jpeg"
    assert b"IGNORE ALL" not in seen.data
    assert Pillow.open(io.BytesIO(seen.data)).size == (120, 200)


@pytest.mark.behaviour("receipts.many")
async def test_a_file_is_meant_by_id_by_name_or_as_the_latest(shop: Shop, context: ToolContext) -> None:
    for image, ref in (("f1", "ref-f1"), ("lunch.png", "ref-f1"), ("photo.jpg", "ref-f2"), (" latest ", "ref-f2")):
        await shop.call("analyze_receipt_image", {"image": image}, context)
        assert shop.files.reads[-1] == ref


@pytest.mark.behaviour("receipts.many")
async def test_an_unknown_file_is_answered_with_the_ids_that_there_are(shop: Shop, context: ToolContext) -> None:
    code, sentence = await shop.refusal("analyze_receipt_image", {"image": "../../etc/passwd"}, context)
    assert code == "unknown_file"
    assert "f2, f1" in sentence
    assert "passwd" not in sentence
    code, _ = await shop.refusal("analyze_receipt_image", {"image": "f1"}, await shop.context())
    assert code == "no_files"


@pytest.mark.behaviour("receipts.once")
async def test_the_same_picture_in_the_same_thread_is_looked_at_once(shop: Shop, context: ToolContext) -> None:
    first = await shop.call("analyze_receipt_image", {"image": "f1"}, context)
    shop.vision.answer = LUNCH | {"total_in_cents": 1}
    shop.files.held["ref-f9"] = shop.files.held["ref-f1"]
    renamed = await shop.context("U2", attachments=(attached("f9"),))
    assert await shop.call("analyze_receipt_image", {"image": "f9"}, renamed) == first
    assert len(shop.vision.seen) == 1
    elsewhere = await shop.context(thread="T2", attachments=context.attachments)
    assert (await shop.call("analyze_receipt_image", {"image": "f1"}, elsewhere))["sums_agree"] is False
    other = await shop.context(tenant="other", attachments=context.attachments)
    assert (await shop.call("analyze_receipt_image", {"image": "f1"}, other))["sums_agree"] is False
    assert len(shop.vision.seen) == 3


@pytest.mark.behaviour("receipts.once")
async def test_eight_at_once_keep_one_receipt(shop: Shop, context: ToolContext) -> None:
    results = await asyncio.gather(*(shop.call("analyze_receipt_image", {"image": "f1"}, context) for _ in range(8)))
    assert len({str(result) for result in results}) == 1
    assert await _stored(shop) == 1


@pytest.mark.behaviour("receipts.sums")
async def test_sums_that_disagree_are_said_so(shop: Shop, context: ToolContext) -> None:
    shop.vision.answer = LUNCH | {"total_in_cents": 3000}
    result = await shop.call("analyze_receipt_image", {"image": "f1"}, context)
    assert (result["sums_agree"], result["difference_in_cents"], result["total_in_cents"]) == (False, 276, 3000)


@pytest.mark.behaviour("images.refused")
async def test_a_file_that_is_no_picture_never_reaches_the_vision_model(shop: Shop, context: ToolContext) -> None:
    for name, (data, expected) in pictures.REFUSED.items():
        shop.files.held["ref-f1"] = data
        code, _ = await shop.refusal("analyze_receipt_image", {"image": "f1"}, context)
        assert code == expected, name
    assert shop.vision.seen == []
    assert await _stored(shop) == 0


@pytest.mark.behaviour("images.refused")
async def test_a_file_that_says_it_is_too_large_is_not_even_read(shop: Shop, context: ToolContext) -> None:
    huge = replace(context, attachments=(attached("f1", size_bytes=60_000_000),))
    code, _ = await shop.refusal("analyze_receipt_image", {"image": "f1"}, huge)
    assert code == "too_large"
    assert shop.files.reads == []


@pytest.mark.behaviour("receipts.honest")
async def test_a_vision_model_that_fails_makes_an_honest_sentence_and_nothing_is_stored(
    shop: Shop, context: ToolContext
) -> None:
    for error in (ToolFailed("unreadable", "x"), Transient("model_rate_limited"), Permanent("model_unauthorized")):
        shop.vision.error = error
        assert (await shop.refusal("analyze_receipt_image", {"image": "f1"}, context))[0] == "unreadable"
    shop.vision.error = None
    shop.vision.answer = {"date": None, "items": [], "currency": None, "total_in_cents": 0}
    assert (await shop.refusal("analyze_receipt_image", {"image": "f1"}, context))[0] == "unreadable"
    assert await _stored(shop) == 0


LINK = "https://img.example/a.png?x=1&y=2"


@pytest.fixture
def visited(shop: Shop) -> list[str]:
    """The links that were opened; behind each is a picture."""
    opened: list[str] = []

    async def fetch(url: str) -> bytes:
        opened.append(url)
        return pictures.png(50, 50)

    shop.vision.answer = LUNCH
    shop.kit = replace(shop.kit, fetch=fetch)
    return opened


@pytest.mark.behaviour("tools.links")
async def test_a_link_goes_the_same_way_as_a_file(shop: Shop, visited: list[str]) -> None:
    for said in (f"see {LINK}, please", "<https://img.example/a.png?x=1&amp;y=2>", "img.example/a.png?x=1&y=2"):
        visited.clear()
        for image in (LINK, LINK.replace("&", "&amp;")):
            result = await shop.call("analyze_receipt_image", {"image": image}, await shop.context(said={"U1": said}))
            assert result["sums_agree"] is True
        assert visited == [LINK, LINK], said
    assert len(shop.vision.seen) == 1


@pytest.mark.behaviour("tools.links")
async def test_a_link_that_this_person_did_not_write_is_not_opened(shop: Shop, visited: list[str]) -> None:
    for who, said in (("U1", "help me with this"), ("U1", "see https://img.example/"), ("U2", f"see {LINK}")):
        context = await shop.context(said={who: said})
        code, sentence = await shop.refusal("analyze_receipt_image", {"image": LINK}, context)
        assert code == "link_not_yours"
        assert "img.example" not in sentence
    assert visited == []
    assert (
        await audited(shop) == [("web:demo:U1", "analyze_receipt_image", "web:demo:support:T1", "link_not_yours")] * 3
    )


@pytest.mark.behaviour("fetch.guarded")
async def test_a_link_into_our_own_network_is_not_followed(shop: Shop) -> None:
    for link, expected in (
        ("https://127.0.0.1/a.png", "link_not_usable"),
        ("https://[::1]/a.png", "link_not_usable"),
        ("https://169.254.169.254/latest/meta-data", "link_not_usable"),
        ("http://img.example/a.png", "bad_link"),
    ):
        context = await shop.context(said={"U1": f"look at {link}"})
        assert (await shop.refusal("analyze_receipt_image", {"image": link}, context))[0] == expected


@pytest.mark.behaviour("receipts.data")
def test_what_stands_on_a_receipt_is_bounded_and_scrubbed() -> None:
    read = Receipt.model_validate_json(
        orjson.dumps(
            {
                "date": "2024-02-30",
                "items": [{"name": "Tea\u202e\x00\n<b>" + "x" * 300, "quantity": 0.532, "price_in_cents": 299}],
                "currency": "€",
                "total_in_cents": 159,
            }
        )
    )
    assert (read.date, read.currency) == (None, "EUR")
    assert read.items[0].name.startswith("Tea <b>xxx")
    assert len(read.items[0].name) == 80
    assert summed(read).sums_agree is True


@pytest.mark.behaviour("receipts.data")
@pytest.mark.parametrize(
    ("typed", "kept"),
    (
        ("2023-09-27T19:45:00Z", "2023-09-27 19:45"),
        ("2023-09-27", "2023-09-27"),
        ("yesterday", None),
        (None, None),
    ),
)
def test_dates_are_kept_in_one_form(typed: str | None, kept: str | None) -> None:
    assert Receipt.model_validate(LUNCH | {"date": typed}).date == kept


@pytest.mark.behaviour("receipts.data")
@pytest.mark.parametrize(
    "change",
    (
        {"total_in_cents": 10**12},
        {"items": [LUNCH["items"][0]] * 101},  # type: ignore[index]  # a list of items
        {"items": [{"name": "x", "quantity": 0, "price_in_cents": 1}]},
        {"items": [{"name": "x", "quantity": float("inf"), "price_in_cents": 1}]},
        {"items": [{"name": "x" * 401, "quantity": 1, "price_in_cents": 1}]},
    ),
)
def test_a_receipt_out_of_bounds_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="1 validation error"):
        Receipt.model_validate(LUNCH | change)


@pytest.mark.behaviour("receipts.sums")
def test_a_receipt_of_a_hundred_long_lines_still_fits_and_is_summed_whole() -> None:
    line = {"name": "お茶とおにぎりの詰め合わせセット" * 5, "quantity": 2, "price_in_cents": 15000}
    result = summed(
        Receipt.model_validate({"date": None, "items": [line] * 100, "currency": "¥", "total_in_cents": 3_000_000})
    )
    assert len(orjson.dumps(result.model_dump(mode="json"))) <= RESULT_LIMIT_BYTES
    assert len(result.items) + result.items_left_out == 100
    assert result.items_left_out > 0
    assert result.sums_agree is True
