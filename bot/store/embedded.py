"""A real Redis of our own: a child process on a unix socket in the data folder, for when no `REDIS_URL` is set.

The folder `redis/` in the data folder holds the append-only file, the log of this run and of the one before, the socket
(or a link to it) and a lock. The lock belongs to the process that started the server: two Frontdesks never share a
folder. The server has a session of its own, so that Ctrl-C in a terminal reaches the worker first and Redis last. It
ends with its parent however that ends (Linux), and one that outlived it all the same is ended at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError

from bot.errors import ConfigError
from bot.store.program import RedisProgram, explain, find_server

SOCKET_PATH_LIMIT_BYTES = 100
"""Systems take 103 to 107; the socket of a longer folder lies in a private temporary one, and a link tells where."""

_POLL_S = 0.02
_REPLY_TIMEOUT_S = 5.0
_TEMPORARY = "frontdesk-redis-"

# Runs between us and Redis: asks Linux (PR_SET_PDEATHSIG = 1) for SIGTERM when the thread that started it ends, looks
# whether that has happened already, and becomes Redis. It is a program of its own because code that runs between fork
# and exec in a process with threads may hang.
_LAUNCHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, int(signal.SIGTERM))
if os.getppid() != int(sys.argv[1]):
    sys.exit("the process that started Redis is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


class EmbeddedRedis:
    """Starts a server on entering and stops it on leaving; enter it in the main thread, whose end also ends the server.

    Args:
        data_dir: Frontdesk's data folder; made when absent.
        fsync: Redis' `appendfsync`; anything but `always` may lose what was accepted in the last second.
        start_timeout_s: how long the server may take to answer; while it loads its data, ten times that.
        stop_timeout_s: how long it may take to stop before it is killed.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        fsync: Literal["always", "everysec", "no"] = "always",
        start_timeout_s: float = 30.0,
        stop_timeout_s: float = 10.0,
    ) -> None:
        self._folder = _folder(data_dir)
        self._fsync = fsync
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._running: asyncio.subprocess.Process | None = None
        self._lock: int | None = None

    @property
    def url(self) -> str:
        """The server's address, as `redis.asyncio.Redis.from_url` takes it."""
        return _url(_socket(self._folder))

    @property
    def pid(self) -> int:
        """The server's process id, while it runs."""
        return self._process.pid

    async def exited(self) -> int:
        """Wait until the server is gone, for whatever reason.

        Returns:
            Its exit status, negative for a signal.
        """
        return await self._process.wait()

    async def __aenter__(self) -> Self:
        """Start the server and wait until it answers.

        Raises:
            ConfigError: no server is installed, the folder is in use or cannot be written, or Redis refuses to start.
        """
        if sys.platform == "win32":
            raise ConfigError("Redis cannot be embedded on Windows: set REDIS_URL.")
        program = await asyncio.to_thread(find_server)
        self._lock = _lock_folder(self._folder)
        try:
            program.refuse_newer_data(self._folder)
            await _end_survivor(self._folder, self._stop_timeout_s)
            await self._start(program)
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server (bounded) and give the folder back."""
        await self._stop()

    @property
    def _process(self) -> asyncio.subprocess.Process:
        if self._running is None:
            raise RuntimeError("the embedded Redis was not started")
        return self._running

    async def _start(self, program: RedisProgram) -> None:
        socket = _place_socket(self._folder)
        command = [str(program.path), *_arguments(self._folder, socket, self._fsync)]
        if sys.platform == "linux":
            command = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]
        log = _open_log(self._folder)
        try:
            self._running = await asyncio.create_subprocess_exec(
                *command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        finally:
            os.close(log)
        if not await self._answers(_url(socket)):
            text = (self._folder / "redis.log").read_text(encoding="utf-8", errors="replace")
            raise ConfigError(explain(text, program, self._folder))

    async def _answers(self, url: str) -> bool:
        """Whether the server answered before it ended and before its time was up."""
        clock = asyncio.get_running_loop().time
        started = clock()
        limit_s = self._start_timeout_s
        exited = asyncio.create_task(self._process.wait())
        try:
            async with _client(url) as client:
                while not exited.done() and clock() < started + limit_s:
                    try:
                        await client.ping()
                    except BusyLoadingError:
                        limit_s = 10 * self._start_timeout_s
                    except RedisError:
                        pass  # it does not listen yet
                    else:
                        return True
                    await asyncio.wait([exited], timeout=_POLL_S)
        finally:
            exited.cancel()
        return False

    async def _stop(self) -> None:
        if self._running is not None:
            with contextlib.suppress(ProcessLookupError):
                self._running.terminate()
            try:
                async with asyncio.timeout(self._stop_timeout_s):
                    await self._running.wait()
            except TimeoutError:
                self._running.kill()
                await self._running.wait()
            self._running = None
        if self._lock is not None:
            _remove_socket(self._folder)
            os.close(self._lock)
            self._lock = None


async def running_url(data_dir: Path) -> str | None:
    """Where the server answers that another process runs on this data folder, if one does."""
    url = _url(_socket(_folder(data_dir)))
    async with _client(url) as client:
        try:
            await client.ping()
        except RedisError:
            return None
    return url


async def _end_survivor(folder: Path, timeout_s: float) -> None:
    """End the server of an earlier run whose parent was killed: two servers must never write the same files.

    Raises:
        ConfigError: it does not end.
    """
    socket = _socket(folder)
    try:
        async with asyncio.timeout(timeout_s):
            while await _is_listening(socket):
                async with _client(_url(socket)) as client:
                    with contextlib.suppress(RedisError):
                        await client.shutdown(nosave=True)
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise ConfigError(f"A Redis of an earlier run uses {folder} and does not stop: end that process.") from None
    _remove_socket(folder)


async def _is_listening(socket: Path) -> bool:
    """Whether a process holds the socket open, even one that is too busy, or frozen, to answer."""
    try:
        _, writer = await asyncio.open_unix_connection(socket)
    except OSError:
        return False
    writer.close()
    return True


def _arguments(folder: Path, socket: Path, fsync: str) -> list[str]:
    settings = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "daemonize": "no",
        "logfile": "",
        "appendonly": "yes",
        "appendfsync": fsync,
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    return [part for name, value in settings.items() for part in (f"--{name}", value)]


def _client(url: str) -> Redis:
    return Redis.from_url(
        url, retry=Retry(NoBackoff(), 0), socket_timeout=_REPLY_TIMEOUT_S, socket_connect_timeout=_REPLY_TIMEOUT_S
    )


def _folder(data_dir: Path) -> Path:
    return data_dir.absolute() / "redis"


def _url(socket: Path) -> str:
    return f"unix://{quote(str(socket))}"


def _socket(folder: Path) -> Path:
    """Where the server listens, or would."""
    link = folder / "redis.sock"
    return link.readlink() if link.is_symlink() else link


def _place_socket(folder: Path) -> Path:
    """A path that a socket can have, found again from the folder."""
    socket = folder / "redis.sock"
    if len(os.fsencode(socket)) > SOCKET_PATH_LIMIT_BYTES:
        socket.symlink_to(Path(tempfile.mkdtemp(prefix=_TEMPORARY)) / "redis.sock")
    return _socket(folder)


def _remove_socket(folder: Path) -> None:
    socket = _socket(folder)
    with contextlib.suppress(OSError):
        socket.unlink()
    if socket.parent != folder:
        (folder / "redis.sock").unlink()
        if socket.parent.name.startswith(_TEMPORARY):
            with contextlib.suppress(OSError):
                socket.parent.rmdir()


def _open_log(folder: Path) -> int:
    """This run's log, empty; the one of the run before lies beside it."""
    log = folder / "redis.log"
    with contextlib.suppress(FileNotFoundError):
        log.replace(folder / "redis.log.1")
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _lock_folder(folder: Path) -> int:
    """Make the folder and take its lock, which the system gives back however this process ends.

    Raises:
        ConfigError: it is taken, or the folder cannot be written.
    """
    import fcntl  # absent on Windows, where this module is imported but never gets here

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(
            f"The data folder {folder.parent} cannot be written ({error.strerror}): set FRONTDESK_DATA_DIR."
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if error.errno in (errno.EACCES, errno.EWOULDBLOCK):
            raise ConfigError(
                f"Another Frontdesk uses the data folder {folder.parent}: stop it, or give this one a folder of "
                "its own with FRONTDESK_DATA_DIR."
            ) from None
        raise ConfigError(f"{folder} cannot be locked ({error.strerror}): set FRONTDESK_DATA_DIR.") from None
    return lock
