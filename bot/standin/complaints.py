"""A complaint in somebody's own words: what it is about, whether it says enough, how it reads on a ticket. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.standin.phrases import say
from bot.standin.rendering import money, named_items, pick, receipt_date
from bot.standin.slots import without_name
from bot.standin.vocabulary import COMPLAINTS, Intent

ISSUE_LIMIT = 500
_ENOUGH_WORDS = 3
_HEADINGS = {
    Intent.LOGIN: "issue_login",
    Intent.PAYMENT: "issue_payment",
    Intent.DAMAGED: "issue_damaged",
    Intent.WRONG: "issue_wrong",
    Intent.CHANGE: "issue_change",
}
_SPEAKS_FOR_ITSELF = frozenset({Intent.DAMAGED, Intent.WRONG, Intent.CHANGE})
_SAYS_LITTLE = frozenset(
    """a aber about account actually again all als also am an and anmelden anmeldung any app application are as at auf
    aus be been bei being beschwerde beschweren bitte bug but can can't cannot case come complain complaint
    complaints could create da das dem den der die do doch does doesn't don't ein eine einen einloggen error
    errors es every fehler file for from funktioniert für gar geht get getting gibt good got great habe haben
    had hallo happy has have haven't having he hello help here hey hi hier hiya how i i'd i'll i'm i've ich if
    im in into is issue issues ist it it's ja just kann keep kein keine kind klappt konto leider like log logged
    logging login mal me mein meine meinem mich might mine mir mit must my möchte name need new nicht noch not
    now of oh ok okay on open or our out page password passwort please problem probleme problems question raise
    really schon sehr send should sich sie sign signed signing since site so some something sorry still support
    thank thanks that that's the there there's they this ticket to trouble unable und uns up us very von want
    war was we website well what when which why wie will wir with won't work working works would wrong yes you
    your zu zum""".split()
)
_PHRASES = (
    (
        re.compile(
            r"\b(?:i )?(?:still )?(?:can'?t|cannot|can not) (?:log|sign) ?in(?: ?to (?:my|the) account)?"
            r"(?: any ?more)?\b[\s,;]*",
            re.IGNORECASE,
        ),
        "",
    ),
    (re.compile(r"^(?:and|but|und|aber)\s+", re.IGNORECASE), ""),
    (
        re.compile(
            r"\b(?:i have|i've|i had|i'd|i am|i'm|i was)\s+(?=(?:already|also|even)?\s*\w+(?:ed|n|ing|t)\b)", re.I
        ),
        "",
    ),
    (re.compile(r"\bi (?:always |just )?(?:keep|kept)\b", re.I), "keeps"),
    (re.compile(r"\bi (?:always |just )?gets?\b", re.I), "gets"),
    (re.compile(r"\bi (?:can't|cannot|can not)\b", re.I), "cannot"),
    (re.compile(r"\bi (?:don't|do not)\b", re.I), "does not"),
    (re.compile(r"\bi see\b", re.I), "sees"),
    (re.compile(r"\bi (?=\w+ed\b|got\b|saw\b|sent\b|bought\b|paid\b|found\b)", re.I), ""),
    (re.compile(r"\bmy\b", re.I), "the"),
)
_DANGLING = re.compile(r"(?:\s+(?:and|but|also|und|aber|auch))+$", re.IGNORECASE)
_GREETING = re.compile(
    r"^(?:hi|hello|hey|hallo|moin|good (?:morning|evening|day)|guten (?:tag|morgen)|yes|yeah"
    r"|ok(?:ay)?|ja|sure|well|so|please|bitte|thanks|danke)(?: there)?\b[\s,.!:-]*",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Complaint:
    """What somebody wants a ticket for, while it is being told.

    Args:
        about: what was recognised in the words.
        words: what they said about it, oldest first.
        asked: they were asked to say more.
        heading: a heading that stands already, for a ticket that we offered ourselves.
    """

    about: set[Intent] = field(default_factory=set)
    words: list[str] = field(default_factory=list)
    asked: bool = False
    heading: str = ""

    @property
    def kind(self) -> Intent | None:
        """What it is mostly about."""
        if Intent.DISPUTE in self.about:
            return Intent.DISPUTE
        return next((intent for intent in COMPLAINTS if intent in self.about), None)

    def says_enough(self, receipt: Mapping[str, Any] | None, name: str) -> bool:
        """Whether a colleague could begin to work on it."""
        if self.heading:
            return True
        if self.kind is Intent.DISPUTE and receipt is not None and self._disputed(receipt):
            return True
        said = count_telling(" ".join(self.words), name)
        if self.kind in _SPEAKS_FOR_ITSELF or (self.asked and self.kind in _HEADINGS):
            return said > 0 or self.asked
        return said >= (1 if self.asked else _ENOUGH_WORDS)

    def issue(self, receipt: Mapping[str, Any] | None, name: str, language: str) -> str:
        """The ticket's text, in the person's own words behind a heading."""
        told = summarise(self.words, name)
        if self.kind is Intent.DISPUTE:
            return self._dispute(receipt, told, language)[:ISSUE_LIMIT]
        key = _HEADINGS.get(self.kind) if self.kind else None
        heading = self.heading or (say(language, key) if key else "")
        if not heading:
            return (told[:1].upper() + told[1:])[:ISSUE_LIMIT]
        return (f"{heading}; {told}" if told else heading)[:ISSUE_LIMIT]

    def _disputed(self, receipt: Mapping[str, Any]) -> list[tuple[str, float, int]]:
        return [item for words in self.words for item in named_items(receipt, words)]

    def _dispute(self, receipt: Mapping[str, Any] | None, told: str, language: str) -> str:
        wants_refund = any(
            re.search(r"refund|money back|reimburs|erstatt|geld zurück", text, re.I) for text in self.words
        )
        items = self._disputed(receipt) if receipt is not None else []
        if not items or receipt is None:
            parts = [say(language, "issue_charge"), told]
        else:
            names = " and ".join(dict.fromkeys(name for name, _, _ in items))
            were = (
                ("was" if len(items) == 1 else "were")
                if language != "de"
                else ("wurde" if len(items) == 1 else "wurden")
            )
            currency = str(pick(receipt, "currency") or "")
            date, total = receipt_date(receipt), pick(receipt, "total_in_cents")
            prices = ", ".join(f"{quantity} x {money(price, currency)}" for _, quantity, price in items)
            paper = say(language, "issue_receipt", date=f"{date}, " if date else "", total=money(total or 0, currency))
            parts = [f"{say(language, 'issue_not_ordered', items=names, were=were)} ({prices}; {paper})"]
        if wants_refund:
            parts.append(say(language, "issue_refund"))
        return "; ".join(part for part in parts if part)


def count_telling(text: str, name: str = "") -> int:
    """How many words say more than that there is a problem."""
    words = re.findall(r"[^\W_]+(?:'[^\W_]+)?", without_name(text, name).lower())
    return sum(word not in _SAYS_LITTLE and len(word) > 1 for word in words)


def summarise(words: Sequence[str], name: str) -> str:
    """Their sentences without greetings, name and first person; sentences that tell nothing are left out."""
    sentences: list[str] = []
    for text in words:
        told = without_name(text.strip(), name)
        for sentence in re.split(r"(?<=[.!?])\s+|\n+", told):
            plain = _GREETING.sub("", _GREETING.sub("", sentence.strip())).strip(" ,;:-")
            if count_telling(plain, name) == 0:
                continue
            for pattern, replacement in _PHRASES:
                plain = pattern.sub(replacement, plain)
            plain = re.sub(r"\s+", " ", plain).strip(" ,;").rstrip(".!? ")
            plain = _DANGLING.sub("", plain)
            if plain and plain not in sentences:
                sentences.append(plain)
    return "; ".join(sentences)
