"""What may leave: no live mention, no unlisted link, no secret, no invented number. Pure, for streams and for wholes.

A stream gives the same text as the whole does, however it is cut, because text is only ever cut where no rule can look
across: after white space (unless it parts groups of digits, as in a card's number), and inside a run of more than
`WINDOW_CHARS` without any, where a zero-width space is put in between so that nothing can form across the cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from bot.domains import ENDINGS
from bot.live import (
    ANY_AT,
    DIRECT,
    GOES_ON,
    LEADS,
    MAYBE_LIVE,
    WORD_REST,
    YEAR,
    ZERO_WIDTH,
    may_hold_secret,
    rules_for,
)
from bot.shapes import is_card
from bot.text import INVISIBLE_CHARS

WINDOW_CHARS = 180
"""How much of a run without white space is looked at together; a listed link that is longer is no link."""

REMOVED = "[removed]"
WITHHELD = "(number withheld)"
_LEFT_CHARS = 96
"""How far back the words may stand that make an order's number of a number."""

_SLICE_CHARS = 160

_BLOCK = "-----BEGIN"
_BLOCK_END = "-----END"

_INVISIBLE = re.compile(f"[{INVISIBLE_CHARS}]")
_LONG_RUN = re.compile(rf"(?:\S|(?<=\d) (?=\d)){{{WINDOW_CHARS + 1}}}")
_DIGIT_GROUPS = re.compile(r"\d \d")
_SOFT_CUT = re.compile(r"(?s).*[^\w.@:/-](?=.)")
_HARD_CUT = re.compile(r"(?s).*[/:@](?=.)")
_WIDE_PAIR = re.compile("[\u3000-\u9fff\uac00-\ud7af\uff01-\uffdc]{2}")
_WORD_REST = re.compile(WORD_REST)
_DEFINES = re.compile(r"(?:^|\n)[\s>*+-]*(?:\d{1,9}[.)]\s+)?\[[^\]\n]*\Z")


def _nothing(digits: str) -> bool:
    """Knows no number."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may stand in one answer.

    Args:
        link_hosts: hosts (with their subdomains) that may be linked to.
        addressee: the platform's id of the one person who may be mentioned.
        knows: whether a number (its digits) comes from a tool's result or from this person's own words.
        canaries: values that must never leave, such as the tokens among the settings; shorter than 8 characters they
            are ordinary words and are left out.
    """

    link_hosts: frozenset[str] = frozenset()
    addressee: str | None = None
    knows: Callable[[str], bool] = _nothing
    canaries: frozenset[str] = frozenset()


def clean(text: str, policy: Policy) -> str:
    """A whole text as it may leave."""
    outgoing = Outgoing(policy)
    return outgoing.feed(text) + outgoing.finish()


