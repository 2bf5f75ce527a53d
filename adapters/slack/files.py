"""Files that people attach, fetched from Slack: with our token to Slack's hosts only, cut while they stream.

Without the right to read files Slack answers with its login page and status 200; such a page is no picture.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import structlog
from pydantic import SecretStr

from adapters.slack.calls import Calls
from adapters.slack.installations import Installations
from adapters.slack.settings import SlackSettings
from bot.errors import Permanent, ToolFailed, Transient
from bot.messages import Attachment

log = structlog.get_logger(__name__)

FILE_HOSTS = ("files.slack.com", "slack-files.com")
REDIRECTS = 3
TOTAL_S = 30.0
STALL_S = 10.0
CHUNK_BYTES = 64 * 1024

_AGAIN = "Ask the customer to attach it again."
_PAGE = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head)", re.IGNORECASE)
_GONE = frozenset({"file_not_found", "file_deleted", "file_not_shared"})


class _Stale(Exception):
    """The address does not lead to the file any more; another one may."""


class Files:
    """Fetches files."""

    def __init__(self, settings: SlackSettings, installations: Installations, calls: Calls) -> None:
        self._settings = settings
        self._installations = installations
        self._calls = calls

    async def fetch(self, attachment: Attachment, max_bytes: int) -> bytes:
        """The bytes of a file.

        Raises:
            ToolFailed: `gone`, `too_large`, `web_page`, `not_in_slack` or `unavailable`, each with its sentence.
        """
        team, file_id, address = [*attachment.ref.split(" ", 2), "", ""][:3]
        try:
            me = await self._installations.of(team)
            if address:
                try:
                    return await self._download(address, me.token, max_bytes)
                except _Stale:
                    log.info("slack_file_address_stale")
            return await self._download(await self._ask(file_id, me.token, max_bytes), me.token, max_bytes)
        except _Stale:
            raise ToolFailed("gone", f"The file is not there any more. {_AGAIN}") from None
        except Permanent as failure:
            if failure.reason in _GONE:
                raise ToolFailed("gone", f"The file was deleted. {_AGAIN}") from None
            if failure.reason == "missing_scope":
                log.error("slack_scope_missing", scope="files:read")
            raise ToolFailed("unavailable", f"Slack does not let the file be read ({_word(failure)}).") from None
        except (Transient, aiohttp.ClientError, TimeoutError, OSError):
            raise ToolFailed("unavailable", "Slack does not give the file at this moment. Try again later.") from None

    async def _ask(self, file_id: str, token: SecretStr, max_bytes: int) -> str:
        """Where the file is; one that came over Slack Connect says so only here."""
        answer = await self._calls.call("files.info", token, {"file": file_id})
        file: Mapping[str, Any] = answer.get("file") or {}
        size = file.get("size")
        if isinstance(size, int) and size > max_bytes:
            raise _too_large(max_bytes)
        if file.get("is_external") or file.get("mode") == "external":
            raise ToolFailed("not_in_slack", f"The file is a link to another service, not a file in Slack. {_AGAIN}")
        if file.get("mode") in ("tombstone", "hidden_by_limit"):
            raise Permanent("file_deleted")
        address = file.get("url_private_download") or file.get("url_private")
        if not isinstance(address, str):
            raise _Stale
        return address

    async def _download(self, address: str, token: SecretStr, max_bytes: int) -> bytes:
        # As it stands: a small body that unpacks to a large one would be beyond the limit before it is counted.
        headers = {"Authorization": f"Bearer {token.get_secret_value()}", "Accept-Encoding": "identity"}
        timeout = aiohttp.ClientTimeout(total=TOTAL_S, sock_read=STALL_S)
        session = self._calls.session
        for _ in range(REDIRECTS):
            if not self._is_slacks(address):
                raise ToolFailed("not_in_slack", f"The file is not kept in Slack. {_AGAIN}")
            async with session.get(
                address, headers=headers, timeout=timeout, allow_redirects=False, auto_decompress=False
            ) as response:
                if response.status in (301, 302, 303, 307, 308):
                    address = urljoin(address, response.headers.get("Location", ""))
                    if not self._is_slacks(address):
                        raise _login_page()
                    continue
                if response.status in (401, 403, 404, 410):
                    raise _Stale
                if response.status != 200:
                    raise Transient("slack_file_unavailable")
                return await _read(response, max_bytes)
        raise _Stale

    def _is_slacks(self, address: str) -> bool:
        """Whether our token may go there: Slack's file hosts, or the host that the Web API is said to be at."""
        parts = urlsplit(address)
        if parts.netloc == self._settings.api_host:
            return parts.scheme == urlsplit(self._settings.api_url).scheme
        return parts.scheme == "https" and parts.netloc in FILE_HOSTS


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    if response.content_type == "text/html" or "acl_fail" in response.headers.get("x-slack-meta", ""):
        raise _login_page()
    if (response.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    data = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        data += chunk
        if len(data) > max_bytes:
            raise _too_large(max_bytes)
    if _PAGE.match(data):
        raise _login_page()
    return bytes(data)


def _login_page() -> ToolFailed:
    log.error("slack_scope_missing", scope="files:read")
    return ToolFailed(
        "web_page", "Slack gave a login page instead of the file: it may not be read here. A colleague has to look."
    )


def _too_large(max_bytes: int) -> ToolFailed:
    return ToolFailed(
        "too_large", f"The file is larger than {max_bytes // 1024 // 1024} MB. Ask the customer for a smaller one."
    )


def _word(failure: Permanent) -> str:
    return failure.reason if re.fullmatch(r"[a-z_]{1,60}", failure.reason) else "refused"
