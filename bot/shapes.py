"""What known secrets look like: tokens with a telling form, private keys, payment cards. Pure, linear time.

Every pattern begins at the beginning of a word and names each character once, so a text is read once whatever stands
in it. The forms that the detect-secrets project knows are covered (a test compares); its own patterns are not used
here: two of them take quadratic time on hostile input, and they bring an HTTP client for trying keys out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

SECRET = "secret"  # noqa: S105 - the kind of a finding
CARD = "card"

_START = r"(?<![A-Za-z0-9])"
WORD_FORMS = (
    r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{3,}",  # Slack
    r"xapp-[A-Za-z0-9-]{8,}",
    r"https://hooks\.slack\.com/services/\w+/\w+/\w+",
    r"https://(?:\w{1,20}\.)?discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/\d+/[\w-]+",
    r"sk-[\w-]{16,}",  # OpenAI, Anthropic
    r"[rsp]k_(?:live|test)_\w{10,}",  # Stripe
    r"whsec_[\w+/=]{16,}",
    r"eyJ[\w-]{14,}=*(?:\.[\w=-]*)*",  # JSON web token
    r"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}",  # AWS
    r"gh[pousr]_\w{36,}",  # GitHub
    r"github_pat_\w{22,}",
    r"gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-[\w-]{20,}",  # GitLab
    r"GR1348941[\w-]{20,}",
    r"AIza[\w-]{35}",  # Google
    r"ya29\.[\w-]{20,}",
    r"SG\.[\w-]{22}\.[\w-]{43}",  # SendGrid
    r"sq0csp-[\w\\-]{43}",  # Square
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-AgE[\w-]{70,}",
    r"hf_[A-Za-z]{34}",  # Hugging Face
    r"AccountKey=[a-zA-Z0-9+/=]{88}",  # Azure
    r"[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,}",  # Discord
    r"\d{8,10}:[\w-]{35}",  # Telegram
    r"(?:AC|SK)[a-z0-9]{32}",  # Twilio
    r"[0-9a-z]{32}-us\d{1,2}",  # Mailchimp
)
"""Secrets without white space in them."""

_BLOCK_FORMS = (
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----)[\s\S])*(?:-----END[A-Z0-9 ]{0,60}-----)?",
    r"PuTTY-User-Key-File-\d(?:(?!Private-MAC)[\s\S])*(?:Private-MAC: \w*)?",
)
_CARD = r"(?<![\w.,-])(?P<card>\d(?:[ -]?\d){12,18})(?![\w-]|[.,]\d)"
_PASSWORD_IN_URL = r"(?<=://)[^\s:/?#@]{0,100}:(?P<url>[^\s@/]{1,200})(?=@)"  # noqa: S105 - a pattern


def _pattern(*forms: str) -> str:
    return f"{_START}(?P<form>{'|'.join(forms)})|{_CARD}|{_PASSWORD_IN_URL}"


WORD_PATTERN = _pattern(*WORD_FORMS)
"""What can be told from one word alone (and from a card's groups of digits); `form`, `card` or `url` says which."""

PATTERN = re.compile(_pattern(*WORD_FORMS, *_BLOCK_FORMS))

_MARK = re.compile(
    "|".join(
        re.escape(mark)
        for mark in """
    xox xapp- hooks.s webhooks/ sk- k_live_ k_test_ whsec_ eyJ -----B PuTTY- A3T ABIA ACCA AKIA ASIA ghp_ gho_ ghu_
    ghs_ ghr_ github_pat_ glpat- gldt- glft- glsoat- glrt- glcbt- glimt- glptt- glagent- gloas- GR1348941 AIza ya29.
    SG. sq0csp- npm_ pypi-AgE hf_ AccountKey= ://
    """.split()
    )
)
_LONG_CHARS = 34
"""No form without a mark is shorter, except a card's number."""
_DIGITS = re.compile(r"\d(?:[ -]?\d){12}")
_BRANDS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|35\d{14}"
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12}|62\d{14,17}"
)


def known_shapes(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and kind of each secret that shows by its form, in order, none overlapping."""
    if not may_hold_shape(text):
        return
    for match in PATTERN.finditer(text):
        if match["card"] is not None:
            if is_card(match["card"]):
                yield match.start(), match.end(), CARD
        elif match["url"] is not None:
            yield match.start("url"), match.end("url"), SECRET
        else:
            yield match.start(), match.end(), SECRET


def may_hold_shape(text: str) -> bool:
    """A quick look that is never wrong when it says no."""
    if _MARK.search(text) or _DIGITS.search(text):
        return True
    return len(text) >= _LONG_CHARS and len(max(text.split(), key=len, default="")) >= _LONG_CHARS


def is_card(written: str) -> bool:
    """Whether digits, perhaps in groups, are a payment card's number: brand, length and check digit."""
    digits = written.replace(" ", "").replace("-", "")
    if not _BRANDS.fullmatch(digits):
        return False
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
