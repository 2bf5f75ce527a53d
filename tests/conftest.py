"""What every test may ask for: a real Redis, a real SQLite or PostgreSQL, a real browser; and a limit on its time.

Where a part is not installed the tests that need it are skipped with the command that installs it; in CI (`CI=true`)
they fail. This is the only file of the tests that reads the environment.
"""

from __future__ import annotations

import asyncio
import functools
import io
import logging
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

import pytest
import structlog
from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from bot.errors import ConfigError
from bot.observe import configure_logging
from bot.secrets import Masking
from bot.store.embedded import EmbeddedRedis
from bot.store.program import find_server
from tests.servers.postgres import Postgres, find_postgres
from tests.servers.redis import RedisServer, cluster

LIMIT_S = 60.0
"""How long the body of a test may take, unless it says `@pytest.mark.timeout_s(…)`."""

IN_CI = os.environ.get("CI") == "true"


def missing(sentence: str) -> NoReturn:
    """End a test for want of something that is not installed: a failure in CI, a skip elsewhere."""
    if IN_CI:
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


# ------------------------------------------------------------------------------------------------------ behaviours


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --collect-only -qq --list-behaviours` shows which test holds which promise."""
    parser.addoption("--list-behaviours", action="store_true", help="list behaviours with the tests that hold them")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write a line for each mark on each test, whether it stands in the code or came with data."""
    if session.config.getoption("list_behaviours"):
        for item in session.items:
            for marker in item.iter_markers("behaviour"):
                for behaviour in marker.args:
                    session.config.get_terminal_writer().line(f"behaviour {behaviour} {item.nodeid}")


# ---------------------------------------------------------------------------------------------------------- limits


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every asynchronous test its limit from inside, where a time-out shows what it was waiting for."""
    for item in items:
        if isinstance(item, pytest.Function) and asyncio.iscoroutinefunction(item.obj):
            item.obj = _bounded(item.obj, _limit_s(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Give every test its limit from outside: it also ends code that never returns to the event loop."""
    limit_s = _limit_s(item)

    def end(signum: int, frame: FrameType | None) -> None:
        pytest.fail(f"took longer than {limit_s:g} s (see `timeout_s` in pyproject.toml)")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, limit_s + 2)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _limit_s(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout_s")
    return float(marker.args[0]) if marker else LIMIT_S


def _bounded(test: Callable[..., Awaitable[None]], limit_s: float) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def run(*args: object, **kwargs: object) -> None:
        async with asyncio.timeout(limit_s):
            await test(*args, **kwargs)

    return run


# ----------------------------------------------------------------------------------------------------------- Redis


@pytest.fixture(scope="session")
def _redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"), fsync="no")
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        try:
            runner.run(server.__aenter__())
        except ConfigError as error:
            missing(str(error))
        yield server
        runner.run(server.__aexit__(None, None, None))


@pytest.fixture
def redis_url(_redis_server: EmbeddedRedis) -> str:
    """The address of a real, empty Redis, on a unix socket; the same server for all tests of a run."""
    with BlockingRedis.from_url(_redis_server.url) as client:
        client.flushall()
    return _redis_server.url


@pytest.fixture(scope="session")
def _redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RedisServer]]:
    try:
        find_server()
    except ConfigError as error:
        missing(str(error))
    with cluster(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


@pytest.fixture
def redis_cluster(_redis_cluster: list[RedisServer]) -> list[RedisServer]:
    """Three masters that share the slots, empty; the same for all tests of a run."""
    for server in _redis_cluster:
        with server.client() as client:
            client.flushall()
    return _redis_cluster


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of `redis_url` that reads bytes."""
    async with Redis.from_url(redis_url) as client:
        yield client


# -------------------------------------------------------------------------------------------------------- databases


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of a SQLite file that does not exist yet."""
    return f"sqlite+aiosqlite:///{tmp_path / 'frontdesk.sqlite3'}"


@pytest.fixture(scope="session")
def _postgres() -> Iterator[Postgres]:
    binaries = find_postgres()
    if binaries is None:
        missing("PostgreSQL is not installed: `sudo apt-get install postgresql`.")
    with Postgres.running(binaries) as postgres:
        yield postgres


@pytest.fixture
def postgres_url(_postgres: Postgres) -> Iterator[str]:
    """The address of an empty PostgreSQL database of the test's own."""
    with _postgres.database() as url:
        yield url


@pytest.fixture(params=("sqlite", "postgres"))
def database_url(request: pytest.FixtureRequest) -> str:
    """Both kinds of empty database: the test runs once on each."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


# ---------------------------------------------------------------------------------------------------------- browser


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The program to give to playwright as `executable_path`."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return Path(path)
    missing("Chromium is not installed: `sudo apt-get install chromium`.")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """All that is logged, as it is written."""
    written = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    monkeypatch.setattr("sys.stderr", written)
    configure_logging(Masking(frozenset()), pretty=False, level=logging.DEBUG)
    structlog.configure(cache_logger_on_first_use=False)  # or whoever logs first now would always log like this
    yield written
    structlog.reset_defaults()
    root.handlers[:] = before
    root.setLevel(level)
