"""What tools returned, in words. It is data: shown, made harmless, never obeyed. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bot.standin.phrases import say
from bot.standin.vocabulary import Intent

_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_STATES_DE = {
    "out for delivery": "in Zustellung", "shipped": "verschickt", "delivered": "zugestellt",
    "processing": "in Bearbeitung", "cancelled": "storniert", "open": "offen", "closed": "geschlossen",
}  # fmt: skip
_ORDER_KNOWN = frozenset(
    """order_id order id status state eta estimated_delivery expected address delivery_address shipping_address items
    email tenant""".split()
)


def harmless(text: object, *, limit: int = 300) -> str:
    """One line that cannot break a table or a list, nor become a link or code."""
    line = re.sub(r"\s+", " ", str(text)).strip()
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", line[:limit])


def pick(value: Mapping[str, Any], *names: str) -> Any:
    """The first of these fields that has something in it."""
    return next((value[name] for name in names if value.get(name) not in (None, "", [], {})), None)


def money(cents: float, currency: str) -> str:
    """An amount as people write it: `$1.88`, `1.88 CHF`."""
    amount = f"{abs(round(cents)) / 100:,.2f}"
    sign = "-" if cents < 0 else ""
    symbol = _SYMBOLS.get(currency)
    return f"{sign}{symbol}{amount}" if symbol else f"{sign}{amount} {harmless(currency)}"


def render_order(value: Mapping[str, Any], asked: frozenset[Intent], language: str) -> str:
    """An order, or the part of it that was asked for."""
    number = harmless(pick(value, "order_id", "order", "id") or "")
    eta, items = pick(value, "eta", "estimated_delivery", "expected"), pick(value, "items")
    address = pick(value, "address", "delivery_address", "shipping_address")
    listed = _list_items(items)
    parts = {
        Intent.ITEMS: say(language, "order_items", order=number, items=listed)
        if listed
        else say(language, "order_no_items"),
        Intent.ADDRESS: say(language, "order_address", address=harmless(address))
        if address
        else say(language, "order_no_address"),
        Intent.WHEN: say(language, "order_eta", eta=harmless(eta)) if eta else say(language, "order_no_eta"),
    }
    wanted = [text for intent, text in parts.items() if intent in asked]
    if wanted:
        return "\n\n".join(wanted)
    status = _state(pick(value, "status", "state"), language)
    status = status[:1].lower() + status[1:] if status[1:].islower() else status  # it stands inside a sentence
    lines = [say(language, "order_status", order=number, status=status)] if status else []
    lines += [parts[Intent.WHEN]] if eta else []
    lines += [parts[Intent.ADDRESS]] if address else []
    paragraphs = [" ".join(lines)] + ([parts[Intent.ITEMS]] if listed else [])
    others = [
        f"- {key.replace('_', ' ').capitalize()}: {harmless(other)}"
        for key, other in value.items()
        if key not in _ORDER_KNOWN
        and isinstance(other, str | int | float)
        and not isinstance(other, bool)
        and other != ""
    ]
    return "\n\n".join([part for part in paragraphs if part] + (["\n".join(others)] if others else []))


def render_receipt(value: Mapping[str, Any], language: str) -> str:
    """A receipt as a table with its total, and whether the sums agree."""
    items, currency = receipt_items(value), str(pick(value, "currency") or "")
    head = say(language, "receipt_head")
    rows = [
        f"| {harmless(name)} | {quantity} | {money(price, currency)} | {money(quantity * price, currency)} |"
        for name, quantity, price in items
    ]
    date = receipt_date(value)
    dated = say(language, "receipt_date", date=date) if date else ""
    parts = [say(language, "receipt_read", date=dated), "\n".join([head, "|---|---:|---:|---:|", *rows])]
    total, added = pick(value, "total_in_cents"), sum(quantity * price for _, quantity, price in items)
    if isinstance(total, int):
        parts.append(say(language, "receipt_total", total=money(total, currency)))
        agree = "receipt_agrees" if total == round(added) else "receipt_disagrees"
        parts.append(say(language, agree, sum=money(added, currency)) + " " + say(language, "receipt_next"))
    return "\n\n".join(parts)


def render_receipt_part(value: Mapping[str, Any], text: str, asked: frozenset[Intent], language: str) -> str:
    """What was asked about a receipt that was read: certain items, the date, the total; else all of it."""
    currency = str(pick(value, "currency") or "")
    lines = [
        say(
            language, "receipt_item", name=harmless(name), quantity=quantity, price=money(price, currency),
            sum=money(quantity * price, currency),
        )
        for name, quantity, price in named_items(value, text)
    ]  # fmt: skip
    if Intent.WHEN in asked:
        date = receipt_date(value)
        lines.append(say(language, "receipt_when", date=date) if date else say(language, "receipt_no_date"))
    total = pick(value, "total_in_cents")
    if Intent.PRICE in asked and not lines and isinstance(total, int):
        lines.append(say(language, "receipt_total", total=money(total, currency)))
    return "\n".join(lines) if lines else render_receipt(value, language)


def receipt_items(value: Mapping[str, Any]) -> list[tuple[str, float, int]]:
    """Name, quantity and price of one piece of everything on a receipt."""
    items = value.get("items")
    found = []
    for item in items if isinstance(items, list | tuple) else ():
        if isinstance(item, dict) and isinstance(item.get("price_in_cents"), int):
            quantity = item.get("quantity")
            found.append(
                (
                    str(item.get("name", "")),
                    quantity if isinstance(quantity, int | float) else 1,
                    item["price_in_cents"],
                )
            )
    return found


def named_items(value: Mapping[str, Any], text: str) -> list[tuple[str, float, int]]:
    """The items of a receipt whose names share a word with the text; where several do, those that share most."""
    said = set(_words(text))
    matches = [(len(said & set(_words(item[0]))), item) for item in receipt_items(value)]
    most = max((count for count, _ in matches), default=0)
    return [item for count, item in matches if count == most and most > 0]


def receipt_date(value: Mapping[str, Any]) -> str:
    """`2023-09-27 19:45`, or nothing."""
    date = pick(value, "date")
    return harmless(date)[:16].replace("T", " ").removesuffix(" 00:00") if isinstance(date, str) else ""


def render_ticket(value: Mapping[str, Any], number: str, language: str) -> str:
    """How a ticket stands and what it is about."""
    status, issue = _state(pick(value, "status", "state"), language), pick(value, "issue", "subject", "title")
    shown = harmless(pick(value, "ticket_id", "number", "id") or number)
    text = say(language, "ticket_status", number=shown, status=status)
    return f"{text} {say(language, 'ticket_issue', issue=harmless(issue))}" if issue else text


def ticket_number(value: object) -> str:
    """The number of a ticket that was opened."""
    if isinstance(value, dict):
        nested = value.get("ticket")
        number = pick(nested if isinstance(nested, dict) else value, "ticket_id", "number", "id", "ticket")
        return harmless(number) if number is not None else ""
    found = re.search(r"\d{3,}", str(value))
    return found[0] if found else ""


def _list_items(items: object) -> str:
    lines = []
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            quantity = item.get("quantity", 1)
            lines.append(f"- {harmless(item.get('name', ''))}" + (f" (x{quantity})" if quantity != 1 else ""))
        else:
            lines.append(f"- {harmless(item)}")
    return "\n".join(lines)


def _state(state: object, language: str) -> str:
    words = harmless(str(state or "").replace("_", " "))
    return _STATES_DE.get(words.lower(), words) if language == "de" else words


def _words(text: str) -> Sequence[str]:
    return [
        word.removesuffix("s")
        for word in re.findall(r"[^\W\d_]{3,}", text.lower())
        if word not in ("the", "and", "for")
    ]
