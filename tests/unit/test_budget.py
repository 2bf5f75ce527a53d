"""Limits as values, spending against them, and breakers by a clock of the test's."""

from __future__ import annotations

import pytest

from bot.breaker import Breaker
from bot.budget import Allowance, Meter, Prices, Spending, begin_spending
from bot.config import load
from bot.errors import ConfigError
from bot.modelless import issue_of
from bot.ports import Usage


@pytest.mark.behaviour("limits.read")
def test_limits_are_read_from_pairs() -> None:
    settings = load({"BUDGET_PERSON": "calls=40, tokens=1000000 money=2.50", "BUDGET_DAY": "money=100"})
    assert settings.budget_person == Allowance(calls=40, tokens=1_000_000, money=2.5)
    assert settings.budget_day.limits() == {"money": 100.0}
    assert load({}).budget_day.limits() == {}


@pytest.mark.behaviour("limits.read")
@pytest.mark.parametrize("text", ["40", "calls=", "calls=-1", "coins=3", "calls=1;tokens=2"])
def test_what_is_no_limit_is_said(text: str) -> None:
    with pytest.raises(ConfigError, match=r"BUDGET_THREAD: write it as calls=40"):
        load({"BUDGET_THREAD": text})


@pytest.mark.behaviour("limits.counted")
def test_cached_tokens_are_cheaper_and_not_counted_twice() -> None:
    prices = Prices(input=2.0, cached=0.5, output=10.0)
    usage = Usage(input_tokens=1_000_000, cached_tokens=400_000, output_tokens=100_000)
    assert prices.cost(usage) == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.1 * 10)


@pytest.mark.behaviour("limits.turn")
@pytest.mark.parametrize(
    ("limit", "requests"),
    [(Allowance(calls=2), 2), (Allowance(tokens=250), 3), (Allowance(money=0.15), 2), (Allowance(), 9)],
)
def test_a_turn_may_ask_until_it_has_spent_what_it_may(limit: Allowance, requests: int) -> None:
    meter, spending = Meter(Prices(input=1_000), limit), begin_spending()
    made = 0
    while made < 9 and meter.may_ask():
        meter.asked()
        meter.used(Usage(input_tokens=100, output_tokens=0))
        made += 1
    assert made == requests
    assert spending == Spending(
        calls=made, input_tokens=100 * made, cached_tokens=0, output_tokens=0, money=spending.money
    )


@pytest.mark.behaviour("limits.ticket")
@pytest.mark.parametrize(
    ("text", "issue"),
    [
        ("ticket: I cannot log in", "I cannot log in"),
        ("  Ticket I cannot\nlog in ", "I cannot\nlog in"),
        ("TICKET", ""),
        ("tickets are nice", None),
        ("my ticket is late", None),
    ],
)
def test_a_message_asks_for_a_ticket_by_its_first_word(text: str, issue: str | None) -> None:
    assert issue_of(text) == issue


class Clock:
    """Seconds that go on when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.behaviour("breaker.states")
def test_a_breaker_opens_rests_lets_one_try_and_closes() -> None:
    clock = Clock()
    breaker = Breaker("test", failures=3, rest_s=10, clock=clock)
    for _ in range(2):
        assert breaker.admits()
        breaker.failed()
    breaker.succeeded()
    for _ in range(3):
        assert breaker.admits(), "failures count only in a row"
        breaker.failed()
    assert breaker.is_open
    clock.now = 9.9
    assert not breaker.admits()
    clock.now = 10.1
    assert breaker.admits()
    assert not breaker.admits(), "one tries, the others wait"
    breaker.failed()
    assert not breaker.admits(), "it failed again: another rest"
    clock.now = 20.2
    assert breaker.admits()
    breaker.left()
    assert breaker.admits(), "who went without an answer does not keep the next from trying"
    breaker.succeeded()
    assert [breaker.admits(), breaker.admits()] == [True, True], "all may go again"
