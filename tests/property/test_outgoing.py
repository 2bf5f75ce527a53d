"""However a stream is cut, the text is the same, and nothing live is shown at any moment."""

from __future__ import annotations

import itertools
import re
import time
import unicodedata
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domains import ENDINGS
from bot.outgoing import WINDOW_CHARS, WITHHELD, Outgoing, Policy, clean
from bot.shapes import known_shapes

HOSTS = frozenset({"example.com", "help.shop.de"})
POLICY = Policy(
    link_hosts=HOSTS, addressee="U1", knows=lambda digits: digits == "123123", canaries=frozenset({"CANARY-xyz"})
)

PIECES = st.sampled_from(
    [
        "@", "everyone", "here", "channel", "<", "<@", "<!", "<#", ">", "U1", "U2", "!", "&", "＠", "|",
        "https://", "http:", "//", "\\", "example.com", "evil.com", "help.shop.de", "evil", ".", "com", "/",
        "?q=", ":", "80", "#", "[", "](", "]", "(", ")", "]:", "![", "javascript:", "data:text/html,",
        "mailto:", "www.", "。", "例え", "日本", "é", "sk-", "abcdefghijklmnop1234", "eyJ", "xoxb-", "CANARY",
        "-xyz", "4111", " 1111", "1111", " ", "\n", "  ", "\t", "-----BEGIN", " PRIVATE KEY-----", "-----END",
        "ticket", "order ", "number", "#", "12345", "123123", "2024", "-", ",", "a" * 60, "a." * 50, "/a" * 60,
        "@" * 100, "9 " * 60, "\u200b", "\u202e", "\u200d", "\ud83d", "\0", "*", "`", "_", "'", '"',
    ]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=40).map("".join) | st.text()

HOST = r"(?:[a-z0-9-]+\.)*(?:example\.com|help\.shop\.de)"
MAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+")
BARE = re.compile(r"[\w-]+(?:\.[\w-]+)+")


def assert_inert(shown: str) -> None:
    plain = unicodedata.normalize("NFKC", shown)
    for text in (shown, plain):
        assert not re.search(r"@(?:everyone|here|channel)", text, re.IGNORECASE)
        assert not re.search(r"<[!#&]|<@(?!!?U1>)", text)
    for link in re.finditer(r"[A-Za-z][\w+.-]*://[^\s<>|\"]*", shown):
        parts = urlsplit(link[0].split("[")[0].rstrip(")]}'`*_~,;!.:"))
        host = re.split(r"[^\x00-\x7f]", parts.hostname or "")[0]
        assert parts.scheme.lower() in ("http", "https")
        assert parts.username is None
        assert any(host == listed or host.endswith(f".{listed}") for listed in HOSTS), link[0]
    for link in re.finditer(r"\]\(([^)]*)", shown.replace(WITHHELD, "")):  # a target has no spaces
        assert re.match(rf"<?https?://{HOST}", link[1], re.IGNORECASE), shown
    rest = MAIL.sub(" ", re.sub(r"https?://[^\s<>|\"]*", " ", shown))
    for word in BARE.findall(rest):
        host = word.lower().strip("-_")
        if not re.fullmatch(HOST, host):
            assert ENDINGS.isdisjoint(re.split("[-_]", label)[0] for label in host.split(".")[1:]), word
    assert "canary-xyz" not in shown.lower()
    assert not list(known_shapes(re.sub(r"://[^\s@]*@", "", shown)))


@pytest.mark.behaviour("outgoing.stream")
@settings(max_examples=600, deadline=None)
@given(TEXTS, st.lists(st.integers(0, 2000), max_size=12))
def test_a_stream_is_the_whole_and_shows_nothing_live(text: str, cuts: list[int]) -> None:
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    outgoing = Outgoing(POLICY)
    shown = ""
    for start, end in itertools.pairwise(places):
        shown += outgoing.feed(text[start:end])
        assert len(outgoing._held) <= 200
        assert_inert(shown)
    shown += outgoing.finish()
    assert_inert(shown)
    assert shown == clean(text, POLICY)


@pytest.mark.behaviour("outgoing.stream")
@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_letter_by_letter_is_the_whole(text: str) -> None:
    outgoing = Outgoing(POLICY)
    assert "".join([*map(outgoing.feed, text), outgoing.finish()]) == clean(text, POLICY)


@pytest.mark.behaviour("outgoing.stream")
@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_cleaned_text_may_be_cleaned_again(text: str) -> None:
    assert_inert(clean(clean(text, POLICY), POLICY))


@pytest.mark.behaviour("outgoing.ordinary")
@given(st.text(st.sampled_from("abc ÄÖü,;!?'()日本語👍\n")))
def test_ordinary_text_is_left_alone(text: str) -> None:
    if max(map(len, text.split()), default=0) <= WINDOW_CHARS:
        assert clean(text, POLICY) == text


@pytest.mark.behaviour("outgoing.linear")
@pytest.mark.parametrize(
    "piece",
    ["a", "a.b", "@", "<@", "https://", "ticket ", "ticket 12345 ", "1 ", "](", "eyJ", "a-", "-----BEGIN ", "日本語",
     "https://example.com,,,,", "order and ", "a@a.", "javascript:", "4111 "],
)  # fmt: skip
def test_time_grows_with_the_length_only(piece: str) -> None:
    def seconds(length: int) -> float:
        text = (piece * (length // len(piece) + 1))[:length]
        spent = []
        for _ in range(3):
            start = time.process_time()
            clean(text, POLICY)
            spent.append(time.process_time() - start)
        return min(spent)

    assert seconds(40_000) < 24 * seconds(5_000) + 0.02