class Outgoing:
    """Cleans one stream of text: what `feed` and `finish` return, joined, is `clean` of the whole."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._rules = rules_for(policy.link_hosts, policy.canaries)
        self._held = ""
        self._left = ""
        self._skip: Callable[[bool], bool] | None = None

    def feed(self, delta: str) -> str:
        """More text; what of it (and of what was held back) is safe to show."""
        if len(delta) > _SLICE_CHARS:  # cuts change nothing, and short pieces keep every look short
            return "".join(self.feed(delta[at : at + _SLICE_CHARS]) for at in range(0, len(delta), _SLICE_CHARS))
        self._held += _INVISIBLE.sub("", delta)
        return self._release(final=False)

    def finish(self) -> str:
        """The rest."""
        return self._release(final=True)

    def _release(self, *, final: bool) -> str:
        parts: list[str] = []
        while self._held:
            if self._skip is not None:
                if not self._skip(final):
                    break
                self._skip = None
                continue
            run = _long_run(self._held)
            if run == 0:
                parts.append(self._cut_run())
                continue
            closed = run or (len(self._held) if final else _last_boundary(self._held))
            block = self._held.find(_BLOCK, 0, closed)
            if block == 0:
                parts.append(REMOVED)
                self._skip = self._skip_block
            elif closed:
                parts.append(self._cleaned(block if block > 0 else closed))
            else:
                break
        return "".join(parts)

    def _cleaned(self, length: int) -> str:
        """Take `length` characters, which end where nothing can be open, and apply every rule."""
        text, self._held = self._held[:length], self._held[length:]
        if may_hold_secret(text, self._rules.canaries):
            text = self._rules.secret.sub(_without_secret, text)
        before, self._left = self._left, (self._left + text)[-_LEFT_CHARS:]
        if MAYBE_LIVE.search(text):
            return self._rules.live.sub(lambda match: self._inert(match, before), text)
        return text

    def _cut_run(self) -> str:
        """Take the beginning of a run without white space that is too long to be looked at as a whole."""
        window = self._held[:WINDOW_CHARS]
        last = max(self._rules.secret.finditer(window), key=re.Match.end, default=None)
        if last is not None and last.end() == len(window) and not last["card"]:
            if last.start() == 0:
                self._held = self._held[WINDOW_CHARS:]
                self._skip = self._skip_word
                return REMOVED
            cut = last.start()
        else:
            soft = _SOFT_CUT.match(window) or _HARD_CUT.match(window)
            cut = max(soft.end() if soft else 0, last.end() if last else 0) or len(window)
        joint = self._held[cut - 1 : cut + 1]
        return self._cleaned(cut) + ("" if _WIDE_PAIR.fullmatch(joint) else ZERO_WIDTH)

    def _skip_word(self, final: bool) -> bool:
        """Drop the rest of a word; whether it has come to its end."""
        rest = _WORD_REST.match(self._held)
        self._held = self._held[rest.end() if rest else 0 :]
        return final or bool(self._held)

    def _skip_block(self, final: bool) -> bool:
        """Drop a key block, to the end of the line on which it ends; whether that has come."""
        end = self._held.find(_BLOCK_END)
        if end < 0:
            self._held = "" if final else self._held[-len(_BLOCK_END) :]
            return final
        line_end = self._held.find("\n", end)
        self._held = self._held[line_end:] if line_end >= 0 else ("" if final else self._held[end:])
        return final or line_end >= 0

    def _inert(self, match: re.Match[str], before: str) -> str:
        """What stands instead of something that a platform would bring to life."""
        found, kind = match[0], match.lastgroup
        if kind == "good":
            tail = match.string[match.end() : match.end() + 1]
            # After a bare host a full stop of another script would be read as part of the host.
            return _within_link(found) + (" " if tail > "\x7f" and match["path"] is None else "")
        if kind == "bad":
            return _defanged(found[len(match["scheme"]) :])
        if kind == "domain":
            return self._domain(match)
        if kind == "mention":
            return found if match["person"] == self._policy.addressee else f"<{ZERO_WIDTH}@{ZERO_WIDTH}{found[2:]}"
        if kind == "definition":
            return self._definition(match, before)
        if kind == "number":
            return self._number(match, before)
        return _SIMPLE[kind or ""](found)

    def _domain(self, match: re.Match[str]) -> str:
        """A word with dots in it, which is a link where a chat program would take it for one."""
        host = match[0].lower().strip("-_")  # emphasis and dashes beside it are not part of it
        labels = [re.split("[-_]", label, maxsplit=1)[0] for label in host.split(".")]
        follows = match.string[match.end() : match.end() + 2]
        is_link = not ENDINGS.isdisjoint(labels[1:]) or (
            labels[-1].isalpha() and (labels[0] == "www" or GOES_ON.match(follows) is not None)
        )
        return match[0].replace(".", "[.]") if is_link and not self._rules.bare_host.fullmatch(host) else match[0]

    def _definition(self, match: re.Match[str], before: str) -> str:
        """A bracket and a colon: at the beginning of a line they say where a link leads, in a spelling of Markdown's
        own (`[1]: https\\:/\\/…`, `&colon;`), so there it must not be one."""
        left = (before + match.string[: match.start()])[-_LEFT_CHARS:]
        is_lost = len(left) == _LEFT_CHARS and "\n" not in left
        return f"]{ZERO_WIDTH}:" if is_lost or _DEFINES.search(left) else match[0]

    def _number(self, match: re.Match[str], before: str) -> str:
        """An order's or a ticket's number, by the words that lead to it; anything else is left."""
        left = (before + match.string[: match.start()])[-_LEFT_CHARS:]
        digits = match["digits"]
        if not match["mark"]:
            leads = LEADS.search(left)
            if leads is None or (YEAR.fullmatch(digits) and not DIRECT.search(left)):
                return match[0]
        return match[0] if self._policy.knows(digits) else WITHHELD


def _without_secret(match: re.Match[str]) -> str:
    if match["card"] is not None:
        return REMOVED if is_card(match["card"]) else match[0]
    if match["url"] is not None:
        return match[0][: -len(match["url"])] + REMOVED
    return REMOVED


def _within_link(link: str) -> str:
    """A listed link, with nothing in it that could be taken for a mention or for another link."""
    scheme, rest = link.split("://", 1)
    return f"{scheme}://{rest.replace('://', '%3A//').replace('@', '%40')}"


def _defanged(address: str) -> str:
    """An address that nobody can click; the sentence's own full stop stays one."""
    bare = address.rstrip(".,;:!?")
    inert = bare.replace("://", "[:]//").replace(".", "[.]").replace("](", "] (")
    if not inert[:1].isalnum():  # what stood before the scheme must not meet a sign that makes a mention of it
        inert = ZERO_WIDTH + inert
    return ANY_AT.sub(rf"\g<0>{ZERO_WIDTH}", inert) + address[len(bare) :]


_SIMPLE: dict[str, Callable[[str], str]] = {
    "link": lambda _: "] (",
    "bracket": lambda found: found + ZERO_WIDTH,
    "colon": lambda _: "[:]",
    "mail": str,
    "at": lambda found: found + ZERO_WIDTH,
}


def _long_run(text: str) -> int | None:
    """Where more than `WINDOW_CHARS` without a boundary begin."""
    if len(text) <= WINDOW_CHARS:
        return None
    if len(max(text.split(), key=len, default="")) <= WINDOW_CHARS and not _DIGIT_GROUPS.search(text):
        return None
    run = _LONG_RUN.search(text)
    return run.start() if run else None


def _last_boundary(text: str) -> int:
    """The last place, at most the end, after white space that does not (or might) part two groups of digits."""
    place = len(text)
    while place > 0:
        if text[place - 1].isspace():
            glued = text[place - 1] == " " and text[place - 2 : place - 1].isdecimal()
            if not glued or (place < len(text) and not text[place].isdecimal()):
                return place
        place -= 1
    return 0
