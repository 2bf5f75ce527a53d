"""Files that people sent: read when they are needed, from Discord or from where we kept them."""

from __future__ import annotations

from urllib.parse import urlsplit

import orjson

from adapters.discord.inbound import files_of
from adapters.discord.rest import Refused, Rest
from adapters.discord.settings import DiscordSettings
from bot.errors import ToolFailed, Transient
from bot.messages import Attachment
from bot.ports import Desk

_TOO_LARGE = "The file is too large to be read."
_GONE = "The file is not there any more. Ask the customer to send it again."
_UNAVAILABLE = "Files cannot be read at the moment. Ask the customer to try again in a few minutes."


class Files:
    """Opens attachments."""

    def __init__(self, rest: Rest, settings: DiscordSettings, desk: Desk) -> None:
        self._rest = rest
        self._settings = settings
        self._desk = desk

    async def read(self, attachment: Attachment, max_bytes: int) -> bytes:
        """The bytes of a file.

        Raises:
            ToolFailed: `gone`, `too_large`, `unavailable`, or `not_allowed` for an address that is not Discord's.
        """
        ref = orjson.loads(attachment.ref)
        if "upload" in ref:
            upload = await self._desk.read_upload(ref["tenant"], ref["upload"])
            if upload is None:
                raise ToolFailed("gone", _GONE)
            return _within(upload.data if len(upload.data) <= max_bytes else None)
        if attachment.size_bytes > max_bytes:
            raise ToolFailed("too_large", _TOO_LARGE)
        try:
            status, data = await self._download(ref["url"], max_bytes)
            if status != 200:  # an address is signed for a day; the message has a fresh one
                status, data = await self._download(await self._fresh(ref), max_bytes)
        except Transient as failure:
            raise ToolFailed("unavailable", _UNAVAILABLE) from failure
        if status != 200:
            raise ToolFailed("gone", _GONE)
        return _within(data)

    async def keep(self, url: str, max_bytes: int) -> bytes:
        """The bytes of a file of a form or command, to be kept with us.

        Raises:
            ToolFailed: see `read`.
        """
        try:
            status, data = await self._download(url, max_bytes)
        except Transient as failure:
            raise ToolFailed("unavailable", _UNAVAILABLE) from failure
        if status != 200:
            raise ToolFailed("gone", _GONE)
        return _within(data)

    async def _fresh(self, ref: dict[str, str]) -> str:
        """The address of a file as its message tells it at this moment."""
        try:
            message = await self._rest.request(
                "GET",
                "/channels/{channel_id}/messages/{message_id}",
                channel_id=ref["channel"],
                message_id=ref["message"],
            )
        except Refused as refused:
            raise ToolFailed("gone", _GONE) from refused
        for file in files_of(message):
            if str(file["id"]) == ref["file"]:
                return str(file["url"])
        raise ToolFailed("gone", _GONE)

    async def _download(self, url: str, max_bytes: int) -> tuple[int, bytes | None]:
        """Read from Discord's own file servers, and follow no address to another place."""
        parts = urlsplit(url)
        is_local = self._settings.api_url.startswith("http://")
        if parts.hostname not in self._settings.file_hosts or (parts.scheme != "https" and not is_local):
            raise ToolFailed("not_allowed", "The file is not where Discord keeps files. Ask for it to be attached.")
        return await self._rest.read(url, max_bytes)


def _within(data: bytes | None) -> bytes:
    if data is None:
        raise ToolFailed("too_large", _TOO_LARGE)
    return data
