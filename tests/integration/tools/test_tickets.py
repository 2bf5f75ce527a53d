"""`create_customer_ticket` and `get_ticket_status`: one ticket per problem, told to its owner alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import ToolDenied
from tests.integration.tools.conftest import Shop, hash_quickly
from tools import demo
from tools.tables import FIRST_TICKET_NUMBER, tickets

OMAR = {"name": "Omar", "issue": "Unable to log in: an error appears after the password."}


async def _rows(shop: Shop, tenant: str = "default") -> int:
    query = select(func.count()).where(tickets.c.tenant == tenant, tickets.c.number >= FIRST_TICKET_NUMBER)

    async def work(connection: AsyncConnection) -> int:
        return int((await connection.execute(query)).scalar_one())

    return await shop.database.read(work)


@pytest.mark.behaviour("tools.once")
async def test_the_result_names_the_ticket_that_is_in_the_database(shop: Shop) -> None:
    result = await shop.call("create_customer_ticket", OMAR, await shop.context())
    assert result == {"ticket_id": "100001", "status": "Open", **OMAR}
    ticket = await shop.desk.find_ticket("default", 100_001)
    assert ticket is not None
    assert (ticket.name, ticket.issue, ticket.customer) == (OMAR["name"], OMAR["issue"], None)
    assert (ticket.person, ticket.thread) == ("web:demo:U1", "web:demo:support:T1")
    assert ticket.created_at.tzinfo is not None


@pytest.mark.behaviour("tools.once")
async def test_the_same_call_gives_the_same_ticket_however_often_it_is_repeated(shop: Shop) -> None:
    context = await shop.context(call="1.1.1")
    first = await shop.call("create_customer_ticket", OMAR, context)
    again = [await shop.call("create_customer_ticket", OMAR, context) for _ in range(7)]
    assert all(result == first for result in again)
    assert await _rows(shop) == 1


@pytest.mark.behaviour("tools.once")
async def test_twenty_at_once_with_one_key_are_one_ticket(shop: Shop) -> None:
    context = await shop.context(call="1.1.1")
    results = await asyncio.gather(*(shop.call("create_customer_ticket", OMAR, context) for _ in range(20)))
    assert len({str(result) for result in results}) == 1
    assert await _rows(shop) == 1


@pytest.mark.behaviour("tools.once")
async def test_twenty_people_at_once_get_twenty_numbers(shop: Shop) -> None:
    contexts = [await shop.context(f"U{who}", thread=f"T{who}") for who in range(20)]
    results = await asyncio.gather(*(shop.call("create_customer_ticket", OMAR, context) for context in contexts))
    assert len({result["ticket_id"] for result in results}) == 20
    assert await _rows(shop) == 20


@pytest.mark.behaviour("tools.limits")
async def test_a_second_ticket_in_one_turn_is_refused_and_one_in_the_next_is_not(shop: Shop) -> None:
    await shop.call("create_customer_ticket", OMAR, await shop.context(turn=1))
    code, _ = await shop.refusal("create_customer_ticket", OMAR, await shop.context(turn=1))
    assert code == "one_ticket_per_turn"
    assert (await shop.call("create_customer_ticket", OMAR, await shop.context(turn=2)))["ticket_id"] == "100002"


@pytest.mark.behaviour("tools.limits")
async def test_a_person_may_open_five_tickets_a_day(shop: Shop) -> None:
    contexts = [await shop.context(thread=f"T{number}") for number in range(12)]

    async def attempt(number: int) -> str:
        try:
            await shop.call("create_customer_ticket", OMAR, contexts[number])
        except ToolDenied as denied:
            return denied.code
        return "opened"

    outcomes = await asyncio.gather(*(attempt(number) for number in range(12)))
    assert sorted(outcomes) == ["opened"] * 5 + ["too_many_tickets"] * 7
    opened = contexts[outcomes.index("opened")]
    assert await shop.call("create_customer_ticket", OMAR, opened), "a repeated call is not a sixth ticket"
    assert await shop.call("create_customer_ticket", OMAR, await shop.context("U2", thread="T0", turn=2))
    shop.kit = replace(shop.kit, tickets_per_day=6)
    assert await shop.call("create_customer_ticket", OMAR, await shop.context(thread="T99"))


@pytest.mark.behaviour("tools.text")
async def test_what_cannot_be_seen_is_not_stored(shop: Shop) -> None:
    typed = {"name": "Om\u202ear\x00", "issue": "line one\r\n\r\nline\u200b \x07 two"}
    result = await shop.call("create_customer_ticket", typed, await shop.context())
    assert (result["name"], result["issue"]) == ("Omar", "line one\nline two")
    code, _ = await shop.refusal(
        "create_customer_ticket", {"name": "\u200b", "issue": "abc"}, await shop.context(turn=2)
    )
    assert code == "invalid_arguments"


@pytest.mark.behaviour("tools.verified")
async def test_before_verification_no_status_is_given_whatever_the_arguments(shop: Shop) -> None:
    for ticket_id in ("12345", "67890", "1"):
        code, _ = await shop.refusal("get_ticket_status", {"ticket_id": ticket_id}, await shop.context())
        assert code == "verification_required"
    presumed = {"ticket_id": "12345", "customer": "john_doe"}
    assert (await shop.refusal("get_ticket_status", presumed, await shop.context()))[0] == "verification_required"
    assert (await shop.refusal("get_ticket_status", presumed, await shop.verified()))[0] == "invalid_arguments"


@pytest.mark.behaviour("tools.verified")
async def test_a_verified_customer_learns_the_status_of_their_ticket(shop: Shop) -> None:
    context = await shop.verified()
    for ticket_id in ("12345", "#12345", 12345, " # 12345"):
        result = await shop.call("get_ticket_status", {"ticket_id": ticket_id}, context)
        assert (result["ticket_id"], result["status"], result["issue"]) == ("12345", "Open", "Billing Query")


@pytest.mark.behaviour("tools.neutral")
async def test_not_yours_and_not_there_say_the_same(shop: Shop) -> None:
    await demo.fill(shop.database, tenant="other", hash_key=hash_quickly)
    hers = await shop.refusal("get_ticket_status", {"ticket_id": "67890"}, await shop.verified())
    nowhere = await shop.refusal("get_ticket_status", {"ticket_id": "67891"}, await shop.verified())
    huge = await shop.refusal("get_ticket_status", {"ticket_id": "9" * 12}, await shop.verified())
    elsewhere = await shop.refusal("get_ticket_status", {"ticket_id": "12345"}, await shop.verified(tenant="third"))
    assert hers == nowhere == huge == elsewhere
    assert hers[0] == "not_found"


@pytest.mark.behaviour("tools.verified")
async def test_a_proof_serves_neither_another_person_nor_another_thread(shop: Shop) -> None:
    await shop.verified("U1", thread="T1")
    for context in (await shop.context("U2", thread="T1"), await shop.context("U1", thread="T2")):
        code, _ = await shop.refusal("get_ticket_status", {"ticket_id": "12345"}, context)
        assert code == "verification_required"
    assert await shop.call("get_ticket_status", {"ticket_id": "12345"}, await shop.context("U1", thread="T1"))


@pytest.mark.behaviour("tools.verified")
async def test_a_ticket_belongs_to_who_opened_it_and_to_the_customer_they_were(shop: Shop) -> None:
    anonymous = await shop.call("create_customer_ticket", OMAR, await shop.context("U1", turn=1))
    await shop.verified("U1")
    as_john = await shop.call("create_customer_ticket", OMAR, await shop.context("U1", turn=2))
    opener, john, mary = (
        await shop.verified("U1"),
        await shop.verified("U2", "john_doe"),
        await shop.verified("U3", "mary_major"),
    )
    for ticket, reader, visible in (
        (anonymous, opener, True),
        (anonymous, john, False),
        (as_john, opener, True),
        (as_john, john, True),
        (as_john, mary, False),
    ):
        question = {"ticket_id": ticket["ticket_id"]}
        if visible:
            assert (await shop.call("get_ticket_status", question, reader))["issue"] == OMAR["issue"]
        else:
            assert (await shop.refusal("get_ticket_status", question, reader))[0] == "not_found"


@pytest.mark.behaviour("tools.tenants")
async def test_tenants_count_and_number_apart(shop: Shop) -> None:
    here = await shop.call("create_customer_ticket", OMAR, await shop.context(thread="T1"))
    there = await shop.call("create_customer_ticket", OMAR, await shop.context(thread="T2", tenant="other"))
    assert here["ticket_id"] == there["ticket_id"]
    ticket = await shop.desk.find_ticket("other", int(str(there["ticket_id"])))
    assert ticket is not None
    assert ticket.thread.endswith("T2")
