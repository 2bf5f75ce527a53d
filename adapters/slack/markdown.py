"""Stand-in until `bot.markdown` is merged."""

from __future__ import annotations


def split(text: str, limit: int) -> list[str]:
    """Cut a text into parts."""
    return [text[at : at + limit] for at in range(0, len(text), limit)]
