"""The fixed sentences that customers read. Nothing of an exception ever stands in one."""

APOLOGY = (
    "I'm sorry, something on our side is not working at the moment and I could not answer. Your message is kept. "
    "Please try again in a little while."
)
STEP_LIMIT = (
    "I'm sorry, I could not finish this: it took more steps than I am allowed. Could you ask for one part of it, or "
    "shall I open a ticket for a colleague?"
)
TIME_LIMIT = (
    "I'm sorry, this takes longer than I am allowed. Please ask again, or tell me to open a ticket for a colleague."
)
WITHHELD = "I'm sorry, I can't answer that. I'm happy to help with something else, or to open a ticket for a colleague."
CUT_SHORT = "(This answer was cut short. Ask me to go on.)"
STOPPED = "(Stopped.)"
CHANGE_YOUR_KEY = (
    "A note on safety: your message contained something that looks like a key or password, and others can read along "
    "here. I removed it before it was stored. Please change it."
)
THREAD_FULL = "There are many messages waiting here. Please give me a moment before you send more."
BUSY = "We are very busy at the moment. Please send your message again in a minute."
STAFF_ONLY = "Only people who work here can do this."
FORM_NOT_YOURS = "This form was offered to somebody else, or its time is over. Ask me again, and you get your own."
FORM_MISMATCH = "These details do not match. Please check them and try again."
FORM_TOO_OFTEN = "There were too many attempts. Please try again in an hour, or ask for a human colleague."
