"""What stands on a conversation's record, and in whose words. Pure; a row is decoded only if its bytes may matter."""

from __future__ import annotations

import re

from bot.conversation import Conversation, Note, NoteTurn, ToolTurn, Turn, UserTurn

_SCHEME = re.compile(r"(?i:https?)://")
# What a link goes on with (https://www.rfc-editor.org/rfc/rfc3986#section-2), and what may end the sentence behind it.
_GOES_ON = r"\w\-~/#@$&+=%'()*\[\]!,.:;?"
_ENDS = r"[.,:;!?')\]*_]*"


def knows(record: Conversation, author_id: str, number: str) -> bool:
    """Whether a number stands in a tool's result or in this person's own words."""
    whole = re.compile(rf"(?<!\d){re.escape(number)}(?!\d)")
    return any(
        number.encode() in entry.wire and whole.search(_heard(entry.turn, author_id)) is not None
        for entry in reversed(record.entries)  # what an answer speaks of was mostly said last
    )


def wrote(record: Conversation, author_id: str, link: str) -> bool:
    """Whether this link, from its beginning to its end, stands in a message that this person wrote.

    People leave the scheme out, and platforms write `&` as `&amp;`: neither makes another link of it.
    """
    words = _SCHEME.sub("", _plain(link.strip()), count=1)
    if not words:
        return False
    whole = re.compile(
        rf"(?<![\w.@/-])(?:{_SCHEME.pattern})?{re.escape(words)}(?={_ENDS}(?:[^{_GOES_ON}]|$))", re.ASCII
    )
    # What JSON would write otherwise (a quote, a backslash) has no place in a link.
    first = words.partition("&")[0].encode("utf-8", "replace")
    return any(
        first in entry.row and whole.search(_plain(_own(entry.turn, author_id))) is not None for entry in record.entries
    )


def _plain(text: str) -> str:
    return text.replace("&amp;", "&")


def _heard(turn: Turn, author_id: str) -> str:
    return turn.content if isinstance(turn, ToolTurn) else _own(turn, author_id)


def _own(turn: Turn, author_id: str) -> str:
    """What this person said in a turn: a message, or what they changed one to."""
    match turn:
        case UserTurn() if turn.author.id == author_id:
            return turn.text
        case NoteTurn(note=Note.EDITED) if turn.author.id == author_id:
            return turn.text
        case _:
            return ""
