"""Redis servers that a test may kill, freeze, fill and form into a cluster or a pair with a sentinel."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from bot.store.program import find_server

START_S = 15.0
_POLL_S = 0.02
_SLOTS = 16_384


class RedisServer:
    """One server with data of its own, on a local port.

    Args:
        folder: its data; made when absent.
        settings: beside those that every server of a test has.
        file: a configuration file that it reads, and may write (a sentinel does).
        login: what a client needs beside the port: a password, TLS.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str] | None = None,
        *,
        file: str = "",
        login: Mapping[str, Any] | None = None,
    ) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.folder = folder
        self._settings = {"appendonly": "yes", "appendfsync": "always", **(settings or {})}
        self._file = file
        self._login = dict(login or {})
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, settings: Mapping[str, str] | None = None) -> None:
        """Start it, on the data that is there, this time with these settings too."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [str(find_server().path)]
        if self._file:
            path = self.folder / "redis.conf"
            path.write_text(f"{self._port()} {self.port}\nbind 127.0.0.1\ndir {self.folder}\n{self._file}")
            command += [str(path), "--sentinel"]
        else:
            own = {self._port(): str(self.port), "bind": "127.0.0.1", "dir": str(self.folder), "save": ""}
            own |= {"repl-diskless-sync-delay": "0", **self._settings, **(settings or {})}
            command += [part for name, value in own.items() for part in (f"--{name}", value)]
        with (self.folder / "log").open("ab") as log:
            # A write beyond a limit on file sizes is an error that Redis can survive only if the signal is ignored.
            self._process = subprocess.Popen(command, stdout=log, stderr=log, restore_signals=False)

    def wait(self) -> None:
        """Until it answers."""
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            with contextlib.suppress(RedisError), self.client() as client:
                client.ping()
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._running.wait(_POLL_S)
                break
        raise AssertionError(f"Redis did not start:\n{(self.folder / 'log').read_text()}")

    def client(self) -> Redis:
        """A client that gives up at once."""
        return Redis(host="127.0.0.1", port=self.port, retry=Retry(NoBackoff(), 0), socket_timeout=5, **self._login)

    def _port(self) -> str:
        return "tls-port" if self._login.get("ssl") else "port"

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self._running.wait()

    def freeze(self) -> None:
        """It keeps its connections and does nothing."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self.signal(signal.SIGCONT)

    def limit_files(self, size_bytes: int) -> None:
        """It can write no file beyond this size; -1 ends that."""
        hard = resource.prlimit(self._running.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self._running.pid, resource.RLIMIT_FSIZE, (size_bytes, hard))

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self._running.pid, number)

    def stop(self) -> None:
        """End it for good, whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it was not started"
        return self._process


@contextlib.contextmanager
def serving(*servers: RedisServer) -> Iterator[None]:
    """Servers that run while the context lasts."""
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.wait()
        yield
    finally:
        for server in servers:
            server.stop()


@contextlib.contextmanager
def cluster(
    folder: Path, *, masters: int = 3, settings: Mapping[str, str] | None = None
) -> Iterator[list[RedisServer]]:
    """Masters that share the slots evenly, without replicas."""
    own = {"cluster-enabled": "yes", "cluster-node-timeout": "1000", "appendfsync": "no", **(settings or {})}
    servers = [RedisServer(folder / str(number), own) for number in range(masters)]
    with serving(*servers):
        for number, server in enumerate(servers):
            with server.client() as client:
                client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
                slots = range(_SLOTS * number // masters, _SLOTS * (number + 1) // masters)
                client.execute_command("CLUSTER ADDSLOTS", *slots)
                client.execute_command("CLUSTER MEET", "127.0.0.1", servers[0].port)
        until(lambda: all(_is_whole(server, masters) for server in servers))
        yield servers


def cluster_url(servers: Sequence[RedisServer]) -> str:
    """What REDIS_URL is for these."""
    return f"redis+cluster://{','.join(f'127.0.0.1:{server.port}' for server in servers)}"


def _is_whole(server: RedisServer, masters: int) -> bool:
    with server.client() as client:
        told: Any = client.execute_command("CLUSTER INFO")
    return bool(told["cluster_state"] == "ok" and int(told["cluster_size"]) == masters)


@contextlib.contextmanager
def pair(folder: Path) -> Iterator[tuple[RedisServer, RedisServer, RedisServer]]:
    """A master, its replica, and a sentinel that makes the replica master when the master is gone."""
    master = RedisServer(folder / "master")
    replica = RedisServer(folder / "replica", {"replicaof": f"127.0.0.1 {master.port}"})
    sentinel = RedisServer(
        folder / "sentinel",
        file=f"sentinel monitor desk 127.0.0.1 {master.port} 1\n"
        "sentinel down-after-milliseconds desk 300\nsentinel failover-timeout desk 3000\n",
    )
    with serving(master, replica, sentinel):
        with replica.client() as client:
            until(lambda: client.info("replication")["master_link_status"] == "up")
        with sentinel.client() as client:
            until(lambda: client.sentinel_masters()["desk"]["num-slaves"] == 1)
        yield master, replica, sentinel


def until(seen: Any, *, within_s: float = START_S) -> None:
    """Look until something is there, bounded; for code outside an event loop."""
    end = time.monotonic() + within_s
    while not seen():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(_POLL_S)


def free_port() -> int:
    """A port that is free together with the one that a cluster's nodes talk to each other on, 10,000 above."""
    for port in random.sample(range(17_000, 27_000), 200):
        with contextlib.ExitStack() as stack:
            try:
                for number in (port, port + 10_000):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", number))
            except OSError:
                continue
            return port
    raise AssertionError("no free port was found")
