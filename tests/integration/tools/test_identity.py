"""`verify_user`, the form beside it, and `hand_over_to_human`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from statistics import median

import pytest

from bot.errors import ToolDenied
from bot.messages import Audience, FormSubmitted, Person
from bot.sentences import FORM_MISMATCH, FORM_NOT_YOURS, FORM_TOO_OFTEN
from bot.verification import Checked
from tests.integration.tools.conftest import Shop, audited, thread_key
from tools import demo
from tools.database import Database, migrate
from tools.desk import SqlDesk

JOHN = {"username": "john_doe", "api_key": "secret:1"}


async def submitted(shop: Shop, key: str, *, who: str = "U1", thread: str = "T1", tenant: str = "default") -> Checked:
    """Fill in the private form."""
    person = Person(id=who, display_name="Somebody")
    form = await shop.verification.form(thread_key(thread), person)
    event = FormSubmitted(
        thread=thread_key(thread),
        author=person,
        event_ids=("form:1",),
        at=datetime.now(UTC),
        form_id=form.id,
        audience=Audience.DIRECT,
        fields={"username": " john_doe ", "api_key": f" {key} "},
    )
    return await shop.verification.submit(event, tenant)


@pytest.mark.behaviour("tools.verify")
async def test_the_handle_of_the_right_key_verifies_this_person_in_this_thread(shop: Shop) -> None:
    result = await shop.call("verify_user", JOHN, await shop.context(secrets={"secret:1": "key"}))
    assert result["verified"] is True
    assert result["username"] == "john_doe"
    assert "key" not in {str(value) for value in result.values()}
    principal = (await shop.context()).principal
    assert (principal.customer, principal.is_verified) == ("john_doe", True)
    assert not (await shop.context("U2")).principal.is_verified
    assert await audited(shop) == [("web:demo:U1", "verify_user", "john_doe", "verified")]


@pytest.mark.behaviour("tools.verify")
async def test_a_username_is_found_however_it_is_written(shop: Shop) -> None:
    result = await shop.call(
        "verify_user", JOHN | {"username": " John_DOE "}, await shop.context(secrets={"secret:1": "key"})
    )
    assert result["username"] == "john_doe"


@pytest.mark.behaviour("tools.verify")
async def test_a_username_without_a_key_asks_for_the_private_form_and_counts_as_no_try(shop: Shop) -> None:
    for _ in range(6):
        with pytest.raises(ToolDenied, match="private form"):
            await shop.call("verify_user", {"username": "john_doe"}, await shop.context())
    result = await shop.call("verify_user", JOHN, await shop.context(secrets={"secret:1": "key"}))
    assert result["verified"] is True


@pytest.mark.behaviour("tools.verify")
async def test_a_key_itself_opens_nothing_only_its_handle_does(shop: Shop) -> None:
    code, _ = await shop.refusal("verify_user", JOHN | {"api_key": "key"}, await shop.context())
    assert code == "no_such_secret"


@pytest.mark.behaviour("tools.neutral")
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


@pytest.mark.behaviour("tools.verify_count")
async def test_after_five_tries_in_an_hour_even_the_right_key_is_refused(shop: Shop) -> None:
    for number in range(5):
        context = await shop.context(thread=f"T{number}", secrets={"secret:1": "nope"})
        assert (await shop.refusal("verify_user", JOHN, context))[0] == "verification_failed"
    right = {"secret:1": "key"}
    assert (await shop.refusal("verify_user", JOHN, await shop.context(secrets=right)))[0] == "too_many_tries"
    assert await shop.call("verify_user", JOHN, await shop.context("U2", secrets=right))
    assert [row[3] for row in await audited(shop)].count("verification_failed") == 5


@pytest.mark.behaviour("tools.verify_count")
async def test_tries_by_key_and_by_form_are_counted_together(shop: Shop) -> None:
    for number in range(3):
        context = await shop.context(thread=f"T{number}", secrets={"secret:1": "nope"})
        await shop.refusal("verify_user", JOHN, context)
        await shop.refusal("verify_user", JOHN, context)  # the same call, once more after a crash
    for number in range(2):
        assert (await submitted(shop, "nope", thread=f"T{number}")).told == FORM_MISMATCH
    assert (await submitted(shop, "key")).told == FORM_TOO_OFTEN
    context = await shop.context(secrets={"secret:1": "key"})
    assert (await shop.refusal("verify_user", JOHN, context))[0] == "too_many_tries"
    assert not (await shop.context()).principal.is_verified


@pytest.mark.behaviour("tools.verify_count")
async def test_tries_are_counted_for_each_person_and_each_tenant(shop: Shop) -> None:
    told = [(await submitted(shop, "nope", tenant="other")).told for _ in range(6)]
    assert told == [FORM_MISMATCH] * 5 + [FORM_TOO_OFTEN]
    assert (await submitted(shop, "key")).principal is not None
    assert (await submitted(shop, "key", who="U2")).principal is not None


@pytest.mark.behaviour("tools.verify")
async def test_the_form_verifies_and_what_was_typed_into_it_is_kept_nowhere(shop: Shop) -> None:
    assert (await submitted(shop, "zq7-canary")).told == FORM_MISMATCH
    checked = await submitted(shop, "key")
    assert checked.principal is not None
    assert checked.principal == (await shop.context()).principal
    assert await audited(shop) == [
        ("web:demo:U1", "verify_user", "web:demo:support:T1", "verification_failed"),
        ("web:demo:U1", "verify_user", "john_doe", "verified"),
    ]


@pytest.mark.behaviour("tools.verify")
async def test_a_form_of_somebody_else_is_refused_and_costs_no_try(shop: Shop) -> None:
    stranger = Person(id="U9", display_name="Stranger")
    form = await shop.verification.form(thread_key("T1"), Person(id="U1", display_name="Somebody"))
    event = FormSubmitted(
        thread=thread_key("T1"),
        author=stranger,
        event_ids=("form:2",),
        at=datetime.now(UTC),
        form_id=form.id,
        audience=Audience.DIRECT,
        fields={"username": "john_doe", "api_key": "key"},
    )
    for _ in range(6):
        assert await shop.verification.submit(event, "default") == Checked(told=FORM_NOT_YOURS)
    assert {row[3] for row in await audited(shop)} == {"form_not_yours"}
    assert (await submitted(shop, "key", who="U9")).principal is not None


@pytest.mark.behaviour("tools.neutral")
async def test_an_unknown_name_takes_as_long_as_a_wrong_key(sqlite_url: str) -> None:
    await migrate(sqlite_url)
    async with Database(sqlite_url) as database:
        await demo.fill(database)
        desk = SqlDesk(database)
        assert await desk.check_customer("default", "john_doe", "key") == "john_doe"

        async def took(username: str) -> float:
            started = time.perf_counter()
            assert await desk.check_customer("default", username, "wrong") is None
            return time.perf_counter() - started

        known = median([await took("john_doe") for _ in range(5)])
        unknown = median([await took("nobody_at_all") for _ in range(5)])
    assert 0.4 < known / unknown < 2.5


@pytest.mark.behaviour("tools.verify_count")
async def test_an_endless_key_is_wrong_at_once(shop: Shop) -> None:
    assert await shop.desk.check_customer("default", "john_doe", "key" + "x" * 5_000_000) is None


@pytest.mark.behaviour("tools.human")
async def test_a_human_is_called_with_the_reason(shop: Shop) -> None:
    result = await shop.call("hand_over_to_human", {"reason": "Wants a\u202e refund"}, await shop.context())
    assert result["handed_over"] is True
    assert shop.handed_over == ["Wants a refund"]
    assert await audited(shop) == [("web:demo:U1", "hand_over_to_human", "web:demo:support:T1", "handed_over")]
