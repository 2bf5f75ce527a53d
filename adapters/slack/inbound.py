"""What Slack sends, as values. Pure.

Source: https://docs.slack.dev/reference/events and, for Slack Connect, slack-bolt's tests/slack_bolt/request
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from adapters.slack.fields import Body, listed, mapping, text_of
from adapters.slack.happenings import (
    Changed,
    Happened,
    Happening,
    Moved,
    Place,
    Removed,
    Said,
    Stopped,
    Withdrawn,
)
from adapters.slack.installations import Installation
from adapters.slack.markup import calls_out, mentioned, to_plain
from bot.messages import Attachment, IncomingMessage, Person, ThreadKey
from bot.ports import ChannelRules, Listening

PLATFORM = "slack"

_SPOKEN = frozenset({"", "file_share", "thread_broadcast", "me_message"})
"""Subtypes of messages that a person wrote."""

_BOTS = "bot_message"
"""The subtype of some of those that a bot wrote; not all have it, and these may lack the bot's user."""

_FILES = "files"

_OURS = re.compile(r"\bslack:([A-Z0-9]{2,30}):")
"""A thread as we write it into buttons and views."""

_TS = re.compile(r"\d{1,12}\.\d{1,8}")


def installed_teams(body: Body) -> tuple[str, ...]:
    """Workspaces (or organisations) in which the app that got this is installed, the likeliest first.

    `team_id` of a Slack Connect event is the speaker's, so `authorizations` counts before it. Interactive payloads name
    the person's own; what we wrote into a view or a button names the thread's.
    """
    found: list[object] = []
    written = [text_of(action, "value") for action in listed(body.get("actions"))]
    for text in (*written, text_of(mapping(body.get("view")), "private_metadata")):
        found += _OURS.findall(text)
    for given in listed(body.get("authorizations")):
        found += [given.get("team_id"), given.get("enterprise_id")]
    view = mapping(body.get("view"))
    found += [view.get("app_installed_team_id"), body.get("context_team_id")]
    found += [mapping(body.get("team")).get("id"), body.get("team_id"), mapping(body.get("user")).get("team_id")]
    found += [body.get("context_enterprise_id"), mapping(body.get("enterprise")).get("id"), body.get("enterprise_id")]
    return tuple(dict.fromkeys(team for team in found if isinstance(team, str) and team))


def read_event(
    body: Body, me: Installation, actor_team: str = "", bots: frozenset[str] = frozenset()
) -> Happening | None:
    """What an event of the Events API tells; nothing for our own messages, other bots', and what is none of our affair.

    Args:
        actor_team: what Bolt found out about the speaker's workspace.
        bots: ids of other bots, or of their apps or users, that are answered.
    """
    event = mapping(body.get("event"))
    match event.get("type"):
        case "message":
            return _message(body, event, me, actor_team, bots)
        case "app_mention":
            return _said(body, event, me, actor_team, bots)
        case "agent_session_stopped":
            return _stopped(body, event, actor_team)
        case "channel_id_changed":
            old, new = text_of(event, "old_channel_id"), text_of(event, "new_channel_id")
            return Moved(old=old, new=new) if old and new else None
        case "app_uninstalled":
            return Removed(team=me.team, at=_seconds(body))
        case "tokens_revoked":
            return Removed(team=me.team, at=_seconds(body)) if mapping(event.get("tokens")).get("bot") else None
    return None


def _seconds(body: Body) -> float:
    at = body.get("event_time")
    return float(at) if isinstance(at, int) else 0.0


def _message(body: Body, event: Body, me: Installation, actor_team: str, bots: frozenset[str]) -> Happening | None:
    subtype = text_of(event, "subtype")
    if subtype in _SPOKEN or subtype == _BOTS:
        return _said(body, event, me, actor_team, bots)
    if subtype == "message_changed":
        now, before = mapping(event.get("message")), mapping(event.get("previous_message"))
        if now.get("subtype") == "tombstone":
            return _withdrawn(body, event, before or now, me)
        if _is_a_programs(now, me) or not text_of(now, "user") or now.get("text") == before.get("text"):
            return None  # what Slack itself changed, such as the preview of a link
        happened = _happened(body, event, now, actor_team)
        where = {"channel": event.get("channel"), "channel_type": event.get("channel_type"), "edited": None}
        said = _said(body, {**now, **where}, me, actor_team, frozenset())
        if happened is None or said is None:
            return None
        return Changed(text=text_of(now, "text"), said=said, **_shared(happened))
    if subtype == "message_deleted":
        return _withdrawn(body, event, mapping(event.get("previous_message")), me)
    return None


