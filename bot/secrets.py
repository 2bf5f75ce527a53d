"""Secrets that people type: found before anything is stored, sealed behind handles, masked in whatever is logged."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, replace

from pydantic import SecretStr

from bot.errors import Permanent, ToolInputError
from bot.messages import Attachment, ThreadKey
from bot.phrases import spoken_secrets
from bot.ports import SharedState
from bot.sealing import AeadSealer
from bot.shapes import SECRET, known_shapes
from bot.text import scrub
from bot.tool import SecretOpener

REMOVED = "[secret removed]"
HANDLES_PER_MESSAGE = 20
"""Each costs two round trips; what is beyond is removed without a handle."""

_COUNTER_S = 31 * 24 * 3600.0
"""Longer than a conversation is kept, so that a handle on its record never comes to name another secret."""

_NAME_CHARS = 200
"""What is kept of a file's name."""

_LITERAL_CHARS = 6
"""Shorter settings are ordinary words; masking them would spoil every line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A secret in a text, from `start` to before `end`; `kind` is `spoken`, `secret` or `card`."""

    start: int
    end: int
    kind: str = SECRET


def find(text: str) -> tuple[Span, ...]:
    """Every secret in a text, in order, none overlapping; takes time in proportion to the text's length."""
    found = [Span(start=start, end=end, kind=kind) for start, end, kind in known_shapes(text)]
    found += [Span(start=start, end=end, kind="spoken") for start, end in spoken_secrets(text)]
    if len(found) < 2:
        return tuple(found)
    found.sort(key=lambda span: (span.start, -span.end))
    merged = found[:1]
    for span in found[1:]:
        last = merged[-1]
        if span.start >= last.end:
            merged.append(span)
        elif span.end > last.end:
            merged[-1] = Span(start=last.start, end=span.end, kind=last.kind)
    return tuple(merged)


def mask(text: str) -> str:
    """The text with every secret replaced."""
    return _replaced(text, find(text), {})


def named_safely(attachment: Attachment) -> Attachment:
    """The file under a name that holds no secret."""
    return replace(attachment, name=mask(scrub(attachment.name, _NAME_CHARS)))


def _replaced(text: str, spans: Iterable[Span], instead: Mapping[str, str]) -> str:
    parts, done = [], 0
    for span in spans:
        parts += [text[done : span.start], instead.get(text[span.start : span.end], REMOVED)]
        done = span.end
    return "".join([*parts, text[done:]]) if parts else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """A message without its secrets.

    Args:
        text: for the record and the model, with a handle in each one's place.
        shown: for people, with each one masked.
        handles: the handles in `text`, in order; empty when nothing was caught.
        count: how many secrets there were.
    """

    text: str
    shown: str
    handles: tuple[str, ...] = ()
    count: int = 0


class Vault:
    """Keeps what was typed, sealed, until it is used or its time is over.

    Args:
        state: a namespace of its own.
        secret_key: the installation's key; a key for this purpose alone is derived from it.
        ttl_s: how long a secret can be opened.
    """

    def __init__(self, state: SharedState, secret_key: bytes, *, ttl_s: float = 900.0) -> None:
        self._sealer = AeadSealer(secret_key, "secret handles")
        self._state = state
        self._ttl_s = ttl_s

    async def catch(self, thread: ThreadKey, author_id: str, text: str) -> Caught:
        """Take the secrets out of a message and seal them; without any, nothing is stored and nothing awaited.

        Raises:
            Transient: the store cannot be reached; the message must not be stored either.
        """
        spans = find(text)
        if not spans:
            return Caught(text=text, shown=text)
        handles: dict[str, str] = {}
        for span in spans:
            value = text[span.start : span.end]
            if value not in handles and len(handles) < HANDLES_PER_MESSAGE:
                handles[value] = await self._seal(thread, author_id, value)
        return Caught(
            text=_replaced(text, spans, handles),
            shown=_replaced(text, spans, {}),
            handles=tuple(handles.values()),
            count=len(spans),
        )

    def opener(self, thread: ThreadKey, author_id: str) -> SecretOpener:
        """Opens what this author typed in this thread, and nothing else."""
        return _Opener(self, thread, author_id)

    async def open(self, thread: ThreadKey, author_id: str, handle: str, *, used_by: str) -> SecretStr:
        """See `bot.tool.SecretOpener`."""
        sealed = await self._state.get(_key(thread, handle))
        if sealed is None:
            raise _unavailable()
        try:
            value = self._sealer.unseal(sealed, _bound(thread, author_id, handle))
        except Permanent:
            raise _unavailable() from None
        # Bound to the first call that opens it; a call that is run again after a crash has the same key.
        user, key = used_by.encode(), f"{_key(thread, handle)}/used"
        if not await self._state.compare_and_set(key, None, user, ttl_s=self._ttl_s) and (
            await self._state.get(key) != user
        ):
            raise _unavailable()
        return SecretStr(value.decode())

    async def _seal(self, thread: ThreadKey, author_id: str, value: str) -> str:
        number = await self._state.increment(f"{thread}/count", ttl_s=_COUNTER_S)
        handle = f"secret:{number}"
        sealed = self._sealer.seal(value.encode(), _bound(thread, author_id, handle))
        await self._state.set(_key(thread, handle), sealed, ttl_s=self._ttl_s)
        return handle


