"""What chat programs bring to life (mentions, links) and what must not be told (secrets, numbers): the patterns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from bot.shapes import WORD_PATTERN

ZERO_WIDTH = "\u200b"
"""Put into a mention it makes plain text of it, and nobody sees it."""

WORD_REST = r"[^\s<>\"'`|)\]]*"
_CANARY_CHARS = 80
_LEAST_CANARY_CHARS = 8


@dataclass(frozen=True, slots=True)
class Rules:
    """The patterns that depend on the policy."""

    canaries: tuple[str, ...]
    secret: re.Pattern[str]
    live: re.Pattern[str]
    bare_host: re.Pattern[str]


GOES_ON = re.compile(r"[/?#\\]\w|:\d")
YEAR = re.compile(r"(?:19|20)\d\d")
_NAMES = (
    r"(?:tickets?|orders?|cases?|incidents?|requests?|bestell\w*|auftr\w*|vorg\w*|ticket\w*|fall\w*|f(?:ä|ae)lle\w*)"
)
_LABELS = r"(?:numbers?|num|no|nos|nr|nummern?|ids?|ref|reference|#)"
_FILLERS = (
    rf"(?:{_LABELS}|is|are|was|ist|sind|war|lautet|lauten|and|or|und|oder|with|mit|the|der|die|das|your|my|ihre?|deine?"
    r"|status|of|for|von|für|to|called|\w{0,6}\d{4,}|number|withheld)"
)
LEADS = re.compile(rf"(?<![^\W_]){_NAMES}(?:[\W_]{{1,8}}{_FILLERS}(?!\w)){{0,8}}[\W_]{{0,8}}$", re.IGNORECASE)
DIRECT = re.compile(rf"(?<![^\W_])(?:{_NAMES}|{_LABELS})[\W_]{{0,8}}$", re.IGNORECASE)

_PATH = r"[A-Za-z0-9\-._~/?#&=%+:@!$]"
# What a browser would not read on as part of the host: `https://listed.com,evil.com` is a host of evil.com's.
_HOST_END = r"(?=\Z|[\s<>|\"]|[^\x00-\x7f]|:(?:\s|\Z)|[)\]}'`*_~,;!.]++(?:\Z|[\s<>|\"\[({]|:(?:\s|\Z)))"
_AT = "@\uff20\ufe6b"
ANY_AT = re.compile(f"[{_AT}]")
_SCRIPT = r"(?i:(?<!\w)(?:(?:javascript|vbscript):\S|data:[\w.+-]{1,60}/[\w.+-]{1,60}[;,])[^\s)>\"]*)"
_PREFIXES = "tickets?|orders?|cases?|ord|tck|tkt|inc|req|bestellung|auftrag|vorgang"
_LIVE = rf"""
    (?<![A-Za-z])(?=[A-Za-z])(?:
        (?P<good>%(good)s)
        |(?P<bad>(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*:(?://|\\\\))[^\s<>"|)\]'`*]*)
    )
    |(?<!\w)(?=[\w\#])(?:
        (?P<mail>(?<![.+%%/:@-])[A-Za-z0-9._+%%-]{{1,64}}@(?!(?i:everyone|here|channel))
            (?:[A-Za-z0-9-]{{1,63}}\.){{1,8}}[A-Za-z]{{2,24}}(?![\w@:/?\#\\-]|\.\w))
        |(?P<domain>[\w-]+(?:\.[\w-]+)+)
        |(?P<number>(?<![\#.,-])(?P<mark>\#|(?:(?i:{_PREFIXES})[_-]?\#?)?)
            (?:[A-Za-z]{{1,5}}-?)?(?P<digits>\d{{4,}})(?![\w-]|[.,]\d))
    )
    |(?P<link>\]\((?!<?%(again)s))
    |(?P<definition>\]:)
    |(?P<mention><@!?(?P<person>\w{{1,64}})>)
    |(?P<bracket><(?=[!{_AT}\#&/]|id:))
    |(?P<colon>:(?=//|\\\\))
    |(?P<at>[{_AT}](?=[^\s{ZERO_WIDTH}]|\Z))
"""
MAYBE_LIVE = re.compile(rf"[{_AT}<]|\][(:]|:(?://|\\\\)|[\w-]\.[^\W\d_]|\d{{4}}")
_SECRET_HINT = re.compile(r"[-_:\d]")
_SECRET_WORD_CHARS = 16


@lru_cache(maxsize=256)
def rules_for(link_hosts: frozenset[str], canaries: frozenset[str]) -> Rules:
    hosts = "|".join(re.escape(host.lower().lstrip("*.")) for host in sorted(link_hosts)) or r"(?!)"
    host = rf"(?:[a-z0-9-]{{1,63}}\.){{0,6}}(?:{hosts})"
    start, path = rf"(?i:https?://{host})(?::\d{{1,5}})?", rf"[/?#]{_PATH}*"
    told = sorted(_canary_words(canaries), key=len, reverse=True)
    words = "|".join(re.escape(word) + (WORD_REST if len(word) == _CANARY_CHARS else "") for word in told) or r"(?!)"
    good, again = f"{start}(?:(?P<path>{path})|{_HOST_END})", f"{start}(?:{path}|{_HOST_END})"
    return Rules(
        canaries=tuple(word.lower() for word in told),
        secret=re.compile(f"(?P<canary>(?i:{words}))|(?P<script>{_SCRIPT})|{WORD_PATTERN}"),
        live=re.compile(_LIVE % {"good": good, "again": again}, re.VERBOSE),
        bare_host=re.compile(host),
    )


def may_hold_secret(text: str, canaries: tuple[str, ...]) -> bool:
    """A quick look that is never wrong when it says no."""
    if _SECRET_HINT.search(text) or len(max(text.split(), key=len, default="")) >= _SECRET_WORD_CHARS:
        return True
    if not canaries:
        return False
    lowered = text.lower()
    return any(word in lowered for word in canaries)


def _canary_words(canaries: frozenset[str]) -> set[str]:
    """What is looked for: each word by itself, as white space is where a stream is cut; of a long one the beginning."""
    words: set[str] = set()
    for canary in canaries:
        parts = canary.split()
        least = _LEAST_CANARY_CHARS if len(parts) == 1 else 2 * _LEAST_CANARY_CHARS
        words.update(part[:_CANARY_CHARS] for part in parts if len(part) >= least)
    return words
