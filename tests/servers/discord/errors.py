"""What the platform refuses, with the status and the number that it refuses it with.

Source: Discord API documentation, `topics/opcodes-and-status-codes`.
"""

from __future__ import annotations

from tests.servers.discord.values import Json


class Refused(Exception):
    """An answer with an error number."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.headers: dict[str, str] = {}
        self.body: Json = {"code": code, "message": message} | ({"errors": errors} if errors else {})


_KNOWN: dict[int, tuple[int, str]] = {
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10007: (404, "Unknown Member"),
    10008: (404, "Unknown Message"),
    10013: (404, "Unknown User"),
    10015: (404, "Unknown Webhook"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    20016: (429, "This action cannot be performed due to slowmode rate limit"),
    20028: (429, "The write action you are performing on the channel has hit the write rate limit"),
    40005: (413, "Request entity too large"),
    40060: (400, "Interaction has already been acknowledged"),
    50001: (403, "Missing Access"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50013: (403, "Missing Permissions"),
    50021: (403, "Cannot execute action on a system message"),
    50024: (400, "Cannot execute action on this channel type"),
    50027: (401, "Invalid Webhook Token"),
    50035: (400, "Invalid Form Body"),
    50083: (400, "Thread is archived"),
    160004: (400, "A thread has already been created for this message"),
    160005: (400, "Thread is locked"),
    200000: (400, "Message was blocked by automatic moderation"),
    200001: (400, "Title was blocked by automatic moderation"),
    240000: (400, "Message was blocked by harmful links filter"),
}


def refused(code: int) -> Refused:
    """The error of this number."""
    status, message = _KNOWN[code]
    return Refused(status, code, message)


def slowed(left_s: float) -> Refused:
    """Too soon after the last message in a channel with slow mode."""
    error = refused(20016)
    error.body |= {"retry_after": round(left_s, 3), "global": False}
    error.headers = {"Retry-After": str(max(1, round(left_s))), "X-RateLimit-Scope": "user", "Via": "1.1 google"}
    return error


def invalid(field: str, code: str, message: str) -> Refused:
    """A body with a field that is not as it must be."""
    errors: Json = {"_errors": [{"code": code, "message": message}]}
    for name in reversed(field.split(".")):
        errors = {name: errors}
    return Refused(400, 50035, "Invalid Form Body", errors)


UNAUTHORIZED = Refused(401, 0, "401: Unauthorized")
NOT_FOUND = Refused(404, 0, "404: Not Found")
