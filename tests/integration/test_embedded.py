"""The embedded Redis: real servers, real kills."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.errors import ConfigError
from bot.store.embedded import EmbeddedRedis, running_url
from bot.store.program import find_server

# What `frontdesk` does with it, and nothing else: start, say where, stay until ended.
PARENT = """
import asyncio, sys
from pathlib import Path
from bot.store.embedded import EmbeddedRedis

async def main():
    async with EmbeddedRedis(Path(sys.argv[1])) as server:
        print(server.pid, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def _server(_redis_server: EmbeddedRedis) -> None:
    """Skips where no Redis is installed, as everywhere."""


async def write(url: str, key: str) -> None:
    async with Redis.from_url(url) as client:
        await client.set(key, "1")


async def read(url: str, key: str) -> object:
    async with Redis.from_url(url) as client:
        return await client.get(key)


async def gone(pid: int) -> None:
    """Wait until a process that is not our child has ended; a zombie in the care of nobody counts as ended."""
    async with asyncio.timeout(20):
        while Path(f"/proc/{pid}").exists() and ") Z " not in Path(f"/proc/{pid}/stat").read_text():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def parent_process(data_dir: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """A process that runs the embedded Redis, and the server's process id."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(data_dir), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield process, int(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_it_runs_as_promised(tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path) as server, Redis.from_url(server.url, decode_responses=True) as client:
        promised = {
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
            "port": "0",
            "save": "",
        }
        assert promised.items() <= (await client.config_get("*")).items()
        assert (tmp_path / "redis").stat().st_mode & 0o077 == 0
        assert await running_url(tmp_path) == server.url
    assert await running_url(tmp_path) is None
    assert not (tmp_path / "redis" / "redis.sock").exists()


@pytest.mark.behaviour("embedded.durable")
async def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path) as server:
        await write(server.url, "before a stop")
    async with EmbeddedRedis(tmp_path) as server:
        await write(server.url, "before a kill")
        os.kill(server.pid, signal.SIGKILL)
        assert await server.exited() == -signal.SIGKILL
    async with EmbeddedRedis(tmp_path) as server:
        assert await read(server.url, "before a stop") == b"1"
        assert await read(server.url, "before a kill") == b"1"


@pytest.mark.behaviour("embedded.alone")
async def test_a_second_start_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path) as server:
        with pytest.raises(ConfigError, match="Another Frontdesk uses the data folder"):
            await EmbeddedRedis(tmp_path).__aenter__()
        await write(server.url, "still served")


@pytest.mark.behaviour("embedded.orphan")
@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux ends a child with its parent; the next start does it elsewhere"
)
async def test_a_killed_parent_leaves_no_server_behind(tmp_path: Path) -> None:
    async with parent_process(tmp_path) as (parent, pid):
        url = await running_url(tmp_path)
        assert url is not None
        await write(url, "accepted")
        parent.kill()
        await gone(pid)
    async with EmbeddedRedis(tmp_path) as server:
        assert await read(server.url, "accepted") == b"1"


@pytest.mark.behaviour("embedded.orphan")
async def test_a_server_that_outlived_its_parent_is_ended_first(tmp_path: Path) -> None:
    async with orphan(tmp_path) as process:
        await write(f"unix://{tmp_path}/redis/redis.sock", "accepted")
        async with EmbeddedRedis(tmp_path) as server:
            assert await process.wait() == 0
            assert await read(server.url, "accepted") == b"1"


async def test_a_frozen_survivor_is_named_and_its_files_are_left_alone(tmp_path: Path) -> None:
    async with orphan(tmp_path) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(ConfigError, match="does not stop: end that process"):
            await EmbeddedRedis(tmp_path, stop_timeout_s=0.3).__aenter__()


@asynccontextmanager
async def orphan(data_dir: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A server on the folder's files and socket that nobody's end will end."""
    folder = data_dir / "redis"
    folder.mkdir()
    socket = folder / "redis.sock"
    process = await asyncio.create_subprocess_exec(
        *(str(find_server().path), "--port", "0", "--unixsocket", str(socket), "--dir", str(folder)),
        *("--appendonly", "yes", "--save", ""),
        stdout=subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(20):
            while await running_url(data_dir) is None:
                await asyncio.sleep(0.01)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.behaviour("embedded.interrupt")
async def test_ctrl_c_does_not_reach_the_server(tmp_path: Path) -> None:
    """A terminal sends Ctrl-C to the foreground's process group, in one session: the server is in neither."""
    async with EmbeddedRedis(tmp_path) as server:
        assert os.getsid(server.pid) == os.getpgid(server.pid) == server.pid != os.getsid(0)


@pytest.mark.behaviour("embedded.path")
@pytest.mark.parametrize("name", ["with space", "per%20cent & 'quote'", "long" * 40], ids=["space", "quote", "long"])
async def test_any_folder_serves(tmp_path: Path, name: str) -> None:
    data_dir = tmp_path / name
    async with EmbeddedRedis(data_dir) as server:
        await write(server.url, "kept")
    async with EmbeddedRedis(data_dir) as server:
        assert await running_url(data_dir) == server.url
        assert await read(server.url, "kept") == b"1"
        socket = (data_dir / "redis" / "redis.sock").resolve()
    assert not socket.exists()
    assert socket.parent == data_dir / "redis" or not socket.parent.exists()


@pytest.mark.behaviour("embedded.damaged")
async def test_a_damaged_file_is_reported_with_the_command_that_mends_it(tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path) as server:
        await write(server.url, "whole")
    written = sorted((tmp_path / "redis").rglob("appendonly.aof*"), key=lambda path: (path.suffix == ".aof", path.name))
    damaged = written[-1]
    with damaged.open("ab") as file:
        file.write(b"\0" * 512)  # what a file system may leave after the power failed
    before = damaged.read_bytes()

    with pytest.raises(ConfigError, match="--fix") as caught:
        await EmbeddedRedis(tmp_path).__aenter__()
    assert damaged.read_bytes() == before

    command = str(caught.value).split("`")[1]
    mend = await asyncio.create_subprocess_exec(*shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    await mend.communicate(b"y\n")
    assert mend.returncode == 0
    async with EmbeddedRedis(tmp_path) as server:
        assert await read(server.url, "whole") == b"1"


async def test_a_file_where_the_folder_should_be_is_a_setting_to_mend(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(ConfigError, match="FRONTDESK_DATA_DIR"):
        await EmbeddedRedis(tmp_path / "data").__aenter__()
