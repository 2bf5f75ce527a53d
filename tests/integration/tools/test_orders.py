"""`get_order_status`: what opens an order, and what does not."""

from __future__ import annotations

import pytest

from tests.integration.tools.conftest import Shop

SANTA = {"order_id": "123123", "email": "santa@clau.se"}


@pytest.mark.behaviour("tools.order")
async def test_order_and_email_give_everything_that_the_customer_may_know(shop: Shop) -> None:
    result = await shop.call("get_order_status", SANTA, await shop.context())
    assert result == {
        "order_id": "123123",
        "status": "Out for delivery",
        "eta": "2024-11-08",
        "address": "Snowy Mountain 123, Greenland",
        "items": [{"name": "Large wooden sled", "quantity": 1}, {"name": "Reindeer harness", "quantity": 2}],
    }


@pytest.mark.behaviour("tools.arguments")
async def test_arguments_may_be_written_as_people_and_models_write_them(shop: Shop) -> None:
    for order_id, email in (
        ("#123123", " SANTA@Clau.SE "),
        (123123, "mailto:santa@clau.se"),
        (" # 123123 ", "santa@clau.se"),
    ):
        result = await shop.call("get_order_status", {"order_id": order_id, "email": email}, await shop.context())
        assert result["order_id"] == "123123"
    result = await shop.call(
        "get_order_status", {"order_id": "fd-3007", "email": "yuki@example.com"}, await shop.context()
    )
    assert (result["order_id"], result["eta"]) == ("FD-3007", None)


@pytest.mark.behaviour("tools.arguments")
async def test_what_is_no_order_id_is_told_apart_from_what_is_not_found(shop: Shop) -> None:
    for arguments in (
        {"order_id": "", "email": "a@b.c"},
        {"order_id": "1' OR '1'='1", "email": "a@b.c"},
        {"order_id": "1" * 41, "email": "a@b.c"},
        {"order_id": True, "email": "a@b.c"},
        {"order_id": "123123", "email": "santa"},
        {"order_id": "123123", "email": "a@b.c", "tenant": "other"},
        {"email": "a@b.c"},
    ):
        code, _ = await shop.refusal("get_order_status", arguments, await shop.context())
        assert code == "invalid_arguments"


@pytest.mark.behaviour("tools.neutral")
async def test_a_wrong_email_and_an_unknown_id_say_the_same(shop: Shop) -> None:
    wrong = await shop.refusal("get_order_status", SANTA | {"email": "elf@clau.se"}, await shop.context())
    unknown = await shop.refusal("get_order_status", SANTA | {"order_id": "999999"}, await shop.context())
    assert wrong == unknown
    assert wrong[0] == "not_found"


@pytest.mark.behaviour("tools.misses")
async def test_after_five_misses_there_is_a_pause_for_that_person_alone(shop: Shop) -> None:
    for miss in range(5):
        code, _ = await shop.refusal(
            "get_order_status", {"order_id": f"{miss}", "email": "a@b.c"}, await shop.context()
        )
        assert code == "not_found"
    code, sentence = await shop.refusal("get_order_status", SANTA, await shop.context(thread="T2"))
    assert code == "too_many_misses"
    assert "human" in sentence
    assert (await shop.call("get_order_status", SANTA, await shop.context("U2")))["status"] == "Out for delivery"


@pytest.mark.behaviour("tools.misses")
async def test_a_success_resets_no_misses_and_is_none(shop: Shop) -> None:
    for miss in range(4):
        await shop.refusal("get_order_status", {"order_id": f"{miss}", "email": "a@b.c"}, await shop.context())
        await shop.call("get_order_status", SANTA, await shop.context())
    await shop.refusal("get_order_status", {"order_id": "5", "email": "a@b.c"}, await shop.context())
    code, _ = await shop.refusal("get_order_status", SANTA, await shop.context())
    assert code == "too_many_misses"


@pytest.mark.behaviour("tools.once")
async def test_a_call_that_is_repeated_after_a_crash_counts_once(shop: Shop) -> None:
    for _ in range(9):
        code, _ = await shop.refusal(
            "get_order_status", {"order_id": "1", "email": "a@b.c"}, await shop.context(call="1.1.1")
        )
        assert code == "not_found"
    assert await shop.call("get_order_status", SANTA, await shop.context())


@pytest.mark.behaviour("tools.order")
async def test_an_opened_order_needs_no_email_again_for_that_person_in_that_thread(shop: Shop) -> None:
    await shop.call("get_order_status", SANTA, await shop.context())
    again = await shop.call("get_order_status", {"order_id": "123123"}, await shop.context(turn=2))
    assert again["address"] == "Snowy Mountain 123, Greenland"
    assert (
        await shop.call("get_order_status", {"order_id": "#123123", "email": None}, await shop.context(turn=3)) == again
    )
    assert await shop.call("get_order_status", {"order_id": "123123", "email": ""}, await shop.context(turn=4)) == again
    for context in (
        await shop.context("U2"),
        await shop.context(thread="T2"),
        await shop.context(tenant="other"),
    ):
        code, _ = await shop.refusal("get_order_status", {"order_id": "123123"}, context)
        assert code == "email_required"
    code, _ = await shop.refusal("get_order_status", {"order_id": "123124"}, await shop.context())
    assert code == "email_required"


@pytest.mark.behaviour("tools.order")
async def test_a_weak_proof_verifies_nobody(shop: Shop) -> None:
    await shop.call("get_order_status", SANTA, await shop.context())
    code, _ = await shop.refusal("get_ticket_status", {"ticket_id": "12345"}, await shop.context())
    assert code == "verification_required"


@pytest.mark.behaviour("tools.tenants")
async def test_another_tenants_order_does_not_exist(shop: Shop) -> None:
    here = await shop.refusal("get_order_status", SANTA, await shop.context(tenant="third"))
    nowhere = await shop.refusal("get_order_status", SANTA | {"order_id": "999999"}, await shop.context(tenant="third"))
    assert here == nowhere
    assert here[0] == "not_found"
