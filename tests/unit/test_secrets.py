"""What counts as a secret in a sentence, what does not, and what logs may hold."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest
import structlog
from pydantic import SecretStr

from bot.observe import configure_logging
from bot.secrets import REMOVED, Masking, find, mask


@pytest.mark.behaviour("secrets.found")
@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ('my username is "john_doe" and my API key is: "key"', "key"),
        ("my API key is key", "key"),
        ("My API key is: key.", "key"),
        ("api key is abc", "abc"),
        ("API-Key: key", "key"),
        ("**API key:** `key`", "key"),
        ("my api_key=xyz, thanks", "xyz"),
        ("my key: foo", "foo"),
        ("my secret is sesame", "sesame"),
        ("password = hunter2", "hunter2"),
        ("password hunter2", "hunter2"),
        ("the password is swordfish", "swordfish"),
        ("my password for the shop is hunter2!", "hunter2!"),
        ("password for john_doe: swordfish", "swordfish"),
        ("pw: qwerty", "qwerty"),
        ('my passphrase is "correct horse battery"', "correct horse battery"),
        ("hunter2 is my password", "hunter2"),
        ("token abc123", "abc123"),
        ("my pin is 1234!", "1234"),
        ("CVV 123", "123"),
        ("my verification code is 482913", "482913"),
        ("Passwort lautet geheim123", "geheim123"),
        ("mein Passwort ist Sommer", "Sommer"),
        ("Das Kennwort lautet: „tannenbaum“", "tannenbaum"),
        ("PIN ist 1234", "1234"),
        ("Mein API-Schlüssel ist key.", "key"),
        ("İİ my password is: Hunter", "Hunter"),
        ("password:\nswordfish", "swordfish"),
        ("slack xoxb-123456789012-abcdefGHIJ", "xoxb-123456789012-abcdefGHIJ"),
        ("sk-proj-abcdefghijklmnop1234", "sk-proj-abcdefghijklmnop1234"),
        ("card 4111 1111 1111 1111 please", "4111 1111 1111 1111"),
        ("5500-0000-0000-0004", "5500-0000-0000-0004"),
        ("postgres://shop:sw0rd@db/shop", "sw0rd"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"),
        ("a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- b",
         "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"),
        ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        ("post to https://discord.com/api/v10/webhooks/123456789/abc-DEF_1 please", "https://discord.com/api/v10/webhooks/123456789/abc-DEF_1"),
        ("ghp_" + "a" * 36, "ghp_" + "a" * 36),
        ("rk_live_abcdefghijklmnopqrstuvwx", "rk_live_abcdefghijklmnopqrstuvwx"),
    ],
)  # fmt: skip
def test_secrets_are_found(text: str, secret: str) -> None:
    assert [text[span.start : span.end] for span in find(text)] == [secret]


@pytest.mark.behaviour("secrets.ordinary")
@pytest.mark.parametrize(
    "text",
    [
        "I forgot my password",
        "my API key is not working",
        "my api key isn't working",
        "the key is missing",
        "my key is broken",
        "my password is wrong",
        "My API key was rejected",
        "password reset please",
        "How do I change my password?",
        "is my API key expired?",
        "password: where do I change it?",
        "my password is too short",
        "my password is in my email",
        "API key: not found",
        "my token expired yesterday",
        "my PIN is blocked",
        "error code 500",
        "my order code is 12345",
        "the key to success is patience",
        "The secret is out",
        "the keyboard is black, shopping for pins",
        "Ich habe mein Passwort vergessen",
        "mein Passwort ist falsch",
        "Passwort ist abgelaufen",
        "Der Schlüssel ist weg",
        "my key is secret:1",
        "my API key is ****",
        "Order 123123, email santa@clau.se",
        "tracking 1234567890123456 and 9400111899223197428490",
        "the total was 4,111,111,111,111,111.00",
        "see https://example.com:8080/a@b",
        "sk-small eyJ short",
        "",
    ],
)
def test_ordinary_sentences_stay(text: str) -> None:
    assert find(text) == ()
    assert mask(text) is text


@pytest.mark.behaviour("secrets.masked")
def test_masking_leaves_the_rest() -> None:
    text = 'user "john_doe", API key: "key", card 4111111111111111, PIN 1234.'
    assert mask(text) == f'user "john_doe", API key: "{REMOVED}", card {REMOVED}, PIN {REMOVED}.'


@pytest.mark.behaviour("secrets.found")
def test_overlapping_findings_are_one() -> None:
    token = "xoxb-123456789012-abcdefGHIJ"
    assert mask(f"my token is: {token}!") == f"my token is: {REMOVED}"


# ------------------------------------------------------------------------------------------------------------- logs


@pytest.mark.behaviour("secrets.masked")
def test_a_structlog_event_is_masked() -> None:
    masking = Masking([SecretStr("canary-value"), "tiny"])
    event = {"event": "got canary-value", "n": 1, "deep": [{"xoxb-123456789012-a": b"sk-" + b"a" * 20}], "tiny": None}
    masked = masking(None, "info", event)
    assert masked == {"event": f"got {REMOVED}", "n": 1, "deep": [{REMOVED: REMOVED}], "tiny": None}


@pytest.mark.behaviour("secrets.masked")
@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("secret", ["canary-value", "sk-" + "a" * 20, "4111 1111 1111 1111", "ghp_" + "b" * 36])
def test_a_secret_is_masked_in_every_place_of_a_plain_event(secret: str, place: int) -> None:
    event: dict[str, object] = {"event": "turn_ended", "thread": "slack:T024:C214:1.2", "tool": "look_up", "n": 1.5}
    name = list(event)[place]
    said = event | {name: f"got {secret}"}
    assert Masking(["canary-value"])(None, "info", said) == event | {name: f"got {REMOVED}"}
    assert Masking(["canary-value"])(None, "info", dict(event)) == event


@pytest.mark.behaviour("secrets.masked")
def test_an_exception_in_structlog_is_masked() -> None:
    masking = Masking(["canary-value"])
    logger = structlog.wrap_logger(
        structlog.ReturnLogger(),
        processors=[structlog.processors.format_exc_info, masking, structlog.processors.JSONRenderer()],
    )
    try:
        raise ValueError("canary-value")
    except ValueError:
        line = logger.exception("failed", error=RuntimeError("canary-value"))
    assert "canary" not in line
    assert json.loads(line)["exception"].endswith(f"ValueError: {REMOVED}")


@pytest.mark.behaviour("secrets.masked")
def test_our_own_lines_and_those_of_libraries_come_out_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", logging.WARNING)
    monkeypatch.setattr("sys.stderr", written)
    ours, library = structlog.get_logger("bot.test"), logging.getLogger("library.test")
    configure_logging(Masking(["canary-value"]), pretty=False, level=logging.WARNING)
    ours.info("not wanted")
    try:
        raise ValueError("canary-value")
    except ValueError as error:
        ours.error("failed", exc_info=error, half="\ud83d", number=2**70)
    library.warning("said %s", "canary-value")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [(line["event"], line["level"], line["logger"]) for line in lines] == [
        ("failed", "error", "bot.test"),
        (f"said {REMOVED}", "warning", "library.test"),
    ]
    assert lines[0]["exception"].endswith(f"ValueError: {REMOVED}")


@pytest.mark.behaviour("secrets.masked")
def test_a_foreign_record_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    masking = Masking()
    masking.register('with"quote\\')
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(masking)
    logger = logging.getLogger("frontdesk.test.foreign")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        raise ValueError('with"quote\\')
    except ValueError:
        logger.exception("said %s and %s", json.dumps('with"quote\\'), "4111111111111111", stack_info=True)
    logger.info({"event": 'with"quote\\'})
    logger.removeHandler(handler)
    printed = capsys.readouterr().out
    assert "quote" not in printed.replace("with\"quote\\\\')", "").replace("with\"quote\\\\'", "")
    assert "4111" not in printed.replace('"4111111111111111", stack_info', "")
    assert REMOVED in printed
