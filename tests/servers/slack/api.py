# ruff: noqa: N802 - a method is called as Slack calls it
"""The Web API, method by method: `async def chat_postMessage(call)` is `chat.postMessage`.

Each gives the body of the answer without `ok`, or raises `Refusal` with the word that the reference lists.
Source: docs.slack.dev/reference/methods, one page each.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tests.servers.slack import payloads
from tests.servers.slack.chat import Chat, place
from tests.servers.slack.faults import Call
from tests.servers.slack.screen import (
    Refusal,
    check_view,
)
from tests.servers.slack.world import APP, BOT, BOT_ID, HOME, SCOPES, Message, View, World

Json = dict[str, Any]
TRIGGER_S = 3.0

NEEDS = {
    "chat.postMessage": "channel", "chat.update": "channel ts", "chat.delete": "channel ts",
    "chat.postEphemeral": "channel user", "chat.startStream": "channel thread_ts", "chat.appendStream": "channel ts",
    "chat.stopStream": "channel ts", "chat.getPermalink": "channel message_ts", "conversations.replies": "channel ts",
    "conversations.history": "channel", "conversations.info": "channel", "users.info": "user", "files.info": "file",
    "views.open": "view", "views.update": "view", "views.publish": "user_id view",
    "usergroups.users.list": "usergroup", "assistant.threads.setStatus": "channel_id thread_ts",
    "assistant.threads.setSuggestedPrompts": "channel_id prompts", "agents.sessions.setStatus": "channel_id status",
    "files.getUploadURLExternal": "filename length",
    "files.completeUploadExternal": "files", "reactions.add": "channel name timestamp",
}  # fmt: skip
"""What must be there; what is missing is `invalid_arguments`."""


class WebApi:
    """What the methods do to the world.

    Args:
        world: what there is.
        base: where this Slack is reached.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._chat = Chat(world)
        self.base = ""
        self.socket_base = ""
        self.scopes = SCOPES
        self.bot_tokens: dict[str, str] = {"xoxb-home": HOME}
        """Token -> the workspace in which it is valid."""
        self.app_tokens = {"xapp-home"}
        self.revoked: set[str] = set()
        self.codes: dict[str, str] = {}
        """Codes that OAuth gave out -> workspace."""
        self.refresh: dict[str, str] = {}
        self.lasts_s = 43_200
        """How long a token that OAuth gave out is valid."""
        self.replies_page = 200
        """The most that one page of `conversations.replies` gives."""
        self.deaf: set[str] = set()
        """People to whom a bot cannot open a conversation."""
        self.uploads: dict[str, str] = {}

    async def do(self, call: Call) -> Json:
        """Do what was asked."""
        name = call.method.replace(".", "_")
        method = getattr(self._chat, name, None) or getattr(self, name, None)
        if method is None or call.method.startswith("_"):
            raise Refusal("unknown_method")
        self._authorise(call)
        missing = [name for name in NEEDS.get(call.method, "").split() if call.arguments.get(name) in (None, "")]
        if missing:
            raise Refusal("invalid_arguments", *(f"missing required field: {name}" for name in missing))
        answer: Json = await method(call)
        return answer

    def _authorise(self, call: Call) -> None:
        if call.method in ("oauth.v2.access", "api.test"):
            return
        if not call.token:
            raise Refusal("not_authed")
        if call.token in self.revoked:
            raise Refusal("token_revoked")
        known = self.app_tokens if call.method == "apps.connections.open" else self.bot_tokens
        if call.token not in known:
            raise Refusal("invalid_auth" if call.token[:4] in ("xoxb", "xapp") else "not_authed")

    # -------------------------------------------------------------------------------------------------- who we are

    async def api_test(self, call: Call) -> Json:
        return {"args": dict(call.arguments)}

    async def auth_test(self, call: Call) -> Json:
        team = self.bot_tokens[call.token]
        return {
            "url": "https://home.slack.com/",
            "team": "Home",
            "user": "frontdesk",
            "team_id": team,
            "user_id": BOT,
            "bot_id": BOT_ID,
            "is_enterprise_install": False,
        }

    async def auth_revoke(self, call: Call) -> Json:
        self.revoked.add(call.token)
        return {"revoked": True}

    async def apps_connections_open(self, call: Call) -> Json:
        return {"url": f"{self.socket_base}/link/?ticket={self.world.number()}&app_id={APP}"}

    async def oauth_v2_access(self, call: Call) -> Json:
        """Source: docs.slack.dev/reference/methods/oauth.v2.access; .../authentication/using-token-rotation"""
        given = call.token or f"{call.arguments.get('client_id')}:{call.arguments.get('client_secret')}"
        if given != "client-id:client-secret":
            raise Refusal("invalid_client_id")
        if call.arguments.get("grant_type") == "refresh_token":
            team = self.refresh.pop(str(call.arguments.get("refresh_token")), None)
            if team is None:
                raise Refusal("invalid_refresh_token")
        else:
            team = self.codes.pop(str(call.arguments.get("code")), None)
            if team is None:
                raise Refusal("invalid_code")
        number = self.world.number()
        token, refresh = f"xoxb-{team}-{number}", f"xoxe-1-{team}-{number}"
        self.bot_tokens[token] = team
        self.refresh[refresh] = team
        return {
            "app_id": APP,
            "authed_user": {"id": "U0ROBIN01"},
            "scope": self.scopes,
            "token_type": "bot",
            "access_token": token,
            "refresh_token": refresh,
            "expires_in": self.lasts_s,
            "bot_user_id": BOT,
            "team": {"id": team, "name": team},
            "enterprise": None,
            "is_enterprise_install": False,
        }

    async def team_info(self, call: Call) -> Json:
        team = str(call.arguments.get("team") or HOME)
        return {"team": {"id": team, "name": team, "domain": team.lower()}}

    async def users_info(self, call: Call) -> Json:
        member = self.world.members.get(str(call.arguments["user"]))
        if member is None:
            raise Refusal("user_not_found")
        return {"user": payloads.member_json(member)}

    async def bots_info(self, call: Call) -> Json:
        for member in self.world.members.values():
            if member.bot_id == call.arguments.get("bot"):
                bot = {"id": member.bot_id, "app_id": member.app_id, "user_id": member.id, "name": member.name}
                return {"bot": bot}
        raise Refusal("bot_not_found")

    async def usergroups_users_list(self, call: Call) -> Json:
        people = self.world.groups.get(str(call.arguments["usergroup"]))
        if people is None:
            raise Refusal("no_such_subteam")
        return {"users": people}

    # ------------------------------------------------------------------------------------------------ conversations

    async def conversations_info(self, call: Call) -> Json:
        channel = place(self.world, str(call.arguments["channel"]))
        theirs = sorted({member.team for member in self.world.members.values() if member.team != HOME})
        return {"channel": payloads.channel_json(channel, theirs)}

    async def conversations_open(self, call: Call) -> Json:
        person = str(call.arguments.get("users", ""))
        if person not in self.world.members:
            raise Refusal("user_not_found")
        if person in self.deaf:
            raise Refusal("cannot_dm_user")
        return {"channel": {"id": self.world.im(person).id}}

    async def conversations_members(self, call: Call) -> Json:
        place(self.world, str(call.arguments["channel"]))
        return {"members": list(self.world.members), "response_metadata": {"next_cursor": ""}}

    async def conversations_replies(self, call: Call) -> Json:
        """Oldest first, the first message of the thread on every page."""
        channel, root = str(call.arguments["channel"]), str(call.arguments["ts"])
        if not place(self.world, channel).has_bot:
            raise Refusal("not_in_channel")
        thread = self.world.thread(channel, root)
        if not thread:
            raise Refusal("thread_not_found")
        oldest, latest = str(call.arguments.get("oldest") or "0"), str(call.arguments.get("latest") or "9" * 20)
        inclusive = _is_true(call.arguments.get("inclusive"))
        replies = [
            message
            for message in thread[1:]
            if (oldest <= message.ts <= latest if inclusive else oldest < message.ts < latest)
        ]
        size = min(int(call.arguments.get("limit") or 1_000), self.replies_page)
        start = int(call.arguments.get("cursor") or 0)
        page = [thread[0], *replies[start : start + size]]
        more = start + size < len(replies)
        with_metadata = _is_true(call.arguments.get("include_all_metadata"))
        return {
            "messages": [message.to_json(with_metadata=with_metadata) for message in page],
            "has_more": more,
            "response_metadata": {"next_cursor": str(start + size) if more else ""},
        }

    async def conversations_history(self, call: Call) -> Json:
        channel = str(call.arguments["channel"])
        if not place(self.world, channel).has_bot:
            raise Refusal("not_in_channel")
        oldest, latest = str(call.arguments.get("oldest") or "0"), str(call.arguments.get("latest") or "9" * 20)
        inclusive = _is_true(call.arguments.get("inclusive"))
        found = [
            message
            for message in self.world.history(channel)
            if (oldest <= message.ts <= latest if inclusive else oldest < message.ts < latest)
        ][: int(call.arguments.get("limit") or 100)]
        with_metadata = _is_true(call.arguments.get("include_all_metadata"))
        return {"messages": [message.to_json(with_metadata=with_metadata) for message in found], "has_more": False}

    async def reactions_add(self, call: Call) -> Json:
        if self.world.find(str(call.arguments["channel"]), str(call.arguments["timestamp"])) is None:
            raise Refusal("message_not_found")
        return {}

    async def reactions_remove(self, call: Call) -> Json:
        return {}

    # ------------------------------------------------------------------------------------------------------- agents

    async def assistant_threads_setStatus(self, call: Call) -> Json:
        where = str(call.arguments["channel_id"]), str(call.arguments["thread_ts"])
        place(self.world, where[0], writes=True)
        status = str(call.arguments.get("status") or "")
        self.world.told_statuses.append((*where, status))
        self.world.statuses.pop(where, None)
        if status:
            self.world.statuses[where] = status
        return {}

    async def assistant_threads_setSuggestedPrompts(self, call: Call) -> Json:
        if len(call.arguments["prompts"]) > 4:
            raise Refusal("invalid_arguments", "prompts")
        self.world.prompts.append(dict(call.arguments))
        return {}

    async def agents_sessions_setStatus(self, call: Call) -> Json:
        status = str(call.arguments["status"])
        if status not in ("active", "processing", "suspended", "closed"):
            raise Refusal("invalid_arguments", "status")
        channel = place(self.world, str(call.arguments["channel_id"]), writes=True)
        self.world.sessions[channel.id, str(call.arguments.get("thread_ts") or "")] = status
        return {}

    async def agents_sessions_rename(self, call: Call) -> Json:
        return {}

    # -------------------------------------------------------------------------------------------------------- views

    async def views_open(self, call: Call) -> Json:
        """Source: docs.slack.dev/reference/methods/views.open"""
        trigger = str(call.arguments.get("trigger_id") or call.arguments.get("interactivity_pointer") or "")
        found = self.world.triggers.get(trigger)
        if found is None:
            raise Refusal("invalid_trigger_id")
        person, given_at = found
        if not person:
            raise Refusal("exchanged_trigger_id")
        if time.monotonic() - given_at > TRIGGER_S:
            raise Refusal("expired_trigger_id")
        check_view(call.arguments["view"])
        self.world.triggers[trigger] = ("", given_at)
        return {"view": self._view(person, call.arguments["view"]).body}

    async def views_publish(self, call: Call) -> Json:
        check_view(call.arguments["view"])
        return {"view": self._view(str(call.arguments["user_id"]), call.arguments["view"]).body}

    async def views_update(self, call: Call) -> Json:
        check_view(call.arguments["view"])
        view = self.world.views.get(str(call.arguments.get("view_id")))
        if view is None:
            raise Refusal("not_found")
        self.changed(view, call.arguments["view"])
        return {"view": view.body}

    def _view(self, person: str, body: Mapping[str, Any]) -> View:
        view = View(id=f"V0{self.world.number():07d}", person=person, body={})
        self.world.views[view.id] = view
        self.changed(view, body)
        return view

    def changed(self, view: View, body: Mapping[str, Any]) -> None:
        """A view shows something else."""
        view.body = {"external_id": "", "private_metadata": "", "callback_id": "", **body} | {
            "id": view.id,
            "team_id": HOME,
            "app_id": APP,
            "root_view_id": view.id,
            "previous_view_id": None,
            "hash": f"{self.world.number()}.hash",
        }

    # -------------------------------------------------------------------------------------------------------- files

    async def files_info(self, call: Call) -> Json:
        file = self.world.files.get(str(call.arguments["file"]))
        if file is None:
            raise Refusal("file_not_found")
        return {"file": self.file_json(file.id)}

    def file_json(self, file_id: str) -> Json:
        """A file object. Source: docs.slack.dev/reference/objects/file-object"""
        file = self.world.files[file_id]
        path = f"{self.base}/files-pri/{HOME}-{file.id}"
        return {
            "id": file.id,
            "name": file.name,
            "title": file.name,
            "mimetype": file.media_type,
            "filetype": file.name.rpartition(".")[2],
            "size": len(file.data) if file.claimed_bytes is None else file.claimed_bytes,
            "mode": "hosted",
            "is_external": False,
            "is_public": False,
            "file_access": "visible",
            "url_private": f"{path}/{file.id}",
            "url_private_download": f"{path}/download/{file.id}",
            "permalink": f"https://home.slack.com/files/{file.id}",
        }

    async def files_getUploadURLExternal(self, call: Call) -> Json:
        name, length = str(call.arguments["filename"]), int(call.arguments["length"])
        if length <= 0:
            raise Refusal("invalid_arguments", "length")
        file = self.world.keep_file(name, b"", "application/octet-stream")
        return {"upload_url": f"{self.base}/upload/v1/{file.id}", "file_id": file.id}

    async def files_completeUploadExternal(self, call: Call) -> Json:
        files = [self.file_json(str(file["id"])) for file in call.arguments["files"]]
        if name := call.arguments.get("channel_id"):
            channel = place(self.world, str(name), writes=True)
            message = Message(
                ts=self.world.now(),
                channel=channel.id,
                user=BOT,
                bot_id=BOT_ID,
                app_id=APP,
                text=str(call.arguments.get("initial_comment") or ""),
                thread_ts=call.arguments.get("thread_ts"),
                files=files,
            )
            self.world.put(message)
        return {"files": files}


def _is_true(value: Any) -> bool:
    return str(value).lower() in ("1", "true")
