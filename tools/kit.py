"""What the tools are built from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bot.ports import VisionModel
from tools.database import Database
from tools.desk import SqlDesk
from tools.fetch import GuardedFetch
from tools.images import ImageCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """Handed to every tool's builder by `tools.build`.

    Args:
        vision: reads receipts; has no tools and no history.
        fetch: the bytes behind a link that somebody wrote.
        check_image: makes a safe picture of bytes.
        tickets_per_day: how many tickets one person may open in 24 hours.
        vision_timeout_s: how long `analyze_receipt_image` may take, download and decoding included.
    """

    database: Database
    desk: SqlDesk
    vision: VisionModel
    fetch: Callable[[str], Awaitable[bytes]] = field(default_factory=GuardedFetch)
    check_image: ImageCheck = field(default_factory=ImageCheck)
    tickets_per_day: int = 5
    vision_timeout_s: float = 90.0
