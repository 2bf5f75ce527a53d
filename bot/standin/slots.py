"""What a sentence gives away: order id, e-mail, ticket number, username, secret handle, picture address, name. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)
_URL = re.compile(r"https?://[^\s<>\"')\]|]+")
_SECRET = re.compile(r"\bsecret:\d+\b")
_LINKED = (
    r"(?:\s*(?:id|no\.?|nr\.?|num(?:ber)?|nummer|code|#|:|is|was|ist|war|lautet|=|-|\"|it's|for|with|the|my|die|der|mit)){0,6}"
    r"\s*#?\"?"
)
_ORDER = re.compile(
    rf"\b(?:order|package|parcel|purchase|bestell(?:ung|nummer|nr)|auftrag(?:snummer)?|paket|lieferung|sendung){_LINKED}"
    r"(?P<id>[A-Z]{0,4}-?\d{3,}[\w-]*)",
    re.IGNORECASE,
)
_TICKET = re.compile(
    rf"\b(?:ticket(?:nummer|nr)?|case|inquiry|vorgang|anfrage){_LINKED}(?P<id>\d{{3,}})\b", re.IGNORECASE
)
_NUMBER = re.compile(r"(?<![\w@.,:/$€£-])#?(?P<id>\d{3,12})(?![\w@:/%€$£-]|[.,]\d)")
_CODE = re.compile(r"(?<![\w@./-])(?P<id>[A-Z]{1,4}-?\d{3,}[\w-]*)(?![\w@/])")
_USERNAME = re.compile(
    r"\b(?:user\s?-?name|user\s?id|login(?: name)?|account name|benutzername|nutzername|username)\b"
    r"\s*(?:is|ist|lautet|:|=|was)?\s*:?\s*[\"'`]?(?P<name>[\w.@-]{2,64})",
    re.IGNORECASE,
)
_HANDLE_LIKE = re.compile(r"(?<![\w@.])(?P<name>[A-Za-z]+(?:_[A-Za-z0-9]+)+|[A-Za-z]+\d+)(?![\w@])")
_NO_USERNAME = frozenset(
    """and the my not does doesnt isn or to for a an with in on is was are it name page screen form button fails failed
    failing failure error problem problems issue issues trouble troubles und mein nicht klappt geht password
    passwort at again anymore but works working won what which wrong since because details data""".split()
)

_NAME_WORD = r"[^\W\d_][^\W\d_'’.-]*(?:['’-][^\W\d_]+)*"
_TITLE = r"(?:(?:mr|mrs|ms|dr|herr|frau)\.?\s+)?"
_NAME_SAID = re.compile(
    rf"(?:\bmy\s+(?:full\s+)?name(?:\s+is|'s|:)|\bname\s*(?:is|:|=)|\bthe name(?:'s| is)|\bcall me|\bi am called"
    rf"|\bich hei(?:ß|ss)e|\bmein name(?:\s+ist|:)|\bunter dem namen|\b(?:under|use) the name(?: of)?|\bheiße)"
    rf"\s*:?\s*\"?{_TITLE}(?P<name>{_NAME_WORD}(?:\s+{_NAME_WORD}){{0,3}})",
    re.IGNORECASE,
)
_NAME_HINTED = re.compile(
    rf"(?:\bit is|\bit's(?: me,)?|\bits|\bthis is|\bi am|\bi'm|\bim|\bich bin|\bhier ist|\bhier spricht"
    rf"|\bdas ist|\bes ist|\bfrom|\bcheers,|\bregards,|^-)\s+{_TITLE}(?P<name>{_NAME_WORD}(?:\s+{_NAME_WORD}){{0,2}})",
    re.IGNORECASE,
)
_NAME_BARE = re.compile(
    rf"^(?:(?:hi|hello|hey|yes|yeah|yep|ok|okay|sure|oh|sorry|well|ja|klar|gerne?|hallo|of course)[\s,.!:-]*)*{_TITLE}"
    rf"(?P<name>{_NAME_WORD}(?:\s+{_NAME_WORD}){{0,2}})\s*(?P<end>[.,;:!\n-]|$|\band\b|\bund\b)",
    re.IGNORECASE,
)
_NO_NAME = frozenset(
    """a about able actually afraid again all also am an and another any anyone are as ask asking at back be because
    been before bot broken but by bye call can cancel cannot card cash cheers come computer could customer
    damaged day did do does done each email error everything fine for from forget frustrated get getting go
    going good got great guess happy have having he hello help her here hey hi his how human i if im in is issue
    it its just last later let like live locked login looking lost maybe me mind missing money my name never new
    nice no none nope not nothing now of off oh ok okay on one only open or order our out over pardon password
    perfect person please pretty problem really receipt refund right same say secret see she so some someone
    something sorry status still stop stuck sure talk tell thank thanks that the their them then there they
    thing think this ticket to today tomorrow trouble true trying two unable unhappy until up upset us use
    username very wait waiting want was we well were what when where which who why will with without wonderful
    working would wrong yeah yep yes yesterday yet you your aber alle als auch auf aus bei beleg bestellung bin
    bitte da danke das dass dein dem den der die doch ein eine einen er es etwas falsch fehler frau für gar
    genau gern gerne gut guten habe haben hallo herr hier ich ihr ihre im in ist ja kann kein keine klar konto
    leider mal mein meine mensch mich mir mit mitarbeiter möchte nein nicht nichts noch nur oder ohne okay paket
    passt problem quittung richtig schon sehr sie sind so tag und uns von vor war warum was wer wie wieder will
    wir wo zu zum zur hm hmm huh uh um erm eh aha pfff""".split()
)


_CONTRACTED = frozenset(
    "i it that he she we you they there what where who how don can didn won doesn isn haven wasn couldn".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """What was found; empty where nothing was.

    Args:
        order: an order id beside a word that says so.
        ticket: a ticket number beside a word that says so.
        number: a number or code that stands alone and may be either.
        name: said as a name.
        hinted_name: may be a name, if one was asked for.
        handle_like: may be a username, if one was asked for.
    """

    order: str = ""
    ticket: str = ""
    number: str = ""
    email: str = ""
    username: str = ""
    handle_like: str = ""
    secret: str = ""
    urls: tuple[str, ...] = ()
    name: str = ""
    hinted_name: str = ""


def find_slots(text: str) -> Slots:
    """Read one message."""
    urls = tuple(match[0].rstrip(".,;:!?") for match in _URL.finditer(text))
    secret = _SECRET.search(text)
    emails = _EMAIL.findall(text)
    # What was recognised is taken out, so that digits inside an address are no order id.
    rest = _SECRET.sub(" ", _EMAIL.sub(" ", _URL.sub(" ", text)))
    order, ticket = _ORDER.search(rest), _TICKET.search(rest)
    loose = _CODE.search(rest) or _NUMBER.search(rest)
    username = _find_username(_SECRET.sub(" ", _URL.sub(" ", text)))
    handle = _HANDLE_LIKE.search(rest)
    return Slots(
        order=order["id"] if order else "",
        ticket=ticket["id"] if ticket else "",
        number=loose["id"] if loose and not order and not ticket else "",
        email=emails[-1] if emails else "",
        username=username,
        handle_like=handle["name"] if handle else "",
        secret=secret[0] if secret else "",
        urls=urls,
        name=_first_name(_NAME_SAID, rest),
        hinted_name=_first_name(_NAME_HINTED, rest) or _first_name(_NAME_BARE, rest),
    )


def without_name(text: str, name: str) -> str:
    """The sentence without the clause that tells the name."""
    if not name:
        return text
    for pattern in (_NAME_SAID, _NAME_HINTED, _NAME_BARE):
        for match in pattern.finditer(text):
            if _trim(match["name"]).casefold() == name.casefold():
                end = (
                    match.start("name")
                    + match["name"].casefold().find(name.split()[-1].casefold())
                    + len(name.split()[-1])
                )
                rest = text[: match.start()] + " " + text[end:]
                return re.sub(r"^[\s,.;:!-]*(?:(?:and|und|but|aber)\b)?[\s,.;:!-]*", "", rest).strip()
    return text


def _find_username(text: str) -> str:
    for match in _USERNAME.finditer(text):
        name = match["name"].rstrip(".-")
        if name.lower() not in _NO_USERNAME and len(name) > 1:
            return name
    return ""


def _first_name(pattern: re.Pattern[str], text: str) -> str:
    for match in pattern.finditer(text):
        name = _trim(match["name"])
        if name and (pattern is _NAME_SAID or name[0].isupper() or _stands_alone(name, text[match.start("name") :])):
            return name if any(letter.isupper() for letter in name) else name.title()
    return ""


def _stands_alone(name: str, rest: str) -> bool:
    """Whether small letters may still be a name: one or two words, no form of a verb, and the clause ends there."""
    words = name.split()
    clause_ends = re.match(r"\s*(?:$|[.,;:!\n]|and\b|und\b)", rest[len(name) :])
    return len(words) <= 2 and bool(clause_ends) and not any(word.endswith(("ing", "ed", "ly", "es")) for word in words)


def _trim(text: str) -> str:
    """The words up to the first one that is no name; none when a lower-case word follows a capitalised one."""
    words: list[str] = []
    for word in text.split():
        folded = word.casefold().strip(".'’-")
        if folded in _NO_NAME or folded.partition("'")[0] in _CONTRACTED:
            break
        if (
            words
            and words[0][0].isupper()
            and word[0].islower()
            and word.lower() not in ("von", "van", "de", "di", "la")
        ):
            break
        words.append(word)
    return " ".join(words)
