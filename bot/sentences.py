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
HUMAN_CALLED = "I have called a human colleague, who will answer here. I stay silent until then."
HUMAN_CALLED_ALREADY = "A human colleague has been called already and will answer here."
STILL_WAITING = (
    "Nobody has been free to answer you yet. I have reminded my colleagues; your messages are kept, and they will "
    "answer here."
)
PAUSED = "Frontdesk is paused at the moment. Your message is kept and will be answered when it goes on."
CASE_CLOSED = (
    "This case is closed. Were you happy with how it was solved? A thumb up or down under this message is enough. If "
    "something is left, just write here."
)
PAUSED_HERE = "This conversation is paused for a moment. What you write is kept, and answered when it goes on."
BACK = "Frontdesk answers here again."
BLOCKED = "Your messages are not answered here at the moment. Please reach us in another way if that seems wrong."
