"""The reading of an event stream: bytes to events. Pure, no sockets.

Source:
    https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import msgspec

from bot.errors import Transient

EVENT_LIMIT_BYTES = 1 << 20
"""One event. A longer one is no chunk of an answer, and the memory of a process is not its to fill."""


class ServerEvent(msgspec.Struct, frozen=True, gc=False):
    """One event of an event stream."""

    name: bytes
    data: bytes


class EventReader:
    """Cuts a byte stream into events; lines end with LF, CRLF or CR, and packets end anywhere."""

    def __init__(self) -> None:
        self._rest = b""
        self._after_cr = False
        self._name = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, packet: bytes) -> list[ServerEvent]:
        """The events that `packet` completes.

        Raises:
            Transient: `model_stream_malformed`: an event longer than `EVENT_LIMIT_BYTES`.
        """
        if not packet:
            return []
        if self._after_cr and packet.startswith(b"\n"):
            packet = packet[1:]
        block = self._rest + packet
        self._after_cr = block.endswith(b"\r")
        lines = block.splitlines()
        self._rest = b"" if self._after_cr or block.endswith(b"\n") or not lines else lines.pop()
        if len(self._rest) + self._size > EVENT_LIMIT_BYTES:
            raise Transient("model_stream_malformed")
        return self._events(lines)

    def finish(self) -> list[ServerEvent]:
        """What stands at the end without the empty line that should follow it; some servers leave that out.

        An event that was cut within its JSON is not among it: the stream broke there, and its end tells so.
        """
        events = self._events([self._rest, b""])
        return [event for event in events if event.data.rstrip().endswith((b"}", b"[DONE]"))]

    def _events(self, lines: list[bytes]) -> list[ServerEvent]:
        """The events that these lines complete: one loop, because an answer has a line for each of its words."""
        events: list[ServerEvent] = []
        data = self._data
        for line in lines:
            if line.startswith((b"data:", b"\xef\xbb\xbfdata:")):
                data.append(line.partition(b":")[2].removeprefix(b" "))
            elif not line:
                if data:
                    events.append(ServerEvent(self._name, b"\n".join(data)))
                    data.clear()
                self._name = b""
            elif line.startswith(b"event:"):
                self._name = line[6:].strip()
            # Everything else is a comment, a field that means nothing here, or no event stream at all.
        self._size = sum(map(len, data))
        return events
