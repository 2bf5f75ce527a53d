"""The stand-in's sentences in German; `bot.standin.english` has the same keys."""

from __future__ import annotations

GERMAN: dict[str, str] = {
    # chat
    "greeting": "Hallo! Wie kann ich helfen?",
    "hello": "Hallo! ",
    "help": (
        "Ich helfe gern bei:\n\n"
        "- **einer Bestellung**: wo sie ist und was darin ist (mit Bestellnummer und E-Mail-Adresse)\n"
        "- **einem Beleg**: Bild anhängen, ich erkläre ihn\n- **einem Problem**: ich lege ein Ticket an\n"
        "- **einem Ticket**: wie es steht (nach einer kurzen Prüfung, wer Sie sind)\n"
        "- **Fragen zum Laden**: Lieferung, Rückgabe, Zahlung …\n- **einem Menschen**: einfach sagen"
    ),
    "smalltalk": (
        "Ich bin der Assistent dieses Kundendienstes: ein Programm, kein Mensch, und es geht mir gut. Was kann ich tun?"
    ),
    "welcome": "Gern geschehen! Gibt es noch etwas?",
    "bye": "Gern geschehen. Einen schönen Tag noch, und bis zum nächsten Mal!",
    "all_right": "In Ordnung. Kann ich sonst noch etwas tun?",
    "recall": "Sie schrieben: „{text}“",
    "recall_nothing": "Ich habe in diesem Gespräch keine frühere Nachricht von Ihnen.",
    "lost": (
        "Das habe ich leider nicht verstanden. Fragen Sie zum Beispiel: „Wo ist meine Bestellung?“, „Ich kann mich "
        "nicht anmelden“, „Wie steht mein Ticket?“, oder hängen Sie das Bild eines Belegs an."
    ),
    "angry": "Es tut mir leid, dass das so ärgerlich ist. Ich tue, was ich kann.",
    "lost_asking": "Das habe ich nicht verstanden. ",
    "foreign": (
        "I understand English and German only. Ich verstehe nur Englisch und Deutsch: Bitte schreiben Sie in einer "
        "der beiden."
    ),
    "which_number": "Ist {number} die Nummer einer **Bestellung** oder eines **Tickets**?",
    "from_handbook": "Dazu sagt unser Handbuch (auf Englisch):\n\n{answer}",
    "shall_i_ticket": "Soll ich ein Ticket für Sie anlegen?",
    "no_tool": "Das kann ich im Augenblick nicht. Bitte versuchen Sie es etwas später noch einmal.",
    # orders
    "ask_order_both": (
        "Das sehe ich gern nach. Bitte nennen Sie mir die **Bestellnummer** und die **E-Mail-Adresse** der Bestellung."
    ),
    "ask_order_id": "Danke. Wie lautet die **Bestellnummer**?",
    "ask_order_id_again": "Dafür brauche ich die **Bestellnummer**; sie steht in der Bestätigungsmail. Wie lautet sie?",
    "no_order_id": (
        "Die **Bestellnummer** steht in der Bestätigungsmail, und ohne sie kann ich nicht nachsehen. Schicken Sie sie "
        "einfach, wenn Sie sie finden."
    ),
    "ask_order_email": "Danke. Mit welcher **E-Mail-Adresse** wurde die Bestellung {order} aufgegeben?",
    "order_status": "Ihre Bestellung {order}: **{status}**.",
    "order_eta": "Sie sollte um den **{eta}** ankommen.",
    "order_no_eta": "Es gibt noch keinen Liefertermin dafür.",
    "order_address": "Sie geht an: {address}.",
    "order_no_address": "Zu dieser Bestellung sehe ich keine Adresse.",
    "order_items": "Die Bestellung {order} enthält:\n\n{items}",
    "order_no_items": "Zu dieser Bestellung sehe ich keine Artikel.",
    "order_not_found": (
        "Ich habe keine Bestellung mit dieser Nummer und dieser E-Mail-Adresse gefunden. Bitte prüfen Sie beides; "
        "stimmt etwas nicht, schicken Sie es einfach noch einmal."
    ),
    # complaints and tickets
    "ask_name_issue": (
        "Das tut mir leid. Ich lege ein Ticket an: Wie ist Ihr **Name**, und **was passiert** genau (was haben Sie "
        "versucht, welche Meldung sehen Sie)?"
    ),
    "ask_issue": "Danke{name}. Was genau ist das Problem? Ein, zwei Sätze genügen.",
    "ask_name": (
        "Ich kann dazu ein Ticket anlegen, damit eine Kollegin oder ein Kollege es ansieht. Auf welchen **Namen**?"
    ),
    "ask_name_known": (
        "Ich kann dazu ein Ticket anlegen, damit eine Kollegin oder ein Kollege es ansieht. Auf welchen **Namen**? "
        "Sagen Sie „ja“, nehme ich {name}, wie es hier steht."
    ),
    "ask_disputed": "Das tut mir leid. Um welchen Posten geht es? Sie können auch ein Bild des Belegs anhängen.",
    "ticket_opened": (
        "Danke, {name}. Ich habe Ticket **{number}** für Sie angelegt: „{issue}“. Eine Kollegin oder ein Kollege "
        "sieht es sich an und meldet sich."
    ),
    "ticket_opened_no_number": "Danke, {name}. Ich habe ein Ticket für Sie angelegt: „{issue}“. Wir melden uns.",
    "refund_decided": "Ob etwas erstattet wird, entscheidet ein Mensch; ich selbst kann das nicht.",
    "ticket_exists": (
        "Dazu gibt es schon das Ticket **{number}**; wir melden uns. Soll ich, falls es etwas anderes ist, ein "
        "weiteres anlegen?"
    ),
    "tickets_opened": "In diesem Gespräch habe ich Ticket **{number}** für Sie angelegt; wir melden uns.",
    "no_ticket_opened": "In diesem Gespräch habe ich noch kein Ticket für Sie angelegt.",
    "too_many_tickets": "Mehr Tickets darf ich heute nicht für Sie anlegen.",
    "colleague_answers": (
        "Mehr kann ich selbst dazu nicht tun. Ticket **{number}** führt zu diesem Gespräch, und wer es übernimmt, "
        "liest auch das."
    ),
    "ask_ticket_number": "Wie lautet die **Nummer** des Tickets?",
    "ticket_needs_check": (
        "Bevor ich sagen kann, wie es steht, muss ich in einem privaten Formular prüfen, wer Sie sind."
    ),
    "verification_required": (
        "Zum Schutz Ihrer Daten habe ich Ihnen ein **privates Formular** vorgelegt: Bitte geben Sie Benutzername und "
        "Schlüssel dort ein, nicht hier im Gespräch. Danach beantworte ich Ihre Frage."
    ),
    "form_waits": (
        "Das **private Formular** wartet noch: Bitte geben Sie dort Benutzername und Schlüssel ein, dann mache ich "
        "weiter."
    ),
    "no_key": "Ohne diese Prüfung darf ich nicht sagen, wie ein Ticket steht.",
    "ticket_status": "Ticket {number} hat den Status **{status}**.",
    "ticket_issue": "Darum geht es: {issue}.",
    "ticket_not_found": "Ich habe kein Ticket mit der Nummer {number} für Sie gefunden. Bitte prüfen Sie die Nummer.",
    # verification
    "verified": "Danke, Sie sind als {username} bestätigt. ",
    "verified_what": "Was möchten Sie wissen? Für den Stand eines Tickets brauche ich seine Nummer.",
    "ask_username": "Wie lautet Ihr **Benutzername**?",
    "key_not_here": (
        "Bitte schreiben Sie Ihren Schlüssel nicht ins Gespräch. Nennen Sie mir die Ticketnummer, dann kommt ein "
        "privates Formular."
    ),
    "verify_failed": (
        "Mit diesem Benutzernamen und Schlüssel konnte ich Sie nicht bestätigen. Bitte prüfen Sie beides, am besten "
        "im privaten Formular."
    ),
    # receipts
    "ask_receipt": (
        "Bitte hängen Sie ein **Bild des Belegs** an (PNG, JPEG oder WebP) oder fügen Sie einen https-Link ein, dann "
        "gehe ich ihn mit Ihnen durch."
    ),
    "receipt_read": "Das lese ich auf Ihrem Beleg{date}:",
    "receipt_date": " vom {date}",
    "receipt_head": "| Posten | Menge | Einzelpreis | Summe |",
    "receipt_total": "**Gesamt: {total}**",
    "receipt_agrees": "Die Posten ergeben zusammen den Gesamtbetrag.",
    "receipt_disagrees": (
        "Achtung: Die Posten ergeben {sum}, nicht den Gesamtbetrag; etwas fehlt oder ist falsch gelesen."
    ),
    "receipt_next": "Wenn etwas nicht stimmt, sagen Sie mir, welcher Posten.",
    "receipt_item": "{name}: {quantity} × {price} = {sum}.",
    "receipt_when": "Der Beleg ist vom {date}.",
    "receipt_no_date": "Auf dem Beleg konnte ich kein Datum lesen.",
    "receipt_failed": "Dieses Bild konnte ich nicht als Beleg lesen.",
    "receipt_retry": (
        "Sie können ein anderes Bild schicken, schärfer und gerade von oben, oder ich lege ein Ticket an."
    ),
    # humans and faults
    "handed_over": (
        "Ich habe das Gespräch an eine Kollegin oder einen Kollegen weitergegeben; die Antwort kommt hier."
    ),
    "hand_over_failed": "Es tut mir leid, ich konnte gerade niemanden erreichen.",
    "failed": "Es tut mir leid, das hat gerade nicht geklappt.",
    "try_again": "Sagen Sie „noch einmal“, dann versuche ich es wieder. Oder soll ich ein Ticket für Sie anlegen?",
    "unknown_outcome": "Es tut mir leid, ich weiß nicht, ob das angekommen ist, und wiederhole es deshalb nicht.",
    "slow_down": "Es gab mehrere Versuche, die nicht passten; deshalb ist jetzt eine Pause nötig.",
    "shall_i_human": "Soll ich Sie an einen Menschen weitergeben?",
    "cannot_call": "Es tut mir leid, dafür habe ich hier keine Möglichkeit.",
    # what goes into a ticket
    "issue_login": "Anmeldung nicht möglich",
    "issue_payment": "Problem mit der Zahlung",
    "issue_damaged": "Artikel beschädigt oder defekt",
    "issue_wrong": "Falscher oder fehlender Artikel",
    "issue_change": "Änderung, Stornierung oder Rückgabe gewünscht",
    "issue_not_ordered": "{items} {were} nicht bestellt",
    "issue_charge": "Strittiger Betrag",
    "issue_receipt": "Beleg {date}Gesamtbetrag {total}",
    "issue_refund": "eine Erstattung wird erbeten",
    "issue_failed": "Der Assistent konnte nicht helfen: {what}",
    "reason_human": "Der Kunde möchte mit einem Menschen sprechen",
}
