"""The fixed sentences in German; `bot.sentences` has them in English, and says which may be missing here."""

from __future__ import annotations

from collections.abc import Mapping

from bot import sentences as english

_ASK_FOR_TICKET = (
    "Wenn es eilt, schicken Sie eine Nachricht, die mit dem Wort „Ticket“ beginnt und sagt, was nicht stimmt: Ich lege "
    "damit ein Ticket an, und jemand aus dem Team kümmert sich darum."
)

GERMAN: Mapping[str, str] = {
    english.APOLOGY: (
        "Es tut mir leid, bei uns funktioniert gerade etwas nicht, und ich konnte nicht antworten. Ihre Nachricht ist "
        "gespeichert. Bitte versuchen Sie es in einer Weile noch einmal."
    ),
    english.STATE_LOST: (
        "Es tut mir leid, durch einen Fehler bei uns habe ich dieses Gespräch verloren und kann Ihre letzte Nachricht "
        "nicht beantworten. Bitte schreiben Sie sie noch einmal."
    ),
    english.STEP_LIMIT: (
        "Es tut mir leid, das konnte ich nicht zu Ende bringen: Es brauchte mehr Schritte, als ich machen darf. Können "
        "Sie nach einem Teil davon fragen, oder soll ich ein Ticket für das Team anlegen?"
    ),
    english.TIME_LIMIT: (
        "Es tut mir leid, das dauert länger, als ich darf. Bitte fragen Sie noch einmal, oder sagen Sie mir, dass ich "
        "ein Ticket für das Team anlegen soll."
    ),
    english.WITHHELD: (
        "Es tut mir leid, darauf kann ich nicht antworten. Gern helfe ich bei etwas anderem, oder ich lege ein Ticket "
        "für das Team an."
    ),
    english.CUT_SHORT: "(Diese Antwort wurde gekürzt. Sagen Sie mir, dass ich weitermachen soll.)",
    english.STOPPED: "(Angehalten.)",
    english.CHANGE_YOUR_KEY: (
        "Ein Hinweis zur Sicherheit: Ihre Nachricht enthielt etwas, das wie ein Schlüssel oder Passwort aussieht, und "
        "andere lesen hier mit. Ich habe es entfernt, bevor es gespeichert wurde. Bitte ändern Sie es."
    ),
    english.MODEL_AWAY: (
        "Es tut mir leid, ich kann gerade nicht antworten: Ein Dienst, den ich brauche, funktioniert nicht. Ihre "
        f"Nachricht ist gespeichert. {_ASK_FOR_TICKET}"
    ),
    english.LIMIT_REACHED: (
        "Es tut mir leid, ich habe hier für heute so viel getan, wie ich darf, und antworte erst morgen wieder. Was "
        f"Sie schreiben, bleibt gespeichert. {_ASK_FOR_TICKET}"
    ),
    english.TURN_LIMIT: (
        "Es tut mir leid, diese Frage braucht mehr, als ich für eine ausgeben darf. Können Sie nach einem Teil davon "
        f"fragen? {_ASK_FOR_TICKET}"
    ),
    english.TICKET_OPENED: "Ich habe Ticket {number} für Sie angelegt. Jemand aus dem Team kümmert sich darum.",
    english.NO_TICKET: (
        "Was soll im Ticket stehen? Schicken Sie eine Nachricht, die mit dem Wort „Ticket“ beginnt, und danach, was "
        "nicht stimmt."
    ),
    english.TICKET_LIMIT: (
        "Es tut mir leid, Sie haben heute so viele Tickets angelegt, wie eine Person kann. Jemand aus dem Team wird "
        "sie sich ansehen."
    ),
    english.TOO_MANY_MESSAGES: (
        "Sie haben in einer Stunde mehr Nachrichten geschickt, als ich von einer Person annehmen kann. Ich lese "
        "weiter, wenn die Stunde um ist."
    ),
    english.THREAD_FULL: (
        "Hier warten viele Nachrichten. Bitte geben Sie mir einen Moment, bevor Sie weitere schicken."
    ),
    english.BUSY: "Es ist gerade sehr viel los. Bitte schicken Sie Ihre Nachricht in einer Minute noch einmal.",
    english.HUMAN_CALLED: (
        "Ich habe einen Menschen aus dem Team gerufen, der hier antworten wird. Bis dahin bin ich still."
    ),
    english.STILL_WAITING: (
        "Es hatte noch niemand Zeit, Ihnen zu antworten. Ich habe das Team erinnert; Ihre Nachrichten sind "
        "gespeichert, und die Antwort kommt hier."
    ),
    english.STILL_WAITING_UNTIL: (
        "Es hatte noch niemand Zeit, Ihnen zu antworten. Ich habe das Team erinnert; Ihre Nachrichten sind "
        "gespeichert, und die Antwort kommt hier. Unsere Zeiten: {hours}"
    ),
    english.TAKEN_BY: "{name}, ein Mensch aus dem Team, kümmert sich um dieses Gespräch.",
    english.PAUSED: (
        "Frontdesk macht gerade eine Pause. Ihre Nachricht ist gespeichert und wird beantwortet, wenn es weitergeht."
    ),
    english.PAUSED_HERE: (
        "Dieses Gespräch macht einen Moment Pause. Was Sie schreiben, bleibt gespeichert und wird beantwortet, wenn es "
        "weitergeht."
    ),
    english.BACK: "Frontdesk antwortet hier wieder.",
    english.TICKET_CLOSED: "Ticket {number} ist geschlossen.",
    english.TICKET_REOPENED: "Ticket {number} ist wieder offen.",
    english.CASE_CLOSED: (
        "Dieser Fall ist abgeschlossen. Waren Sie zufrieden, wie er gelöst wurde? Ein Daumen nach oben oder unten "
        "unter dieser Nachricht genügt. Wenn noch etwas offen ist, schreiben Sie einfach hier."
    ),
    english.BLOCKED: (
        "Ihre Nachrichten werden hier zurzeit nicht beantwortet. Bitte erreichen Sie uns auf einem anderen Weg, wenn "
        "das falsch scheint."
    ),
}
