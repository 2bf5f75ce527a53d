"""`verify_user` and `hand_over_to_human`."""

from __future__ import annotations

import time
from statistics import median

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.messages import Audience
from tests.integration.tools.conftest import Shop
from tools.tables import audit

JOHN = {"username": "john_doe", "api_key": "secret:1"}


async def _audited(shop: Shop) -> list[tuple[str, str, str, str]]:
    async def work(connection: AsyncConnection) -> list[tuple[str, str, str, str]]:
        rows = await connection.execute(select(audit).where(audit.c.tenant == "default").order_by(audit.c.at))
        return [(row.actor, row.action, row.target, row.result) for row in rows]

    return await shop.database.read(work)


async def test_the_handle_of_the_right_key_verifies_this_person_in_this_thread(shop: Shop) -> None:
    result = await shop.call("verify_user", JOHN, await shop.context(secrets={"secret:1": "key"}))
    assert result["verified"] is True
    assert result["username"] == "john_doe"
    assert "key" not in {str(value) for value in result.values()}
    principal = (await shop.context()).principal
    assert (principal.customer, principal.is_verified) == ("john_doe", True)
    assert not (await shop.context("U2")).principal.is_verified
    assert await _audited(shop) == [("web:demo:U1", "verify_user", "john_doe", "verified")]


async def test_a_username_is_found_however_it_is_written(shop: Shop) -> None:
    result = await shop.call(
        "verify_user", JOHN | {"username": " John_DOE "}, await shop.context(secrets={"secret:1": "key"})
    )
    assert result["username"] == "john_doe"


async def test_a_key_that_others_could_read_is_to_be_changed(shop: Shop) -> None:
    typed = {"secret:1": "key"}
    aside = await shop.call("verify_user", JOHN, await shop.context(secrets=typed, audience=Audience.DIRECT))
    aloud = await shop.call("verify_user", JOHN, await shop.context(secrets=typed, audience=Audience.PUBLIC))
    assert aside["advice"] is None
    assert "change it" in str(aloud["advice"])


async def test_a_key_itself_opens_nothing_only_its_handle_does(shop: Shop) -> None:
    code, _ = await shop.refusal("verify_user", JOHN | {"api_key": "key"}, await shop.context())
    assert code == "no_such_secret"


async def test_wrong_key_unknown_name_and_other_tenant_say_the_same(shop: Shop) -> None:
    wrong = await shop.refusal("verify_user", JOHN, await shop.context(secrets={"secret:1": "nope"}))
    unknown = await shop.refusal(
        "verify_user", JOHN | {"username": "jane_doe"}, await shop.context(secrets={"secret:1": "key"})
    )
    elsewhere = await shop.refusal("verify_user", JOHN, await shop.context(tenant="other", secrets={"secret:1": "key"}))
    hers = await shop.refusal("verify_user", JOHN, await shop.context(secrets={"secret:1": "demo-key-mary"}))
    assert wrong == unknown == elsewhere == hers
    assert wrong[0] == "verification_failed"
    assert not (await shop.context()).principal.is_verified


async def test_after_five_tries_in_an_hour_even_the_right_key_is_refused(shop: Shop) -> None:
    for number in range(5):
        context = await shop.context(thread=f"T{number}", secrets={"secret:1": "nope"})
        assert (await shop.refusal("verify_user", JOHN, context))[0] == "verification_failed"
    right = {"secret:1": "key"}
    assert (await shop.refusal("verify_user", JOHN, await shop.context(secrets=right)))[0] == "too_many_tries"
    assert await shop.call("verify_user", JOHN, await shop.context("U2", secrets=right))
    assert [row[3] for row in await _audited(shop)].count("verification_failed") == 5


async def test_an_unknown_name_takes_as_long_as_a_wrong_key(shop: Shop) -> None:
    await shop.desk.check_customer("default", "nobody", "warm-up")

    async def took(username: str) -> float:
        started = time.perf_counter()
        assert await shop.desk.check_customer("default", username, "wrong") is None
        return time.perf_counter() - started

    known = median([await took("john_doe") for _ in range(5)])
    unknown = median([await took("nobody_at_all") for _ in range(5)])
    assert 0.4 < known / unknown < 2.5


async def test_an_endless_key_is_wrong_at_once(shop: Shop) -> None:
    assert await shop.desk.check_customer("default", "john_doe", "key" + "x" * 5_000_000) is None


async def test_a_human_is_called_with_the_reason(shop: Shop) -> None:
    result = await shop.call("hand_over_to_human", {"reason": "Wants a\u202e refund"}, await shop.context())
    assert result["handed_over"] is True
    assert shop.handed_over == ["Wants a refund"]
    assert await _audited(shop) == [("web:demo:U1", "hand_over_to_human", "web:demo:support:T1", "handed_over")]
