"""Pieces of text with their places -> the lines that a person sees, top to bottom, left to right. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

Point = tuple[float, float]

_SAME_LINE = 0.6
"""Two pieces stand on one line when their middles are closer than this part of the smaller height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Text that was found in a picture.

    Args:
        corners: top left, top right, bottom right, bottom left, in pixels.
    """

    text: str
    corners: tuple[Point, Point, Point, Point]


@dataclass(frozen=True, slots=True)
class _Placed:
    text: str
    left: float
    middle: float
    height: float


def to_lines(pieces: Sequence[Piece]) -> list[str]:
    """The text line by line, columns joined by two spaces; a picture that was held at a slant is straightened."""
    tilt = _tilt(pieces)
    rows: list[list[_Placed]] = []
    for piece in sorted(
        (_place(piece, tilt) for piece in pieces if piece.text.strip()), key=lambda placed: placed.middle
    ):
        row = next((row for row in reversed(rows) if _belongs(piece, row)), None)
        if row is None:
            rows.append([piece])
        else:
            row.append(piece)
    return ["  ".join(piece.text.strip() for piece in sorted(row, key=lambda placed: placed.left)) for row in rows]


def is_sideways(pieces: Sequence[Piece]) -> bool:
    """Whether most of the text runs up or down: the picture lies on its side."""
    tall = [_extent(piece)[1] > 1.5 * _extent(piece)[0] for piece in pieces if len(piece.text) > 2]
    return sum(tall) * 2 > len(tall)


def _extent(piece: Piece) -> tuple[float, float]:
    xs, ys = [x for x, _ in piece.corners], [y for _, y in piece.corners]
    return max(xs) - min(xs), max(ys) - min(ys)


def _tilt(pieces: Sequence[Piece]) -> float:
    """The slant in radians, told by the long pieces; short ones lie as they like."""
    angles = []
    for piece in pieces:
        (left, top), (right, far_top), *_ = piece.corners
        width, height = _extent(piece)
        if width > 3 * height:
            angles.append(math.atan2(far_top - top, right - left))
    return median(angles) if angles else 0.0


def _place(piece: Piece, tilt: float) -> _Placed:
    cos, sin = math.cos(-tilt), math.sin(-tilt)
    turned = [(x * cos - y * sin, x * sin + y * cos) for x, y in piece.corners]
    ys = [y for _, y in turned]
    return _Placed(
        text=piece.text,
        left=min(x for x, _ in turned),
        middle=sum(ys) / len(ys),
        height=max(1.0, max(ys) - min(ys)),
    )


def _belongs(piece: _Placed, row: Sequence[_Placed]) -> bool:
    middle = sum(other.middle for other in row) / len(row)
    height = min(piece.height, *(other.height for other in row))
    return abs(piece.middle - middle) < _SAME_LINE * height