def _said(body: Body, event: Body, me: Installation, actor_team: str, bots: frozenset[str]) -> Said | None:
    names = _program_ids(event)
    bot = min(bots & names, default="")
    if event.get("edited") or _is_ours(event, me, text_of(body, "api_app_id")):
        return None  # a mention that is added by an edit comes as an edit as well
    if not bot and (_is_a_programs(event, me) or not text_of(event, "user")):
        return None
    happened = _happened(body, event, event, actor_team)
    if happened is None:
        return None
    files = tuple(listed(event.get("files")))
    name = text_of(event, "username") or text_of(mapping(event.get("bot_profile")), "name")
    return Said(text=_words(event), files=files, bot=bot, name=name if bot else "", **_shared(happened))


def read_written(message: Body, channel: str, me: Installation) -> Said | None:
    """A message as `conversations.replies` gives it; nothing for one that no person wrote.

    Source: https://docs.slack.dev/reference/methods/conversations.replies
    """
    if text_of(message, "subtype") not in _SPOKEN:
        return None
    event = {**message, "channel": channel, "type": "message"}
    event.pop("edited", None)  # what it reads at this moment is what counts
    team = text_of(message, "user_team") or text_of(message, "source_team") or text_of(message, "team")
    return _said({}, event, me, team, frozenset())


def _withdrawn(body: Body, event: Body, gone: Body, me: Installation) -> Withdrawn | None:
    if gone and _is_ours(gone, me, text_of(body, "api_app_id")):
        return None
    ts = text_of(event, "deleted_ts") or text_of(gone, "ts")
    happened = _happened(body, event, {**gone, "ts": ts}, "")
    return None if happened is None else Withdrawn(**_shared(happened))


def _stopped(body: Body, event: Body, actor_team: str) -> Stopped | None:
    ts = text_of(event, "thread_ts") or text_of(event, "message_ts")
    happened = _happened(body, event, {"user": event.get("user") or event.get("user_id"), "ts": ts}, actor_team)
    return None if happened is None else Stopped(**_shared(happened))


def _happened(body: Body, event: Body, message: Body, actor_team: str) -> Happened | None:
    channel, ts = text_of(event, "channel") or text_of(event, "channel_id"), text_of(message, "ts")
    if not channel or not _TS.fullmatch(ts):
        return None
    teams = (actor_team, text_of(message, "user_team"), text_of(message, "source_team"))
    place = Place(
        channel=channel,
        ts=ts,
        root=text_of(message, "thread_ts") or ts,
        kind=text_of(event, "channel_type"),
        is_shared=body.get("is_ext_shared_channel") is True,
    )
    return Happened(
        place=place,
        user=text_of(message, "user") or text_of(message, "bot_id"),
        actor_team=next((team for team in teams if team.startswith("T")), ""),
        event_ids=_event_ids(body, event, message, channel, ts),
        at=moment(ts),
    )


def _event_ids(body: Body, event: Body, message: Body, channel: str, ts: str) -> tuple[str, ...]:
    """Every name under which this may come again; one message comes by several events, and by several apps."""
    app = f"{text_of(body, 'api_app_id')}:{next(iter(installed_teams(body)), '')}"
    ids = [f"{app}:event:{text_of(body, 'event_id')}"] if text_of(body, "event_id") else []
    if event is message or event.get("type") == "app_mention":
        ids.append(f"{app}:message:{channel}:{ts}")
        if text_of(event, "client_msg_id"):
            ids.append(f"{app}:client:{text_of(event, 'client_msg_id')}")
        if listed(event.get("files")):
            ids.append(f"{app}:{_FILES}:{channel}:{ts}")
    else:
        what = text_of(event, "subtype") or text_of(event, "type")
        when = text_of(mapping(message.get("edited")), "ts") or text_of(event, "event_ts") or ts
        ids.append(f"{app}:{what}:{channel}:{ts}:{when}")
    return tuple(ids)


