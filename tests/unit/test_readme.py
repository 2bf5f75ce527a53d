"""What the README shows works as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bot.errors import ToolFailed, ToolInputError
from bot.principal import Principal
from bot.tool import Tool

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


class Anybody:
    """As much of a context as a tool that asks for nothing can need."""

    principal = Principal(person="web:page:ada")


@pytest.mark.behaviour("readme.tool")
async def test_the_tool_of_the_readme_can_be_called() -> None:
    (source,) = re.findall(r"```python\n(# tools/hours\.py\n.*?)```", README, re.DOTALL)
    assert len([line for line in source.splitlines() if line.strip() and not line.startswith("#")]) <= 16
    module: dict[str, Any] = {}
    exec(compile(source.replace("from tools.kit import Kit", "Kit = object"), "hours.py", "exec"), module)
    made: Tool = module["build"](None)
    assert made.spec.name == "get_opening_hours"
    assert made.spec.parameters["properties"]["city"]["description"], "what the tests ask of every tool, it has"
    assert '`"get_opening_hours": ("city",)`' in README
    context: Any = Anybody()
    assert json.loads(await made.call(context, '{"city": "Oslo"}')) == {"city": "Oslo", "open": "10:00-18:00"}
    with pytest.raises(ToolFailed):
        await made.call(context, '{"city": "Atlantis"}')
    with pytest.raises(ToolInputError):
        await made.call(context, "{}")
