"""The fixed sentences in the customer's language: which it is, from words, and what is said then."""

from __future__ import annotations

import string

import pytest

from bot import sentences
from bot.german import GERMAN
from bot.interpreter import LOOK_BACK, last_heard, spoken
from bot.languages import Language, heard, named
from bot.outgoing import Policy, clean
from tests.talk import ANN, said

ENGLISH_ALONE = {"FORM_NOT_YOURS", "FORM_MISMATCH", "FORM_TOO_OFTEN", "STAFF_ONLY", "HUMAN_CALLED_ALREADY"}
"""What is told about a form, a button or an order, whose own words are English too."""

PARTS = {"ASK_FOR_TICKET"}
"""Stands inside others."""

FIXED = {name: text for name, text in vars(sentences).items() if name.isupper() and isinstance(text, str)}


@pytest.mark.behaviour("language.sentences")
def test_every_sentence_is_there_in_german_with_the_same_places() -> None:
    assert {FIXED[name] for name in FIXED.keys() - ENGLISH_ALONE - PARTS} == set(GERMAN)
    for english, german in GERMAN.items():
        assert _places(english) == _places(german)
        assert heard(german) in (Language.GERMAN, None)
        assert clean(german, Policy(knows=lambda _: True)) == german
        assert spoken(english, Language.GERMAN) == german
        assert spoken(english, Language.ENGLISH) == spoken(english, None) == english
    assert spoken("What the model said.", Language.GERMAN) == "What the model said."


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.behaviour("language.heard")
@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Wo ist meine Bestellung?", Language.GERMAN),
        ("hallo, ich kann mich nicht anmelden", Language.GERMAN),
        ("Ich möchte mit einem Menschen sprechen", Language.GERMAN),
        ("Ticket: Der Schlitten ist kaputt", Language.GERMAN),
        ("Where is my order?", Language.ENGLISH),
        ("Hi, I can't log in to my account", Language.ENGLISH),
        ("hello", Language.ENGLISH),
        ("Order 123123, email santa@clau.se", Language.ENGLISH),
        ("123123", None),
        ("", None),
        ("注文はどこですか", None),
        ("¿Dónde está mi pedido?", None),
        ("Où est ma commande ?", None),
    ],
)
def test_the_small_words_tell_the_language(text: str, language: Language | None) -> None:
    assert heard(text) is language


@pytest.mark.behaviour("language.heard")
def test_the_last_words_of_a_customer_that_tell_it_count() -> None:
    turns = [said("Where is it?"), said("Wo ist meine Bestellung?"), said("123123"), said("I am on it", by=ANN)]
    assert last_heard(reversed(turns)) is Language.GERMAN
    assert last_heard(turns[:1]) is Language.ENGLISH
    assert last_heard([]) is None
    waiting = [said("123123")] * LOOK_BACK
    assert last_heard([*waiting[1:], *turns[:1]]) is Language.ENGLISH
    assert last_heard([*waiting, *turns[:1]]) is None, "of a long conversation only the end is read"
    assert (named(" Deutsch "), named("german"), named("Klingon")) == (Language.GERMAN, Language.GERMAN, None)
