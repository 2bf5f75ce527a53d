"""The stand-in's side of a conversation: fold what happened into memories, then answer whoever spoke last."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from bot.standin.completions import Answer, Call
from bot.standin.goals import Act, Ask, Move, Tell, next_move
from bot.standin.handbook import Handbook
from bot.standin.hearing import hear
from bot.standin.memory import Aim, Goal, Memory
from bot.standin.ocr import CannotRead, Eye
from bot.standin.phrases import say
from bot.standin.protocol import ChatRequest, ImagePart, UserMessage
from bot.standin.receipt import NotAReceipt, read_receipt
from bot.standin.rendering import harmless, render_receipt
from bot.standin.slots import find_slots
from bot.standin.smalltalk import chat
from bot.standin.transcript import (
    Answered,
    Happening,
    Interposed,
    Noted,
    Returned,
    Said,
    Use,
    system_text,
    to_happenings,
)
from bot.standin.vocabulary import Intent

_VERIFIED = re.compile(r"^(?P<who>.+?) (?:was|is) verified as (?P<username>\S+)")
_EDITED = re.compile(r"^(?P<who>.+?) changed an earlier message\. It reads: (?P<text>.*)", re.DOTALL)
_CALLS_AT_ONCE = 6


class Responder:
    """Answers requests: pictures with what it sees, conversations with words and calls.

    Args:
        eye: reads pictures.
    """

    def __init__(self, eye: Eye) -> None:
        self._eye = eye

    async def answer(self, request: ChatRequest) -> Answer:
        """What to say.

        Raises:
            BadRequest: the request has a picture that cannot be opened.
        """
        picture = _last_picture(request)
        structured = request.response_format is not None and request.response_format.type != "text"
        if not structured and picture is None:
            return converse(request)
        if picture is None:
            return Answer(refusal="I can only fill in a receipt, and there is no picture of one in this request.")
        if structured and not _wants_receipt(request):
            return Answer(
                refusal="The only structured answer that I can give is a receipt: date, items, currency, total."
            )
        try:
            receipt = asdict(read_receipt(await self._eye.read(picture)))
        except (NotAReceipt, CannotRead) as refusal:
            return Answer(refusal=str(refusal)) if structured else Answer(text=str(refusal))
        return Answer(text=json.dumps(receipt, ensure_ascii=False) if structured else render_receipt(receipt, "en"))


def converse(request: ChatRequest) -> Answer:
    """The answer to a conversation, from the request alone."""
    offered = frozenset(tool.function.name for tool in request.tools or ())
    talk = _Talk(handbook=Handbook(system_text(request.messages)), offered=offered)
    for happening in to_happenings(request.messages):
        talk.take(happening)
    return talk.answer(may_call=bool(request.callable_tools))


@dataclass(slots=True)
class _Talk:
    """All speakers of a thread, and who is answered: the one who spoke last."""

    handbook: Handbook
    offered: frozenset[str]
    memories: dict[str, Memory] = field(default_factory=dict)
    current: Memory = field(default_factory=lambda: Memory(speaker=""))

    def take(self, happening: Happening) -> None:
        match happening:
            case Said(speaker=speaker):
                self.current = self.memories.setdefault(speaker, Memory(speaker=speaker))
                hear(self.current, happening, self.handbook)
            case Noted(text=text):
                self._note(text)
            case Interposed():
                # A colleague took care: what was pending rests until the person speaks of it again.
                for memory in self.memories.values():
                    memory.sleep()
            case Returned():
                self.current.learn(happening)
            case Answered():
                settle(self.current, self.offered)

    def answer(self, *, may_call: bool) -> Answer:
        memory = self.current
        # A proof of identity is told before what it opens.
        awake = sorted(memory.awake(), key=lambda goal: goal.aim is not Aim.VERIFY)
        moves = [next_move(goal, memory, self.offered) for goal in awake]
        uses = tuple(use for move in moves if isinstance(move, Act) for use in move.uses)[:_CALLS_AT_ONCE]
        if uses and may_call:
            return Answer(calls=tuple(_to_call(use) for use in uses), finish_reason="tool_calls")
        return Answer(text=_to_words(memory, moves))

    def _note(self, text: str) -> None:
        if verified := _VERIFIED.match(text):
            self.current = self._named(verified["who"])
            self.current.prove(verified["username"].rstrip("."))
            self.current.moods.add(Intent.VERIFY)
        elif edited := _EDITED.match(text):
            memory = self._named(edited["who"])
            memory.fill(find_slots(edited["text"]))
            memory.said.append(edited["text"])

    def _named(self, who: str) -> Memory:
        """The speaker whom a note names; a display name may have been cut in the header."""
        found = self.memories.get(who) or next(
            (memory for name, memory in self.memories.items() if name and who.startswith(name)), None
        )
        return found or self.memories.setdefault(who, Memory(speaker=who))


def settle(memory: Memory, offered: frozenset[str]) -> None:
    """An answer was given: what was told is done, what was asked for waits."""
    offer: Goal | None = memory.offer if memory.hit is not None else None
    if memory.hit is None and not memory.awake():
        offer = chat(memory).offer
    kept = []
    for goal in memory.goals:
        move = next_move(goal, memory, offered) if goal.awake else None
        if isinstance(move, Tell):
            offer = move.offer or offer
            if not move.waits_for_proof and not move.rests:
                continue
            goal.waits_for_proof, goal.awake = move.waits_for_proof, False
        elif isinstance(move, Ask):
            goal.complaint.asked = True
        elif isinstance(move, Act):
            goal.awake = False  # somebody answered in words without calling: it is not ours to call later, unasked
        kept.append(goal)
    memory.goals = kept
    memory.offer = offer
    memory.moods.clear()
    memory.texts.clear()
    memory.hit = None


def _to_words(memory: Memory, moves: Sequence[Move]) -> str:
    language = memory.language
    told = [move.text for move in moves if isinstance(move, Tell)]
    asked = [move.text for move in moves if isinstance(move, Ask)]
    if any(isinstance(move, Act) for move in moves):
        told.append(say(language, "no_tool"))
    proved = say(language, "verified", username=harmless(memory.verified_as)) if Intent.VERIFY in memory.moods else ""
    if memory.hit is not None:
        told.insert(0, say(language, "from_handbook", answer=memory.hit.answer))
        if memory.offer is not None:
            told.append(say(language, "shall_i_ticket"))
    if told or asked:
        small = chat(memory).text if not told and memory.moods & {Intent.HELP, Intent.SMALLTALK, Intent.RECALL} else ""
        hello = say(language, "hello") if Intent.GREETING in memory.moods and len(memory.said) <= 1 else ""
        lost = say(language, "lost_asking") if not told and memory.is_puzzled else ""
        return proved + hello + lost + "\n\n".join([part for part in (small, *told, *asked) if part])
    return proved + chat(memory).text


def _to_call(use: Use) -> Call:
    arguments = json.dumps(use.given, ensure_ascii=False)
    return Call(id=f"call_{uuid.uuid4().hex[:24]}", name=use.name, arguments=arguments)


def _last_picture(request: ChatRequest) -> str | None:
    """The newest picture of the last message, when that is a person's."""
    last = request.messages[-1]
    if not isinstance(last, UserMessage) or isinstance(last.content, str):
        return None
    return next((part.image_url.url for part in reversed(last.content) if isinstance(part, ImagePart)), None)


def _wants_receipt(request: ChatRequest) -> bool:
    if request.response_format is None or request.response_format.json_schema is None:
        return True  # `json_object`: any object will do
    schema = request.response_format.json_schema
    return schema.name.lower() == "receipt" or {"items", "total_in_cents"} <= set(schema.shape.get("properties", {}))
