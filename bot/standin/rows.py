"""What the lines of a receipt are: items, sums, taxes, payments. Pure; English and German."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.standin.amounts import Amount, find_amounts, mend


class Kind(StrEnum):
    """What a line with an amount stands for."""

    ITEM = "item"
    DISCOUNT = "discount"
    SUBTOTAL = "subtotal"
    TAX = "tax"
    TIP = "tip"
    TOTAL = "total"
    PAYMENT = "payment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line with its amount in cents.

    Args:
        name: the words, without quantity and amounts.
        unit_cents: the price of one piece, where the line says it.
        line_cents: the amount at the end; where it is the only one and the quantity is not 1, it may be of one piece.
    """

    kind: Kind
    name: str
    quantity: int = 1
    unit_cents: int | None = None
    line_cents: int


_KINDS = (
    (Kind.SUBTOTAL, re.compile(r"^sub\W{0,2}total|^zwischensumme|^netto|^net( |$)|^小計")),
    (Kind.DISCOUNT, re.compile(r"\b(discount|coupon|promo\w*|savings?|rabatt|nachlass|gutschein|\d+ ?% off)\b")),
    (
        Kind.TOTAL,
        re.compile(
            r"^(grand |order )?total(?! (items|qty|saved|savings))|^(amount|balance|total) due|^to pay|^summe|^gesamt"
            r"|^zu zahlen|^(end|rechnungs|zahl)?betrag|^合計"
        ),
    ),
    (
        Kind.TAX,
        re.compile(
            r"^(\w+ ){0,2}(tax(es)?|vat|gst|hst|pst|mwst|ust|mehrwertsteuer)\b|\b(mwst|ust|mehrwertsteuer)\b|^消費税"
        ),
    ),
    (
        Kind.TIP,
        re.compile(r"^(tip|gratuity|trinkgeld|bedienung)( \(?\d+ ?%\)?)?$|^service (charge|fee)|^(added )?gratuity"),
    ),
    (
        Kind.PAYMENT,
        re.compile(
            r"^(cash|change|bar|card|credit|debit|visa|amex|karte|paid|tender(ed)?|gegeben"
            r"|zur(.|ue)ck|r(.|ue)ckgeld)( .{0,12})?$"
            r"|^(change|cash|amount|visa|credit|debit|gift) (due|card|back|tendered|paid|debit|credit)|^master ?card"
            r"|^(ec|kredit|giro)\W?(karte|card)|^bar(zahlung|geld)|^american express"
            r"|^(card|auth\w*|payment)\b.*\b(visa|x{2,}|\*{2,})"
        ),
    ),
)
_COLUMN_HEADS = re.compile(
    r"^(qty|quantity|item|artikel|menge|anzahl|description|bezeichnung|price|preis|amount|eur|usd|\W)+$"
)
_FRONT = re.compile(
    r"^(?P<quantity>\d{1,3})\s?(?P<mark>[x×*]|stk\.?|st\.|pcs?\.?)?\s+(?P<name>.*[^\W\d_].*)$", re.IGNORECASE
)
# The space behind the quantity is what OCR loses most: "1New Yorker"; without a mark a capital has to follow.
_FRONT_TIGHT = re.compile(
    r"^(?P<quantity>\d{1,2})\s?(?:(?P<mark>[x×*X])\s?(?=[^\W\d_])|(?=[^\W\d_a-zäöü]))(?P<name>.+)$"
)
_BEHIND = re.compile(
    r"^(?P<name>.*[^\W\d_].*?)\s*[\s(](?:[x×*]\s?(?P<quantity>\d{1,3})|(?P<other>\d{1,3})\s?(?:[x×*]|stk\.?|pcs?\.?))\s?\)?$",
    re.IGNORECASE,
)
_BEHIND_BARE = re.compile(r"^(?P<name>.*[^\W\d_].*?)\s+(?P<quantity>\d{1,2})$")
_TIMES = re.compile(
    r"^(?:(?P<name>.*?)\s+)?(?P<quantity>\d{1,3})\s?(?:stk\.?|pcs?\.?)?\s?(?:[x×*@à]|zu je)\s*$", re.IGNORECASE
)
_BETWEEN = re.compile(r"^\W*[x×*]\s?(?P<quantity>\d{1,3})\b\W*$", re.IGNORECASE)


