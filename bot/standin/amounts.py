"""Amounts of money, dates and currencies as receipts write them, in English and German. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

CURRENCIES = {
    "us$": "USD", "c$": "CAD", "a$": "AUD", "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "円": "JPY",
    "eur": "EUR", "euro": "EUR", "usd": "USD", "gbp": "GBP", "chf": "CHF", "jpy": "JPY", "cad": "CAD", "aud": "AUD",
    "nzd": "NZD", "sek": "SEK", "nok": "NOK", "dkk": "DKK", "pln": "PLN", "zł": "PLN", "czk": "CZK", "kr": "SEK",
}  # fmt: skip
"""How a currency is written, folded -> its ISO 4217 code."""

_SYMBOL = r"(?:US\$|[CA]\$|[$€£¥]|(?:EURO?|USD|GBP|CHF|JPY|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|kr|zł)(?![A-Za-z]))"
_AMOUNT = re.compile(
    rf"""(?<![\w.,:/])
    (?P<minus>[-−–]\s?)?
    (?P<before>{_SYMBOL}|S(?=\d))?\s?
    (?P<minus_inside>[-−–])?
    (?P<number>\d{{1,3}}(?:[.,'’]\d{{3}})+[.,]\d{{2}}|\d+[.,]\d{{2}})
    (?![\d%])(?![.,:/]\d)(?!\s?%)(?!\s?(?:kg|g|lb|lbs|oz|l|ml|cm|m)\b)
    \s?(?P<after>{_SYMBOL}|円)?
    (?P<minus_behind>[-−–](?!\d))?""",
    re.VERBOSE | re.IGNORECASE,
)
_YEN = re.compile(r"[¥]\s?(?P<before>\d{1,3}(?:,\d{3})+|\d+)(?![.,]?\d)|(?P<after>\d{1,3}(?:,\d{3})+|\d+)\s?円")
_GERMAN = re.compile(r"\b(summe|gesamt|mwst|ust|r(?:.|ue)ckgeld|beleg|rechnung|steuer|zu zahlen)\b", re.IGNORECASE)

_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan", "feb", "mar mär mrz", "apr", "may mai", "jun", "jul", "aug", "sep", "oct okt", "nov", "dec dez"),
        start=1,
    )
    for name in names.split()
}
_DATES = (
    re.compile(r"(?<!\d)(?P<year>20\d\d)\s?[-/.年]\s?(?P<month>\d{1,2})\s?[-/.月]\s?(?P<day>\d{1,2})"),
    re.compile(
        r"(?<![\d.,])(?P<first>\d{1,2})\s?(?P<mark>[-/.])\s?(?P<second>\d{1,2})\s?(?P=mark)\s?(?P<year>20\d\d|\d\d(?!\d))"
    ),
    re.compile(r"(?<!\d)(?P<day>\d{1,2})\.?\s?(?P<name>[a-zä]{3})[a-zä]*\.?,?\s?(?P<year>20\d\d)", re.IGNORECASE),
    re.compile(
        r"\b(?P<name>[a-zä]{3})[a-zä]*\.?\s?(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s?(?P<year>20\d\d)", re.IGNORECASE
    ),
)
_TIME = re.compile(
    r"(?<!\d)(?P<hour>[01]?\d|2[0-3])\s?:\s?(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?\s?(?P<half>[ap]\.?m)?",
    re.IGNORECASE,
)
_LATER_TIME = re.compile(
    r"(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?\s?(?P<half>[ap]\.?m)?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Money in a line of text; `cents` are hundredths of the currency's main unit."""

    cents: int
    currency: str | None
    start: int
    end: int


def mend(text: str) -> str:
    """Undo what OCR commonly mistakes in numbers: letters O and l, spaces around the point, full-width signs."""
    text = text.replace("￥", "¥").replace("，", ",").replace("．", ".").replace("：", ":").replace("＄", "$")
    text = re.sub(r"(?<=\d)[oO](?=[\d.,]|\b)|(?<=[.,])[oO](?=[\doO])|(?<=[.,]\d)[oO]\b", "0", text)
    text = re.sub(r"(?<=[\d.,])[lI|](?=[\d.,]|\b)", "1", text)
    return re.sub(r"(?<=\d)(?:\s([.,])\s?|([.,])\s)(?=\d\d(?!\d))", lambda found: found[1] or found[2], text)


def find_amounts(text: str) -> list[Amount]:
    """The amounts of a line, left to right: two decimals after a comma or a point; yen without."""
    found = []
    for match in _AMOUNT.finditer(text):
        digits = re.sub(r"\D", "", match["number"])
        negative = match["minus"] or match["minus_inside"] or match["minus_behind"]
        symbol = match["before"] or match["after"]
        currency = CURRENCIES.get(symbol.lower(), "USD") if symbol else None
        cents = -int(digits) if negative else int(digits)
        found.append(Amount(cents=cents, currency=currency, start=match.start(), end=match.end()))
    if not found:
        for match in _YEN.finditer(text):
            digits = (match["before"] or match["after"]).replace(",", "")
            found.append(Amount(cents=int(digits) * 100, currency="JPY", start=match.start(), end=match.end()))
    return found


def find_currency(lines: Sequence[str]) -> str:
    """The currency that is written most often; without one the language decides: German means EUR, all else USD."""
    written: Counter[str] = Counter()
    for line in lines:
        for match in re.finditer(rf"(?<![A-Za-z]){_SYMBOL}|円", line, re.IGNORECASE):
            written[CURRENCIES[match[0].lower()]] += 1
    if written:
        return written.most_common(1)[0][0]
    return "EUR" if any(_GERMAN.search(line) for line in lines) else "USD"


def find_date(lines: Sequence[str], currency: str) -> str | None:
    """The receipt's date as ISO local date-time, or as a date alone when no time is printed.

    Args:
        currency: tells what 03/04 means where both readings are possible: the month first with dollars of the US.
    """
    for number, line in enumerate(lines):
        for pattern in _DATES:
            for match in pattern.finditer(line):
                day = _to_day(match, month_first=currency == "USD")
                if day is not None:
                    return _at_time(day, line[match.end() :], [line, *lines[number + 1 :], *lines[:number]])
    return None


def _to_day(match: re.Match[str], *, month_first: bool) -> datetime | None:
    parts = match.groupdict()
    year = int(parts["year"]) % 2000 + 2000
    if "name" in parts:
        month, day = _MONTHS.get(parts["name"].lower(), 0), int(parts["day"])
    elif "month" in parts:
        month, day = int(parts["month"]), int(parts["day"])
    else:
        first, second = int(parts["first"]), int(parts["second"])
        us_order = second > 12 or (month_first and parts["mark"] == "/" and first <= 12)
        month, day = (first, second) if us_order else (second, first)
    try:
        return datetime(year, month, day)  # noqa: DTZ001 - a receipt prints local time and no zone
    except ValueError:
        return None


def _at_time(day: datetime, behind: str, lines: Sequence[str]) -> str:
    # Directly behind the date OCR may have lost the space: "27.09.202319:45".
    match = _LATER_TIME.match(behind.lstrip(" ,T|-")) or next(
        (time for line in lines if (time := _TIME.search(line))), None
    )
    if match is None:
        return day.date().isoformat()
    hour = int(match["hour"])
    if match["half"] and hour <= 12:
        hour = hour % 12 + (12 if match["half"].lower().startswith("p") else 0)
    return day.replace(hour=hour, minute=int(match["minute"]), second=int(match["second"] or 0)).isoformat()
