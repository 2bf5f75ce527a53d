"""The endings by which chat programs take a bare word with dots in it for a link."""

from __future__ import annotations

COUNTRIES = frozenset(
    """
    ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc
    cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga
    gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp
    ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms
    mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro
    rs ru rw sa sb sc sd se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt
    tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw
    \u0440\u0444 \u0443\u043a\u0440 中国 中國 香港 台灣 한국 भारत
    """.split()
)
"""Source: ISO 3166 endings that are delegated, and the best-known written in other scripts."""

GENERIC = frozenset(
    """
    com net org info biz edu gov mil int name pro aero coop museum mobi tel travel jobs cat asia post xxx arpa
    academy accountant ads agency app art associates auction audio auto autos band bank bar beauty beer best bet bid
    bike bio blog boats bot boutique builders business buy cafe cam camera camp capital cards care careers cars casa
    cash casino center chat cheap church city claims click clinic cloud club coach codes coffee community company
    computer consulting cool country coupons courses credit creditcard cricket cruises dance data date dating deal
    deals delivery dental design dev digital direct directory discount doctor domains download earth email energy
    engineer equipment esq estate events exchange expert express family fan fans farm fashion fin finance financial
    fish fit fitness flights florist fly foo food football forex forum foundation fun fund furniture futbol fyi
    gallery game games garden gifts gives glass global gmbh gold golf group guide guru hair health help homes host
    hosting hotels house how icu inc ink institute insure international investments jetzt kim kitchen land law
    lawyer legal life lighting limited limo link live llc loan loans lol ltd luxe ltda makeup management market
    marketing markets mba media meet men mom money monster mortgage mov movie music navy network new news nexus
    ninja nyc observer one onl online ooo page parts party pay pet pharmacy phd photo photos pics pictures pink
    pizza place plumbing plus poker porn press prof promo properties protection pub quest qpon racing realty recipes
    red rehab rent rentals repair report republican rest restaurant review reviews rich rip rocks rodeo rsvp run
    sale salon sarl sbs school science security select services sexy shoes shop shopping show singles site ski skin
    social software solar solutions space sport spot store stream studio study style sucks supplies supply support
    surf surgery systems tax taxi team tech technology tennis tickets tips tires today tokyo tools top tours town
    toys trade trading training tube university uno vacations vegas ventures vet video villas vin vip vision vote
    voyage wang watch webcam website wedding wiki win wine work works world wtf xyz yachts yoga you zip zone berlin
    hamburg koeln bayern wien swiss paris london amsterdam brussels onion example test invalid local localhost
    internal lan home corp
    """.split()
)
"""Source: the generic endings in common and in ill-reputed use (IANA's root zone), and the reserved ones (RFC 2606)."""

PUNYCODE = "xn"
"""How endings in other scripts begin when they are written in ASCII (`xn--p1ai`)."""

ENDINGS = COUNTRIES | GENERIC | {PUNYCODE}