def to_rows(lines: Sequence[str]) -> list[Row]:
    """The lines that carry an amount, with what a neighbouring line says about them."""
    mended = [mend(line) for line in lines]
    bare_front, bare_behind = _columns(mended)
    rows: list[Row] = []
    waiting: str | None = None  # words without an amount: the name of what the next line prices
    ahead: Row | None = None  # "2 x 0,65" above the name it belongs to
    for line in mended:
        amounts = find_amounts(line)
        if not amounts:
            waiting = None if _COLUMN_HEADS.match(line.lower()) else line.strip()
            continue
        row = _to_row(line, amounts, bare_front=bare_front, bare_behind=bare_behind)
        if not row.name:
            if waiting is not None:
                quantity, name = _split_quantity(waiting, bare_front=bare_front, bare_behind=False)
                quantity = row.quantity if row.unit_cents is not None else quantity
                row = replace(row, kind=_kind(name), name=_clean(name), quantity=quantity)
                rows.append(row)
            elif row.unit_cents is not None and rows and _is_of(row, rows[-1]):
                rows[-1] = replace(rows[-1], quantity=row.quantity, unit_cents=row.unit_cents)
            elif row.unit_cents is not None:
                ahead = row
        else:
            if ahead is not None and _is_of(ahead, row):
                row = replace(row, quantity=ahead.quantity, unit_cents=ahead.unit_cents)
            rows.append(row)
            ahead = None
        waiting = None
    return rows


def _to_row(line: str, amounts: list[Amount], *, bare_front: bool, bare_behind: bool) -> Row:
    head, first, last = line[: amounts[0].start].strip(), amounts[0], amounts[-1]
    behind = line[first.end : amounts[1].start if len(amounts) > 1 else len(line)]
    if (times := _TIMES.match(head)) and (quantity := int(times["quantity"])) > 0:
        name = times["name"] or behind
        line_cents = last.cents if len(amounts) > 1 else quantity * first.cents
        return Row(
            kind=_kind(name), name=_clean(name), quantity=quantity, unit_cents=first.cents, line_cents=line_cents
        )
    if (between := _BETWEEN.match(behind)) and (quantity := int(between["quantity"])) > 0:
        line_cents = last.cents if len(amounts) > 1 else quantity * first.cents
        return Row(
            kind=_kind(head), name=_clean(head), quantity=quantity, unit_cents=first.cents, line_cents=line_cents
        )
    if not re.search(r"[^\W\d_]", head):  # the amount stands in front of the name
        head = f"{head} {line[last.end :].strip()}".strip() if len(line[last.end :].strip()) > 2 else head
    kind = _kind(head)
    if kind is not Kind.ITEM:
        return Row(kind=kind, name=_clean(head), line_cents=last.cents)
    quantity, name = _split_quantity(head, bare_front=bare_front, bare_behind=bare_behind)
    unit = None
    if len(amounts) > 1 and first.cents > 0:
        count, rest = divmod(last.cents, first.cents)
        if rest == 0 and 1 <= count <= 99 and quantity in (1, count):
            quantity, unit = count, first.cents
    return Row(kind=kind, name=_clean(name), quantity=quantity, unit_cents=unit, line_cents=last.cents)


def _split_quantity(text: str, *, bare_front: bool, bare_behind: bool) -> tuple[int, str]:
    for pattern in (_FRONT, _FRONT_TIGHT):
        if (found := pattern.match(text)) and (found["mark"] or bare_front) and int(found["quantity"]) > 0:
            return int(found["quantity"]), found["name"]
    if found := _BEHIND.match(text):
        quantity = int(found["quantity"] or found["other"])
        if quantity > 0:
            return quantity, found["name"]
    if bare_behind and (found := _BEHIND_BARE.match(text)) and int(found["quantity"]) > 0:
        return int(found["quantity"]), found["name"]
    return 1, text


def _columns(lines: Sequence[str]) -> tuple[bool, bool]:
    """Whether a number without a mark in front of, or behind, the names is a quantity: when at least half have one."""
    heads: list[str] = []
    for line in lines:
        amounts = find_amounts(line)
        head = line[: amounts[0].start].strip() if amounts else ""
        kind = _kind(head)
        if kind is Kind.TOTAL and heads:
            break  # what stands below is no list of items
        if re.search(r"[^\W\d_]", head) and kind is Kind.ITEM and not _TIMES.match(head):
            heads.append(head)
    front = sum(bool(_FRONT.match(head) or _FRONT_TIGHT.match(head)) for head in heads)
    behind = sum(bool(_BEHIND_BARE.match(head) or _BEHIND.match(head)) for head in heads)
    return front * 2 >= max(1, len(heads)), behind * 2 >= max(1, len(heads)) and behind > front


def _kind(name: str) -> Kind:
    folded = re.sub(r"\s+", " ", re.sub(r"[:*€$£]|\b(eur|usd|gbp|chf)\b", " ", name.lower())).strip()
    folded = re.sub(r"^\d{1,3}\s?[x×]\s", "", folded)
    return next((kind for kind, pattern in _KINDS if pattern.search(folded)), Kind.ITEM)


def _is_of(detail: Row, row: Row) -> bool:
    """Whether "2 x 3,50" explains this row."""
    return row.kind is Kind.ITEM and row.quantity == 1 and detail.line_cents == row.line_cents


def _clean(name: str) -> str:
    name = re.sub(r"[.·_…]{2,}", " ", name)
    name = re.sub(r"\s+(EUR|USD|GBP|CHF)$", "", re.sub(r"\s+", " ", name))
    name = name.strip(" -–:*.|")
    return name if re.search(r"[^\W\d_]", name) else ""
