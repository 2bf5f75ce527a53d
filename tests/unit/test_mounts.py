"""`MCP_SERVERS`: the usual JSON, inline or in a file; what is wrong is said with its place and without a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from bot.config import Settings, load
from bot.errors import ConfigError
from bot.mounts import LocalMount, RemoteMount


def loaded(servers: object, **environment: str) -> Settings:
    return load({"MCP_SERVERS": orjson.dumps({"mcpServers": servers}).decode(), **environment})


def problem(servers: object) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(servers)
    (found,) = caught.value.problems
    return found


@pytest.mark.behaviour("mcp.settings")
def test_both_kinds_of_server_are_read() -> None:
    settings = loaded(
        {
            "shop": {"url": "https://shop.example/mcp", "headers": {"X-Team": "front"}, "token": "shop-token-1"},
            "files": {"command": "uvx", "args": ["files"], "env": {"KEY": "files-key-1"}, "tools": ["read"]},
            "later": {"command": "no", "disabled": True},
        },
    )
    files, shop = settings.mcp_servers
    assert isinstance(files, LocalMount)
    assert isinstance(shop, RemoteMount)
    assert (files.name, files.command, files.args) == ("files", "uvx", ("files",))
    assert files.tools == frozenset({"read"})
    assert shop.all_headers() == {"X-Team": "front", "Authorization": "Bearer shop-token-1"}
    assert load({}).mcp_servers == ()


@pytest.mark.behaviour("mcp.settings")
def test_a_file_is_read_and_its_variables_are_looked_up(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text('{"mcpServers": {"shop": {"url": "https://${HOST}/mcp", "token": "${SHOP_TOKEN}"}}}')
    settings = load({"MCP_SERVERS": str(path), "HOST": "shop.example", "SHOP_TOKEN": "shop-token-1"})
    (shop,) = settings.mcp_servers
    assert isinstance(shop, RemoteMount)
    assert shop.url.get_secret_value() == "https://shop.example/mcp"
    assert shop.token is not None
    assert shop.token.get_secret_value() == "shop-token-1"


WRONG: list[tuple[Any, str]] = [
    ({"a": {}}, "mcpServers.a needs either command"),
    ({"a": {"command": "x", "url": "https://x/"}}, "mcpServers.a needs either command"),
    ({"a": {"command": "x", "evn": {}}}, "mcpServers.a.evn: there is no such setting"),
    ({"a": {"command": "x", "env": {"A": 1}}}, "mcpServers.a.env.A: "),
    ({"a": {"command": "x", "env": {"A": "${NO_SUCH}"}}}, "mcpServers.a.env.A: the environment has no NO_SUCH"),
    ({"a": {"url": "ftp://x/"}}, "url must begin with https"),
    ({"a": {"url": "https://x/", "timeout_s": 0}}, "mcpServers.a.timeout_s: "),
    ({"a": {"url": "https://x/", "timeout_s": 90}}, "mcpServers.a.timeout_s must be less than TURN_TIMEOUT_S"),
    ({"a": {"url": "https://x/", "token": "two\nlines"}}, "cannot be sent"),
    ({"a": {"url": "https://x/", "token": "t", "headers": {"authorization": "u"}}}, "either token or"),
    ({"a": {"type": "sse", "url": "https://x/"}}, "sse is not supported"),
    ({"a": "x"}, "mcpServers.a is not an object"),
    ([], "write {"),
]


@pytest.mark.behaviour("mcp.settings")
@pytest.mark.parametrize(("servers", "words"), WRONG, ids=[words for _, words in WRONG])
def test_what_is_wrong_is_said_with_its_place(servers: object, words: str) -> None:
    found = problem(servers)
    assert words in found
    assert "MCP_SERVERS: " in found


@pytest.mark.behaviour("mcp.settings")
def test_everything_that_is_wrong_is_said_at_once() -> None:
    found = problem({"a": {}, "b": {"url": "x"}, "c": {"command": "x", "args": "y"}})
    assert all(f"mcpServers.{name}" in found for name in "abc")


@pytest.mark.behaviour("mcp.settings")
@pytest.mark.parametrize(
    ("text", "words"),
    [("{nothing", "not JSON (line 1, column 2)"), ("no/such/file.json", "cannot be read"), ("[1]", "write {")],
)
def test_what_is_no_json_and_no_file_is_said(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=r"MCP_SERVERS: ") as caught:
        load({"MCP_SERVERS": text})
    assert words in str(caught.value)


@pytest.mark.behaviour("mcp.settings", "mcp.secrets")
def test_no_problem_repeats_a_secret() -> None:
    secret = "s3cr3t-value"
    for servers in (
        {"a": {"url": f"ftp://{secret}/"}},
        {"a": {"url": "https://x/", "token": f"{secret}\n", "x": 1}},
        {"a": {"command": "x", "env": {"A": secret}, "args": secret}},
        {"a": {"url": "https://x/", "headers": {"X": f"{secret}\n"}}},
    ):
        assert secret not in problem(servers)


@pytest.mark.behaviour("mcp.secrets")
def test_what_is_given_to_a_server_is_masked_wherever_it_might_appear() -> None:
    settings = loaded(
        {
            "a": {"command": "x", "env": {"TOKEN": "token-of-a", "LEVEL": "info"}},
            "b": {"url": "https://u:password-b@x/?key=key-of-bb", "headers": {"X-Key": "Basic word-of-b"}},
            "c": {"url": "https://x/", "token": "token-of-c"},
        }
    )
    assert settings.secrets() == {
        *["token-of-a", "password-b", "key-of-bb", "Basic word-of-b", "word-of-b", "token-of-c"],
    }
    assert not any(secret in repr(settings) for secret in settings.secrets())
