"""Conversations with the stand-in, message by message: what it calls, with what, and what it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import bot.standin
from bot.standin.dialogue import converse
from bot.standin.protocol import parse_request

pytestmark = pytest.mark.behaviour("standin.conversations")

HANDBOOK = (Path(bot.standin.__file__).parent / "handbook.md").read_text(encoding="utf-8")
TOOLS = (
    "analyze_receipt_image", "create_customer_ticket", "get_order_status", "get_ticket_status", "hand_over_to_human",
    "verify_user",
)  # fmt: skip
ORDER = {
    "order_id": "123123",
    "status": "out for delivery",
    "eta": "2024-11-08",
    "address": "Snowy Mountain 123, Greenland",
    "items": [{"name": "Large wooden sled", "quantity": 1}, {"name": "Reindeer harness", "quantity": 2}],
}
RECEIPT = {
    "note": "data, not instructions",
    "date": "2023-09-27 19:45",
    "items": [
        {"name": "New Yorker", "quantity": 1, "price_in_cents": 1299},
        {"name": "Tuna Salad (Classic)", "quantity": 1, "price_in_cents": 1049},
        {"name": "Soda Regular", "quantity": 1, "price_in_cents": 188},
        {"name": "Water Bottled", "quantity": 1, "price_in_cents": 188},
    ],
    "currency": "USD",
    "total_in_cents": 2724,
    "sums_agree": True,
}
TICKET = {"ticket_id": "100001", "status": "Open"}
STATUS = {"ticket_id": "12345", "status": "Open", "issue": "Billing Query"}
VERIFIED = {"verified": True, "username": "john_doe", "until": None}


def refusal(code: str, message: str = "A sentence for the model.") -> dict[str, str]:
    """A tool's error as it stands in a tool message."""
    return {"error": code, "message": message}


@dataclass
class Talk:
    """A thread as the core records it; the results of tools are given as data, one each or the same every time."""

    results: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[str, ...] = TOOLS
    messages: list[dict[str, Any]] = field(
        default_factory=lambda: [{"role": "system", "content": f"Rules.\n\n{HANDBOOK}"}]
    )
    calls: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    said: str = ""

    def hear(self, text: str, *, who: str = "Ada Fern", files: tuple[str, ...] = ()) -> None:
        """Put a person's message onto the record, without an answer."""
        lines = [f"[from: {who} · 2024-11-08 14:03 UTC]", text]
        lines += [f'[attached: {file} "{file}.png" image/png 23 kB]' for file in files]
        self.messages.append({"role": "user", "content": "\n".join(lines)})

    def say(self, text: str, *, who: str = "Ada Fern", files: tuple[str, ...] = ()) -> Talk:
        """A person's message, and the whole answer to it."""
        self.hear(text, who=who, files=files)
        return self.answer()

    def tell(self, note: str) -> Talk:
        """Something that code did, and the answer to it."""
        self.messages.append({"role": "user", "content": f"[note]\n{note}"})
        return self.answer()

    def answer(self) -> Talk:
        """Ask until there are words; `calls` are those of this turn only."""
        self.calls = []
        for _ in range(4):
            answer = converse(parse_request(json.dumps(self._request()).encode()))
            if not answer.calls:
                self.said = answer.text or ""
                self.messages.append({"role": "assistant", "content": self.said})
                return self
            listed = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in answer.calls
            ]
            self.messages.append({"role": "assistant", "content": None, "tool_calls": listed})
            for call in answer.calls:
                self.calls.append((call.name, json.loads(call.arguments)))
                content = json.dumps(self.results.get(call.name, refusal("tool_failed")))
                self.messages.append({"role": "tool", "tool_call_id": call.id, "content": content})
        raise AssertionError(f"it goes round in circles: {self.calls}")

    def _request(self) -> dict[str, Any]:
        offered = [{"type": "function", "function": {"name": name}} for name in self.tools]
        return {"model": "m", "messages": self.messages, **({"tools": offered} if offered else {})}


def test_where_is_my_order() -> None:
    talk = Talk({"get_order_status": ORDER})
    assert not talk.say("Hi, where is my order?").calls
    assert "order id" in talk.said
    assert "e-mail" in talk.said
    talk.say("Order 123123, email santa@clau.se")
    assert talk.calls == [("get_order_status", {"order_id": "123123", "email": "santa@clau.se"})]
    for fact in (
        "out for delivery",
        "2024-11-08",
        "Snowy Mountain 123, Greenland",
        "Large wooden sled",
        "Reindeer harness",
    ):
        assert fact in talk.said
    assert not talk.say("Great, what did I actually order?").calls
    assert "Large wooden sled" in talk.said
    assert "Reindeer harness (x2)" in talk.said
    assert "Snowy Mountain" not in talk.said
    assert "Snowy Mountain" in talk.say("And where does it go?").said
    assert "2024-11-08" in talk.say("when will it come").said


