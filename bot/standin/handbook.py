"""Answers out of the handbook in the system prompt: its questions, compared by the words that matter. Pure."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

_SECTION = re.compile(r"^##\s+(?:frequent(?:ly asked)? questions|faq)\b.*$", re.IGNORECASE | re.MULTILINE)
_QUESTION = re.compile(r"^###\s+(?P<question>.+?)\s*$", re.MULTILINE)
_ANY_SECTION = re.compile(r"^#{1,2}\s+\S", re.MULTILINE)
_STOP = frozenset(
    """a aber about also am an and any anything are as at auf aus be been bei bitte by can could da darf das dauern
    dauert dem den der des die do does du ein eine einen es for from für get gibt give haben has hat have how i
    ich if ihr ihre im in into is ist it its just kann know können lange long make man many may me mein meine
    mit my nach need oder of on one ones or our out please should sie sind so some someone something take takes
    tell that the their them there they this to und us usual usually von wann was we welche wer what when where
    which who why wie will wir with wo would you your zu zum zur""".split()
)
_SAME = {
    "ship": "deliver", "deliveries": "deliver", "delivery": "deliver", "shipment": "deliver", "arrive": "deliver",
    "lieferung": "deliver", "liefert": "deliver", "versand": "deliver", "lieferzeit": "deliver",
    "lieferkosten": "deliver", "versandkosten": "deliver", "bring": "return", "back": "return",
    "rückgabe": "return", "zurückgeben": "return", "retoure": "return", "zurückschicken": "return",
    "umtausch": "exchange", "umtauschen": "exchange", "swap": "exchange", "money": "refund",
    "reimbursement": "refund", "erstattung": "refund", "geld": "refund", "rückerstattung": "refund",
    "pay": "payment", "paypal": "payment", "card": "payment", "zahlung": "payment", "bezahlen": "payment",
    "zahlen": "payment", "zahlungsarten": "payment", "warranty": "guarantee", "garantie": "guarantee",
    "hour": "open", "opening": "open", "öffnungszeiten": "open", "geöffnet": "open", "offen": "open",
    "abroad": "country", "international": "country", "internationally": "country", "countries": "country",
    "ausland": "country", "norway": "country", "germany": "country", "stornieren": "cancel",
    "cancellation": "cancel", "ändern": "change", "adresse": "address", "größe": "size", "sizes": "size",
    "cost": "price", "much": "price", "fee": "price", "fees": "price", "kosten": "price", "kostet": "price",
    "free": "price", "kostenlos": "price", "tage": "day", "gift": "present", "geschenk": "present",
    "wrap": "present", "wrapped": "present", "wrapping": "present", "store": "shop", "laden": "shop",
    "geschäft": "shop", "allergy": "allergen", "allergies": "allergen", "nuts": "allergen", "vegan": "allergen",
    "vegetarian": "allergen", "data": "privacy", "datenschutz": "privacy", "daten": "privacy",
}  # fmt: skip


_TELLING = 1.7
"""How much the shared words must weigh: a word that stands in every third entry tells little."""
_UNKNOWN = 1.0
"""What a word weighs that the handbook does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """The question that fits best; `score` runs from 0 to 1."""

    question: str
    answer: str
    score: float


@dataclass(frozen=True, slots=True)
class _Entry:
    question: str
    answer: str
    asked: frozenset[str]
    told: frozenset[str]


class Handbook:
    """The frequent questions of one system prompt."""

    def __init__(self, system: str) -> None:
        self._entries = _entries(system)
        spread = Counter(word for entry in self._entries for word in entry.asked | entry.told)
        self._weights = {word: math.log((1 + len(self._entries)) / count) for word, count in spread.items()}

    def find(self, text: str) -> Hit | None:
        """The entry that shares most of what matters; the words of its question count more than its answer's."""
        wanted = _stems(text)
        best: Hit | None = None
        for entry in self._entries:
            shared = wanted & entry.asked
            if not shared:
                continue
            weight = sum(self._weight(word) for word in shared)
            of_question = weight / sum(self._weight(word) for word in entry.asked)
            told = sum(self._weight(word) for word in (wanted & entry.told) - entry.asked)
            of_text = (weight + told / 2) / sum(self._weight(word) for word in wanted)
            score = (0.35 * of_question + 0.65 * of_text) * max(of_question, min(1.0, weight / _TELLING))
            if best is None or score > best.score:
                best = Hit(question=entry.question, answer=entry.answer, score=score)
        return best

    def _weight(self, word: str) -> float:
        return self._weights.get(word, _UNKNOWN)


def _entries(system: str) -> list[_Entry]:
    section = _SECTION.search(system)
    if section is None:
        return []
    end = _ANY_SECTION.search(system, section.end())
    body = system[section.end() : end.start() if end else len(system)]
    heads = list(_QUESTION.finditer(body))
    entries = []
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        answer = body[head.end() : following.start() if following else len(body)].strip()
        answer = re.sub(r"(?<!\n)\n(?![\n>|#*-]|\d+\.)", " ", answer)  # lines are broken for whoever writes the file
        if answer:
            entries.append(_Entry(head["question"], answer, _stems(head["question"]), _stems(answer)))
    return entries


def _stems(text: str) -> frozenset[str]:
    return frozenset(_stem(word) for word in re.findall(r"[^\W\d_]{2,}", text.lower()) if word not in _STOP)


def _stem(word: str) -> str:
    return _cut(_SAME.get(word) or _SAME.get(_cut(word)) or word)


def _cut(word: str) -> str:
    """The word without its ending: "shipping", "shipped" and "ships" are one."""
    if word.endswith("ss"):
        return word
    ending = next(
        (end for end in ("ing", "ed", "es", "s", "e") if word.endswith(end) and len(word) - len(end) >= 3), ""
    )
    stem = word.removesuffix(ending)
    return stem[:-1] if len(ending) > 1 and stem[-1] == stem[-2] not in "sl" else stem
