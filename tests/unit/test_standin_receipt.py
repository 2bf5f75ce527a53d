"""Lines of text as a receipt prints them -> items with the price of one piece, and a total with which they agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.standin.amounts import find_amounts, find_currency, find_date, mend
from bot.standin.layout import Piece, is_sideways, to_lines
from bot.standin.receipt import NotAReceipt, read_receipt

pytestmark = pytest.mark.behaviour("standin.receipt")

SANDWICHES = (
    "THE SANDWICH PLACE",
    "2023-09-27 19:45",
    "1 New Yorker  $12.99",
    "1 Tuna Salad (Classic)  $10.49",
    "1 Soda Regular  $1.88",
    "1 Water Bottled  $1.88",
    "TOTAL  $27.24",
)

LAYOUTS = {
    "acceptance": (
        SANDWICHES,
        [
            ("New Yorker", 1, 1299),
            ("Tuna Salad (Classic)", 1, 1049),
            ("Soda Regular", 1, 188),
            ("Water Bottled", 1, 188),
        ],
        2724,
    ),
    "unit price beside the quantity": (
        ("2 x Coffee 3.50", "1 Cake 4.00", "TOTAL 11.00"),
        [("Coffee", 2, 350), ("Cake", 1, 400)],
        1100,
    ),
    "line price beside the quantity": (
        ("2 x Coffee 7.00", "1 Cake 4.00", "TOTAL 11.00"),
        [("Coffee", 2, 350), ("Cake", 1, 400)],
        1100,
    ),
    "both kinds on one receipt": (("2 Tea 2.00", "3 Bun 3.00", "Total 7.00"), [("Tea", 2, 200), ("Bun", 3, 100)], 700),
    "tax and tip on top": (
        ("Burger 9.00", "Fries 3.00", "Subtotal 12.00", "Sales tax 8% 0.96", "Tip 2.00", "Total $14.96", "VISA 14.96"),
        [("Burger", 1, 900), ("Fries", 1, 300), ("Sales tax 8%", 1, 96), ("Tip", 1, 200)],
        1496,
    ),
    "tip below a first total": (
        ("Burger 9.00", "Tax 1.00", "Total $10.00", "Tip 2.00", "Total $12.00", "Cash 20.00", "Change 8.00"),
        [("Burger", 1, 900), ("Tax", 1, 100), ("Tip", 1, 200)],
        1200,
    ),
    "german supermarket": (
        (
            "Milch 3,5% 1,5 L  1,19 B",
            "2 x 0,65",
            "Brezel  1,30 B",
            "Pfand 0,25",
            "SUMME EUR 2,74",
            "Geg. BAR EUR 5,00",
            "Rückgeld BAR EUR 2,26",
            "B= 7,0% 2,56 0,18 2,74",
        ),
        [("Milch 3,5% 1,5 L", 1, 119), ("Brezel", 2, 65), ("Pfand", 1, 25)],
        274,
    ),
    "german with included tax": (
        ("Kaffee", "2 x 3,50  7,00", "Kuchen 3,20", "Gesamt 10,20 €", "inkl. 19% MwSt 1,63"),
        [("Kaffee", 2, 350), ("Kuchen", 1, 320)],
        1020,
    ),
    "columns": (
        ("Qty  Description  Unit  Amount", "2  Widget  3.50  7.00", "1  Gadget  10.00  10.00", "Total 17.00"),
        [("Widget", 2, 350), ("Gadget", 1, 1000)],
        1700,
    ),
    "quantity behind": (("Water x2  3.76", "Soda  $1.88", "Total: $5.64"), [("Water", 2, 188), ("Soda", 1, 188)], 564),
    "at a price": (("2 @ 3.50 Coffee 7.00", "Bun 1.00", "Total 8.00"), [("Coffee", 2, 350), ("Bun", 1, 100)], 800),
    "price times quantity": (("Coffee 3.50 x 2 7.00", "Total 7.00"), [("Coffee", 2, 350)], 700),
    "three for one price": (("3 x Bagel 1.00", "Total 1.00"), [("Bagel (3 x)", 1, 100)], 100),
    "discount": (("Shirt 20.00", "Coupon -5.00", "Total 15.00"), [("Shirt", 1, 2000), ("Coupon", 1, -500)], 1500),
    "a name that begins with a number": (
        ("7 Up 1.99", "Chips 2.00", "Chocolate bar 1.00", "Total 4.99"),
        [("7 Up", 1, 199), ("Chips", 1, 200), ("Chocolate bar", 1, 100)],
        499,
    ),
    "total on its own line": (
        ("Pizza 8.00", "Cola 2.00", "TOTAL", "$10.00"),
        [("Pizza", 1, 800), ("Cola", 1, 200)],
        1000,
    ),
    "no total": (("Pizza 8.00", "Cola 2.00"), [("Pizza", 1, 800), ("Cola", 1, 200)], 1000),
    "thousands": (("Sofa 1.299,00 €", "Summe 1.299,00 €"), [("Sofa", 1, 129900)], 129900),
    "mistaken letters": (
        ("1Pizza  S12 .99", "1Cola  $1O.49", "TOTAL $23.48"),
        [("Pizza", 1, 1299), ("Cola", 1, 1049)],
        2348,
    ),
    "yen": (
        ("コーヒー  ¥1,200", "ケーキ  ¥800", "合計  ¥2,000"),
        [("コーヒー", 1, 120000), ("ケーキ", 1, 80000)],
        200000,
    ),
    "sums that disagree": (
        ("A thing 1.00", "B thing 2.00", "Total 4.00"),
        [("A thing", 1, 100), ("B thing", 1, 200)],
        400,
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_read(name: str) -> None:
    lines, items, total = LAYOUTS[name]
    receipt = read_receipt(lines)
    assert [(item.name, item.quantity, item.price_in_cents) for item in receipt.items] == items
    assert receipt.total_in_cents == total


def test_date_and_currency_of_the_acceptance_receipt() -> None:
    receipt = read_receipt(SANDWICHES)
    assert (receipt.date, receipt.currency) == ("2023-09-27T19:45:00", "USD")


def test_a_picture_held_upside_down() -> None:
    turned = ["  ".join(reversed(line.split("  "))) for line in reversed(SANDWICHES)]
    assert read_receipt(turned) == read_receipt(SANDWICHES)


@pytest.mark.parametrize(
    ("lines", "reason"),
    (([], "no text"), (["Hello world", "a nice picture"], "no items"), (["Entry 5.00"], "one price and no total")),
)
def test_what_is_no_receipt_says_why(lines: list[str], reason: str) -> None:
    with pytest.raises(NotAReceipt, match=reason):
        read_receipt(lines)


@pytest.mark.parametrize(
    ("text", "cents"),
    (
        ("$1.88", [188]),
        ("1,30 €", [130]),
        ("EUR 11,50", [1150]),
        ("1.234,56", [123456]),
        ("1,234.56", [123456]),
        ("-5.00", [-500]),
        ("5.00-", [-500]),
        ("19,00 %", []),
        ("27.09.2023", []),
        ("19:45", []),
        ("0,45 kg", []),
        ("1.5 L", []),
        ("3.50 7.00", [350, 700]),
        ("tel. 040.12.34.56", []),
    ),
)
def test_amounts(text: str, cents: list[int]) -> None:
    assert [amount.cents for amount in find_amounts(mend(text))] == cents


@pytest.mark.parametrize(
    ("line", "currency", "date"),
    (
        ("2023-09-27 19:45", "USD", "2023-09-27T19:45:00"),
        ("2023-09-2719:45", "USD", "2023-09-27T19:45:00"),
        ("27.09.202319:45 Uhr", "EUR", "2023-09-27T19:45:00"),
        ("03/04/2024 7:45 PM", "USD", "2024-03-04T19:45:00"),
        ("03/04/2024", "GBP", "2024-04-03"),
        ("28/02/24 08:05:09", "GBP", "2024-02-28T08:05:09"),
        ("Sep 27, 2023", "USD", "2023-09-27"),
        ("27. September 2023", "EUR", "2023-09-27"),
        ("2023年9月27日", "JPY", "2023-09-27"),
        ("12:00 AM 01/02/2024", "USD", "2024-01-02T00:00:00"),
        ("99.99.2023", "EUR", None),
        ("no date", "USD", None),
    ),
)
def test_dates(line: str, currency: str, date: str | None) -> None:
    assert find_date(["shop", line], currency) == date


@pytest.mark.parametrize(
    ("lines", "code"),
    (
        (["1.00 €", "2.00 €", "$3"], "EUR"),
        (["£4.20"], "GBP"),
        (["CHF 12.00"], "CHF"),
        (["Summe 3,00"], "EUR"),
        (["Total 3"], "USD"),
    ),
)
def test_currencies(lines: list[str], code: str) -> None:
    assert find_currency(lines) == code


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("Coffee", "Rye bread", "Sled wax", "Käse")), st.integers(1, 9), st.integers(1, 20_000)
        ),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
def test_whatever_is_bought_the_sums_agree(bought: list[tuple[str, int, int]], comma: bool) -> None:
    def amount(cents: int) -> str:
        text = f"{cents / 100:.2f}"
        return text.replace(".", ",") if comma else text

    lines = [f"{quantity} x {name}  {amount(quantity * price)}" for name, quantity, price in bought]
    receipt = read_receipt([*lines, f"TOTAL  {amount(sum(quantity * price for _, quantity, price in bought))}"])
    assert [(item.name, item.quantity, item.price_in_cents) for item in receipt.items] == bought
    assert receipt.total_in_cents == sum(quantity * price for _, quantity, price in bought)


@given(st.lists(st.text(alphabet="0123456789., xX€$-:/%TotalSume", max_size=30), max_size=12))
def test_no_text_breaks_the_reading(lines: list[str]) -> None:
    try:
        receipt = read_receipt(lines)
    except NotAReceipt:
        return
    assert all(item.quantity > 0 for item in receipt.items)


# ------------------------------------------------------------------------------------------------------------- layout


def piece(text: str, left: float, top: float, width: float, height: float, slope: float = 0.0) -> Piece:
    def at(x: float, y: float) -> tuple[float, float]:
        return x - slope * y, y + slope * x

    corners = (at(left, top), at(left + width, top), at(left + width, top + height), at(left, top + height))
    return Piece(text=text, corners=corners)


@pytest.mark.parametrize("slope", (0.0, 0.05, -0.12))
def test_columns_of_a_slanted_picture_become_lines(slope: float) -> None:
    pieces = [
        piece("$1.88", 420, 30, 60, 22, slope),
        piece("1 Soda Regular", 20, 31, 200, 20, slope),
        piece("THE SANDWICH PLACE", 120, 0, 240, 20, slope),
        piece("TOTAL", 20, 60, 80, 20, slope),
        piece("$27.24", 418, 59, 66, 22, slope),
    ]
    assert to_lines(pieces) == ["THE SANDWICH PLACE", "1 Soda Regular  $1.88", "TOTAL  $27.24"]


def test_a_picture_on_its_side_is_noticed() -> None:
    assert is_sideways([piece("1 Soda Regular", 20, 20, 20, 200)])
    assert not is_sideways([piece("1 Soda Regular", 20, 20, 200, 20)])
    assert not is_sideways([])
