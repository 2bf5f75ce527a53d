"""Slack's settings, its manifest, and whose requests are let in."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.slack.door import parse
from adapters.slack.manifest import EVENTS, PROMPTS, SCOPES, manifest, render_manifest
from adapters.slack.settings import API_URL, SlackSettings, Streaming, read_settings
from adapters.slack.signature import EARLY_S, OLD_S, Seal, judge
from bot.errors import ConfigError

SOCKET = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
HTTP = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "s"}
MANY = {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "c", "SLACK_SIGNING_SECRET": "s"}


def settings(environment: dict[str, str]) -> SlackSettings:
    found = read_settings(environment)
    assert found is not None
    return found


@pytest.mark.behaviour("slack.settings")
def test_slack_is_off_until_something_of_it_is_set() -> None:
    assert read_settings({}) is None
    assert read_settings({"SLACK_STREAMING": "off", "ADMINS_SLACK": "U0ROB", "SLACK_BOT_TOKEN": " "}) is None


@pytest.mark.behaviour("slack.settings")
def test_each_way_in_is_a_whole() -> None:
    assert settings(SOCKET).api_url == API_URL
    assert settings(HTTP).streaming is Streaming.AUTO
    assert settings(MANY).has_many_workspaces
    both = settings({**SOCKET, **HTTP, "SLACK_API_URL": "http://127.0.0.1:9/api", "SLACK_STREAMING": "OFF"})
    assert (both.api_url, both.api_host, both.streaming) == ("http://127.0.0.1:9/api/", "127.0.0.1:9", Streaming.OFF)
    admins = settings({**SOCKET, "ADMINS_SLACK": "U0ROB, S0TEAM W0ANA"})
    assert admins.admins == {"U0ROB", "W0ANA"}
    assert admins.admin_groups == {"S0TEAM"}
    assert settings(SOCKET).bots == frozenset()
    assert settings({**SOCKET, "SLACK_BOTS": "B0ONE,A0TWO, U0THREE"}).bots == {"B0ONE", "A0TWO", "U0THREE"}


@pytest.mark.behaviour("slack.settings")
@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, ["Events cannot come in"]),
        ({"SLACK_APP_TOKEN": "xapp-1"}, ["SLACK_BOT_TOKEN is missing"]),
        ({"SLACK_BOT_TOKEN": "xapp-1", "SLACK_APP_TOKEN": "xoxb-1"}, ["SLACK_BOT_TOKEN does", "SLACK_APP_TOKEN does"]),
        ({**MANY, "SLACK_BOT_TOKEN": "xoxb-1"}, ["SLACK_BOT_TOKEN is one workspace"]),
        ({**MANY, "SLACK_CLIENT_SECRET": ""}, ["SLACK_CLIENT_ID and"]),
        ({**MANY, "SLACK_SIGNING_SECRET": ""}, ["SLACK_SIGNING_SECRET is missing", "Events cannot come in"]),
        (
            {**SOCKET, "ADMINS_SLACK": "robin", "HANDOVER_CHANNEL_SLACK": "#team"},
            ["ADMINS_SLACK", "HANDOVER_CHANNEL_SLACK"],
        ),
        ({**SOCKET, "SLACK_BOTS": "B0ONE zapier"}, ["SLACK_BOTS: zapier"]),
        ({**SOCKET, "SLACK_STREAMING": "maybe", "SLACK_API_URL": "slack.com"}, ["SLACK_API_URL", "SLACK_STREAMING"]),
    ],
)
def test_what_makes_no_whole_is_said_at_once(environment: dict[str, str], names: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(environment)
    assert len(caught.value.problems) == len(names)
    for problem, name in zip(caught.value.problems, names, strict=True):
        assert problem.startswith(name)
        assert "xoxb-1" not in problem
        assert "xapp-1" not in problem


@pytest.mark.behaviour("slack.settings")
def test_tokens_are_not_shown() -> None:
    shown = repr(settings({**SOCKET, **HTTP}))
    assert "xoxb-1" not in shown
    assert "xapp-1" not in shown


# ------------------------------------------------------------------------------------------------------ manifest


@pytest.mark.behaviour("slack.manifest")
def test_the_manifest_in_deploy_is_the_one_that_the_code_makes() -> None:
    kept = (Path(__file__).parents[2] / "deploy" / "slack-manifest.yaml").read_text(encoding="utf-8")
    assert kept == render_manifest(), "run: frontdesk slack-manifest > deploy/slack-manifest.yaml"


@pytest.mark.behaviour("slack.manifest")
@pytest.mark.parametrize(
    ("url", "many"), [("", False), ("https://support.example.com", False), ("https://s.test", True)]
)
def test_the_manifest_is_yaml_within_slacks_limits(url: str, many: bool) -> None:
    text = render_manifest(url, many=many)
    read: dict[str, Any] = yaml.safe_load(text)
    assert read == manifest(url, many=many)
    assert read["oauth_config"]["scopes"]["bot"] == list(SCOPES)
    assert read["settings"]["event_subscriptions"]["bot_events"] == list(EVENTS)
    assert read["settings"]["socket_mode_enabled"] is not bool(url)
    addresses = [line for line in text.splitlines() if "url" in line.split(":")[0] and not line.startswith("#")]
    assert len(addresses) == (4 if many else 3 if url else 0)
    assert all(f"{url}/slack/" in line or line.strip() == "redirect_urls:" for line in addresses)
    assert 174 <= len(read["display_information"]["long_description"]) <= 4_000
    assert len(read["features"]["agent_view"]["agent_description"]) <= 300
    assert len(PROMPTS) <= 4
    for scope, reason in SCOPES.items():
        assert f'- "{scope}"  # {reason}' in text


NEEDS = {
    "agents.sessions.setStatus": {"assistant:write"},
    "api.test": set(),
    "apps.connections.open": set(),
    "assistant.threads.setStatus": {"assistant:write"},
    "auth.test": set(),
    "chat.appendStream": {"chat:write"},
    "chat.delete": {"chat:write"},
    "chat.postEphemeral": {"chat:write"},
    "chat.postMessage": {"chat:write"},
    "chat.startStream": {"chat:write"},
    "chat.stopStream": {"chat:write"},
    "chat.update": {"chat:write"},
    "conversations.history": {"channels:history", "groups:history"},
    "conversations.info": {"channels:read", "groups:read"},
    "conversations.open": {"im:write"},
    "conversations.replies": {"channels:history", "groups:history", "im:history", "mpim:history"},
    "files.info": {"files:read"},
    "files_upload_v2": {"files:write"},
    "oauth.v2.access": set(),
    "usergroups.users.list": {"usergroups:read"},
    "users.info": {"users:read"},
    "views.open": set(),
    "views.update": set(),
}
"""What each method that is called asks for, from its own page (docs.slack.dev/reference/methods)."""

BRINGS = {
    "agent_session_stopped": set(),
    "app_mention": {"app_mentions:read"},
    "app_uninstalled": set(),
    "channel_id_changed": set(),
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "message.im": {"im:history"},
    "message.mpim": {"mpim:history"},
    "tokens_revoked": set(),
}
"""What each event asks for (docs.slack.dev/reference/events)."""


@pytest.mark.behaviour("slack.manifest")
def test_the_scopes_are_those_that_the_code_needs_and_no_others() -> None:
    folder = Path(__file__).parents[2] / "adapters" / "slack"
    code = "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    families = "agents|api|apps|assistant|auth|chat|conversations|files|oauth|usergroups|users|views"
    called = set(re.findall(rf'"((?:{families})(?:\.[a-zA-Z0-9]+)+)"', code)) - {"files.slack.com"}
    called |= set(re.findall(r"\.(files_upload_v2)\(", code))
    assert called == set(NEEDS), "a method that is called, or not any more"
    assert set(EVENTS) == set(BRINGS)
    command = {"commands"}  # `/support`, and the entry of a message's menu
    assert set(SCOPES) == set().union(command, *NEEDS.values(), *BRINGS.values())


# ----------------------------------------------------------------------------------------------------- signatures

SECRET, BODY, NOW = b"secret", b'{"type":"event_callback"}', 1_700_000_000


def sealed(at: int = NOW, body: bytes = BODY, secret: bytes = SECRET) -> tuple[list[bytes], list[bytes]]:
    stamp = str(at).encode()
    digest = hmac.new(secret, b"v0:" + stamp + b":" + body, hashlib.sha256).hexdigest()
    return [stamp], [f"v0={digest}".encode()]


@pytest.mark.behaviour("slack.signed")
@pytest.mark.parametrize(
    ("at", "seal"),
    [
        (NOW, Seal.GOOD),
        (NOW - OLD_S, Seal.GOOD),
        (NOW - OLD_S - 1, Seal.STALE),
        (NOW + EARLY_S, Seal.GOOD),
        (NOW + EARLY_S + 1, Seal.STALE),
    ],
)
def test_a_right_signature_is_good_for_a_while(at: int, seal: Seal) -> None:
    verdict = judge(BODY, *sealed(at), SECRET, float(NOW))
    assert (verdict.seal, verdict.age_s) == (seal, NOW - at)


@pytest.mark.behaviour("slack.signed")
@pytest.mark.parametrize(
    ("timestamps", "signatures", "seal"),
    [
        ([], sealed()[1], Seal.MALFORMED),
        (sealed()[0], [], Seal.MALFORMED),
        (sealed()[0] * 2, sealed()[1], Seal.MALFORMED),
        (sealed()[0], sealed()[1] * 2, Seal.MALFORMED),
        ([b"abc"], sealed()[1], Seal.MALFORMED),
        ([b"-1"], sealed()[1], Seal.MALFORMED),
        ([b"1" * 40], sealed()[1], Seal.MALFORMED),
        ([b" 1700000000"], sealed()[1], Seal.MALFORMED),
        (sealed()[0], [b"v1=" + b"0" * 64], Seal.MALFORMED),
        (sealed()[0], [b"v0=" + b"G" * 64], Seal.MALFORMED),
        (sealed()[0], ["v0=é".encode("latin-1")], Seal.MALFORMED),
        (sealed()[0], [b""], Seal.MALFORMED),
        (sealed()[0], [b"v0=" + b"0" * 64], Seal.FORGED),
        (*sealed(secret=b"other"), Seal.FORGED),
        (*sealed(body=BODY + b" "), Seal.FORGED),
        ([b"1700000001"], sealed()[1], Seal.FORGED),
    ],
)
def test_anything_else_is_not_slacks(timestamps: list[bytes], signatures: list[bytes], seal: Seal) -> None:
    assert judge(BODY, timestamps, signatures, SECRET, float(NOW)).seal is seal


@pytest.mark.behaviour("slack.door")
@pytest.mark.parametrize(
    ("body", "kind", "payload"),
    [
        (b'{"a": 1}', "application/json", {"a": 1}),
        (b'{"a": 1}', "application/json; charset=utf-8", {"a": 1}),
        (b"payload=%7B%22a%22%3A1%7D", "application/x-www-form-urlencoded", {"a": 1}),
        (
            b"command=%2Fsupport&text=payload+please",
            "application/x-www-form-urlencoded",
            {"command": "/support", "text": "payload please"},
        ),
        (b"[1]", "application/json", None),
        (b"", "application/json", None),
        (b"{", "application/json", None),
        (b"[" * 100_000, "application/json", None),
        (b"payload=x", "application/x-www-form-urlencoded", None),
        (b"\xff\xfe", "application/x-www-form-urlencoded", None),
        (b"&".join(b"a=1" for _ in range(200)), "application/x-www-form-urlencoded", None),
    ],
)
def test_a_body_is_an_object_or_nothing(body: bytes, kind: str, payload: dict[str, Any] | None) -> None:
    assert parse(body, kind) == payload
