"""What a message is after, when it says so: its goals, judged by its words and by what was talked about before.

An offer or a number that a message takes up is taken out of the memory; nothing else in the world is touched.
"""

from __future__ import annotations

import re

from bot.standin.complaints import Complaint, count_telling
from bot.standin.handbook import Hit
from bot.standin.memory import Aim, Goal, Memory
from bot.standin.rendering import named_items
from bot.standin.slots import Slots
from bot.standin.transcript import Said
from bot.standin.vocabulary import COMPLAINTS, Intent

CHAT = frozenset(
    {
        Intent.GREETING, Intent.THANKS, Intent.BYE, Intent.HELP, Intent.SMALLTALK, Intent.YES, Intent.NO, Intent.CANCEL,
        Intent.RECALL, Intent.OPENED, Intent.LACKING, Intent.ANGER,
    }
)  # fmt: skip
"""What is said for its own sake."""
_COMPLAINTS = frozenset(COMPLAINTS)
_FACETS = frozenset({Intent.ITEMS, Intent.ADDRESS, Intent.WHEN, Intent.STATUS, Intent.PRICE})
_ORDER_FACETS = _FACETS - {Intent.PRICE}
_RECEIPT_FACETS = frozenset({Intent.ITEMS, Intent.WHEN, Intent.PRICE})
_SURE = 0.55
"""From this score on an entry of the handbook is taken for the answer to a general question."""
_EXACT = 0.8
"""From this score on it is even for a complaint: "I forgot my password"."""
_PERSONAL = re.compile(r"\b(?:my|mine|it|me|meine?[nmrs]?|mir|es|sie)\b", re.IGNORECASE)
_ADDRESS_OF_PICTURE = re.compile(r"\.(?:png|jpe?g|webp|gif)\b", re.IGNORECASE)


def find_goals(memory: Memory, said: Said, slots: Slots, intents: frozenset[Intent], hit: Hit | None) -> list[Goal]:
    """What the message is after, if it says so."""
    text = said.text
    if Intent.HUMAN in intents and Intent.SMALLTALK not in intents:
        return [Goal(aim=Aim.HUMAN, words=text, anew=True)]
    images = _images(said, slots, intents)
    disputed = _disputes(memory, text, intents)
    if images:
        # A picture with words like "I did not order the soda" is both: something to read and something to mend.
        mend = [_complaint(text, intents)] if disputed else []
        return [Goal(aim=Aim.RECEIPT, words=text, images=images), *mend]
    offered = _offered(memory, intents)
    if offered is not None:
        return [offered]
    if Intent.OPENED in intents and not slots.ticket:
        return []
    if _asks_handbook(memory, text, slots, intents, hit) and hit is not None:
        memory.hit = hit
        if intents & (_COMPLAINTS | {Intent.DISPUTE}):
            memory.offer = _complaint(text, intents)
        return []
    checks = _checks(memory, slots, intents, text)
    if checks:
        return [*checks, Goal(aim=Aim.ORDER, words=text)] if slots.order else checks
    if disputed or _complains(memory, slots, intents):
        looked_up = Goal(aim=Aim.ORDER, words=text)
        also = [looked_up] if slots.order and slots.email and Intent.ORDER in intents else []
        return [*also, _complaint(text, intents)]
    return _lookups(memory, text, slots, intents)


def _offered(memory: Memory, intents: frozenset[Intent]) -> Goal | None:
    """What a plain "yes" accepts; any other message lets the offer lapse."""
    offer, memory.offer = memory.offer, None
    if offer is None or Intent.YES not in intents or intents & {Intent.NO, Intent.CANCEL}:
        return None
    return offer


def _checks(memory: Memory, slots: Slots, intents: frozenset[Intent], text: str) -> list[Goal]:
    """Tickets and proofs of identity."""
    goals = []
    if memory.loose_number and Intent.TICKET_WORD in intents and memory.loose_number.isdigit():
        memory.ticket, memory.loose_number = memory.loose_number, ""
        goals.append(Goal(aim=Aim.TICKET, words=text))
    asks_status = Intent.TICKET_STATUS in intents or bool(slots.ticket)
    if Intent.OPEN_TICKET in intents and not slots.ticket:
        asks_status = False
    if slots.secret or (Intent.VERIFY in intents and not asks_status and not intents & _COMPLAINTS):
        goals.append(Goal(aim=Aim.VERIFY, words=text))
    if asks_status:
        if Intent.OTHER in intents and not slots.ticket and not slots.number:
            memory.ticket = ""
        goals.append(Goal(aim=Aim.TICKET, words=text))
    unique = {goal.aim: goal for goal in goals}
    return list(unique.values())


