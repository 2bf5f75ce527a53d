"""Small facts that every process sees."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol


class SharedState(Protocol):
    """Small facts that every process sees, namespaced per owner. Values are bytes; keys are free text."""

    async def get(self, key: str) -> bytes | None: ...

    async def get_all(self, *keys: str) -> Sequence[bytes | None]:
        """Several values, in the order of their keys: one way there and back, where they are kept in one place."""

    async def set(self, key: str, value: bytes, *, ttl_s: float | None = None) -> None: ...

    async def delete(self, key: str) -> bool: ...

    async def compare_and_set(
        self, key: str, expected: bytes | None, value: bytes, *, ttl_s: float | None = None
    ) -> bool:
        """Set only if the value is still `expected` (`None`: absent); whether it was set."""

    async def increment(self, key: str, *, ttl_s: float | None = None) -> int:
        """Count up by one; the time to live begins at the first count."""

    async def append(self, key: str, value: bytes, *, ttl_s: float | None = None) -> int:
        """Append to a log; the index of what was appended."""

    async def read(self, key: str, start: int = 0) -> Sequence[bytes]:
        """A log from index `start`."""

    async def replace(self, key: str, index: int, value: bytes) -> bool:
        """Put another entry in the place of one (what was deleted is forgotten); whether it was there."""

    async def plan(self, key: str, item: bytes, *, after_s: float) -> None:
        """Have an item of an agenda come up after a while; planned again, it comes up then instead."""

    async def cancel(self, key: str, item: bytes) -> bool:
        """Take an item off the agenda; whether it was on it."""

    async def due(self, key: str, *, lease_s: float) -> bytes | None:
        """An item whose time has come, kept from everybody else for `lease_s`; who has dealt with it cancels it."""

    async def publish(self, channel: str, value: bytes) -> None:
        """Tell whoever listens at this moment; nobody else will know."""

    def subscribe(self, channel: str) -> AsyncGenerator[bytes, None]:
        """What is published from now on. The first item is an empty one: from there on nothing is missed."""

    def within(self, owner: str) -> SharedState:
        """The same store under a longer namespace."""
