"""The fixed sentences that customers read, in English; `bot.german` has them in German. Nothing of an exception ever
stands in one. What belongs to forms, buttons and orders is in English alone.
"""

APOLOGY = (
    "I'm sorry, something on our side is not working at the moment and I could not answer. Your message is kept. "
    "Please try again in a little while."
)
STATE_LOST = (
    "I'm sorry, because of a fault on our side I have lost this conversation and cannot answer your last message. "
    "Please write it again."
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
ASK_FOR_TICKET = (
    'If it is urgent, send a message that begins with the word "ticket" and says what is wrong: I open a ticket with '
    "it, and a colleague takes care of it."
)
MODEL_AWAY = (
    "I'm sorry, I cannot answer at the moment: a service that I need is not working. Your message is kept. "
    f"{ASK_FOR_TICKET}"
)
LIMIT_REACHED = (
    "I'm sorry, I have done as much here as I am allowed for now, so I do not answer until tomorrow. What you write is "
    f"kept. {ASK_FOR_TICKET}"
)
TURN_LIMIT = (
    "I'm sorry, this question takes more than I am allowed to spend on one. Could you ask for one part of it? "
    f"{ASK_FOR_TICKET}"
)
TICKET_OPENED = "I have opened ticket {number} for you. A colleague takes care of it."
NO_TICKET = 'What shall the ticket say? Send one message that begins with the word "ticket", and then what is wrong.'
TICKET_LIMIT = "I'm sorry, you have opened as many tickets today as one person can. A colleague will look at them."
TOO_MANY_MESSAGES = (
    "You have sent more messages within an hour than I can take from one person. I read on when the hour is over."
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
STILL_WAITING_UNTIL = f"{STILL_WAITING} Our hours: {{hours}}"
TAKEN_BY = "{name}, a human colleague, takes care of this conversation."
PAUSED = "Frontdesk is paused at the moment. Your message is kept and will be answered when it goes on."
TICKET_CLOSED = "Ticket {number} is closed."
TICKET_REOPENED = "Ticket {number} is open again."
CASE_CLOSED = (
    "This case is closed. Were you happy with how it was solved? A thumb up or down under this message is enough. If "
    "something is left, just write here."
)
PAUSED_HERE = "This conversation is paused for a moment. What you write is kept, and answered when it goes on."
BACK = "Frontdesk answers here again."
BLOCKED = "Your messages are not answered here at the moment. Please reach us in another way if that seems wrong."