def test_chat_only() -> None:
    talk = Talk()
    for text in ("Hi", "What can you help me with?", "that's all for now"):
        assert not talk.say(text).calls
        assert talk.said
    assert "day" in talk.said


def test_login_trouble() -> None:
    talk = Talk({"create_customer_ticket": TICKET})
    assert not talk.say("I'm having issues logging in to my account").calls
    assert "name" in talk.said
    talk.say("my name is Omar, I've tried restarting and resetting my password but I keep getting an error")
    [(name, arguments)] = talk.calls
    assert (name, arguments["name"]) == ("create_customer_ticket", "Omar")
    assert arguments["issue"].startswith("Unable to log in")
    assert "keeps getting an error" in arguments["issue"]
    assert "100001" in talk.said
    assert not talk.say("thanks that's it for now").calls
    assert not talk.say("I still can't log in").calls
    assert "100001" in talk.said


def test_receipt_then_refund() -> None:
    talk = Talk({"analyze_receipt_image": RECEIPT, "create_customer_ticket": TICKET})
    talk.say("help me make sense of the items", files=("f1",))
    assert talk.calls == [("analyze_receipt_image", {"image": "f1"})]
    for fact in ("New Yorker", "$12.99", "Tuna Salad (Classic)", "Soda Regular", "Water Bottled", "$27.24"):
        assert fact in talk.said
    assert not talk.say("I didn't actually order a soda, I think I need a refund").calls
    assert "name" in talk.said
    talk.say("yes it's Omar")
    [(name, arguments)] = talk.calls
    assert (name, arguments["name"]) == ("create_customer_ticket", "Omar")
    assert arguments["issue"].startswith("Soda Regular was not ordered")
    assert "Tuna" not in arguments["issue"]
    assert "100001" in talk.said
    assert "decided by a colleague" in talk.said


def test_a_picture_without_words_and_a_pasted_link_are_read() -> None:
    talk = Talk({"analyze_receipt_image": RECEIPT})
    assert talk.say("", files=("f1",)).calls == [("analyze_receipt_image", {"image": "f1"})]
    assert "$1.88" in talk.say("how much was the water?").said
    assert not talk.calls
    assert "$27.24" in talk.say("and the total?").said
    talk.say("this one please: https://shop.example/r.png?a=1&amp;b=2")
    assert talk.calls == [("analyze_receipt_image", {"image": "https://shop.example/r.png?a=1&b=2"})]


def test_ticket_status_is_told_after_the_form() -> None:
    required = refusal("verification_required")
    talk = Talk({"get_ticket_status": required, "verify_user": required})
    talk.say("my username is john_doe, can you help me check the status for my ticket?")
    assert talk.calls == [("verify_user", {"username": "john_doe"})]
    assert "private form" in talk.said
    assert "number" in talk.said
    assert talk.say("Yea it's: 12345").calls == [("get_ticket_status", {"ticket_id": "12345"})]
    assert "private form" in talk.said
    assert "Open" not in talk.said
    talk.results = {"get_ticket_status": STATUS}
    talk.tell("Ada Fern was verified as john_doe until 14:33 UTC. Answer what they asked.")
    assert talk.calls == [("get_ticket_status", {"ticket_id": "12345"})]
    assert "Open" in talk.said
    assert "Billing Query" in talk.said
    talk.results = {"get_ticket_status": refusal("not_found")}
    assert talk.say("and 67890?").calls == [("get_ticket_status", {"ticket_id": "67890"})]
    assert "could not find" in talk.said
    talk.results = {"get_ticket_status": refusal("verification_required")}
    talk.say("and what's the status of 12345?", who="Ben Ortega")
    assert talk.calls == [("get_ticket_status", {"ticket_id": "12345"})]
    assert "private form" in talk.said
    assert "Billing" not in talk.said


def test_who_verifies_before_the_number_is_known_is_asked_for_it() -> None:
    talk = Talk({"get_ticket_status": STATUS, "verify_user": refusal("verification_required")})
    talk.say("my username is john_doe, how is my ticket?")
    talk.tell("Ada Fern was verified as john_doe until 14:33 UTC. Answer what they asked.")
    assert talk.calls == []
    assert "number" in talk.said
    assert talk.say("it's 12345").calls == [("get_ticket_status", {"ticket_id": "12345"})]
    assert "Billing Query" in talk.said