def _is_ours(message: Body, me: Installation, app: str) -> bool:
    """Whether we wrote it: as the bot of this workspace, or as the same app in another one."""
    names = _program_ids(message)
    return bool(names & {me.bot_user, me.bot_id, app} - {""})


def _is_a_programs(message: Body, me: Installation) -> bool:
    """Whether a bot wrote it, or an app in somebody's name. Bots are left alone: two of them could talk for ever."""
    signs = ("bot_id", "bot_profile", "app_id")
    by_sign = any(message.get(sign) for sign in signs) or text_of(message, "subtype") == _BOTS
    return by_sign or message.get("user") in (me.bot_user, "USLACKBOT")


def _program_ids(message: Body) -> frozenset[str]:
    """Under which names a bot may be known: its own, its app's, its user's."""
    profile = mapping(message.get("bot_profile"))
    names = {text_of(message, name) for name in ("bot_id", "app_id", "user")}
    return frozenset(names | {text_of(profile, "id"), text_of(profile, "app_id")}) - {""}


def _words(event: Body) -> str:
    """The text, and what was forwarded with it."""
    forwarded = [
        f"> {text_of(part, 'text') or text_of(part, 'fallback')}"
        for part in listed(event.get("attachments"))
        if part.get("is_share") or part.get("is_msg_unfurl")
    ]
    return "\n".join(part for part in (text_of(event, "text"), *forwarded) if part)


# ------------------------------------------------------------------------------------------------- into our values


def thread_key(team: str, channel: str, root: str) -> ThreadKey:
    """The thread that begins with that message."""
    return ThreadKey(platform=PLATFORM, space=team, channel=channel, root=root)


def to_message(
    said: Said,
    thread: ThreadKey,
    author: Person,
    *,
    me: Installation,
    names: Mapping[str, str],
    rules: ChannelRules,
) -> IncomingMessage:
    """Somebody wrote something, as the core reads it.

    Args:
        names: of the people who are mentioned.
    """
    people = mentioned(said.text)
    place = said.place
    listens = rules.listening is not Listening.NOTHING
    return IncomingMessage(
        thread=thread,
        author=author,
        event_ids=said.event_ids,
        at=said.at,
        message_id=place.ts,
        text=to_plain(said.text, names, bot_user=me.bot_user),
        audience=place.audience,
        attachments=tuple(to_attachment(thread.space, file) for file in said.files if text_of(file, "id")),
        opens=place.is_direct or (place.begins and rules.listening is Listening.EVERYTHING),
        mentions_bot=place.is_direct or (me.bot_user in people and (listens or not place.begins)),
        mentions_people=calls_out(said.text) or any(user != me.bot_user for user in people),
    )


def files_alone(message: IncomingMessage) -> IncomingMessage:
    """The files of a message that is known without them, as one more message.

    Whether a mention brings the files of its message is not established, and it may come before the message does.
    """
    return replace(
        message,
        text="",
        message_id=files_id(message.message_id),
        event_ids=tuple(name for name in message.event_ids if f":{_FILES}:" in name),
    )


def files_id(message_id: str) -> str:
    """The name under which the files of a message are kept when they came later than its text."""
    return f"{message_id}/{_FILES}"


def to_attachment(team: str, file: Body) -> Attachment:
    """A file. One that was sent over Slack Connect may come with nothing but its id; the rest is asked for when it is
    opened."""
    file_id = text_of(file, "id")
    size = file.get("size")
    kind = text_of(file, "mimetype").split(";")[0].strip().lower()
    address = text_of(file, "url_private_download") or text_of(file, "url_private")
    return Attachment(
        id=f"att-{blake2b(file_id.encode(), digest_size=4).hexdigest()}",
        name=" ".join((text_of(file, "name") or text_of(file, "title") or "file").split())[:120],
        media_type=kind if re.fullmatch(r"[\w.+-]{1,60}/[\w.+-]{1,60}", kind) else "application/octet-stream",
        size_bytes=size if isinstance(size, int) and size >= 0 else 0,
        ref=f"{team} {file_id} {address}".strip(),
    )


def moment(ts: str) -> datetime:
    """When a message was written, by its id."""
    return datetime.fromtimestamp(float(ts), UTC)


def _shared(happened: Happened) -> dict[str, Any]:
    return {name: getattr(happened, name) for name in ("place", "user", "actor_team", "event_ids", "at")}
