"""Settings: everything that is wrong is said at once, readably, and without a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import load, with_files
from bot.errors import ConfigError


def problems(environment: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(environment)
    return list(caught.value.problems)


@pytest.mark.behaviour("config.readable")
def test_everything_that_is_wrong_is_listed_by_name() -> None:
    found = problems({"HTTP_PORT": "eighty", "LEASE_S": "0", "WEB_TOKEN": "short", "TENANTS": "T1", "PUBLIC_URL": "x"})
    assert [problem.split(":")[0] for problem in found] == [
        "HTTP_PORT",
        "WEB_TOKEN",
        "PUBLIC_URL",
        "TENANTS",
        "LEASE_S",
    ]


@pytest.mark.behaviour("config.readable")
def test_a_secret_that_is_wrong_is_not_repeated() -> None:
    assert "s3cr3t" not in " ".join(problems({"WEB_TOKEN": "s3cr3t", "FRONTDESK_SECRET_KEY": "s3cr3t"}))
    assert "s3cr3t" not in repr(load({"OPENAI_API_KEY": "s3cr3t"}))


@pytest.mark.behaviour("config.readable")
def test_a_shared_redis_needs_a_shared_key() -> None:
    (problem,) = problems({"REDIS_URL": "redis://localhost"})
    assert "FRONTDESK_SECRET_KEY" in problem
    assert "openssl" in problem


@pytest.mark.behaviour("config.readable")
@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "PUBLIC_URL"])
@pytest.mark.parametrize("value", ["api.example.com/v1", "ftp://api.example.com", "https://", "https:// x"])
def test_an_address_is_one(name: str, value: str) -> None:
    assert problems({name: value}) == [f"{name}: an address begins with https:// or http://."]
    load({name: "http://127.0.0.1:8000/v1"})


@pytest.mark.behaviour("config.defaults")
def test_empty_values_count_as_absent() -> None:
    assert load({"OPENAI_API_KEY": "", "HTTP_PORT": ""}) == load({})


@pytest.mark.behaviour("config.defaults")
def test_lists_and_pairs() -> None:
    settings = load({"LINK_HOSTS": "example.com, help.example.com", "TENANTS": "T1=acme, T2=globex"})
    assert settings.link_hosts == {"example.com", "help.example.com"}
    assert [settings.tenant_of(space) for space in ("T1", "T2", "T3")] == ["acme", "globex", "default"]


@pytest.mark.behaviour("config.files")
def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from-the-file\n")
    values = with_files({"OPENAI_API_KEY_FILE": str(file), "SOMETHING_FILE": "/nowhere"})
    assert values["OPENAI_API_KEY"] == "from-the-file"
    assert with_files({**values, "OPENAI_API_KEY": "direct"})["OPENAI_API_KEY"] == "direct"
    with pytest.raises(ConfigError, match="OPENAI_API_KEY_FILE"):
        with_files({"OPENAI_API_KEY_FILE": str(tmp_path / "missing")})


@pytest.mark.behaviour("config.files")
def test_a_line_break_behind_a_secret_is_no_part_of_it(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sk-1\r\n", encoding="utf-8")
    given = {
        "OPENAI_API_KEY_FILE": f"{key}\n",
        "SLACK_BOT_TOKEN": "xoxb-1\n",
        "WEB_TOKEN": " 0123456789abcdef\n",
        "REDIS_URL": "\n",
    }
    read = with_files(given)
    assert (read["OPENAI_API_KEY"], read["SLACK_BOT_TOKEN"]) == ("sk-1", "xoxb-1")
    expected = load({"OPENAI_API_KEY": "sk-1", "WEB_TOKEN": "0123456789abcdef"})
    assert load(read) == expected
    assert load({**given, "OPENAI_API_KEY": "sk-1\n"}) == expected
    with pytest.raises(ConfigError, match="shorter than 16"):
        load({"WEB_TOKEN": "0123456789abcd\n\n"})


@pytest.mark.behaviour("config.secrets")
def test_all_secret_settings_are_known_to_the_mask() -> None:
    settings = load(
        {"OPENAI_API_KEY": "key-1", "WEB_TOKEN": "0123456789abcdef", "DATABASE_URL": "postgresql://u:p@h/d"}
    )
    assert settings.secrets() == {"key-1", "0123456789abcdef", "postgresql://u:p@h/d"}
