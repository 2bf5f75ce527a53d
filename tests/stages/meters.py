"""What `/metrics` says, as numbers, and what has been added to them since."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, frozenset[tuple[str, str]]]


class Meters:
    """The numbers of one process; counters of a test process go on from test to test, so that only differences count.

    Args:
        url: the HTTP port; of this process, which needs none, when empty.
    """

    def __init__(self, url: str = "") -> None:
        self._url = url
        self._before: Mapping[Sample, float] = {}

    async def begin(self) -> None:
        """Count from here."""
        self._before = await self.all()

    async def all(self) -> dict[Sample, float]:
        """Every sample."""
        text = await self._scraped() if self._url else generate_latest().decode()
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    async def _scraped(self) -> str:
        async with httpx2.AsyncClient(timeout=10) as client:
            response = await client.get(f"{self._url}/metrics")
        assert response.status_code == 200
        return response.text

    async def value(self, name: str, **labels: str) -> float:
        """A number as it is."""
        return (await self.all()).get((name, frozenset(labels.items())), 0.0)

    async def added(self, name: str, **labels: str) -> float:
        """What a number has grown by, over every series that has these labels."""
        return sum(
            value - self._before.get(sample, 0.0)
            for sample, value in (await self.all()).items()
            if sample[0] == name and sample[1] >= set(labels.items())
        )
