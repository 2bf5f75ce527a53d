"""In which language somebody writes, as far as that can be told from the small words of a sentence. Pure."""

from __future__ import annotations

import re
from enum import StrEnum


class Language(StrEnum):
    """A language in which there are fixed sentences; the value is how a channel's rules name it."""

    ENGLISH = "English"
    GERMAN = "German"


_NAMES = {
    "english": Language.ENGLISH,
    "en": Language.ENGLISH,
    "englisch": Language.ENGLISH,
    "german": Language.GERMAN,
    "de": Language.GERMAN,
    "deutsch": Language.GERMAN,
}

_SMALL: dict[Language, frozenset[str]] = {
    Language.ENGLISH: frozenset(
        """
        a about again am an and any are at back be because been but by can cannot could did do does for from get has
        have hello help her hi how i if in is issue it its just me my need no not of on or order our please she should
        since so that the their them there they this to too very want was we were what when where which who why will
        with would yes you your thanks thank
        """.split()
    ),
    Language.GERMAN: frozenset(
        """
        aber als auch auf aus bei bestellung bin bitte da danke dann das dass dem den der die doch ein eine einen einer
        er es für gibt guten habe haben hallo hat hilfe ich ihr ihre im immer ist ja kann kein keine können mein meine
        meinen meiner mich mir mit möchte nach nein nicht noch nur ob oder schon sehr sein seit sich sie sind tag um
        und uns unsere von vor warum was weil wenn wer wie wird wo wurde zu zum zur
        """.split()
    ),
}
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_READ_CHARS = 2_000


def named(setting: str) -> Language | None:
    """The language that a channel's rules name, when there are fixed sentences in it."""
    return _NAMES.get(setting.strip().lower())


def heard(text: str) -> Language | None:
    """The language of a text; nothing when its words say too little, or another one."""
    words = _WORD.findall(text[:_READ_CHARS].lower())
    counted = {language: sum(word in small for word in words) for language, small in _SMALL.items()}
    best = max(counted, key=lambda language: counted[language])
    rest = max(count for language, count in counted.items() if language is not best)
    return best if counted[best] > rest else None
