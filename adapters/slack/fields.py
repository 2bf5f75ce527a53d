"""Fields of Slack's JSON, which may be missing or of another kind. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Body = Mapping[str, Any]


def mapping(value: object) -> Mapping[str, Any]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def listed(value: object) -> Sequence[Mapping[str, Any]]:
    """The JSON objects of a list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def text_of(values: Mapping[str, Any], name: str) -> str:
    """A text of a JSON object; an empty one for anything else."""
    value = values.get(name)
    return value if isinstance(value, str) else ""
