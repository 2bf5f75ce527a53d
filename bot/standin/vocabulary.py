"""The words by which people say what they want, English and German: patterns over a text in small letters."""

from __future__ import annotations

import re
from enum import StrEnum, auto


class Intent(StrEnum):
    """What somebody may want; several at once are possible."""

    GREETING = auto()
    THANKS = auto()
    BYE = auto()
    HELP = auto()
    SMALLTALK = auto()
    YES = auto()
    NO = auto()
    CANCEL = auto()
    AGAIN = auto()
    OTHER = auto()
    RECALL = auto()
    HUMAN = auto()
    ORDER = auto()
    ITEMS = auto()
    ADDRESS = auto()
    WHEN = auto()
    STATUS = auto()
    PRICE = auto()
    RECEIPT = auto()
    DISPUTE = auto()
    LOGIN = auto()
    PAYMENT = auto()
    DAMAGED = auto()
    WRONG = auto()
    CHANGE = auto()
    TROUBLE = auto()
    OPEN_TICKET = auto()
    TICKET_STATUS = auto()
    TICKET_WORD = auto()
    ORDER_WORD = auto()
    VERIFY = auto()
    OPENED = auto()
    LACKING = auto()
    ANGER = auto()
    QUESTION = auto()


_GROUPS = {
    "goods": (
        r"(?:orders?|pac?ka?ges?|pacakges?|parcels?|deliver(?:y|ies)|shipments?|purchases?|stuff|sleds?|things?|items?"
        r"|goods|products?)"
    ),
    "ware": r"(?:bestellung(?:en)?|paket|lieferung|sendung|päckchen|ware|sachen|zeug|artikel|schlitten)",
    "people": (
        r"(?:humans?|person|people|agents?|representatives?|reps?|operators?|supervisors?|managers?"
        r"|colleagues?|someone|somebody|staff|employees?|customer (?:service|support|care)|support team|team"
        r"|real one)"
    ),
    "contact": r"(?:speak|talk|chat|connect|transfer|escalate|pass|hand|put|get|want|need|give|reach|contact|call)\w*",
    "seek": r"(?:track|status|eta|update|news|find|check|locate|look up|lookup|info\w*)",
    "late": (
        r"(?:status|where|arrive\w*|shipped|late|delayed|coming|track\w*|waiting|not here|eta|when|lost"
        r"|supposed)"
    ),
    "arrived": r"(?:arrived?|received?|come|came|delivered|shipped|(?:shown?|showed|turn(?:ed)?) up)",
    "fails": r"(?:fail\w*|declin\w*|reject\w*|errors?|problems?|issues?|not|doesn'?t|won'?t|refused?)",
    "changeable": r"(?:order|addr?ess|delivery|size|colou?r|subscription|account|e-?mail|name)",
    "a_new": r"(?: me| us)?(?: up)?(?: an?| another| one| the)?(?: new| support)* ",
    "asks_of": (
        r"(?:status|updates?|news|progress|check|happen\w*|state|look(?:ing)? up|look at|how(?:'s| is)|where"
        r"|about|with|see)"
    ),
    "stands": r"(?:status|updates?|progress|news|open|closed|resolved|done|going|doing|\d{3,})",
    "opening": r"(?:so |and |but |also |hi,? |hello,? |hey,? |great,? |thanks,? |thank you,? )*",
}
"""Alternatives that several patterns share; `<name>` in a pattern stands for one of them."""

