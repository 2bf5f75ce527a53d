"""Answering an interaction: within three seconds, and for a quarter of an hour after that.

Source: Discord API documentation, `interactions/receiving-and-responding`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import structlog

from adapters.discord.inbound import moment
from adapters.discord.render import EPHEMERAL, render_text, to_parts
from adapters.discord.rest import ANSWERED, Refused, Rest
from bot.errors import Permanent, Transient
from bot.ports import File

log = structlog.get_logger(__name__)

Json = dict[str, Any]

FIRST_S = 2.8
AGAIN_S = 0.05
LIFE_S = 14.5 * 60
"""Discord forgets an interaction after fifteen minutes."""

FILE_LIMIT_BYTES = 10 * 1024 * 1024
"""What Discord takes where it does not say how much it takes."""

FILE_TOO_LARGE = "The file that belongs here is larger than Discord takes, so it cannot be shown."

_MESSAGE, _DEFERRED, _DEFERRED_UPDATE, _MODAL = 4, 5, 6, 9
_CALLBACK = "/interactions/{webhook_id}/{webhook_token}/callback"
_FOLLOW_UP = "/webhooks/{webhook_id}/{webhook_token}"
_ORIGINAL = "/webhooks/{webhook_id}/{webhook_token}/messages/@original"


class Exchange:
    """One interaction; what is said is seen by the person alone."""

    def __init__(self, rest: Rest, data: Json) -> None:
        self._rest = rest
        self.id = str(data["id"])
        self.person = str(((data.get("member") or {}).get("user") or data.get("user") or {})["id"])
        self._application = str(data["application_id"])
        self._token = str(data["token"])
        self._file_limit_bytes = int(data.get("attachment_size_limit") or FILE_LIMIT_BYTES)
        self._is_deferred = False
        self._is_told = False

    async def defer(self) -> bool:
        """Promise an answer; false when it is too late for one, or another process gave it."""
        self._is_deferred = await self._first({"type": _DEFERRED, "data": {"flags": EPHEMERAL}})
        return self._is_deferred

    async def acknowledge(self) -> bool:
        """Take the press of a button, which stays as it is; what is told then is a message of its own, or nothing."""
        self._is_deferred = self._is_told = await self._first({"type": _DEFERRED_UPDATE})
        return self._is_deferred

    async def open(self, modal: Json) -> bool:
        """Open a form on the person's screen; what is told then is a message of its own."""
        self._is_deferred = self._is_told = await self._first({"type": _MODAL, "data": modal})
        return self._is_deferred

    async def tell(self, text: str, files: Sequence[File] = ()) -> None:
        """Tell the person something: as the answer, or by direct message when it is too late for that."""
        if any(len(file.data) > self._file_limit_bytes for file in files):
            text, files = f"{text}\n\n{FILE_TOO_LARGE}".strip(), ()
        bodies = [render_text(part.content) for part in to_parts(text)] or [render_text("Done.")]
        if files:
            bodies[-1]["attachments"] = [{"id": index, "filename": file.name} for index, file in enumerate(files)]
        for index, body in enumerate(bodies):
            await self._say(body, files if index == len(bodies) - 1 else ())

    async def _say(self, body: Json, files: Sequence[File]) -> None:
        try:
            if not self._is_deferred:
                self._is_deferred = self._is_told = True
                first = {"type": _MESSAGE, "data": {**body, "flags": body.get("flags", 0) | EPHEMERAL}}
                if not await self._first(first, files):
                    await self._directly(body, files)
            elif self._age_s() > LIFE_S:
                await self._directly(body, files)
            elif self._is_told:
                await self._send("POST", _FOLLOW_UP, body, files, EPHEMERAL)
            else:
                await self._send("PATCH", _ORIGINAL, body, files, 0)
                self._is_told = True
        except (Permanent, Transient) as failure:
            log.warning("discord_interaction_untold", reason=failure.reason)

    async def _send(self, method: str, path: str, body: Json, files: Sequence[File], flags: int) -> None:
        sent = {**body, "flags": body.get("flags", 0) | flags}
        try:
            await self._rest.request(
                method, path, webhook_id=self._application, webhook_token=self._token, json=sent, files=files
            )
        except Refused as refused:
            log.info("discord_interaction_over", code=refused.code)
            await self._directly(body, files)

    async def _directly(self, body: Json, files: Sequence[File]) -> None:
        channel = await self._rest.request("POST", "/users/@me/channels", json={"recipient_id": self.person})
        await self._rest.request(
            "POST", "/channels/{channel_id}/messages", channel_id=str(channel["id"]), json=body, files=files
        )

    async def _first(self, body: Json, files: Sequence[File] = ()) -> bool:
        """Answer for the first time; tried again while there is time, as a confirmation may be lost on its way."""
        began = time.monotonic()
        while (left_s := FIRST_S - (time.monotonic() - began)) > 0:
            try:
                await self._rest.request(
                    "POST",
                    _CALLBACK,
                    webhook_id=self.id,
                    webhook_token=self._token,
                    json=body,
                    files=files,
                    timeout_s=left_s,
                )
            except Refused as refused:
                if refused.code == ANSWERED:  # by an earlier try: only one process claims an interaction
                    return True
                log.warning("discord_interaction_unanswered", code=refused.code, age_s=round(self._age_s(), 1))
                return False
            except Transient as failure:
                log.info("discord_interaction_again", reason=failure.reason)
                await asyncio.sleep(AGAIN_S)
            else:
                return True
        log.warning("discord_interaction_unanswered", code=0, age_s=round(self._age_s(), 1))
        return False

    def _age_s(self) -> float:
        return (datetime.now(UTC) - moment(self.id)).total_seconds()
