"""Discord's settings, and what the bot is allowed."""

from __future__ import annotations

import pytest

from adapters.discord.commands import definitions
from adapters.discord.permissions import NEEDED, NUMBER, in_channel, in_server, invite_url, missing
from adapters.discord.settings import API_URL, CDN_HOSTS, read_settings
from bot.errors import ConfigError

ROLE, PERSON = "1573343732156071936", "1573343732156071937"


@pytest.mark.behaviour("discord.settings")
def test_without_a_token_there_is_no_discord() -> None:
    assert read_settings({}) is None
    assert read_settings({"DISCORD_BOT_TOKEN": "  "}) is None


@pytest.mark.behaviour("discord.settings")
def test_settings_are_read() -> None:
    settings = read_settings(
        {
            "DISCORD_BOT_TOKEN": " abc ",
            "ADMINS_DISCORD": f"{ROLE}, {PERSON}",
            "HANDOVER_CHANNEL_DISCORD": f"<#{ROLE}>",
            "DISCORD_SHARD_IDS": "0-2,5",
            "DISCORD_SHARD_COUNT": "6",
            "DISCORD_MESSAGE_CONTENT": "False",
            "DISCORD_API_URL": "http://127.0.0.1:8080/api/v10/",
        }
    )
    assert settings is not None
    assert settings.token.get_secret_value() == "abc"
    assert "abc" not in repr(settings)
    assert not settings.reads_messages
    assert settings.admins == {ROLE, PERSON}
    assert settings.handover_channel == ROLE
    assert (settings.shard_ids, settings.shard_count) == ((0, 1, 2, 5), 6)
    assert settings.api_url == "http://127.0.0.1:8080/api/v10"
    assert settings.file_hosts == CDN_HOSTS | {"127.0.0.1"}
    plain = read_settings({"DISCORD_BOT_TOKEN": "abc"})
    assert plain is not None
    assert plain.reads_messages
    assert (plain.api_url, plain.file_hosts, plain.shard_count) == (API_URL, CDN_HOSTS, None)


@pytest.mark.behaviour("discord.settings")
def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(
            {
                "DISCORD_BOT_TOKEN": "Bot abc",
                "ADMINS_DISCORD": "Robin",
                "HANDOVER_CHANNEL_DISCORD": "#team",
                "DISCORD_SHARD_IDS": "0,x",
                "DISCORD_SHARD_COUNT": "none",
                "DISCORD_API_URL": "discord.com",
                "DISCORD_GATEWAY_URL": "https://discord.com",
                "DISCORD_MESSAGE_CONTENT": "maybe",
                "RETENTION_DAYS": "x",
            }
        )
    assert len(caught.value.problems) == 9
    assert not any("abc" in problem for problem in caught.value.problems)


@pytest.mark.behaviour("discord.settings")
@pytest.mark.parametrize(
    ("ids", "count", "word"),
    [("0", "", "needs DISCORD_SHARD_COUNT"), ("0-4", "4", "there is not"), ("", "0", "from 1 on")],
)
def test_shards_have_to_fit(ids: str, count: str, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        read_settings({"DISCORD_BOT_TOKEN": "x", "DISCORD_SHARD_IDS": ids, "DISCORD_SHARD_COUNT": count})


@pytest.mark.behaviour("discord.check")
def test_the_invitation_asks_for_exactly_what_is_needed() -> None:
    assert invite_url("123").endswith(f"client_id=123&scope=bot%20applications.commands&permissions={NUMBER}")
    assert NUMBER == 395_137_117_184
    assert missing(NUMBER) == []
    assert missing(0) == list(NEEDED)


@pytest.mark.behaviour("discord.check")
def test_permissions_of_a_channel_follow_the_order_of_exceptions() -> None:
    view, send = NEEDED["View Channels"], NEEDED["Send Messages"]
    roles = [
        {"id": "10", "permissions": str(view)},
        {"id": "11", "permissions": str(send)},
        {"id": "12", "permissions": "8"},
    ]
    assert in_server(roles, ["11"], "10") == view | send
    assert in_server(roles, ["12"], "10") == -1

    def may(*overwrites: tuple[str, int, int]) -> int:
        entries = [{"id": id, "allow": str(allow), "deny": str(deny)} for id, allow, deny in overwrites]
        return in_channel(view | send, {"permission_overwrites": entries}, "1", ["11"], "10")

    assert may() == view | send
    assert may(("10", 0, send)) == view
    assert may(("11", send, 0), ("10", 0, send)) == view | send
    assert may(("1", 0, send), ("11", send, 0)) == view
    assert may(("10", 0, view)) == 0
    assert may(("99", 0, view)) == view | send
    assert in_channel(-1, {"permission_overwrites": [{"id": "10", "deny": str(view)}]}, "1", [], "10") == -1
    assert missing(0, {"type": 2}) == []
    assert "Create Public Threads" not in missing(view, {"type": 15})
    assert "Create Public Threads" in missing(view, {"type": 0})


@pytest.mark.behaviour("discord.commands")
def test_commands_are_within_what_discord_allows() -> None:
    named, unnamed = definitions(staff_is_named=True), definitions(staff_is_named=False)
    assert [command["name"] for command in named] == ["support", "ask", "receipt", "Ask support about this"]
    assert named[0]["default_member_permissions"] is None
    assert unnamed[0]["default_member_permissions"] == "32"
    for command in named:
        assert len(command.get("description", "")) <= 100
        assert all(len(option["description"]) <= 100 for option in command.get("options", ()))
