"""Says the fixed sentences in the customer's language: that of the channel's rules, else of their last words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain, islice

from bot.channels import ChannelBook
from bot.conversation import Turn, UserTurn
from bot.errors import Transient
from bot.german import GERMAN
from bot.languages import Language, heard, named
from bot.messages import ThreadKey
from bot.ports import Mailbox

LOOK_BACK = 50
"""Turns that are read to hear a language: to read each costs, and a conversation may have thousands."""

TABLES: Mapping[Language, Mapping[str, str]] = {Language.GERMAN: GERMAN}
"""English is the key; a language more is one table more."""


def spoken(sentence: str, language: Language | None) -> str:
    """A fixed sentence in this language, in English where it has none; any other text as it is. Pure."""
    table = TABLES.get(language) if language else None
    return table.get(sentence, sentence) if table else sentence


def last_heard(turns: Iterable[Turn]) -> Language | None:
    """The language of the last words of a customer that tell it. Pure.

    Args:
        turns: the newest first; no more than `LOOK_BACK` are looked at.
    """
    latest = islice(turns, LOOK_BACK)
    said = (turn.text for turn in latest if isinstance(turn, UserTurn) and not turn.author.is_staff)
    return next((language for text in said if (language := heard(text)) is not None), None)


class Interpreter:
    """Knows in which language to speak in a thread.

    Args:
        mailbox: whose records are looked at when nobody says what was said.
    """

    def __init__(self, channels: ChannelBook, mailbox: Mailbox) -> None:
        self._channels = channels
        self._mailbox = mailbox

    async def words(self, thread: ThreadKey, sentence: str, turns: Callable[[], Iterable[Turn]] | None = None) -> str:
        """A fixed sentence as it is said in this thread; any other text as it is. Never fails: it may be an apology.

        Args:
            turns: what was said there, the newest first, when that is at hand.
        """
        if not any(sentence in table for table in TABLES.values()):
            return sentence
        try:
            rules = await self._channels.rules(thread)
            if rules.language:
                return spoken(sentence, named(rules.language))
            if turns is not None:
                return spoken(sentence, last_heard(turns()))
            record, waiting = await self._mailbox.load(thread), await self._mailbox.inbox(thread)
            latest = chain(reversed(waiting), reversed(record.entries))
            return spoken(sentence, last_heard(entry.turn for entry in latest))
        except Transient:  # also a turn that a newer version wrote
            return sentence
