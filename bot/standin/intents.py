"""What a sentence wants, and which of two languages it is written in. Pure."""

from __future__ import annotations

import re

from bot.standin.vocabulary import PATTERNS, Intent

_GERMAN = frozenset(
    """ich und der mein meinem kam kaputt will erstattet die das ist nicht ein eine meine mein mir mich bitte danke wo
    wann was wie hallo guten moin servus habe hab kann möchte bestellung paket lieferung beleg quittung rechnung
    mensch mitarbeiter wurde für mit sie ihr auf noch kein keine ja nein gerne schon mal heiße konto gesperrt
    artikel tschüss geht bestellt wird sind von zum zur dem den einen einem kassenzettel kassenbon erstattung
    passwort warum welche wohin vielen dank gern klar genau anmelden einloggen kannst können du wer bist
    dir gibt hier komme rein weg ahnung zeug""".split()
)
_ENGLISH = frozenset(
    """i and the is are not a my me please thanks thank where when what how hello have can could would order package
    receipt with you your on no yes it it's that this to of for was do did does at but still don't didn't help
    order number email which want need ticket who name""".split()
)
_FOREIGN = frozenset(
    """bonjour merci commande où est votre je suis pouvez vous hola gracias pedido dónde está mi quiero ayuda por favor
    ciao grazie ordine dov'è il mio olá obrigado encomenda onde meu hej tack var min beställning waar mijn
    bestelling dank u wel hablo inglés ingles español necesito ik gdzie jest moje zamówienie dziękuję""".split()
)


_SHORTENED = re.compile(r"\b(what|where|who|how|that|when|don|can|didn|doesn|isn|won|hasn|haven|wasn)(s|t)\b")
"""What many leave the apostrophe out of."""


def find_intents(text: str) -> frozenset[Intent]:
    """All that the text may want."""
    folded = _SHORTENED.sub(r"\1'\2", re.sub(r"[ \t]+", " ", text.lower()).strip())
    return frozenset(intent for intent, pattern in PATTERNS.items() if pattern.search(folded))


def find_language(text: str) -> str | None:
    """`en`, `de`, `other`, or nothing where a text does not tell (a number, a name)."""
    letters = [letter for letter in text if letter.isalpha()]
    if letters and sum(ord(letter) > 0x2FF for letter in letters) * 2 > len(letters):
        return "other"
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text.lower())
    german, english = sum(word in _GERMAN for word in words), sum(word in _ENGLISH for word in words)
    foreign = sum(word in _FOREIGN for word in words)
    if foreign > max(german, english):
        return "other"
    if german == english:
        return None
    return "de" if german > english else "en"
