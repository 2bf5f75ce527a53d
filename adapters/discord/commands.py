"""The commands that Discord offers people, and telling Discord about them when they changed."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import orjson
import structlog

from adapters.discord.rest import Rest
from bot.errors import Transient
from bot.ports import SharedState

log = structlog.get_logger(__name__)

Json = dict[str, Any]

SUPPORT, ASK, RECEIPT, ABOUT = "support", "ask", "receipt", "Ask support about this"

_CHAT, _MESSAGE_MENU = 1, 3
_STRING, _BOOLEAN, _ATTACHMENT = 3, 5, 11
_MANAGE_GUILD = 1 << 5
_ANYWHERE = {"contexts": [0, 1], "integration_types": [0]}
_LOCK_S = 60.0


def definitions(*, staff_is_named: bool) -> list[Json]:
    """The commands as the API wants them.

    Args:
        staff_is_named: the settings say who staff is, so Discord must not hide `/support` from them; who may use it is
            checked by us in any case.
    """
    return [
        {
            "name": SUPPORT,
            "type": _CHAT,
            "description": "For the team: who has a conversation, take over, hand back, tickets, settings",
            "default_member_permissions": None if staff_is_named else str(_MANAGE_GUILD),
            "options": [
                {
                    "name": "command",
                    "type": _STRING,
                    "description": "What to do; empty for a list",
                    "required": False,
                    "max_length": 1_000,
                }
            ],
            **_ANYWHERE,
        },
        {
            "name": ASK,
            "type": _CHAT,
            "description": "Ask support",
            "options": [
                {
                    "name": "question",
                    "type": _STRING,
                    "description": "What is it about?",
                    "required": True,
                    "max_length": 4_000,
                },
                {"name": "attachment", "type": _ATTACHMENT, "description": "A picture, such as a receipt"},
                {"name": "private", "type": _BOOLEAN, "description": "Only you and the team read along"},
            ],
            **_ANYWHERE,
        },
        {
            "name": RECEIPT,
            "type": _CHAT,
            "description": "Send a receipt to support",
            "options": [{"name": "private", "type": _BOOLEAN, "description": "Only you and the team read along"}],
            **_ANYWHERE,
        },
        {"name": ABOUT, "type": _MESSAGE_MENU, **_ANYWHERE},
    ]


async def sync(rest: Rest, state: SharedState, application: str, commands: list[Json]) -> bool:
    """Tell Discord the commands when they are not those that it was told last; whether it was told.

    Raises:
        Refused, Transient: Discord was not told.
    """
    told = blake2b(orjson.dumps(commands, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest().encode()
    if await state.get(f"commands/{application}") == told:
        return False
    if not await state.compare_and_set(f"syncing/{application}", None, b"1", ttl_s=_LOCK_S):
        return False  # another process does it at this moment
    try:
        await rest.request("PUT", "/applications/{application_id}/commands", application_id=application, json=commands)
        await state.set(f"commands/{application}", told)
    finally:
        try:
            await state.delete(f"syncing/{application}")
        except Transient:
            log.info("discord_sync_lock_left")
    log.info("discord_commands_told", count=len(commands))
    return True
