"""The app as Slack is told of it: every scope with its reason, every event that is taken, from one place.

Source: https://docs.slack.dev/reference/app-manifest
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from adapters.slack.render import SUPPORT

SCOPES: Mapping[str, str] = {
    "app_mentions:read": "hear a mention in a channel",
    "assistant:write": "show that an answer is being written, and the stop button",
    "channels:history": "follow a conversation in a public channel, and read back one that is joined late",
    "channels:read": "check that the channel for hand-overs is there",
    "chat:write": "answer",
    "commands": "/support, and the same on a message",
    "files:read": "read the receipts that customers attach",
    "files:write": "give a colleague a transcript",
    "groups:history": "the same in a private channel, as most Slack Connect channels are",
    "groups:read": "the same for a private channel",
    "im:history": "hear direct messages",
    "im:write": "tell one person something directly, where others would read along",
    "mpim:history": "follow a conversation in a group of direct messages",
    "usergroups:read": "know who is in a user group of ADMINS_SLACK",
    "users:read": "know who speaks, of which organisation, and who works here",
}

APP_SCOPES: Mapping[str, str] = {"connections:write": "open the socket of Socket Mode"}

EVENTS = (
    "agent_session_stopped",
    "app_mention",
    "app_uninstalled",
    "channel_id_changed",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "tokens_revoked",
)

PROMPTS = (
    ("Where is my order?", "Hi, where is my order?"),
    ("I cannot log in", "I'm having issues logging in to my account."),
    ("Check a receipt", "I have a question about a receipt."),
    ("Talk to a human", "I want a human."),
)

_LONG = (
    "Answers customers where they already write. Mention it in a channel, or send it a direct message: it looks up "
    "orders, opens tickets, tells a ticket's status to the person it belongs to, reads receipts, and calls a human "
    "when one is wanted. It goes on in a thread it takes part in, and is silent when people talk to each other."
)


def manifest(url: str = "", *, many: bool = False) -> dict[str, Any]:
    """The app's manifest.

    Args:
        url: where Slack reaches the HTTP port; without it, Socket Mode.
        many: many workspaces install it, with tokens that are renewed.
    """
    request = {"request_url": f"{url}/slack/events"} if url else {}
    command = {
        "command": "/support",
        "description": "What people who work here do with conversations",
        "usage_hint": "help",
        "should_escape": True,
        **({"url": f"{url}/slack/events"} if url else {}),
    }
    shortcut = {
        "name": "Support actions",
        "type": "message",
        "callback_id": SUPPORT,
        "description": "Take over, hand back, and more",
    }
    redirect = {"redirect_urls": [f"{url}/slack/oauth_redirect"]} if url and many else {}
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": "Frontdesk",
            "description": "Customer support that answers once, in order",
            "long_description": _LONG,
            "background_color": "#1f2937",
        },
        "features": {
            "agent_view": {
                "agent_description": "Answers customers: orders, tickets, receipts, and a human when one is wanted.",
                "suggested_prompts": [{"title": title, "message": message} for title, message in PROMPTS],
            },
            "app_home": {
                "home_tab_enabled": False,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "Frontdesk", "always_online": True},
            "slash_commands": [command],
            "shortcuts": [shortcut],
        },
        "oauth_config": {**redirect, "scopes": {"bot": list(SCOPES)}},
        "settings": {
            "event_subscriptions": {**request, "bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True, **request},
            "org_deploy_enabled": many,
            "socket_mode_enabled": not url,
            "token_rotation_enabled": many,
        },
    }


def render_manifest(url: str = "", *, many: bool = False) -> str:
    """The manifest as YAML, to be pasted into https://api.slack.com/apps (Create New App, From a manifest)."""
    head = (
        "# The Slack app. Made by `frontdesk slack-manifest`, which with --url makes the one for HTTP.\n"
        "# Paste it at https://api.slack.com/apps: Create New App, From a manifest.\n"
    )
    return head + "\n".join(_lines(manifest(url, many=many), 0)) + "\n"


def _lines(values: Mapping[str, Any], depth: int) -> Iterator[str]:
    pad = "  " * depth
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield f"{pad}{name}:"
            yield from _lines(value, depth + 1)
        elif isinstance(value, list):
            yield f"{pad}{name}:"
            for item in value:
                yield from _item(item, depth + 1)
        else:
            yield f"{pad}{name}: {_scalar(value)}"


def _item(item: Any, depth: int) -> Iterator[str]:
    pad = "  " * depth
    if isinstance(item, Mapping):
        first, *rest = _lines(item, depth + 1)
        yield f"{pad}- {first.lstrip()}"
        yield from rest
    else:
        reason = SCOPES.get(item)
        yield f"{pad}- {_scalar(item)}{f'  # {reason}' if reason else ''}"


def _scalar(value: object) -> str:
    """JSON's strings, numbers and truths are YAML's as well."""
    return json.dumps(value, ensure_ascii=False)
