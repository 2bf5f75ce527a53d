"""The child process that decodes one picture: bytes on standard input, a JPEG on standard output, and nothing else.

It is run as a script, alone, by `tools.images`, with an empty environment, and it takes away its own means before it
looks at the bytes. Whatever a decoder can be made to do by a hostile picture, it does here.

Shape of the output: one line of JSON, `{"width": …, "height": …}` followed by the JPEG, or `{"error": code}`; nothing
at all when the picture is damaged.
"""

from __future__ import annotations

import io
import json
import resource
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

MEMORY_BYTES = 512 * 1024 * 1024
CPU_S = 5
PIXELS = 20_000_000
SIDE = 2048
"""The longest side of what comes out, in pixels: more does not help a reader."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
QUALITY = 90


def confine() -> None:
    """Limit memory and time, and take away files and cores."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def decode(data: bytes) -> tuple[bytes, int, int]:
    """The first frame, upright, on white, without metadata, as a JPEG of bounded size, with its width and height.

    Raises:
        DecompressionBombError: more than `PIXELS`.
        Exception: whatever a decoder raises on a damaged picture.
    """
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = PIXELS // 2  # Pillow warns at this and refuses at twice as much
    with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
        if opened.format == "JPEG":
            # Decodes at half or a quarter of the size where that is enough.
            opened.draft("", (SIDE, SIDE))
        opened.load()
        flat = _flat(ImageOps.exif_transpose(opened))
    flat.thumbnail((SIDE, SIDE))
    clean = Image.new(flat.mode, flat.size)
    clean.paste(flat)
    out = io.BytesIO()
    clean.save(out, "JPEG", quality=QUALITY)
    return out.getvalue(), clean.width, clean.height


def _flat(picture: Image) -> Image:
    """Eight bits, gray or colour; what is transparent becomes paper."""
    from PIL import Image

    if picture.mode.startswith("I") or picture.mode == "F":
        picture = picture.convert("F").point(lambda value: value / 257 + 0.5).convert("L")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(paper, layer).convert("RGB")
    return picture if picture.mode in ("L", "RGB") else picture.convert("RGB")


def main() -> None:
    """Decode what comes in. A damaged picture ends the process, and its silence is the answer."""
    confine()
    from PIL.Image import DecompressionBombError

    head: dict[str, str | int]
    try:
        picture, width, height = decode(sys.stdin.buffer.read())
    except DecompressionBombError:
        head, picture = {"error": "too_many_pixels"}, b""
    else:
        head = {"width": width, "height": height}
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + picture)


if __name__ == "__main__":
    main()
