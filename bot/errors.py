"""The error tree: whose fault it is, who is told, and whether trying again can help.

    BotError
    ├── ConfigError            the operator's: exit status 2, one readable list, never a traceback
    ├── Rejected               the sender's: dropped and counted; the platform may be acknowledged
    ├── Transient              the world's: the thread is due again after a back-off
    │   ├── UnknownVersion     nobody's: a newer version wrote it; the thread is left to a worker of that version
    │   └── Unwell             a part's that looked at itself: `/readyz` tells the reason, and the figures beside it
    ├── Permanent              nobody's to retry: dead letter, one apology
    ├── ContextOverflow        the model's window is smaller than ours: ask once more with less history
    ├── LeaseLost              another worker owns the thread: stop at once, post nothing
    └── ToolError              goes back to the model as a small object: {"error": code, "message": …}
        ├── ToolInputError     the model's: it may correct its arguments
        ├── ToolDenied         a rule of ours refused: `code` names the rule
        └── ToolFailed         the tool's: trying again in this turn does not help

Foreign exceptions are mapped to these once, in the module that owns the library. A message given to a `ToolError` is
read by the model and may reach a customer, so it is a fixed sentence of ours, never `str()` of somebody's exception.
"""

from __future__ import annotations

from collections.abc import Mapping

CONFIG_EXIT = 2
"""The exit status of a command that the operator's settings keep from working."""


class BotError(Exception):
    """The root of everything that Frontdesk raises on purpose."""


class ConfigError(BotError):
    """The settings cannot work; `problems` says each thing that is wrong and how to mend it.

    Args:
        problems: one sentence each, naming the setting and the mend, never a secret's value.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Rejected(BotError):
    """What came in is not acceptable and is dropped; `reason` is a short word for the counter."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Transient(BotError):
    """Something outside is not available; the same work may succeed later.

    Args:
        reason: a short word for logs and counters, such as `model_rate_limited`.
        retry_after_s: what the other side asked for, when it asked.
    """

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


class UnknownVersion(Transient):
    """What was read is of a version that this one does not know."""

    def __init__(self) -> None:
        super().__init__("unknown_version")


class Unwell(Transient):
    """A part of this process does not do well.

    Args:
        figures: what it measured; numbers and words of ours.
    """

    def __init__(self, reason: str, figures: Mapping[str, float | str]) -> None:
        super().__init__(reason)
        self.figures = figures


class Permanent(BotError):
    """Trying again cannot help; `reason` is a short word for the dead letter, such as `model_unauthorized`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ContextOverflow(BotError):
    """The request is longer than the model reads."""


class LeaseLost(BotError):
    """A fenced operation was refused: another worker owns this thread."""


class ToolError(BotError):
    """A tool did not do what it was asked to.

    Args:
        code: a stable word for the model, the record and the counters, such as `not_found`.
        message: one fixed sentence for the model.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ToolInputError(ToolError):
    """The arguments do not fit; the model may correct them and call again."""


class ToolDenied(ToolError):
    """A rule refused the call; `code` is the rule."""


class ToolFailed(ToolError):
    """The tool could not do it; calling it again in this turn does not help."""
