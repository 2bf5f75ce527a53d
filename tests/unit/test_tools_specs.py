"""What the model is told of the tools: names and arguments are promises."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from bot.ports import Image, Schema
from bot.tool import Tool
from tools import Kit, build
from tools.database import Database
from tools.desk import SqlDesk


class NoVision:
    """A vision model that is never asked."""

    async def extract(self, image: Image, schema: type[Schema]) -> Schema:
        """Never called."""
        raise AssertionError("nobody shows a picture here")


@pytest.fixture
def tools(tmp_path: Path) -> dict[str, Tool]:
    """The tools by name, in the order in which the model is told of them."""
    database = Database(f"sqlite:///{tmp_path}/a.db")
    made = build(Kit(database=database, desk=SqlDesk(database), vision=NoVision()))
    return {tool.spec.name: tool for tool in made}


PROMISED = {
    "analyze_receipt_image": ("image",),
    "create_customer_ticket": ("name", "issue"),
    "get_order_status": ("order_id", "email"),
    "get_ticket_status": ("ticket_id",),
    "hand_over_to_human": ("reason",),
    "verify_user": ("username", "api_key"),
}


@pytest.mark.behaviour("tools.specs")
def test_names_and_arguments_are_as_promised_and_sorted(tools: dict[str, Tool]) -> None:
    assert {name: tuple(tool.spec.parameters["properties"]) for name, tool in tools.items()} == PROMISED
    assert list(tools) == sorted(tools)


@pytest.mark.behaviour("tools.specs")
def test_every_argument_is_described_and_nothing_else_is_accepted(tools: dict[str, Tool]) -> None:
    for tool in tools.values():
        assert len(tool.spec.description) > 40
        assert tool.spec.parameters["additionalProperties"] is False
        for name, schema in tool.spec.parameters["properties"].items():
            assert len(schema["description"]) > 20, (tool.spec.name, name)


@pytest.mark.behaviour("tools.specs")
def test_the_same_words_every_time_so_that_the_prompt_cache_works(tools: dict[str, Tool], tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/b.db")
    again = build(Kit(database=database, desk=SqlDesk(database), vision=NoVision()))
    assert [orjson.dumps(tool.spec) for tool in again] == [orjson.dumps(tool.spec) for tool in tools.values()]


@pytest.mark.behaviour("tools.verified")
def test_gates_effects_and_secrets(tools: dict[str, Tool]) -> None:
    assert {name for name, tool in tools.items() if "verified" in tool.requires} == {"get_ticket_status"}
    assert {name for name, tool in tools.items() if tool.effect == "write"} == {
        "create_customer_ticket",
        "hand_over_to_human",
        "verify_user",
    }
    assert {name: tool.secret_arguments for name, tool in tools.items() if tool.secret_arguments} == {
        "verify_user": frozenset({"api_key"})
    }


@pytest.mark.behaviour("tools.authority")
def test_nothing_that_gives_authority_is_an_argument(tools: dict[str, Tool]) -> None:
    for tool in tools.values():
        assert not {"tenant", "customer", "user", "user_id", "person", "role", "channel"} & set(
            tool.spec.parameters["properties"]
        )
