"""Who is at the other end of a request: a speaker of the demo, or a visitor who knows the token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from pydantic import SecretStr
from starlette.exceptions import HTTPException
from starlette.requests import Request

from bot.messages import Audience, Person
from bot.ports import SharedState

COOKIE = "frontdesk_session"
SESSION_S = 14 * 86_400
DEMO_OWNER = "demo"

_ATTEMPTS_PER_MINUTE = 10
_ALL_ATTEMPTS_PER_MINUTE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """The person of a request, and whose threads they see."""

    person: Person
    owner: str


class Door(Protocol):
    """Lets people in."""

    audience: Audience
    people: Mapping[str, Person]

    async def viewer(self, request: Request) -> Viewer:
        """Who asks.

        Raises:
            HTTPException: 401, nobody whom we know.
        """


class DemoDoor:
    """The demo on the machine of whoever looks at it: one channel in which any of a few people may be played."""

    audience = Audience.SHARED

    def __init__(self, speakers: list[dict[str, Any]]) -> None:
        self.people: Mapping[str, Person] = {
            speaker["id"]: Person(
                id=speaker["id"],
                display_name=speaker["name"],
                organisation=speaker["organisation"],
                is_staff=speaker["is_staff"],
            )
            for speaker in speakers
        }

    async def viewer(self, request: Request) -> Viewer:
        """The speaker whom the page names; the first one when it names none."""
        name = request.query_params.get("speaker") or next(iter(self.people))
        person = self.people.get(name)
        if person is None:
            raise HTTPException(401)
        return Viewer(person=person, owner=DEMO_OWNER)


class TokenDoor:
    """Visitors who know the token; each is somebody else, sees their own threads and no other's.

    The cookie says who somebody is and until when, signed with a key that needs both the token and a secret of the
    store: whoever changes either signs everybody out, and a stolen cookie is no help in guessing the token.
    """

    audience = Audience.DIRECT
    people: Mapping[str, Person] = {}

    def __init__(self, token: SecretStr, state: SharedState) -> None:
        self._token = token
        self._state = state

    async def viewer(self, request: Request) -> Viewer:
        """Whom the cookie names."""
        person = await self._read(request.cookies.get(COOKIE, ""))
        if person is None:
            raise HTTPException(401)
        return Viewer(person=person, owner=person.id)

    async def knows(self, request: Request) -> bool:
        """Whether the request has a valid cookie."""
        return await self._read(request.cookies.get(COOKIE, "")) is not None

    async def may_try(self, address: str) -> bool:
        """Count an attempt to sign in; false when there were too many in this minute."""
        minute = int(time.time() // 60)
        of_address = await self._state.increment(f"login/{address}/{minute}", ttl_s=120.0)
        of_all = await self._state.increment(f"login/all/{minute}", ttl_s=120.0)
        return of_address <= _ATTEMPTS_PER_MINUTE and of_all <= _ALL_ATTEMPTS_PER_MINUTE

    def is_token(self, typed: str) -> bool:
        """Whether this is the token; takes the same time for every wrong one."""
        return hmac.compare_digest(_digest(typed), _digest(self._token.get_secret_value()))

    async def admit(self, name: str) -> str:
        """The cookie of a visitor whom nobody knows yet."""
        claim = {"id": f"visitor-{secrets.token_hex(8)}", "name": name, "until": int(time.time()) + SESSION_S}
        body = base64.urlsafe_b64encode(orjson.dumps(claim)).decode()
        return f"{body}.{await self._signature(body)}"

    async def _read(self, cookie: str) -> Person | None:
        body, _, signature = cookie.rpartition(".")
        if not body or not cookie.isascii() or not hmac.compare_digest(signature, await self._signature(body)):
            return None
        claim = orjson.loads(base64.urlsafe_b64decode(body))
        if claim["until"] < time.time():
            return None
        return Person(id=claim["id"], display_name=claim["name"])

    async def _signature(self, body: str) -> str:
        stored = await self._state.get("session-key")
        if stored is None:
            await self._state.compare_and_set("session-key", None, secrets.token_bytes(32))
            stored = await self._state.get("session-key") or b""
        key = hmac.digest(stored, self._token.get_secret_value().encode(), "sha256")
        return hmac.digest(key, body.encode(), "sha256").hex()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
