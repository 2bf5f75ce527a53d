"""Slack's markup, undone: what somebody typed, as plain text. Pure.

Source: https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_SPECIAL = re.compile(r"<([^<>]{1,4000})>")
_NOBODY = re.compile(r"^(\S+\s+)@(?![UW][A-Z0-9]{4,}$)(\S+)$")
_USER = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")
_CALL = re.compile(r"<!(?:here|channel|everyone|subteam\^)")


def mentioned(text: str) -> tuple[str, ...]:
    """The ids of the people who are mentioned, in order, each once."""
    return tuple(dict.fromkeys(match[1] for match in _USER.finditer(text)))


def calls_out(text: str) -> bool:
    """Whether a group of people is called: `@here`, `@channel`, a user group."""
    return _CALL.search(text) is not None


def to_plain(text: str, names: Mapping[str, str], *, bot_user: str = "") -> str:
    """Plain text: links as addresses, people by name, nothing escaped.

    Args:
        names: user id -> name; somebody who is missing keeps the id.
        bot_user: whose mention is dropped: it says whom a message is for, and nothing else.
    """
    if bot_user:
        text = re.sub(rf"(?<![ \t])[ \t]*<@{re.escape(bot_user)}(?:\|[^<>]*)?>[ \t]*[,:]?[ \t]*", " ", text)
    plain = _SPECIAL.sub(lambda match: _undone(match[1], names), text)
    return _unescaped(plain).strip()


def to_command_text(text: str) -> str:
    """What follows `/support`: people are written `@U…`; a name that is no mention is nobody."""
    return _NOBODY.sub(r"\1\2", _unescaped(_USER.sub(lambda match: f"@{match[1]}", text)).strip())


def _undone(inner: str, names: Mapping[str, str]) -> str:
    target, _, label = inner.partition("|")
    kind, rest = target[:1], target[1:]
    if kind == "@":
        return f"@{names.get(rest) or label.removeprefix('@') or rest}"
    if kind == "#":
        return f"#{label or rest}"
    if kind == "!":
        return _special(rest, label)
    if re.match(r"[a-z][a-z0-9+.-]*:", target, re.IGNORECASE):
        return _link(target, label)
    return f"<{inner}>"


def _special(target: str, label: str) -> str:
    if target.startswith("date^"):
        return label or target.rsplit("^", 1)[-1]
    name = target.split("^", 1)[0]
    return f"@{label.removeprefix('@') or name}"


def _link(target: str, label: str) -> str:
    scheme, _, rest = target.partition(":")
    bare = rest.removeprefix("//") if scheme.lower() in ("http", "https") else rest
    if scheme.lower() in ("mailto", "tel"):
        return bare if label in ("", bare) else f"{label} ({bare})"
    if not label or label in (target, bare, bare.rstrip("/")):
        return target
    return f"{label} ({target})"


def _unescaped(text: str) -> str:
    """Slack escapes these three and nothing else; anything more was typed like that."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
