"""The stand-in's eye: text in a picture, read on this machine by rapidocr, without network."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import logging
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from bot.standin.layout import Piece, is_sideways, to_lines
from bot.standin.protocol import BadRequest

IMAGE_LIMIT_BYTES = 20 * 1024 * 1024
PIXEL_LIMIT = 40_000_000
_SIDE_LIMIT = 2_000
_THREADS = 1
"""The engine's threads wait for each other by spinning: a second one costs twice the processor for little time."""

_DATA_URL = re.compile(r"data:image/(?:png|jpeg|webp|gif);base64,(?P<data>[A-Za-z0-9+/=\s]+)\Z")
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_MARGIN = 24

_log = logging.getLogger(__name__)


class CannotRead(Exception):
    """There is no OCR on this machine, or it broke; the message is a sentence for the reader of the answer."""


class Eye:
    """Reads pictures, one at a time in a thread of its own; loads what it needs with the first picture."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ocr")
        self._engine: Any = None  # rapidocr ships no types

    async def read(self, url: str) -> list[str]:
        """The text in a picture, line by line.

        Args:
            url: a data URL with a PNG, JPEG, WebP or GIF.

        Raises:
            BadRequest: not such a URL, not such a picture, or larger than the limits.
            CannotRead: no OCR here.
        """
        data = _decode(url)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, data)

    def _read(self, data: bytes) -> list[str]:
        picture = _open(data)
        pieces = self._pieces(picture)
        if is_sideways(pieces):
            # Which of the two ways is up is told by which one reads more.
            turned = [
                self._pieces(picture.transpose(way)) for way in (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270)
            ]
            pieces = max(turned, key=lambda found: sum(len(piece.text) for piece in found if not is_sideways([piece])))
        return to_lines(pieces)

    def _pieces(self, picture: Image.Image) -> Sequence[Piece]:
        if self._engine is None:
            self._engine = _load()
        import numpy as np  # comes with rapidocr, so it is not there before

        try:
            # The engine takes arrays as OpenCV does: blue first.
            found = self._engine(np.asarray(picture)[:, :, ::-1])
        except Exception as error:  # noqa: BLE001 - rapidocr wraps any fault of its engines in classes it does not export
            _log.warning("ocr failed", exc_info=error)
            raise CannotRead("My reading of pictures failed on this one.") from None
        if found.boxes is None or found.txts is None:
            return []
        return [
            Piece(text=text, corners=tuple((float(x), float(y)) for x, y in box))  # type: ignore[arg-type]
            for box, text in zip(found.boxes, found.txts, strict=True)
        ]


def _decode(url: str) -> bytes:
    match = _DATA_URL.match(url)
    if match is None:
        raise BadRequest(
            "Invalid image URL: nothing is downloaded here; send a data URL with a PNG, JPEG, WebP or GIF in base64.",
            param="messages.image_url",
            code="invalid_image_url",
        )
    try:
        data = base64.b64decode(match["data"], validate=False)
    except binascii.Error:
        raise BadRequest("Invalid base64 in the image URL.", code="invalid_base64") from None
    if len(data) > IMAGE_LIMIT_BYTES:
        raise BadRequest(f"The image is larger than {IMAGE_LIMIT_BYTES >> 20} MB.", code="image_too_large")
    return data


def _open(data: bytes) -> Image.Image:
    """The picture upright, in RGB, with room around it and not larger than the engine uses."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
            if opened.width * opened.height > PIXEL_LIMIT:
                raise BadRequest(
                    f"The image has more than {PIXEL_LIMIT // 1_000_000} million pixels.", code="image_too_large"
                )
            picture = ImageOps.exif_transpose(opened).convert("RGBA")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise BadRequest("The image cannot be decoded.", code="image_parse_error") from None
    picture.thumbnail((_SIDE_LIMIT, _SIDE_LIMIT))
    # The engine enlarges by the shorter side: a long thin strip would become enormous.
    shorter = max(picture.size) // 3
    size = (max(picture.width, shorter) + 2 * _MARGIN, max(picture.height, shorter) + 2 * _MARGIN)
    paper = Image.new("RGB", size, "white")
    paper.paste(picture, (_MARGIN, _MARGIN), mask=picture)
    return paper


def _load() -> Any:
    try:
        from rapidocr import RapidOCR
    except ImportError:
        raise CannotRead(
            "I cannot read pictures here: the packages rapidocr and onnxruntime are not installed (the extra `demo`)."
        ) from None
    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "EngineConfig.onnxruntime.intra_op_num_threads": _THREADS,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
