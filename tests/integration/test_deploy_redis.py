"""Redis as compose and the small overlay start it, and what the runbook does when its file is damaged or gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis.exceptions
import yaml
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bot.app import open_mailbox
from bot.config import load
from bot.errors import ConfigError
from bot.store.client import Connections
from bot.store.guard import refuse_unsafe
from bot.store.program import find_server
from tests.conftest import missing
from tests.deployment import DEPLOY
from tests.deployment.runbook import steps
from tests.servers.redis import RedisServer, free_port, serving, until
from tests.unit.test_deploy_compose import make_secrets

SECRET_KEY = "0123456789abcdef"
AT_ONCE = Retry(NoBackoff(), 0)


def follow(name: str, server: RedisServer, **variables: str) -> str:
    """Do what a block of the runbook says, in the folder of the server's data; what was printed.

    `redis-cli` is the one that is installed, told which server is meant.
    """
    tools = {tool: shutil.which(tool) for tool in ("redis-cli", "redis-check-aof")}
    if None in tools.values():
        missing("redis-cli and redis-check-aof are not installed: `sudo apt-get install redis-server`.")
    bound = server.folder.with_name("bound")
    bound.mkdir(exist_ok=True)
    (bound / "redis-cli").write_text(f'#!/bin/sh\nexec {tools["redis-cli"]} -p {server.port} "$@"\n')
    (bound / "redis-cli").chmod(0o755)
    done = subprocess.run(
        ["sh", "-euc", steps(name)],
        cwd=server.folder,
        env={"PATH": f"{bound}:{os.defpath}", **variables},
        capture_output=True,
        text=True,
        timeout=25,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def written(server: RedisServer, count: int) -> None:
    """So many keys."""
    with server.client() as client:
        for number in range(count):
            client.set(f"key:{number}", number)


def newest(server: RedisServer) -> Path:
    """The file that Redis appends to."""
    files = sorted((server.folder / "appendonlydir").glob("*.incr.aof"))
    if not files:
        missing("This Redis is older than 7 and keeps its append-only file otherwise: install redis-server 7 or newer.")
    return files[-1]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "data")
    with serving(server):
        yield server


@pytest.mark.behaviour("deploy.tail")
def test_a_tail_of_zeros_is_cut_off_as_the_runbook_says(server: RedisServer) -> None:
    written(server, 200)
    server.kill()
    whole = newest(server).read_bytes()
    with newest(server).open("ab") as file:
        file.write(bytes(4096))
    server.start()
    with pytest.raises(AssertionError, match="Bad file format reading the append only file"):
        server.wait()
    shown = follow("mend-tail", server)
    assert "Successfully truncated AOF" in shown
    assert newest(server).read_bytes() == whole
    (copy,) = server.folder.glob("appendonlydir.damaged-*")
    assert (copy / newest(server).name).read_bytes() == whole + bytes(4096), "the damaged one is kept"
    server.start()
    server.wait()
    with server.client() as client:
        assert client.dbsize() == 200


@pytest.mark.behaviour("deploy.tail")
def test_a_tail_that_is_cut_in_a_command_needs_nobody(server: RedisServer) -> None:
    written(server, 200)
    server.kill()
    os.truncate(newest(server), newest(server).stat().st_size - 7)
    server.start()
    server.wait()
    with server.client() as client:
        assert client.dbsize() == 199


@pytest.mark.behaviour("deploy.restore")
def test_a_backup_made_under_traffic_is_restored(server: RedisServer, tmp_path: Path) -> None:
    written(server, 500)
    stop = threading.Event()
    later: list[int] = []

    def write() -> None:
        with server.client() as client:
            while not stop.is_set():
                client.set(f"later:{len(later)}", "x" * 1000)
                later.append(len(later))

    writer = threading.Thread(target=write)
    writer.start()
    until(lambda: len(later) > 50)
    known = len(later)
    try:
        follow("back-up", server, BACKUP=str(tmp_path / "backup.tar"))
    finally:
        stop.set()
        writer.join(timeout=10)
    with server.client() as client:
        assert client.config_get("auto-aof-rewrite-percentage")["auto-aof-rewrite-percentage"] == "100"
    server.kill()
    shutil.rmtree(server.folder / "appendonlydir")
    (server.folder / "appendonlydir").mkdir()  # somebody began anew
    follow("restore", server, BACKUP=str(tmp_path / "backup.tar"))
    assert list(server.folder.glob("appendonlydir.before-*")), "what was there is kept"
    server.start()
    server.wait()
    with server.client() as client:
        assert all(client.get(f"key:{number}") == str(number).encode() for number in range(500))
        kept = [client.exists(f"later:{number}") for number in range(len(later))]
        assert all(kept[:known]), "what was acknowledged before the backup began is in it"
        assert kept == sorted(kept, reverse=True), "of what came meanwhile it holds a beginning"


@pytest.mark.behaviour("deploy.stores")
async def test_the_redis_of_compose_asks_who_calls_and_is_safe(tmp_path: Path) -> None:
    secrets, data = tmp_path / "secrets", tmp_path / "data"
    data.mkdir()
    make_secrets(secrets)
    command = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]["redis"]["command"]
    places = {"redis-server": str(find_server().path), "/run/secrets/redis_conf": str(secrets / "redis.conf")}
    port = free_port()
    arguments = [places.get(part, str(data) if part == "/data" else part) for part in command]
    process = await asyncio.create_subprocess_exec(
        *arguments, "--port", str(port), "--bind", "127.0.0.1", stdout=asyncio.subprocess.DEVNULL
    )
    try:
        url = (secrets / "redis_url").read_text().strip().replace("redis:6379", f"127.0.0.1:{port}")
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(_answers, port):
                await asyncio.sleep(0.05)
        with Redis(port=port, retry=AT_ONCE) as stranger, pytest.raises(redis.exceptions.AuthenticationError):
            stranger.set("a", 1)
        connections = Connections(url)
        try:
            await refuse_unsafe(connections.commands)
            await connections.commands.config_set("maxmemory-policy", "allkeys-lru")
            with pytest.raises(ConfigError):
                await refuse_unsafe(connections.commands)
        finally:
            await connections.aclose()
        with Redis.from_url(url) as client:
            given = client.config_get("appendfsync", "maxmemory", "save")
        assert given == {"appendfsync": "always", "maxmemory": str(512 << 20), "save": ""}
        async with open_mailbox(load({"REDIS_URL": url, "FRONTDESK_SECRET_KEY": SECRET_KEY})) as mailbox:
            assert await mailbox.dead_letters() == []
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _answers(port: int) -> bool:
    with Redis(port=port, retry=AT_ONCE, socket_timeout=2) as client:
        try:
            client.ping()
        except redis.exceptions.AuthenticationError:
            return True
        except redis.exceptions.RedisError:
            return False
    return True