@dataclass(frozen=True, slots=True)
class _Opener:
    vault: Vault
    thread: ThreadKey
    author_id: str

    async def open(self, handle: str, *, used_by: str) -> SecretStr:
        return await self.vault.open(self.thread, self.author_id, handle, used_by=used_by)


def _key(thread: ThreadKey, handle: str) -> str:
    return f"{thread}/{handle}"


def _bound(thread: ThreadKey, author_id: str, handle: str) -> str:
    """What a sealed value is bound to; lists of strings as JSON cannot be mistaken for one another."""
    return json.dumps([str(thread), author_id, handle])


def _unavailable() -> ToolInputError:
    return ToolInputError(
        "secret_unavailable", "This secret cannot be used (any more); ask the person to use the private form."
    )


class Masking(logging.Filter):
    """Masks secrets in log events: as a structlog processor (right before the renderer) and as a filter of a handler.

    Only values that are a secret by their form or that were registered are masked: the rule for sentences is for
    what people type, and would garble what programs write.

    Args:
        literals: values that must never be written, such as the tokens among the settings.
    """

    def __init__(self, literals: Iterable[str | SecretStr] = ()) -> None:
        super().__init__()
        self._literals: tuple[str, ...] = ()
        self._formatter = logging.Formatter()
        self.register(*literals)

    def register(self, *literals: str | SecretStr) -> None:
        """Mask these as well from here on; values of fewer than 6 characters are left out."""
        values = {value.get_secret_value() if isinstance(value, SecretStr) else value for value in literals}
        written = {form for value in values for form in (value, json.dumps(value)[1:-1])}
        kept = {form for form in written if len(form) >= _LITERAL_CHARS} | set(self._literals)
        self._literals = tuple(sorted(kept, key=len, reverse=True))

    def mask(self, text: str) -> str:
        """The text without registered values and known shapes."""
        for literal in self._literals:
            if literal in text:
                text = text.replace(literal, REMOVED)
        return _replaced(text, [Span(start=a, end=b, kind=kind) for a, b, kind in known_shapes(text)], {})

    def __call__(self, logger: object, method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
        """A structlog processor."""
        if self._is_harmless(event.values()):
            return event
        return {key: value if key == "exc_info" else self._masked(value) for key, value in event.items()}

    def filter(self, record: logging.LogRecord) -> bool:
        """A filter that lets everything pass, masked; a traceback is masked in `exc_text`, which formatters use."""
        if isinstance(record.msg, dict):  # structlog's own events on their way through the standard library
            record.msg = self._masked(record.msg)
        else:
            record.msg, record.args = self.mask(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = self._formatter.formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self.mask(record.exc_text)
        if record.stack_info:
            record.stack_info = self.mask(record.stack_info)
        return True

    def _is_harmless(self, values: Iterable[object]) -> bool:
        """One look at everything, as most events hold no secret; never wrong when it says that these hold none."""
        texts: list[str] = []
        for value in values:
            if isinstance(value, str):
                texts.append(value)
            elif value is not None and not isinstance(value, int | float):
                return False
        text = "\n".join(texts)
        return not any(literal in text for literal in self._literals) and next(known_shapes(text), None) is None

    def _masked(self, value: object, depth: int = 6) -> object:
        if isinstance(value, str):
            return self.mask(value)
        if value is None or isinstance(value, int | float):
            return value
        if isinstance(value, Mapping) and depth:
            return {self.mask(str(key)): self._masked(item, depth - 1) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset) and depth:
            return [self._masked(item, depth - 1) for item in value]
        return self.mask(value.decode(errors="replace") if isinstance(value, bytes) else str(value))
