"""Start the stand-in: `python -m bot.standin --port 0`; it lives as long as whoever holds its standard input."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import stat
import sys
import threading
from types import FrameType

import uvicorn

from bot.standin.dialogue import Responder
from bot.standin.ocr import Eye
from bot.standin.server import create_app

_STDIN = 0


def main() -> None:
    """Serve until SIGTERM, Ctrl-C, or the end of a standard input that somebody holds."""
    parser = argparse.ArgumentParser(prog="python -m bot.standin", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one, printed")
    parser.add_argument("--pace-ms", type=float, default=15.0, help="milliseconds of typing per word of a stream")
    options = parser.parse_args()

    try:
        listener = socket.create_server((options.host, options.port), backlog=128)
    except OSError as error:
        sys.exit(f"stand-in: cannot listen on {options.host}:{options.port}: {error.strerror}")
    host, port = listener.getsockname()[:2]
    app = create_app(Responder(Eye()).answer, pace_s=max(0.0, options.pace_ms) / 1000)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=2)
    )

    def leave(number: int, frame: FrameType | None) -> None:
        server.should_exit = True

    # Before uvicorn listens for signals these count; after it they take the signal that it raises again: a quiet end.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    if _is_held(_STDIN):
        threading.Thread(target=_follow, args=(server,), daemon=True).start()
    sys.stdout.write(f"stand-in listening on http://{host}:{port}/v1\n")
    sys.stdout.flush()
    server.run(sockets=[listener])


def _is_held(descriptor: int) -> bool:
    """Whether somebody keeps the other end open: a pipe or a socket, not a terminal, a file or the null device."""
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _follow(server: uvicorn.Server) -> None:
    """End the server when standard input ends: its parent is gone, however it went."""
    try:
        while os.read(_STDIN, 4096):
            pass
    except OSError:
        pass
    server.should_exit = True


if __name__ == "__main__":
    main()
