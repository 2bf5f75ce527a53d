"""Whether a request over HTTP is Slack's, by its bytes alone. Pure.

Source: https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum

OLD_S = 300
EARLY_S = 60

_TIMESTAMP = re.compile(rb"[0-9]{1,12}")
_SIGNATURE = re.compile(rb"v0=[0-9a-f]{64}")


class Seal(StrEnum):
    """What a signature says of a request."""

    GOOD = "good"
    MALFORMED = "malformed"
    FORGED = "forged"
    STALE = "stale"
    """Signed by Slack, but not at this time: an old request that somebody repeats, or a clock that is off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A request as it was judged.

    Args:
        age_s: how long ago it was signed by Slack's clock; only of a right signature.
    """

    seal: Seal
    age_s: float = 0.0


def judge(body: bytes, timestamps: list[bytes], signatures: list[bytes], secret: bytes, now_s: float) -> Verdict:
    """Judge a request.

    Args:
        timestamps, signatures: every header of that name, as it came.
        now_s: seconds since 1970 by this machine's clock.
    """
    if len(timestamps) != 1 or len(signatures) != 1:
        return Verdict(seal=Seal.MALFORMED)
    timestamp, signature = timestamps[0], signatures[0]
    if not _TIMESTAMP.fullmatch(timestamp) or not _SIGNATURE.fullmatch(signature):
        return Verdict(seal=Seal.MALFORMED)
    expected = hmac.new(secret, b"v0:" + timestamp + b":" + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature, f"v0={expected}".encode()):
        return Verdict(seal=Seal.FORGED)
    age_s = now_s - int(timestamp)
    return Verdict(seal=Seal.GOOD if -EARLY_S <= age_s <= OLD_S else Seal.STALE, age_s=age_s)