def _lookups(memory: Memory, text: str, slots: Slots, intents: frozenset[Intent]) -> list[Goal]:
    """Orders and receipts, asked for the first time or once more."""
    asked = intents & _FACETS
    if memory.loose_number and Intent.ORDER_WORD in intents:
        memory.order_id, memory.loose_number = memory.loose_number, ""
    if Intent.AGAIN in intents and memory.tried in (Aim.ORDER, Aim.TICKET):
        return [Goal(aim=memory.tried, asked=asked, words=text, anew=True)]
    if memory.loose_number and slots.email:
        memory.order_id, memory.loose_number = memory.loose_number, ""  # an e-mail address goes with an order
    on_receipt = memory.receipt is not None and (
        memory.topic is Aim.RECEIPT or (memory.topic is Aim.COMPLAINT and memory.order is None)
    )
    named = memory.receipt is not None and bool(named_items(memory.receipt, text))
    facets = _RECEIPT_FACETS if memory.topic is Aim.RECEIPT else _RECEIPT_FACETS - {Intent.WHEN}
    asks_part = on_receipt and bool(intents & facets or (named and Intent.QUESTION in intents))
    about_order = bool(slots.order) or (Intent.ORDER in intents and not on_receipt)
    if (Intent.RECEIPT in intents or asks_part) and not about_order:
        return [Goal(aim=Aim.RECEIPT, asked=asked & _RECEIPT_FACETS, words=text)]
    follows = memory.order is not None and memory.topic in (Aim.ORDER, Aim.COMPLAINT) and bool(asked & _ORDER_FACETS)
    wants = (
        Intent.ORDER in intents
        or bool(slots.order)
        or follows
        or (bool(intents & {Intent.ITEMS, Intent.OTHER}) and Intent.ORDER_WORD in intents)
    )
    if wants or (Intent.ITEMS in intents and re.search(r"\border(?:ed)?\b|bestellt", text, re.IGNORECASE)):
        other = Intent.OTHER in intents and not slots.order and not slots.number
        if other:
            memory.order_id = ""
        return [Goal(aim=Aim.ORDER, asked=asked & _ORDER_FACETS, words=text, anew=other)]
    return []


def _images(said: Said, slots: Slots, intents: frozenset[Intent]) -> tuple[str, ...]:
    """Pictures to read; one that only illustrates a complaint is none."""
    about_receipt = Intent.RECEIPT in intents or Intent.DISPUTE in intents
    files = said.files
    if files and intents & {Intent.LOGIN, Intent.PAYMENT} and not about_receipt:
        files = ()
    words = re.sub(r"https?://\S+", "", said.text)
    urls = [url for url in slots.urls if _ADDRESS_OF_PICTURE.search(url) or about_receipt or count_telling(words) <= 1]
    return (*files, *urls)


def _disputes(memory: Memory, text: str, intents: frozenset[Intent]) -> bool:
    if Intent.DISPUTE not in intents:
        return False
    asks_generally = Intent.QUESTION in intents and memory.topic is not Aim.RECEIPT
    return (
        not asks_generally
        or re.search(r"\bi(?:'d| would)? (?:want|need|like|demand)|ich (?:will|möchte)", text.lower()) is not None
    )


def _complains(memory: Memory, slots: Slots, intents: frozenset[Intent]) -> bool:
    if Intent.OPEN_TICKET in intents:
        return True
    about = intents & _COMPLAINTS
    if not about or slots.secret:
        return False
    if about == {Intent.LOGIN} and slots.username:
        return False
    # "A problem with my order: it has not come" is a question about an order, "with this receipt" one about a receipt.
    return not (
        about == {Intent.TROUBLE} and intents & {Intent.ORDER, Intent.RECEIPT} and not memory.goal(Aim.COMPLAINT)
    )


def _complaint(text: str, intents: frozenset[Intent]) -> Goal:
    about = set(intents & (_COMPLAINTS | {Intent.DISPUTE}))
    return Goal(aim=Aim.COMPLAINT, words=text, complaint=Complaint(about=about, words=[text]))


def _asks_handbook(memory: Memory, text: str, slots: Slots, intents: frozenset[Intent], hit: Hit | None) -> bool:
    """Whether it is a general question to the shop, not one about the person's own affairs."""
    if hit is None or slots.order or slots.ticket or slots.number or slots.secret or Intent.TICKET_STATUS in intents:
        return False
    if _disputes(memory, text, intents):
        return False
    own = bool(_PERSONAL.search(text))
    about_own = (
        intents & {Intent.ORDER, Intent.ITEMS, Intent.LOGIN, Intent.PAYMENT, Intent.TROUBLE}
        or memory.topic is Aim.RECEIPT
    )
    if Intent.QUESTION in intents and hit.score >= _SURE:
        return not (own and about_own) or Intent.CHANGE in intents
    if Intent.LOGIN in intents and hit.score >= _EXACT and memory.goal(Aim.COMPLAINT) is None:
        return True
    understood = intents - CHAT - {Intent.QUESTION, Intent.WHEN, Intent.PRICE, Intent.STATUS, Intent.ADDRESS}
    if intents & {Intent.THANKS, Intent.BYE, Intent.HELP, Intent.RECALL, Intent.SMALLTALK, Intent.CANCEL}:
        return False
    return not understood and not memory.awake() and hit.score >= _SURE and not (own and intents & _FACETS)
