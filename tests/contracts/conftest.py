"""The stores that every implementation is tried on: one Redis, and a cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.store.client import Connections
from tests.servers.redis import cluster_url


@pytest.fixture(params=["one", pytest.param("cluster", marks=pytest.mark.behaviour("machines.cluster"))])
def kind(request: pytest.FixtureRequest) -> str:
    """The test runs once on each."""
    return str(request.param)


@pytest.fixture
def address(kind: str, request: pytest.FixtureRequest) -> str:
    if kind == "cluster":
        return cluster_url(request.getfixturevalue("redis_cluster"))
    return str(request.getfixturevalue("redis_url"))


@pytest.fixture
async def connections(address: str) -> AsyncIterator[Connections]:
    connections = Connections(address)
    yield connections
    await connections.aclose()
