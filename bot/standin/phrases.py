"""Every sentence of the stand-in, in the language of whoever is answered."""

from __future__ import annotations

from bot.standin.english import ENGLISH
from bot.standin.german import GERMAN


def say(language: str, key: str, **values: object) -> str:
    """A sentence in a language (`de`, anything else is English) with its values."""
    return (GERMAN if language == "de" else ENGLISH)[key].format(**values)