_PATTERNS: dict[Intent, tuple[str, ...]] = {
    Intent.GREETING: (
        r"^(?:hi+|hello|hey+|hiya|howdy|yo|good (?:morning|afternoon|evening|day)|greetings)\b",
        r"^(?:hallo|moin|servus|guten? (?:morgen|tag|abend)|grüß|grüezi)\b",
    ),
    Intent.THANKS: (
        r"\b(?:thanks?|thank you|thx|ty|cheers|appreciate (?:it|that|your)|danke(?:schön)?|vielen dank)\b",
        r"^(?:great|perfect|awesome|nice|cool|super|wonderful|excellent|brilliant|alright|got it|prima|toll)\W*$",
    ),
    Intent.BYE: (
        r"\bthat'?s (?:all|it|everything)\b|\bthat(?:'ll| will|'d| would) be (?:all|it)\b|\b(?:good)?bye\b",
        r"\bsee (?:you|ya)\b|\b(?:nothing|no more|anything) (?:else|questions)\b(?!.*\?)",
        r"\bi'?m (?:all )?(?:done|good|set)\b|\bhave a (?:nice|good|great|lovely)\b|\bthat is (?:all|it)\b",
        r"\ball (?:good|set|done)\b|\bfor now\W*$|\bdas (?:war|wär|wäre|ist) (?:schon )?(?:alles|es)\b",
        r"\bdas war's\b|\btschü(?:ss|s|ß)\b|\bauf wiedersehen\b|\bnichts (?:mehr|weiter)\b|\bmehr nicht\b",
        r"\bschönen (?:tag|abend)\b|\bbis (?:bald|dann)\b",
    ),
    Intent.HELP: (
        r"\bwhat (?:can|do|could) you (?:help|do|offer)\b|\bhow (?:can|could|do) you help\b|\bwhat are you able\b",
        r"\bwhat .{0,30}help (?:me )?with\b|^(?:please )?help(?: me)?(?: please)?\W*$",
        r"\bwhat (?:is|are) your (?:skills|features|capabilit)|^i need (?:some )?help\W*$",
        r"\bcan you help(?: me)?\W*$|\bwas (?:kannst|können|machst) (?:du|sie)\b|\bwobei (?:kannst|können)\b",
        r"\bwie (?:kannst|können) (?:du|sie).*helfen|^hilfe\W*$|\b(?:kannst du|können sie) mir helfen\W*$",
    ),
    Intent.SMALLTALK: (
        r"\bhow are you\b|\bhow(?:'s| is) it going\b|\bwho are you\b",
        r"\bwho (?:made|built|wrote) you\b",
        r"\bare you (?:an? |really )*(?:bot|human|robot|real|ai|machine|person|chatgpt|gpt)|\bwhat are you\W*$",
        r"\bwhat(?:'s| is) your name\b|\bwie geht(?:'s| es)\b|\bwer bist du\b|\bwer sind sie\b",
        r"\bbist du (?:ein )?(?:bot|mensch|roboter)",
    ),
    Intent.YES: (
        r"^(?:yes|yeah?|yep|yup|yea|sure|ok(?:ay)?|please(?: do)?|of course|correct|right|exactly|go ahead)\b",
        r"^(?:do (?:it|that|so)|sounds good|absolutely|definitely|that'?s (?:right|correct))\b",
        r"^(?:ja|jo|klar|gerne?|genau|richtig|stimmt|bitte)\b",
    ),
    Intent.NO: (r"^(?:no|nope|nah|not (?:now|really)|nein|nee|nö)\b",),
    Intent.CANCEL: (
        r"\bnever ?mind\b|\bforget (?:it|about it|that)\b|\bcancel that\b|\bno ticket\b",
        r"\b(?:don'?t|do not) (?:open|create|make|bother)\b|\bleave it\b|\bvergiss\b|\begal\b|\bschon gut\b",
        r"\blass (?:es|mal|gut)\b|\b(?:hat sich )?erledigt\b|\bkein ticket\b",
    ),
    Intent.AGAIN: (
        r"\btry (?:it )?again\b|\bonce more\b|\bretry\b|\brefresh\b",
        r"\b(?:re-?|double.?)?check (?:it |that )?again\b|\bre-?check\b|\blook again\b|\bnoch ?(?:ein)?mal\b",
        r"\berneut\b",
    ),
    Intent.OTHER: (
        r"\b(?:other|another|different|second|next) (?:order|one|package|parcel|ticket|receipt)\b|\bandere[nrs]?\b",
        r"\bweitere[nrs]?\b|\bzweite[nrs]?\b",
    ),
    Intent.RECALL: (
        r"\bwhat did i (?:just )?(?:say|write|tell|ask|type|send)\b|\brepeat what i\b",
        r"\bmy (?:last|previous|first) (?:message|question)\b",
        r"\bwas habe? ich (?:gerade |eben )?(?:gesagt|geschrieben|gefragt)\b",
    ),
    Intent.HUMAN: (
        r"\b<contact>\b.{0,25}?\b(?:an? |the |your |to |with |real |live |actual )+<people>\b",
        r"^(?:an? |the )?(?:real |live |actual )?<people>(?: please| now)?\W*$",
        r"\b(?:real|live|actual) (?:human|person|agent)s?\b|\b(?:speak|talk) (?:to|with) <people>\b|\ba human\b",
        r"\bhuman (?:please|agent|being|support)\b|\bnot (?:to )?a (?:bot|robot|machine)\b",
        r"\b(?:don'?t|do not|no longer) want\b.{0,20}\b(?:bot|robot|machine)\b|\bput me through\b",
        r"\b(?:can|could) (?:someone|somebody|anyone|anybody) (?:please )?(?:call|help|contact|answer|talk)\b",
        r"\b(?:connect|transfer|hand) me (?:to|over|with)\b|\bescalate\b|\b(?:menschen|mensch)\b",
        r"\b(?:echte[nrm]?|richtige[nrm]?) (?:person|mitarbeiter)",
        r"\bmitarbeiter(?:in)?\b.*\b(?:sprechen|reden|bitte|verbind)",
        r"\bmit (?:jemande?m|einem|einer)\b.*\b(?:sprechen|reden|verbind)|\bverbinde\w* (?:mich|sie mich)\b",
        r"\bkundenberater|\bsachbearbeiter",
    ),
    Intent.ORDER: (
        r"\bwhere(?:'s|s| is| are| did| has| can i find)?\b.{0,20}\b<goods>\b",
        r"\b<seek>\b.{0,25}\b<goods>\b(?!.*\breceipt)",
        r"\b<goods>\b.{0,30}\b<late>\b",
        r"\b(?:hasn'?t|haven'?t|not|never|didn'?t|still)\b.{0,30}\b<arrived>\b",
        r"\bi ordered\b.*\b(?:where|when|ago|last|status|wait\w*|yet)\b",
        r"\bwhen\b.{0,20}\b(?:my|the|our|it)\b.{0,20}\b(?:arrive|come|here|delivered|delivery|shipped)\b",
        r"\bstill waiting\b|\bwaiting (?:for|on) (?:my|the|an?) <goods>",
        r"^(?:it'?s |my |about )?(?:my |an? )?order\b(?!.*\b(?:arrived|wrong)\b)|\babout (?:my|an?) <goods>\b",
        r"\bmy (?:order|package|parcel|delivery) ?\??$|\border (?:id|number|no)\b|\border #?\d",
        r"\bwo (?:ist|bleibt|sind|steckt|bleiben)\b.*\b<ware>\b",
        r"\b<ware>\b.*\b(?:status|wo|wann|angekommen|verspätet|immer noch|stand|verfolg\w*)\b",
        r"\b<ware>\b.*\b(?:weg|verschwunden|verloren)\b",
        r"\bwann (?:kommt|wird|ist|kommen)\b.*\b(?:<ware>|geliefert|an)\b",
        r"\b(?:status|stand|verfolg\w*)\b.*\b<ware>\b|\bbestell(?:nummer|ung) ?(?:nr\.? ?)?\d",
        r"\bnoch nicht (?:da|angekommen|geliefert)\b",
    ),
    Intent.ITEMS: (
        r"\bwhat(?:'s| is| was| all)?\b.{0,25}\b(?:order(?:ed)?|buy|bought|purchased?)\b",
        r"\bwhat(?:'s| is| was| all)?\b.{0,25}\bin (?:it|there|(?:the|my) (?:package|parcel|box|order))\b",
        r"\b(?:which|what|list|all|the|those|these) (?:of )?(?:the )?(?:items?|products|things)\b|\bcontents?\b",
        r"\bcontain|\binside\b|\bwas (?:habe?|hatte)\b.*\b(?:bestellt|gekauft)\b",
        r"\bwas ist (?:da |denn )?(?:alles )?(?:drin|darin)|\bwelche (?:artikel|sachen|posten)\b|\bposten\b",
    ),
    Intent.ADDRESS: (
        r"\bwhere\b.{0,25}\b(?:go(?:ing)?|deliver\w*|ship\w*|sent|headed|send|heading|bound)\b|\baddress\b",
        r"\bdestination\b|\bwohin\b|\badresse\b",
    ),
    Intent.WHEN: (
        r"\bwhen\b|\beta\b|\bhow (?:long|soon)\b|\bwhat (?:day|date|time)\b",
        r"\bby (?:tomorrow|friday|christmas|monday)\b|\barriv(?:e|al|es)\b|\bwann\b|\bwie lange\b",
        r"\bwelche[mnr]? tag\b",
    ),
    Intent.STATUS: (
        r"\bstatus\b|\bwhere\b|\bshipped\b|\bon (?:its|the) way\b|\bprogress\b|\b(?:any|an) (?:news|updates?)\b",
        r"\bwo\b|\bstand\b",
    ),
    Intent.PRICE: (
        r"\btotal\b|\bhow much\b|\b(?:price|cost|costs|sum|altogether|paid|pay)\b|\bgesamt\w*|\bsumme\b",
        r"\bwie ?viel\b|\bkoste\w*|\bpreis\b|\bbezahlt\b",
    ),
    Intent.RECEIPT: (
        r"\breceipts?\b|\binvoices?\b|\b(?:sales|till) slip\b|\bmake sense of\b",
        r"\b(?:read|look at|explain|analy[sz]e|check|scan)\b.{0,15}\b(?:picture|image|photo|scan|attachment|bill)\b",
        r"\bbeleg\b|\bquittung\b|\bkassen(?:zettel|bon|beleg)\b|\brechnung\b",
    ),
    Intent.DISPUTE: (
        r"\b(?:did ?n'?t|did not|never|haven'?t|have not)(?: \w+ly| even| ever)*"
        r"\s+(?:order|buy|bought|purchase|ask\w* for)",
        r"\brefund\w*\b|\bmoney back\b|\breimburs\w*|\bovercharged\b",
        r"\bcharged?\b.{0,25}\b(?:wrong\w*|too much|extra|not|something|didn't)\b",
        r"\bwrong(?:ly)? (?:charged|billed)\b|\b(?:isn'?t|not|wasn'?t) mine\b",
        r"\bshould(?:n'?t| not) be (?:on|there)\b|\b(?:nicht|nie|kein\w*)\b.{0,25}\b(?:bestellt|gekauft)\b",
        r"\b(?:rück)?erstatt\w*|\bgeld zurück\b|\b(?:falsch|zu viel) (?:berechnet|abgerechnet|bezahlt)\b",
        r"\breklam\w*",
    ),
    Intent.LOGIN: (
        r"\blog(?:ging|ged)?[ -]?(?:in|into|on)\b|\blogins?\b|\bsign(?:ing|ed)?[ -]?in(?:to)?\b|\bpasswords?\b",
        r"\blocked out\b|\b(?:access|get into|getting into|enter|open)\b.{0,12}\b(?:my|the) account\b",
        r"\baccount\b.{0,20}\b(?:locked|blocked|disabled|suspended|access)\b|\b2fa\b|\bverification code\b",
        r"\bcan'?t get in\b|\b(?:ein|an)?(?:ge)?log(?:gen|ge|gt)\b|\banmeld\w*|\banzumelden\b|\bpasswort\b",
        r"\bkonto\b.{0,20}\bgesperrt\b|\b(?:komme?|kann)\b.{0,12}\bnicht\b.{0,12}\bin (?:mein|das) konto\b",
    ),
    Intent.PAYMENT: (
        r"\b(?:payments?|cards?|paypal|check ?out|paying)\b.{0,30}\b<fails>\b",
        r"\bcan'?t (?:pay|check ?out)\b|\b(?:charged|billed) (?:me )?(?:twice|double)\b|\bdouble[ -]charged?\b",
        r"\bzahlung\b.{0,30}\b(?:fehl\w*|abgelehnt|nicht|problem)\b",
    ),
    Intent.DAMAGED: (
        r"\bdamaged?\b|\bbroken?\b|\bdefect\w*|\bcracked\b|\btorn\b|\bfaulty\b|\bstopped working\b|\bleak\w*",
        r"\bspoil\w*|\bmou?ldy\b|\brotten\b|\bstale\b|\bsmashed\b|\bshattered\b|\bscratched\b|\bin pieces\b",
        r"\bkaputt\w*|\bbeschädigt\w*|\bdefekt\w*|\bzerbrochen\w*",
    ),
    Intent.WRONG: (
        r"\bwrong (?:items?|size|colou?r|products?|order|thing|one|sled|sandwich)\b",
        r"\b(?:received|got|sent|delivered)\b.{0,20}\bwrong\b",
        r"\b(?:received|got|sent|delivered)\b.{0,40}\binstead\b|\bnot what i (?:ordered|bought)\b",
        r"\bmissing (?:an? )?(?:items?|parts?|pieces?)\b",
        r"\b(?:items?|parts?|pieces?|something|one) (?:(?:is|are|was|were) )?missing\b|\bincomplete\b",
        r"\bfalsche[rsn]? (?:artikel|größe|farbe|ware)\b|\bfehlt\b|\bunvollständig\b",
    ),
    Intent.CHANGE: (
        r"\b(?:cancel|change|modify|amend|redirect|update|correct)\b.{0,25}\b<changeable>\b",
        r"\b(?:return|exchange|send back)\b.{0,20}\b(?:it|this|that|the|my|an?)\b|\b(?:delete|close) my account\b",
        r"\b(?:storn\w*|umtausch\w*|zurück(?:geben|schicken|senden)|kündig\w*)\b",
    ),
    Intent.TROUBLE: (
        r"\bproblems?\b|\bissues?\b|\btrouble\b|\bcomplain\w*|\berrors?\b|\bbugs?\b|\bcrash\w*|\b(?:not |un)happy\b",
        r"\bdisappoint\w*|\b(?:doesn'?t|does not|won'?t|isn'?t|not) (?:load|work|working|open|respond)\w*",
        r"\bterrible\b|\bawful\b|\bproblem\w*|\bbeschwer\w*|\bfehler\w*",
        r"\b(?:funktioniert|geht|klappt)\b.{0,20}\bnicht\b|\bunzufrieden\b",
    ),
    Intent.OPEN_TICKET: (
        r"\b(?:open|create|raise|file|make|start|submit|log|register)<a_new>(?:ticket|case|complaint)\b",
        r"\b(?:want|need|like) (?:to have )?an?(?: new| support)? (?:ticket|case)\b",
        r"\bticket (?:eröffnen|anlegen|erstellen|aufmachen)\b|\bneues ticket\b",
    ),
    Intent.TICKET_STATUS: (
        r"\b<asks_of>\b.{0,30}\b(?:tickets?|case|inquiry)\b",
        r"\b(?:tickets?|case|inquiry)\b.{0,30}\b<stands>",
        r"\bmy tickets?\b|\bstatus of (?:#?\d{3,})|^(?:and )?(?:my |the )?tickets?\W*$",
        r"\b(?:status|stand|steht)\b.*\b(?:ticket|vorgang|anfrage)s?\b",
        r"\b(?:ticket|vorgang)\b.*\b(?:status|stand|\d{3,})|\bmein(?:em|es)? ticket\b",
    ),
    Intent.OPENED: (
        r"\b(?:did|have) you (?:already |really |just )?(?:opene?d?|created?|made?|filed?)\b.{0,20}\b(?:ticket|case)\b",
        r"\b(?:what|which)\b.{0,20}\b(?:ticket|case)(?:'s)? (?:number|id|no)\b",
        r"\bticket ?nummer\b.*\?|\b(?:hast du|haben sie)\b.{0,30}\bticket\b.{0,20}\b(?:angelegt|eröffnet|erstellt)\b",
    ),
    Intent.LACKING: (
        r"\b(?:don't|do not|didn't) (?:have|know|remember|get)\b(?! what| why| how)",
        r"\bno idea\b|\b(?:forgot|lost) (?:it|the|my)\b",
        r"\bkeine ahnung\b|\bweiß (?:ich )?(?:es |sie )?nicht\b|\bhabe?\b.{0,10}\bkeine?n?\b",
    ),
    Intent.ANGER: (
        r"\b(?:fuck\w*|(?:bull)?shit\w*|wtf|stupid|idiots?|useless|ridiculous|damn\w*|crap|scam\w*)\b",
        r"\bliars?\b|\bhate (?:you|this)\b",
        r"\b(?:scheiß\w*|scheiss\w*|blöd\w*|dumm\w*|unverschämt\w*|saftladen|frechheit|nutzlos)\b",
    ),
    Intent.TICKET_WORD: (r"\btickets?\b|\bcase\b",),
    Intent.ORDER_WORD: (r"\borders?\b|\bpackage\b|\bparcel\b|\bbestellung\b|\bpaket\b",),
    Intent.VERIFY: (
        r"\bverif(?:y|ied|ication)\b|\bidentify\b|\bprove\b.{0,20}\b(?:me|identity|who i)\b|\bapi[ -]?key\b",
        r"\bmy key\b|\busername\b|\bverifizier\w*|\bausweisen\b|\bbenutzername\b",
    ),
    Intent.QUESTION: (
        r"^<opening>(?:how|can|could|do|does|is|are|what|which|may|where|when|will|would|who|why|until|if)\b",
        r"\?\s*$",
        r"^(?:und |aber )?(?:wie|kann|können|ist|sind|was|welche|darf|wo|wann|wer|warum)\b",
        r"^(?:und |aber )?(?:bis|gibt|habt|haben|liefer\w*)\b",
    ),
}


def _compile(patterns: tuple[str, ...]) -> re.Pattern[str]:
    whole = "|".join(patterns)
    for name, group in _GROUPS.items():
        whole = whole.replace(f"<{name}>", group)
    return re.compile(whole, re.MULTILINE)


PATTERNS = {intent: _compile(patterns) for intent, patterns in _PATTERNS.items()}
"""An intent is there when its pattern is found."""

COMPLAINTS = (Intent.LOGIN, Intent.PAYMENT, Intent.DAMAGED, Intent.WRONG, Intent.CHANGE, Intent.TROUBLE)
"""What becomes a ticket, the most specific first."""
