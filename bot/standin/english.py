"""The stand-in's sentences in English; `bot.standin.german` has the same keys."""

from __future__ import annotations

ENGLISH: dict[str, str] = {
    # chat
    "greeting": "Hello! How can I help you today?",
    "hello": "Hello! ",
    "help": (
        "I can help you with:\n\n"
        "- **an order**: where it is, what is in it (I need the order id and its e-mail address)\n"
        "- **a receipt**: attach a picture and I explain it\n"
        "- **a problem or a complaint**: I open a ticket for you\n"
        "- **a ticket**: how it stands (after a short check of who you are)\n"
        "- **our shop**: delivery, returns, payment …\n- **a human**: just say so"
    ),
    "smalltalk": (
        "I am the assistant of this support desk: a program, not a person, and doing fine. What can I do for you?"
    ),
    "welcome": "You're welcome! Is there anything else?",
    "bye": "You're welcome. Have a lovely day, and come back whenever you need us!",
    "all_right": "All right. Is there anything else I can do?",
    "recall": "You wrote: “{text}”",
    "recall_nothing": "I have no earlier message of yours in this conversation.",
    "lost": (
        "Sorry, I did not understand that. You can ask me, for example, “Where is my order?”, “I cannot log in”, "
        "“What is the status of my ticket?”, or attach a picture of a receipt."
    ),
    "angry": "I'm sorry that this is such a nuisance. I do what I can.",
    "lost_asking": "Sorry, I did not get that. ",
    "foreign": "I understand English and German only. Could you write in one of them?",
    "which_number": "Is {number} the number of an **order** or of a **ticket**?",
    "from_handbook": "{answer}",
    "shall_i_ticket": "Shall I open a ticket for you?",
    "no_tool": "I cannot do that at the moment. Please try again a little later.",
    # orders
    "ask_order_both": (
        "I'll gladly look that up. Please tell me the **order id** and the **e-mail address** of the order."
    ),
    "ask_order_id": "Thank you. What is the **order id**?",
    "ask_order_id_again": "I need the **order id** for that; it stands in the confirmation e-mail. What is it?",
    "no_order_id": (
        "The **order id** stands in the confirmation e-mail, and without it I cannot look the order up. Send it when "
        "you find it."
    ),
    "ask_order_email": "Thank you. Which **e-mail address** was order {order} placed with?",
    "order_status": "Your order {order} is **{status}**.",
    "order_eta": "It should arrive around **{eta}**.",
    "order_no_eta": "There is no arrival date for it yet.",
    "order_address": "It goes to {address}.",
    "order_no_address": "I see no address for this order.",
    "order_items": "Order {order} contains:\n\n{items}",
    "order_no_items": "I see no items for this order.",
    "order_not_found": (
        "I could not find an order with this id and this e-mail address. Please check both; if one is different, "
        "just send it."
    ),
    # complaints and tickets
    "ask_name_issue": (
        "I'm sorry to hear that. I'll open a ticket for you: what is your **name**, and **what happens** exactly "
        "(what have you tried, which message do you see)?"
    ),
    "ask_issue": "Thank you{name}. What exactly is the problem? A sentence or two is enough.",
    "ask_name": "I can open a ticket about this, so that a colleague looks at it. Which **name** shall I put on it?",
    "ask_name_known": (
        "I can open a ticket about this, so that a colleague looks at it. Which **name** shall I put on it? Say "
        "“yes” and I take {name}, as it is shown here."
    ),
    "ask_disputed": (
        "I'm sorry about that. Which item or charge is it about? You can also attach a picture of the receipt."
    ),
    "ticket_opened": (
        "Thank you, {name}. I've opened ticket **{number}** for you: “{issue}”. A colleague will look at it and come "
        "back to you."
    ),
    "ticket_opened_no_number": (
        "Thank you, {name}. I've opened a ticket for you: “{issue}”. A colleague will come back to you."
    ),
    "refund_decided": "Whether something is paid back is decided by a colleague; I cannot do that myself.",
    "ticket_exists": (
        "Ticket **{number}** about this is open already, and a colleague will come back to you. If this is something "
        "else, shall I open another one?"
    ),
    "tickets_opened": "I've opened ticket **{number}** for you here, and a colleague will come back to you.",
    "no_ticket_opened": "I have not opened a ticket for you in this conversation.",
    "too_many_tickets": "I have opened as many tickets for you today as I may.",
    "colleague_answers": (
        "I cannot do more about that myself. Ticket **{number}** leads to this conversation, so the colleague who "
        "takes it reads this, too."
    ),
    "ask_ticket_number": "What is the **number** of the ticket?",
    "ticket_needs_check": "Before I can tell how it stands, I have to check who you are, by a private form.",
    "verification_required": (
        "To protect your data I have put a **private form** before you: please enter your username and key there, "
        "not here in the conversation. As soon as that is done, I go on with your question."
    ),
    "form_waits": (
        "The **private form** is still waiting for you: please enter your username and key there, and I go on with "
        "your question."
    ),
    "no_key": "Without that check I may not tell how a ticket stands.",
    "ticket_status": "Ticket {number} is **{status}**.",
    "ticket_issue": "It is about: {issue}.",
    "ticket_not_found": "I could not find a ticket with the number {number} for you. Please check the number.",
    # verification
    "verified": "Thank you, you are verified as {username}. ",
    "verified_what": "What would you like to know? For the status of a ticket, tell me its number.",
    "ask_username": "What is your **username**?",
    "key_not_here": (
        "Please don't type your key into the conversation. Tell me the number of your ticket, and a private form is "
        "put before you."
    ),
    "verify_failed": (
        "I could not verify you with that username and key. Please check both and try again, best in the private form."
    ),
    # receipts
    "ask_receipt": (
        "Please attach a **picture of the receipt** (PNG, JPEG or WebP), or paste an https link to one, and I go "
        "through it with you."
    ),
    "receipt_read": "This is what I read on your receipt{date}:",
    "receipt_date": " of {date}",
    "receipt_head": "| Item | Quantity | Price each | Sum |",
    "receipt_total": "**Total: {total}**",
    "receipt_agrees": "The items add up to the total.",
    "receipt_disagrees": (
        "Careful: the items add up to {sum}, which is not the total, so something may be missing or misread."
    ),
    "receipt_next": "If something on it is not right, tell me which item.",
    "receipt_item": "{name}: {quantity} × {price} = {sum}.",
    "receipt_when": "The receipt is dated {date}.",
    "receipt_no_date": "I could not read a date on the receipt.",
    "receipt_failed": "I could not read that picture as a receipt.",
    "receipt_retry": "You can send another picture, sharper and from straight above, or I open a ticket for you.",
    # humans and faults
    "handed_over": "I've passed this conversation on to a colleague, who will answer you right here.",
    "hand_over_failed": "I'm sorry, I could not reach a colleague at the moment.",
    "failed": "I'm sorry, that did not work just now.",
    "try_again": "Say “try again” and I will. Or shall I open a ticket for you?",
    "unknown_outcome": "I'm sorry, I cannot tell whether that went through, so I don't repeat it.",
    "slow_down": "There were several tries that did not fit, so there is a pause before the next one.",
    "shall_i_human": "Shall I pass you on to a human colleague?",
    "cannot_call": "I'm sorry, I have no means to do that here.",
    # what goes into a ticket
    "issue_login": "Unable to log in",
    "issue_payment": "Payment problem",
    "issue_damaged": "Item damaged or defective",
    "issue_wrong": "Wrong or missing item",
    "issue_change": "Change, cancellation or return requested",
    "issue_not_ordered": "{items} {were} not ordered",
    "issue_charge": "Disputed charge",
    "issue_receipt": "receipt {date}total {total}",
    "issue_refund": "a refund is asked for",
    "issue_failed": "The assistant could not help: {what}",
    "reason_human": "The customer asked for a human",
}
