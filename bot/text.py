"""What people type, made safe to store, to send and to show: pure, used once on entry."""

from __future__ import annotations

import re

TEXT_LIMIT_CHARS = 40_000

# Letters of the ranges below: C0 and C1 controls without tab and newline, soft hyphen, Arabic letter mark, Mongolian
# vowel separator, zero-width space, direction marks, bidi embeddings, overrides and isolates, word joiner and invisible
# operators, deprecated formats, lone surrogates, byte-order mark, interlinear annotations, language tags.
INVISIBLE_CHARS = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e001f"
)
"""What has no place in any text, as the inside of a character class; joiners are not among it, emoji need them."""

_NEWLINES = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_TAGS = "\U000e0020-\U000e007f"
_EMOJI = "\u203c-\u3299\U0001f000-\U0001faff\ufe0f\u20e3"
_VIRAMA = "\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca"  # after it Indic scripts need both joiners
_INVISIBLE = re.compile(
    f"[{INVISIBLE_CHARS}]"
    f"|(?<![{_TAGS}\U0001f3f4])[{_TAGS}]+"  # tags spell flags after a black flag, and hide text anywhere else
    f"|(?<![{_EMOJI}{_VIRAMA}])\u200d+|(?<=[{_EMOJI}])\u200d+(?![{_EMOJI}])"  # a joiner joins emoji …
    f"|\u200c{{2,}}|(?<![\\w{_VIRAMA}])\u200c|\u200c(?!\\w)"  # … and a non-joiner parts letters, as Persian is written
    "|(?<=\ufe0f)\ufe0f+"
)
_SUSPECT = re.compile(f"[\r\x0b\x0c\x85\u2028\u2029\u200c\u200d\ufe0f{INVISIBLE_CHARS}{_TAGS}]")


def scrub(text: str, limit_chars: int = TEXT_LIMIT_CHARS) -> str:
    """Remove what is invisible and misleads, make newlines one kind, and keep at most `limit_chars` characters.

    Removed are lone surrogates (they survive JSON and break UTF-8), NUL and other controls, bidi overrides and
    isolates, zero-width characters. Joiners inside emoji and between Persian letters stay.
    """
    text = text[: limit_chars * 2]  # what is removed may make room, but a megabyte of zero width is not worth reading
    if not text.isascii() or _SUSPECT.search(text):
        text = _INVISIBLE.sub("", _NEWLINES.sub("\n", text))
    return text[:limit_chars]
