"""The rows of a receipt -> what was bought, each piece's price, and the total, as the sums make it agree. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, combinations

from bot.standin.amounts import find_currency, find_date
from bot.standin.rows import Kind, Row, to_rows

_UNDECIDED_LIMIT = 8
"""For how many lines both readings of their price are tried in every combination (256 of them)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something bought; the price is of ONE piece, in hundredths of the currency."""

    name: str
    quantity: int
    price_in_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A receipt as it was read; `date` is ISO local date-time, or a date alone."""

    date: str | None
    items: tuple[Item, ...]
    currency: str
    total_in_cents: int


class NotAReceipt(Exception):
    """The text is no receipt; the message is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """One way to read the rows: whose price is of one piece, what is added on top, which total it agrees with."""

    by_piece: frozenset[int]
    extras: tuple[Row, ...]
    total: int


def read_receipt(lines: Sequence[str]) -> Receipt:
    """Read the lines of a picture, which may have been held upside down.

    Raises:
        NotAReceipt: no words, no prices, or one price without a total.
    """
    try:
        return _read(lines)
    except NotAReceipt:
        with suppress(NotAReceipt):
            return _read(["  ".join(reversed(line.split("  "))) for line in reversed(lines)])
        raise


def _read(lines: Sequence[str]) -> Receipt:
    if not any(line.strip() for line in lines):
        raise NotAReceipt("I can find no text in this picture.")
    rows = to_rows(lines)
    items, extras, totals, subtotal = _sort(rows)
    if not items:
        raise NotAReceipt("This picture has text, but no items with prices, so I cannot read it as a receipt.")
    if not totals and subtotal is None and len(items) < 2:
        raise NotAReceipt("This picture has one price and no total, so I cannot read it as a receipt.")
    reading = _decide(items, extras, totals, subtotal)
    bought = [_to_item(row, by_piece=index in reading.by_piece) for index, row in enumerate(items)]
    bought += [
        Item(name=row.name or row.kind.value, quantity=1, price_in_cents=row.line_cents) for row in reading.extras
    ]
    currency = find_currency(lines)
    return Receipt(
        date=find_date(lines, currency), items=tuple(bought), currency=currency, total_in_cents=reading.total
    )


def _sort(rows: Sequence[Row]) -> tuple[list[Row], list[Row], list[tuple[int, int]], int | None]:
    """Items; what may be added on top; totals with how many of those stand above each; the subtotal.

    Below the first total there are payments and explanations, but a tip may still be followed by a greater total.
    """
    items: list[Row] = []
    extras: list[Row] = []
    totals: list[tuple[int, int]] = []
    subtotal: int | None = None
    for row in rows:
        if row.kind is Kind.TOTAL:
            totals.append((row.line_cents, len(extras)))
        elif row.kind is Kind.SUBTOTAL and not totals:
            subtotal = row.line_cents
        elif row.kind is Kind.TIP or (row.kind is Kind.TAX and not totals):
            extras.append(row)
        elif row.kind in (Kind.ITEM, Kind.DISCOUNT) and not totals:
            items.append(row if row.kind is Kind.ITEM else _negative(row))
    return items, extras, totals, subtotal


def _negative(row: Row) -> Row:
    return Row(kind=row.kind, name=row.name, line_cents=-abs(row.line_cents))


def _decide(
    items: Sequence[Row], extras: Sequence[Row], totals: Sequence[tuple[int, int]], subtotal: int | None
) -> _Reading:
    """The simplest reading whose sums agree; where none does, lines are line prices and the printed total stands."""
    for total, above in reversed(totals):
        for added in _subsets(extras[:above]):
            base = total - sum(row.line_cents for row in added)
            for by_piece in _choices(items):
                if _sum(items, by_piece) == base:
                    return _Reading(by_piece, added, total)
    by_piece = next((choice for choice in _choices(items) if _sum(items, choice) == subtotal), frozenset[int]())
    added = () if subtotal is None else tuple(extras)
    if totals:
        total, above = max(totals)
        fits = subtotal is not None and subtotal + sum(row.line_cents for row in extras[:above]) == total
        return _Reading(by_piece, tuple(extras[:above]) if fits else (), total)
    return _Reading(by_piece, added, _sum(items, by_piece) + sum(row.line_cents for row in added))


def _choices(items: Sequence[Row]) -> Iterator[frozenset[int]]:
    """Which undecided lines are read as the price of one piece: none, all, then every mixture while they are few."""
    undecided = [index for index, row in enumerate(items) if row.quantity > 1 and row.unit_cents is None]
    yield frozenset()
    if undecided:
        yield frozenset(undecided)
    if 1 < len(undecided) <= _UNDECIDED_LIMIT:
        for size in range(1, len(undecided)):
            yield from map(frozenset, combinations(undecided, size))


def _subsets(rows: Sequence[Row]) -> Iterator[tuple[Row, ...]]:
    """Nothing added, everything added, then the mixtures of at most four."""
    yield ()
    if rows:
        yield tuple(rows)
    if 1 < len(rows) <= 4:
        yield from chain.from_iterable(combinations(rows, size) for size in range(1, len(rows)))


def _sum(items: Sequence[Row], by_piece: frozenset[int]) -> int:
    return sum(row.line_cents * (row.quantity if index in by_piece else 1) for index, row in enumerate(items))


def _to_item(row: Row, *, by_piece: bool) -> Item:
    if row.unit_cents is not None and row.unit_cents * row.quantity == row.line_cents:
        return Item(name=row.name, quantity=row.quantity, price_in_cents=row.unit_cents)
    if by_piece or row.quantity == 1:
        return Item(name=row.name, quantity=row.quantity, price_in_cents=row.line_cents)
    piece, rest = divmod(row.line_cents, row.quantity)
    if rest:  # three for 1.00: no whole price of one piece exists, so the line stays whole
        return Item(name=f"{row.name} ({row.quantity} x)", quantity=1, price_in_cents=row.line_cents)
    return Item(name=row.name, quantity=row.quantity, price_in_cents=piece)
