"""Secrets that only the sentence gives away ("my API key is: …"), in English and German. Pure, linear time.

The value may be any word: the example that this was written for is the literal word `key`. So the rule asks whether the
sentence says what the secret *is*, and not how it fares ("is missing", "ist falsch"), and is in doubt for catching.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Words that name nothing but a secret.
_STRONG = (
    r"api[ _-]?(?:key|token|secret|schl(?:ü|ue)ssel)|(?:access|auth|secret|private|client|bearer|session)[ _-]?"
    r"(?:key|token|secret)|pass[ _-]?(?:word|phrase|code)|passwd|pwd|pw|pin(?:[ -]?(?:code|number|nummer))?|cv[vc]2?"
    r"|(?:security|verification|login|access|auth|2fa|sms|one[ -]time)[ -]code|otp"
    r"|passwort|kennwort|geheimzahl|(?:zugangs|zugriffs|geheim|sicherheits|best(?:ä|ae)tigungs)[ -]?"
    r"(?:code|schl(?:ü|ue)ssel|token|nummer)"
)
# Words that name one only when they are somebody's, or when the value looks like one.
_WEAK = r"key|token|secret|pass|credentials?|schl(?:ü|ue)ssel|geheimnis"
_GATE = ("key", "token", "pass", "secret", "pin", "pw", "cv", "code", "otp", "schl", "kennwort", "geheim", "credential")
# All of these read lowered text: that is three times as fast as letting them ignore the case.
_KEYWORD = re.compile(rf"(?<!\w)(?=[2abcgklopstvz])(?:(?P<strong>{_STRONG})|(?:{_WEAK}))(?!\w)")
_OWNER = re.compile(r"(?<!\w)(?:my|our|mein\w{0,2}|unser\w{0,2})\s+(?:[\w-]{1,20}\s+){0,2}$")
_REVERSED = re.compile(r"\s(?:is|ist)\s+(?:my|mein\w{0,2})\s+(?:\w{1,20}\s+)?$")

_CLOSE = "\"'“”„«»‘’`"
_OPEN = _CLOSE + "\u201a"
_VALUE = rf"[*_]{{0,2}}(?:[{_OPEN}](?P<quoted>[^{_OPEN}\n]{{1,200}})[{_CLOSE}]|(?P<word>\S{{1,300}}))"
_FOR_WHOM = r"(?:\s+(?:for|of|from|at|on|für|von|zu[mr]?|beim?)(?:\s+[\w.@'-]{1,60}){1,4}?)?"
_VERB = r"(?:is|was|are|ist|war|lautet|hei(?:ß|ss)t|w(?:ä|ae)re|equals)"
_SAYS = re.compile(
    rf"[{_CLOSE})\]*_]{{0,3}}(?:{_FOR_WHOM}(?:\s*(?P<sure>:=?|=>?|->|→)[*_]{{0,3}}\s*"
    rf"|\s+{_VERB}(?!\w)\s*(?P<then>[:=]\s*)?)|(?P<next>[ \t]+)){_VALUE}"
)

_STATE_WORDS = frozenset(
    """
    not no never none nothing wrong incorrect correct right invalid valid missing expired broken lost forgotten gone
    stolen leaked compromised locked blocked disabled rejected refused denied unknown required needed necessary too the
    this that these those there here what where which who how why when because since and but for from with without about
    still always already also only just now then being been going supposed probably maybe perhaps really very quite
    fine good bad okay safe secure weak strong long short old new different same secret hidden empty null undefined n/a
    important mandatory optional available unavailable public private stored saved set reset changed sent shared under
    over inside behind near between into onto out off all any some both each his her its our your their mine yours
    can could will would shall should may might must does did has had have case sensitive please help thanks thank
    you they she him them one ones hard easy impossible possible dead down back up useless visible invisible unusable
    nicht kein keine nie weg falsch richtig korrekt ungültig gültig verloren vergessen abgelaufen gesperrt defekt kaputt
    leider immer noch schon zwar aber und oder der die das den dem des ein eine einen einem einer eines mir mich dir
    dich ihm ihn ihr wir sie man hier dort wo was wer wie warum wann weil dass wenn auf bei mit ohne von vom zum zur für
    aus nach unter über sicher unsicher geheim unbekannt bekannt neu alt lang kurz leer gut schlecht okay stark schwach
    nötig erforderlich bitte danke hilfe doch wohl wieder jetzt dann also auch nur sehr ganz zu zurzeit derzeit
    """.split()
)
_STATE_ENDINGS = re.compile(
    r"[a-zäöüß]{2,}(?:ing|ed|able|ible|n['’]t)|(?:ab|auf|aus|ver|ge|be|zer|ent|un)[a-zäöüß]+(?:t|en|et|ig|lich|bar)"
)
_PLACEHOLDER = re.compile(r"[*•.xX_…-]+|[\[<{(].*|secret:\d+.*|https?://.*|[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


def spoken_secrets(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each value that the text itself calls a secret."""
    lowered = text.lower()
    if not any(word in lowered for word in _GATE):
        return
    if len(lowered) != len(text):  # a few capitals become two letters; places must stay what they are
        lowered = "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
    end = 0
    for keyword in _KEYWORD.finditer(lowered):
        if keyword.start() < end:
            continue
        found = _after(text, lowered, keyword) or _before(text, lowered, keyword.start())
        if found is not None:
            end = found[1]
            yield found


def _after(text: str, lowered: str, keyword: re.Match[str]) -> tuple[int, int] | None:
    """ "my password is …", "password = …", "token …"."""
    said = _SAYS.match(lowered, keyword.end())
    if said is None:
        return None
    owned = keyword["strong"] is not None or _OWNER.search(lowered, max(0, keyword.start() - 48), keyword.start())
    sure = said["sure"] is not None or said["then"] is not None
    if said["quoted"] is not None:
        return said.span("quoted") if owned or sure or said["next"] is None else None
    start, word = _bare(text, *said.span("word"))
    if len(word) < 3 or _PLACEHOLDER.fullmatch(word) or word.lower() in _STATE_WORDS:
        return None
    if not sure and _STATE_ENDINGS.fullmatch(word):
        return None
    if (said["next"] is not None or not owned) and not _looks_made(word):
        return None
    return start, start + len(word)


def _before(text: str, lowered: str, keyword: int) -> tuple[int, int] | None:
    """ "… is my password"."""
    link = _REVERSED.search(lowered, max(0, keyword - 40), keyword)
    if link is None:
        return None
    begin = max(text.rfind(space, max(0, link.start() - 300), link.start()) for space in " \n\t") + 1
    start, word = _bare(text, begin, link.start())
    if len(word) < 3 or not _looks_made(word) or _PLACEHOLDER.fullmatch(word):
        return None
    return start, start + len(word)


def _bare(text: str, start: int, end: int) -> tuple[int, str]:
    """A word without the sentence's punctuation around it; an exclamation mark may be part of a password."""
    word = text[start:end].rstrip(".,;:?)]}>*" + _CLOSE)
    shorter = word.lstrip("*_" + _OPEN)
    start += len(word) - len(shorter)
    return start, shorter.rstrip("!") if shorter.rstrip("!").isdigit() else shorter


def _looks_made(word: str) -> bool:
    """Whether nobody would write it as a word: digits, inner capitals, or very long."""
    return (
        any(char.isdigit() for char in word)
        or len(word) >= 20
        or not (word.islower() or word[1:].islower() or word.isupper())
    )
