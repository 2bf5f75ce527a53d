"""What people and pictures wrote, made fit to be stored and shown."""

from __future__ import annotations

import re
import unicodedata

_UNSEEN = re.compile(
    # Controls, zero-width and direction marks, line separators, lone surrogates, tags, noncharacters: they change
    # how the rest is shown or parsed, and a database or an encoder refuses some of them.
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)


def scrub(text: str, max_chars: int) -> str:
    """The text in composed form, without what cannot be seen, runs of blanks as one; cut to `max_chars`."""
    seen = _UNSEEN.sub("", unicodedata.normalize("NFC", text[: max_chars * 4]).replace("\r\n", "\n"))
    lines = (" ".join(line.split()) for line in seen.split("\n"))
    return "\n".join(line for line in lines if line)[:max_chars].strip()


def scrub_line(text: str, max_chars: int) -> str:
    """The same on one line."""
    return " ".join(scrub(text, max_chars * 2).split())[:max_chars].strip()
