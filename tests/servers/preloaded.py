"""Processes that start at once: a parent that has loaded Frontdesk's libraries is forked for each of them.

    python -m tests.servers.preloaded FD        the parent; it is given starts over the socket FD

What is forked runs `python -m MODULE …` with an environment, a working folder and streams of its own; it is killed,
stopped and waited for like any process. All that it is spared are the two seconds in which Python loads libraries. That
the command loads what it needs when it is started from nothing is for `tests/integration/test_cli.py` to show.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

ROOT = Path(__file__).parents[2]

LOADED = (
    "bot.commands",
    "bot.llm.openai",
    "bot.llm.vision",
    "adapters.web.platform",
    "adapters.slack.platform",
    "adapters.discord.platform",
)

_REQUEST_BYTES = 1 << 17


class _Start(TypedDict):
    """What `python -m` would be told."""

    module: str
    arguments: list[str]
    environment: dict[str, str]
    folder: str


class Preloaded:
    """A process that was forked; as `asyncio.subprocess.Process`, as far as tests ask."""

    def __init__(self, pid: int, status: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = asyncio.create_task(self._end(status))

    async def _end(self, status: socket.socket) -> None:
        with status:
            told = await asyncio.get_running_loop().sock_recv(status, 64)
        self.returncode = int(told or -signal.SIGKILL)  # without a word the parent itself has gone

    async def wait(self) -> int:
        """Wait until it is gone; its exit status, negative for a signal."""
        await asyncio.shield(self._ended)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)


async def start(
    module: str,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    output: int,
    errors: int | None = None,
    typed: int | None = None,
) -> Preloaded:
    """Run a module as `python -m` would; file descriptors are the caller's to close.

    Args:
        environment: the whole of it.
        folder: where it works.
        output: its standard output.
        errors: its standard errors; the same as its output when absent.
        typed: its standard input; empty when absent.
    """
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    request = _Start(module=module, arguments=[*arguments], environment=dict(environment), folder=str(folder))
    with theirs:
        streams = [_nothing() if typed is None else typed, output, output if errors is None else errors]
        socket.send_fds(_parent(), [json.dumps(request).encode()], [*streams, theirs.fileno()])
    pid = int(await asyncio.get_running_loop().sock_recv(ours, 64))
    return Preloaded(pid, ours)


@functools.cache
def _nothing() -> int:
    return os.open(os.devnull, os.O_RDONLY)


@functools.cache
def _parent() -> socket.socket:
    """The socket of this test run's parent, which lives as long as the run."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.preloaded", str(theirs.fileno())],
            cwd=ROOT,
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


# ------------------------------------------------------------------------------------------------------ the parent


def main() -> None:
    """Fork until nobody asks any more; what follows the loop is done by a process that was forked."""
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as control:
        request = _serve(control)
    if request is not None:
        sys.argv = [request["module"], *request["arguments"]]
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


def _serve(control: socket.socket) -> _Start | None:
    """Fork for every request, and tell how each of them ends; in a fork, what it is to be."""
    running: dict[int, socket.socket] = {}
    woken, wakes = socket.socketpair()
    wakes.setblocking(False)
    signal.set_wakeup_fd(wakes.fileno())
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            woken.recv(64)
            _tell_ended(running)
        if control not in ready:
            continue
        message, descriptors, _, _ = socket.recv_fds(control, _REQUEST_BYTES, 4)
        if not message:
            for pid in running:
                os.kill(pid, signal.SIGKILL)
            return None
        *streams, status = descriptors
        if (pid := os.fork()) == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for other in (woken, wakes, *running.values()):
                other.close()
            os.close(status)
            return _become(json.loads(message), streams)
        for stream in streams:
            os.close(stream)
        running[pid] = socket.socket(fileno=status)
        _tell(running[pid], pid)


def _tell_ended(running: dict[int, socket.socket]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with running.pop(pid) as told:
            _tell(told, os.waitstatus_to_exitcode(status))


def _tell(status: socket.socket, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # the test has ended meanwhile
        status.send(b"%d" % number)


def _become(request: _Start, streams: Sequence[int]) -> _Start:
    """Take the environment, the folder and the streams that were asked for."""
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    os.environ.clear()  # noqa: TID251 - what is forked has none of its parent's
    os.environ.update(request["environment"])  # noqa: TID251 - it is what `python` would be started with
    os.chdir(request["folder"])
    sys.path[0] = request["folder"]
    return request


if __name__ == "__main__":
    main()
