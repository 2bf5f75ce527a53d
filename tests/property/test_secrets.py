"""Whatever detect-secrets knows by its form is found by us too; and nothing makes the search go wrong or slow."""

from __future__ import annotations

import re
import time

import pytest
from detect_secrets.plugins import (
    aws,
    azure_storage_key,
    basic_auth,
    discord,
    github_token,
    gitlab_token,
    mailchimp,
    openai,
    pypi_token,
    sendgrid,
    slack,
    square_oauth,
    stripe,
    telegram_token,
    twilio,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.secrets import find, mask
from bot.shapes import PATTERN, known_shapes, may_hold_shape

DETECTORS = (
    *aws.AWSKeyDetector.denylist[:1],  # the second is a rule about variables in source code
    *azure_storage_key.AzureStorageKeyDetector.denylist,
    *basic_auth.BasicAuthDetector.denylist,
    *discord.DiscordBotTokenDetector.denylist,
    *github_token.GitHubTokenDetector.denylist,
    *gitlab_token.GitLabTokenDetector.denylist,
    *mailchimp.MailchimpDetector.denylist,
    *openai.OpenAIDetector.denylist,
    *pypi_token.PypiTokenDetector.denylist,
    *sendgrid.SendGridDetector.denylist,
    *slack.SlackDetector.denylist,
    *square_oauth.SquareOAuthDetector.denylist,
    *stripe.StripeDetector.denylist,
    *telegram_token.TelegramBotTokenDetector.denylist,
    *twilio.TwilioKeyDetector.denylist,
)


@pytest.mark.behaviour("secrets.found")
@pytest.mark.parametrize("pattern", DETECTORS, ids=lambda pattern: pattern.pattern[:24])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_we_find_what_detect_secrets_finds(pattern: re.Pattern[str], data: st.DataObject) -> None:
    exact = re.compile(pattern.pattern)  # tokens are written in the case they were given in
    sample = data.draw(st.from_regex(exact, fullmatch=True, alphabet=st.characters(codec="ascii")))
    sample = sample.rstrip("\n")
    match = exact.search(sample)
    assert match is not None
    # In an address with a password only the password is the secret.
    start, end = match.span(1) if sample.startswith("://") else match.span()
    text = f"here: {sample} thanks"
    at = len("here: ")
    assert any(span.start <= at + start and span.end >= at + end for span in find(text))


PIECES = st.sampled_from(
    ["my ", "password", " is ", ": ", "api key", '"', "key", "token ", "abc123", "-----BEGIN PRIVATE KEY-----", "\n",
     "4111 1111 1111 1111", "eyJ", "xoxb-", "sk-", "a" * 30, "://", "@", "„", "“", " ", "İ", "pin ", "1234", "."]
)  # fmt: skip


@pytest.mark.behaviour("secrets.found")
@given(st.lists(PIECES, max_size=30).map("".join) | st.text())
def test_findings_are_in_order_and_inside_the_text(text: str) -> None:
    end = 0
    for span in find(text):
        assert end <= span.start < span.end <= len(text)
        end = span.end
    assert bool(find(text)) == (mask(text) != text)


@pytest.mark.behaviour("secrets.found")
@given(st.lists(PIECES, max_size=30).map("".join) | st.text())
def test_the_quick_look_never_misses(text: str) -> None:
    if next(known_shapes(text), None) is None and PATTERN.search(text):
        assert not may_hold_shape(text) or not [m for m in PATTERN.finditer(text) if m["card"] is None]


@pytest.mark.behaviour("secrets.linear")
@pytest.mark.parametrize(
    "piece",
    ["password is ", "password for a ", "my key ", "eyJ", "a", "-----BEGIN PRIVATE KEY-----", "4", "4 ", "pin ", "://a:",
     "my a b ", "password ", "password\n", "'", "is my password ", "PuTTY-User-Key-File-2", "xoxb-", "://",
     "password = '"],
)  # fmt: skip
def test_time_grows_with_the_length_only(piece: str) -> None:
    def seconds(length: int) -> float:
        text = (piece * (length // len(piece) + 1))[:length]
        spent = []
        for _ in range(3):
            start = time.process_time()
            find(text)
            spent.append(time.process_time() - start)
        return min(spent)

    # Quadratic time would be 64 times as much; the constant keeps the clock's grain out of it.
    assert seconds(80_000) < 24 * seconds(10_000) + 0.02
