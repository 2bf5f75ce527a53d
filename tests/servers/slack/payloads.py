"""The shapes of what Slack sends to an app: pure functions from what there is to JSON.

Source of the envelopes: docs.slack.dev/apis/events-api; of Slack Connect's differences: the payloads recorded in
bolt-python, tests/slack_bolt/request/test_internals.py; of interactivity: docs.slack.dev/reference/interaction-payloads
and the payloads recorded in bolt-python, tests/scenario_tests_async.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.servers.slack.world import APP, BOT, BOT_ID, HOME, Channel, Member, Message, View

Json = dict[str, Any]
VERIFICATION = "verification-token-of-old"

_TOKENS = re.compile(
    r"""(?P<url>https?://[^\s<>|]+) | (?P<email>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)
    | (?P<everybody>@(?:channel|here|everyone)\b) | @(?P<name>\w+)""",
    re.VERBOSE,
)


def typed(text: str, members: Mapping[str, Member]) -> tuple[str, Json]:
    """What a person typed, as Slack's programs send it: the text with Slack's markup, and the same as rich text.

    Source: docs.slack.dev/messaging/formatting-message-text; .../block-kit/blocks/rich-text-block
    """
    names = {member.name.lower(): member.id for member in members.values()}
    written, elements = [], []
    for plain, match in _pieces(text, names):
        if plain:
            written.append(escaped(plain))
            elements.append({"type": "text", "text": plain})
        elif match is not None:
            marked, element = _marked(match, names)
            written.append(marked)
            elements.append(element)
    section = {"type": "rich_text_section", "elements": elements}
    return "".join(written), {"type": "rich_text", "block_id": "b1", "elements": [section]}


def escaped(text: str) -> str:
    """The three signs that Slack escapes."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _pieces(text: str, names: Mapping[str, str]) -> Iterator[tuple[str, re.Match[str] | None]]:
    end = 0
    for match in _TOKENS.finditer(text):
        if match["name"] is not None and match["name"].lower() not in names:
            continue
        yield text[end : match.start()], None
        yield "", match
        end = match.end()
    yield text[end:], None


def _marked(match: re.Match[str], names: Mapping[str, str]) -> tuple[str, Json]:
    if url := match["url"]:
        return f"<{escaped(url)}>", {"type": "link", "url": url}
    if email := match["email"]:
        return f"<mailto:{email}|{email}>", {"type": "link", "url": f"mailto:{email}", "text": email}
    if everybody := match["everybody"]:
        return f"<!{everybody[1:]}>", {"type": "broadcast", "range": everybody[1:]}
    user = names[match["name"].lower()]
    return f"<@{user}>", {"type": "user", "user_id": user}


# ------------------------------------------------------------------------------------------------------------ events


def enveloped(event: Json, event_id: str, *, team: str = HOME, shared: bool = False) -> Json:
    """The outer part of an event. `team` is the actor's for messages in Slack Connect; nothing else is reliable."""
    return {
        "token": VERIFICATION,
        "team_id": team,
        "context_team_id": HOME,
        "context_enterprise_id": None,
        "api_app_id": APP,
        "event": event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(time.time()),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": HOME,
                "user_id": BOT,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": shared,
        "event_context": f"4-{event_id}",
    }


def message_event(message: Message, member: Member, channel: Channel) -> Json:
    """A message as `message.channels`, `.groups`, `.im` or `.mpim` bring it."""
    event = message.to_json(with_metadata=True) | {
        "team": member.team,
        "channel": channel.id,
        "event_ts": message.ts,
        "channel_type": channel.kind,
    }
    if message.files:
        event["subtype"] = "file_share"
    return event


def mention_event(message: Message, member: Member, channel: Channel) -> Json:
    """The same message as `app_mention` brings it: the actor's organisation stands in other places.

    The organisation of a Grid's member is the Grid's id.
    """
    event = message.to_json() | {"type": "app_mention", "team": HOME, "channel": channel.id, "event_ts": message.ts}
    event.pop("files", None)  # whether a mention brings the files is not established: the message does
    event.pop("upload", None)
    if member.team != HOME:
        theirs = member.enterprise or member.team
        event |= {"user_team": theirs, "source_team": theirs, "user_profile": {"team": theirs, "name": member.name}}
    return event


def changed_event(before: Json, message: Message, channel: Channel, now: str) -> Json:
    """A message has another text. Source: docs.slack.dev/reference/events/message/message_changed"""
    return {
        "type": "message",
        "subtype": "message_changed",
        "message": message.to_json(with_metadata=True),
        "previous_message": before,
        "channel": channel.id,
        "hidden": True,
        "ts": now,
        "event_ts": now,
        "channel_type": channel.kind,
    }


def deleted_event(message: Message, channel: Channel, now: str) -> Json:
    """A message is gone. Source: docs.slack.dev/reference/events/message/message_deleted"""
    return {
        "type": "message",
        "subtype": "message_deleted",
        "previous_message": message.to_json(),
        "deleted_ts": message.ts,
        "channel": channel.id,
        "hidden": True,
        "ts": now,
        "event_ts": now,
        "channel_type": channel.kind,
    }


def hidden_file(file_id: str) -> Json:
    """A file in Slack Connect. Source: docs.slack.dev/reference/objects/file-object#slack_connect_files"""
    return {"id": file_id, "file_access": "check_file_info"}


# ----------------------------------------------------------------------------------------------------- interactivity


def _person(member: Member) -> Json:
    return {"id": member.id, "username": member.name.lower(), "name": member.name.lower(), "team_id": member.team}


def _team(member: Member, *, theirs: bool) -> Json:
    return {"id": member.team if theirs else HOME, "domain": "acme" if theirs else "home"}


def pressed(
    message: Message, member: Member, channel: Channel, action: Json, *, trigger: str, url: str, theirs: bool
) -> Json:
    """A button of a message was pressed (`block_actions`).

    Args:
        theirs: `team` is the person's own organisation; which one Slack sends in Slack Connect is not established.

    Source: docs.slack.dev/reference/interaction-payloads/block_actions-payload
    """
    container: Json = {"type": "message", "message_ts": message.ts, "channel_id": channel.id}
    container["is_ephemeral"] = bool(message.seen_by)
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    payload: Json = {
        "type": "block_actions",
        "user": _person(member),
        "api_app_id": APP,
        "token": VERIFICATION,
        "container": container,
        "trigger_id": trigger,
        "team": _team(member, theirs=theirs),
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": channel.id, "name": channel.name or "directmessage"},
        "state": {"values": {}},
        "response_url": url,
        "actions": [action],
    }
    if not message.seen_by:  # an ephemeral message is not sent along
        payload["message"] = message.to_json()
    return payload


def pressed_action(block: Mapping[str, Any], element: Mapping[str, Any], part: Mapping[str, Any], now: str) -> Json:
    """What was pressed. Source: docs.slack.dev/reference/block-kit/block-elements"""
    action: Json = {
        "type": element["type"],
        "action_id": element["action_id"],
        "block_id": block.get("block_id", "made-by-slack"),
        "action_ts": now,
    }
    action |= {key: part[key] for key in ("text", "value", "style", "url") if key in part}
    return action


def submitted(view: View, member: Member, values: Mapping[tuple[str, str], str], trigger: str) -> Json:
    """A modal was sent (`view_submission`): `team` and `view.team_id` are the person's own in Slack Connect.

    Source: docs.slack.dev/reference/interaction-payloads/view-interactions-payload
    """
    state: dict[str, Json] = {}
    kinds = {block["block_id"]: block["element"]["type"] for block in view.body["blocks"] if block["type"] == "input"}
    for (block_id, action_id), value in values.items():
        state.setdefault(block_id, {})[action_id] = _typed_in(kinds[block_id], value)
    body = dict(view.body)
    body |= {"state": {"values": state}, "team_id": member.team, "app_installed_team_id": HOME, "bot_id": BOT_ID}
    return {
        "type": "view_submission",
        "team": _team(member, theirs=member.team != HOME),
        "user": _person(member),
        "api_app_id": APP,
        "token": VERIFICATION,
        "trigger_id": trigger,
        "view": body,
        "response_urls": [],
        "is_enterprise_install": False,
        "enterprise": None,
    }


def _typed_in(kind: str, value: str) -> Json:
    """The state of one input. Source: docs.slack.dev/reference/views#view_state"""
    if kind.endswith("_select"):
        option = {"text": {"type": "plain_text", "text": value}, "value": value}
        return {"type": kind, "selected_option": option if value else None}
    return {"type": kind, "value": value or None}


def shortcut(message: Message, member: Member, channel: Channel, callback_id: str, *, trigger: str, url: str) -> Json:
    """An entry of the menu on a message (`message_action`).

    Source: docs.slack.dev/reference/interaction-payloads/shortcuts-interaction-payload
    """
    return {
        "type": "message_action",
        "token": VERIFICATION,
        "action_ts": f"{time.time():.6f}",
        "team": _team(member, theirs=False),
        "user": _person(member),
        "channel": {"id": channel.id, "name": channel.name or "directmessage"},
        "is_enterprise_install": False,
        "enterprise": None,
        "callback_id": callback_id,
        "trigger_id": trigger,
        "response_url": url,
        "message_ts": message.ts,
        "message": message.to_json(),
    }


def command(name: str, text: str, member: Member, channel: Channel, *, trigger: str, url: str) -> dict[str, str]:
    """A slash command: a form, not JSON. Source: docs.slack.dev/interactivity/implementing-slash-commands"""
    return {
        "token": VERIFICATION,
        "team_id": member.team,
        "team_domain": "home",
        "channel_id": channel.id,
        "channel_name": channel.name or "directmessage",
        "user_id": member.id,
        "user_name": member.name.lower(),
        "command": name,
        "text": text,
        "api_app_id": APP,
        "is_enterprise_install": "false",
        "response_url": url,
        "trigger_id": trigger,
    }


def member_json(member: Member, email: str = "") -> Json:
    """A user object; of people of other organisations little is told.

    Source: docs.slack.dev/reference/methods/users.info (external members)
    """
    profile: Json = {"display_name": member.name, "real_name": member.name, "image_48": "https://example.org/a.png"}
    if member.team == HOME and not member.bot_id:
        profile["email"] = email or f"{member.name.lower()}@home.example"
    return {
        "id": member.id,
        "team_id": member.team,
        "name": member.name.lower(),
        "real_name": member.name,
        "profile": profile,
        "is_bot": bool(member.bot_id),
        "is_app_user": False,
        "is_stranger": member.stranger,
        "is_admin": member.leads,
        "is_restricted": False,
        "is_ultra_restricted": False,
        "deleted": False,
        **({"enterprise_user": {"enterprise_id": member.enterprise, "id": member.id}} if member.enterprise else {}),
    }


def channel_json(channel: Channel, teams: Sequence[str]) -> Json:
    """A conversation object. Source: docs.slack.dev/reference/objects/conversation-object"""
    body: Json = {
        "id": channel.id,
        "name": channel.name,
        "is_channel": channel.kind == "channel",
        "is_group": channel.kind == "group",
        "is_im": channel.kind == "im",
        "is_mpim": channel.kind == "mpim",
        "is_private": channel.kind != "channel",
        "is_archived": channel.archived,
        "is_member": channel.has_bot,
        "is_shared": channel.shared,
        "is_ext_shared": channel.shared,
        "context_team_id": HOME,
        "shared_team_ids": [HOME, *teams] if channel.shared else [HOME],
        "internal_team_ids": [],
    }
    if channel.kind == "im":
        body["user"] = channel.partner
    return body