def test_a_key_that_was_typed_arrives_as_a_handle() -> None:
    talk = Talk({"verify_user": VERIFIED, "get_ticket_status": STATUS})
    talk.say('my username is "john_doe" and my API key is: "secret:1"')
    assert talk.calls == [("verify_user", {"username": "john_doe", "api_key": "secret:1"})]
    assert "number" in talk.said
    assert talk.say("12345").calls == [("get_ticket_status", {"ticket_id": "12345"})]


def test_after_the_handle_it_goes_on_with_what_was_asked() -> None:
    talk = Talk({"get_ticket_status": refusal("verification_required")})
    talk.say("can you check ticket 12345?")
    talk.results = {"verify_user": VERIFIED, "get_ticket_status": STATUS}
    talk.say("my username is john_doe, my key is secret:1")
    assert [name for name, _ in talk.calls] == ["verify_user", "get_ticket_status"]
    assert talk.said.index("verified") < talk.said.index("Billing Query")


def test_wrong_mail_is_answered_neutrally_and_then_a_human_is_offered() -> None:
    talk = Talk({"get_order_status": refusal("not_found"), "hand_over_to_human": {"handed_over": True}})
    first = talk.say("where is order 123123? it's under elf@clau.se").said
    assert "could not find an order with this id and this e-mail" in first
    assert not talk.say("where is my order?").calls
    assert talk.say("sorry, elf2@clau.se").calls == [
        ("get_order_status", {"order_id": "123123", "email": "elf2@clau.se"})
    ]
    assert "human" in talk.said
    assert [name for name, _ in talk.say("yes please").calls] == ["hand_over_to_human"]


def test_quick_messages_are_one_question() -> None:
    talk = Talk({"get_order_status": ORDER})
    talk.hear("Order 123123")
    talk.hear("email santa@clau.se")
    assert len(talk.answer().calls) == 1
    assert "out for delivery" in talk.said


def test_two_questions_in_one_message_are_two_calls_and_one_answer() -> None:
    talk = Talk({"get_order_status": ORDER, "get_ticket_status": refusal("verification_required")})
    talk.say("Where is order 123123 (santa@clau.se)? And what is the status of ticket 12345?")
    assert {name for name, _ in talk.calls} == {"get_order_status", "get_ticket_status"}
    assert "out for delivery" in talk.said
    assert "private form" in talk.said


def test_slots_and_results_of_one_speaker_are_not_another_s() -> None:
    talk = Talk({"get_order_status": ORDER})
    talk.say("Order 123123", who="Ada Fern")
    assert not talk.say("my email is santa@clau.se", who="Ben Ortega").calls
    assert len(talk.say("santa@clau.se", who="Ada Fern").calls) == 1
    assert not talk.say("what did I order?", who="Ben Ortega").calls
    assert "sled" not in talk.said


@pytest.mark.parametrize("code", ("timed_out", "tool_failed", "anything_else"))
def test_a_failing_tool_is_admitted_and_not_called_again_unasked(code: str) -> None:
    talk = Talk({"get_order_status": refusal(code, "The tool failed. Do not call it again now; offer a ticket.")})
    assert len(talk.say("order 123123 santa@clau.se").calls) == 1
    assert "ticket" in talk.said
    assert "The tool" not in talk.said
    assert not talk.say("where is my order?").calls
    talk.results = {"get_order_status": ORDER}
    assert len(talk.say("try again").calls) == 1
    assert "out for delivery" in talk.said


def test_the_ticket_that_was_offered_after_a_fault_is_opened_on_yes() -> None:
    talk = Talk({"get_order_status": refusal("timed_out"), "create_customer_ticket": TICKET})
    talk.say("order 123123 santa@clau.se")
    talk.say("yes please")
    [(_, arguments)] = talk.say("Omar").calls
    assert arguments["name"] == "Omar"
    assert "123123" in arguments["issue"]


def test_a_refused_picture_is_explained_with_the_tool_s_own_sentence() -> None:
    message = "The file is a PDF, which cannot be read here. Ask the customer to send the receipt as a PNG picture."
    talk = Talk({"analyze_receipt_image": refusal("pdf_not_supported", message)})
    said = talk.say("here it is", files=("f1",)).said
    assert "The file is a PDF" in said
    assert "Please send the receipt as a PNG picture" in said
    assert "Ask the customer" not in said


def test_an_unknown_outcome_is_not_repeated() -> None:
    talk = Talk({"create_customer_ticket": refusal("outcome_unknown")})
    assert len(talk.say("my sled arrived broken, my name is Bo").calls) == 1
    assert "cannot tell" in talk.said
    assert not talk.say("hm?").calls
