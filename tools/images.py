"""Bytes in, safe picture out: recognised by its first bytes, decoded and encoded afresh in a confined child process."""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import orjson

from bot.errors import ToolFailed, ToolInputError
from bot.ports import Image

LIMIT_BYTES = 10 * 1024 * 1024
"""What is accepted as a picture, and more than what the decoder can give back."""

_WALL_S = 8.0
"""How long the child may take; its processor time is limited more strictly, by itself."""

_DECODER = Path(__file__).with_name("decoder.py")

_AGAIN = "Ask the customer to send the receipt as a PNG, JPEG, WEBP or GIF picture."

SENTENCES = {
    "empty_file": f"The file is empty (0 bytes). {_AGAIN}",
    "too_large": f"The file is larger than 10 MB. {_AGAIN}",
    "program": f"The file is a program, not a picture, whatever its name says. {_AGAIN}",
    "web_page": f"The file is a web page (perhaps a login page), not a picture. {_AGAIN}",
    "heic_not_supported": f"The picture is in Apple's HEIC or AVIF format, which cannot be read here. {_AGAIN}",
    "pdf_not_supported": f"The file is a PDF, which cannot be read here. A screenshot of it can. {_AGAIN}",
    "svg_not_supported": f"The file is an SVG drawing, which cannot be read here. {_AGAIN}",
    "not_a_picture": f"The file is not a picture of a kind that can be read here. {_AGAIN}",
    "too_many_pixels": f"The picture has more than 20 million pixels. {_AGAIN} It should be smaller.",
    "damaged": f"The picture is damaged or not complete. {_AGAIN}",
}
"""What is said of each kind of file that is refused."""

_PICTURES = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP", re.DOTALL)
_FOREIGN = (
    ("heic_not_supported", re.compile(rb"....ftyp(?:hei[cxms]|hev[cx]|mif1|msf1|avi[fs])", re.DOTALL)),
    ("program", re.compile(rb"\x7fELF|MZ|#!|\xca\xfe\xba\xbe|[\xce\xcf]\xfa\xed\xfe|\xfe\xed\xfa[\xce\xcf]|\x00asm")),
    ("pdf_not_supported", re.compile(rb"[^%]{0,1024}%PDF-", re.DOTALL)),
    (
        "svg_not_supported",
        re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:svg\b|\?xml\b.{0,2000}?<svg\b)", re.DOTALL | re.IGNORECASE),
    ),
    (
        "web_page",
        re.compile(
            rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head|body|script|title|meta|!--|\?xml)", re.IGNORECASE
        ),
    ),
)


def refuse(code: str) -> ToolInputError:
    """The error for one of `SENTENCES`."""
    return ToolInputError(code, SENTENCES[code])


def check_type(data: bytes) -> None:
    """See by the first bytes whether this can be a picture; what somebody called it counts for nothing.

    Raises:
        ToolInputError: with the reason as its code.
    """
    if not data:
        raise refuse("empty_file")
    if len(data) > LIMIT_BYTES:
        raise refuse("too_large")
    if _PICTURES.match(data):
        return
    for code, pattern in _FOREIGN:
        if pattern.match(data[:4096]):
            raise refuse(code)
    raise refuse("not_a_picture")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCheck:
    """Makes safe pictures.

    Args:
        at_once: how many children may run at a time; each may take 512 MB and a processor for 5 s.
        wall_s: seconds after which a child is killed.
        command: what is run; it gets the bytes on standard input.
    """

    at_once: int = 2
    wall_s: float = _WALL_S
    command: tuple[str, ...] = (sys.executable, "-I", "-B", str(_DECODER))
    _places: asyncio.Semaphore = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_places", asyncio.Semaphore(self.at_once))

    async def __call__(self, data: bytes) -> Image:
        """A picture that we encoded ourselves: JPEG, upright, without metadata, at most 2048 pixels a side.

        Raises:
            ToolInputError: not a picture that can be read; the code and the sentence say why.
            ToolFailed: `decoder_unavailable`: no child could be started.
        """
        check_type(data)
        async with self._places:
            answer = await self._run(data)
        head, _, picture = answer.partition(b"\n")
        try:
            told = orjson.loads(head)
        except orjson.JSONDecodeError:
            # It found the picture damaged, or was killed: by us, or by a limit that it ran into.
            raise refuse("damaged") from None
        if "error" in told:
            raise refuse("too_many_pixels" if told["error"] == "too_many_pixels" else "damaged")
        return Image(media_type="image/jpeg", data=picture, width=int(told["width"]), height=int(told["height"]))

    async def _run(self, data: bytes) -> bytes:
        try:
            child = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
            )
        except OSError:
            raise ToolFailed(
                "decoder_unavailable", "Pictures cannot be read at the moment. Offer to open a ticket."
            ) from None
        try:
            async with asyncio.timeout(self.wall_s), asyncio.TaskGroup() as group:
                group.create_task(_feed(child, data))
                reading = group.create_task(_drain(child))
            return reading.result()
        except TimeoutError:
            return b""
        finally:
            await _end(child)


async def _feed(child: asyncio.subprocess.Process, data: bytes) -> None:
    """Hand over the bytes; a child that does not want them all has its reasons, and its answer tells them."""
    pipe = cast("asyncio.StreamWriter", child.stdin)
    try:
        pipe.write(data)
        await pipe.drain()
        pipe.close()
        await pipe.wait_closed()
    except (BrokenPipeError, ConnectionResetError):
        return


async def _end(child: asyncio.subprocess.Process) -> None:
    """Leave nothing of it behind. One that has closed its output is about to end by itself, with a second for it."""
    output = cast("asyncio.StreamReader", child.stdout)
    try:
        if output.at_eof():
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await child.wait()
    finally:
        if child.returncode is None:
            child.kill()
    while await output.read(256 * 1024):
        pass  # a pipe that nobody empties keeps its transport open
    await child.wait()


async def _drain(child: asyncio.subprocess.Process) -> bytes:
    """What the child writes, up to the limit; one that writes more is not trusted at all."""
    pipe = cast("asyncio.StreamReader", child.stdout)
    parts: list[bytes] = []
    size = 0
    while part := await pipe.read(256 * 1024):
        size += len(part)
        if size > LIMIT_BYTES:
            return b""
        parts.append(part)
    return b"".join(parts)
