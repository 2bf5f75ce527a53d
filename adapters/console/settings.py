"""What the console adapter is told; it reads no environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TextIO


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """Where the conversation happens.

    Args:
        name: how the person is shown.
        show_tools: also print what is looked up.
    """

    input: TextIO = field(repr=False)
    output: TextIO = field(repr=False)
    name: str = "You"
    show_tools: bool = True
