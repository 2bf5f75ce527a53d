"""What is said where nothing is looked up and nothing is done: small talk, and what was not understood. Pure."""

from __future__ import annotations

from bot.standin.complaints import Complaint, count_telling
from bot.standin.goals import Tell
from bot.standin.memory import Aim, Goal, Memory
from bot.standin.phrases import say
from bot.standin.rendering import harmless
from bot.standin.vocabulary import Intent

_SAYS_SOMETHING = 2
"""From so many telling words on a message is more than noise."""
_SENTENCES = (
    (Intent.VERIFY, "verified_what"),
    (Intent.HELP, "help"),
    (Intent.SMALLTALK, "smalltalk"),
    (Intent.BYE, "bye"),
    (Intent.CANCEL, "all_right"),
    (Intent.THANKS, "welcome"),
    (Intent.NO, "all_right"),
    (Intent.GREETING, "greeting"),
    (Intent.YES, "all_right"),
)


def chat(memory: Memory) -> Tell:
    """What to say, and what a "yes" to it begins."""
    language, moods = memory.language, memory.moods
    if memory.is_foreign and Intent.VERIFY not in moods:
        return Tell(text=say(language, "foreign"))
    if Intent.RECALL in moods:
        return _recalled(memory)
    if Intent.OPENED in moods:
        return _opened(memory)
    if Intent.ANGER in moods:
        return _offers_human(memory, "angry")
    if Intent.LACKING in moods and any(goal.waits_for_proof for goal in memory.goals):
        return _offers_human(memory, "no_key")
    key = next((key for mood, key in _SENTENCES if mood in moods), "")
    return Tell(text=say(language, key)) if key else _puzzled(memory)


def _recalled(memory: Memory) -> Tell:
    earlier = memory.said[:-1]
    if not earlier:
        return Tell(text=say(memory.language, "recall_nothing"))
    return Tell(text=say(memory.language, "recall", text=harmless(earlier[-1])))


def _opened(memory: Memory) -> Tell:
    number = _last_ticket(memory)
    if number:
        return Tell(text=say(memory.language, "tickets_opened", number=harmless(number)))
    text = f"{say(memory.language, 'no_ticket_opened')} {say(memory.language, 'shall_i_ticket')}"
    return Tell(text=text, offer=Goal(aim=Aim.COMPLAINT, complaint=Complaint(about={Intent.OPEN_TICKET})))


def _offers_human(memory: Memory, key: str) -> Tell:
    text = f"{say(memory.language, key)} {say(memory.language, 'shall_i_human')}"
    return Tell(text=text, offer=Goal(aim=Aim.HUMAN, words=" ".join(memory.said[-1:]), anew=True))


def _puzzled(memory: Memory) -> Tell:
    language = memory.language
    if memory.loose_number:
        return Tell(text=say(language, "which_number", number=harmless(memory.loose_number)))
    if any(goal.waits_for_proof for goal in memory.goals):
        return Tell(text=say(language, "form_waits"))
    if not memory.said:
        return Tell(text=say(language, "greeting"))
    number = _last_ticket(memory)
    if memory.topic is Aim.COMPLAINT and number and count_telling(" ".join(memory.texts)) >= _SAYS_SOMETHING:
        return Tell(text=say(language, "colleague_answers", number=harmless(number)))
    return Tell(text=say(language, "lost"))


def _last_ticket(memory: Memory) -> str:
    return memory.tickets[-1][0] if memory.tickets else ""
