"""What stands before every conversation, and the one tool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

import bot.standin
from bot.messages import ThreadKey
from bot.prompt import SystemPrompt, read_handbook
from bot.tool import Tool, ToolContext, tool
from tests.bench.seeds import RESULT

PROMPT = SystemPrompt(read_handbook(Path(bot.standin.__file__).with_name("handbook.md"), limit_tokens=20_000))
SYSTEM = PROMPT.of(ThreadKey(platform="bench", space="s", channel="c", root="r"))


async def look_up(order_id: str) -> dict[str, Any]:
    """The tool's work: none, so that what is measured is what it costs to call it."""
    found: dict[str, Any] = orjson.loads(RESULT)
    return found


@tool(effect="read")
async def look_up_order(context: ToolContext, order_id: str) -> dict[str, Any]:
    """Look up an order: its state, when it arrives, what is in it and where it goes."""
    return await look_up(order_id)


LOOK_UP: Tool = look_up_order
TOOL = {
    "type": "function",
    "function": {
        "name": LOOK_UP.spec.name,
        "description": LOOK_UP.spec.description,
        "parameters": LOOK_UP.spec.parameters,
    },
}
