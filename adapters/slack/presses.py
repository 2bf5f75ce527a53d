"""What people press, order and submit in Slack, as values. Pure.

Source: https://docs.slack.dev/reference/interaction-payloads
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from adapters.slack.fields import Body, listed, mapping, text_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """Somebody pressed a button, chose a shortcut, gave a command or submitted a modal.

    Args:
        action: the button's id, the command's or shortcut's name.
        value: what we wrote into the button; the command's text.
        channel: where, as Slack names it at this moment; empty in a modal.
        message: id of the message it was pressed on, `root` the one that began its thread.
        trigger: opens a modal, within three seconds.
        response_url: where the person can be answered, unseen by others.
        view: the modal that was submitted.
    """

    user: str
    user_team: str
    action: str
    value: str
    channel: str
    message: str
    root: str
    event_ids: tuple[str, ...]
    at: datetime
    trigger: str = ""
    response_url: str = field(default="", repr=False)
    view: str = ""


def read_action(body: Body) -> Pressed | None:
    """What somebody did with a button, a shortcut or a command."""
    if body.get("command"):
        return _pressed(body, text_of(body, "command"), text_of(body, "text"), text_of(body, "trigger_id"))
    if body.get("type") == "block_actions":
        action = next(iter(listed(body.get("actions"))), {})
        value = text_of(action, "value") or text_of(mapping(action.get("selected_option")), "value")
        return _pressed(body, text_of(action, "action_id"), value, text_of(action, "action_ts"))
    if body.get("type") == "message_action":
        return _pressed(body, text_of(body, "callback_id"), "", text_of(body, "action_ts"))
    return None


def read_submission(body: Body) -> tuple[Pressed, dict[str, str]] | None:
    """A modal that was submitted, its hidden text as `value`, and what was typed, by field."""
    view = mapping(body.get("view"))
    if body.get("type") != "view_submission":
        return None
    nonce = f"{text_of(view, 'id')}:{text_of(view, 'hash')}"
    pressed = _pressed(body, text_of(view, "callback_id"), text_of(view, "private_metadata"), nonce)
    typed: dict[str, str] = {}
    for fields in mapping(mapping(view.get("state")).get("values")).values():
        for name, given in mapping(fields).items():
            given = mapping(given)
            typed[name] = text_of(given, "value") or text_of(mapping(given.get("selected_option")), "value")
    return pressed, typed


def _pressed(body: Body, action: str, value: str, nonce: str) -> Pressed:
    user, message = mapping(body.get("user")), mapping(body.get("message"))
    container = mapping(body.get("container"))
    ts = text_of(message, "ts") or text_of(container, "message_ts")
    who = text_of(user, "id") or text_of(body, "user_id")
    return Pressed(
        user=who,
        user_team=text_of(user, "team_id") or text_of(body, "team_id"),
        action=action,
        value=value,
        channel=text_of(mapping(body.get("channel")), "id")
        or text_of(container, "channel_id")
        or text_of(body, "channel_id"),
        message=ts,
        root=text_of(message, "thread_ts") or text_of(container, "thread_ts") or ts,
        event_ids=(f"{text_of(body, 'api_app_id')}:action:{who}:{action}:{nonce}",),
        at=datetime.now(UTC),
        trigger=text_of(body, "trigger_id"),
        response_url=text_of(body, "response_url") or _first_response_url(body),
        view=text_of(mapping(body.get("view")), "id"),
    )


def _first_response_url(body: Body) -> str:
    return next((text_of(given, "response_url") for given in listed(body.get("response_urls"))), "")
