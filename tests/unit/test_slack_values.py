"""Slack's payloads and markup as values: the hard shapes, among them Slack Connect's.

Shapes: slack-bolt's tests/slack_bolt/request/test_internals.py, docs.slack.dev/reference/events.
"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from adapters.slack.happenings import Changed, Moved, Removed, Said, Stopped, Withdrawn
from adapters.slack.inbound import (
    installed_teams,
    read_event,
    read_written,
    thread_key,
    to_attachment,
    to_message,
)
from adapters.slack.installations import Installation
from adapters.slack.markup import calls_out, mentioned, to_command_text, to_plain
from adapters.slack.people import to_profile
from adapters.slack.presses import read_action, read_submission
from bot.messages import Audience, Person
from bot.ports import ChannelRules, Listening

ME = Installation(team="T0HOME", bot_user="U0BOT", bot_id="B0BOT", token=SecretStr("xoxb-1"), enterprise="")
ADA = Person(id="U0ADA", display_name="Ada", organisation="T0CUST")
TS = "1700000000.000100"


def said(**more: Any) -> dict[str, Any]:
    """A message in a channel of ours."""
    event = {
        "type": "message",
        "channel": "C0SHARED",
        "channel_type": "channel",
        "user": "U0ADA",
        "text": "hello",
        "ts": TS,
        "team": "T0HOME",
        **more,
    }
    return envelope(event)


def envelope(event: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "event_callback",
        "api_app_id": "A0APP",
        "team_id": "T0HOME",
        "event_id": "Ev1",
        "event": event,
        "authorizations": [{"team_id": "T0HOME", "enterprise_id": None}],
        **more,
    }


def read(body: dict[str, Any], actor_team: str = "") -> Said:
    happening = read_event(body, ME, actor_team)
    assert isinstance(happening, Said)
    return happening


# ------------------------------------------------------------------------------------------------------- markup


@pytest.mark.behaviour("slack.typed")
@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("email <mailto:santa@clau.se|santa@clau.se>", "email santa@clau.se"),
        ("<mailto:santa@clau.se>", "santa@clau.se"),
        ("<mailto:santa@clau.se|Santa>", "Santa (santa@clau.se)"),
        ("<https://a.test/x?a=1&amp;b=2>", "https://a.test/x?a=1&b=2"),
        ("<https://a.test/x|https://a.test/x>", "https://a.test/x"),
        ("<http://a.test|a.test>", "http://a.test"),
        ("<https://a.test/x|the receipt>", "the receipt (https://a.test/x)"),
        ("<tel:+4712345|+4712345>", "+4712345"),
        (
            "ask <@U0BEN> or <@U0ROB|robin>, see <#C0GEN|general> and <#C0GEN>",
            "ask @Ben or @robin, see #general and #C0GEN",
        ),
        ("<@U0NOBODY>", "@U0NOBODY"),
        ("<!here> <!channel> <!subteam^S0TEAM|@support> <!subteam^S0TEAM>", "@here @channel @support @subteam"),
        ("<!date^1392734382^{date}|18 February 2014>", "18 February 2014"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("&quot;quoted&quot;", "&quot;quoted&quot;"),
        ("<@U0BOT> where is it?", "where is it?"),
        ("hello <@U0BOT>, where is it?", "hello where is it?"),
        ("thanks <@U0BOT|frontdesk>", "thanks"),
        ("<not a thing>", "<not a thing>"),
        ("", ""),
    ],
)
def test_markup_becomes_plain_text(typed: str, plain: str) -> None:
    assert to_plain(typed, {"U0BEN": "Ben"}, bot_user="U0BOT") == plain


@pytest.mark.behaviour("slack.typed")
def test_mentions_are_found_by_id_and_commands_keep_ids() -> None:
    assert mentioned("<@U0BEN> and <@W0ADA|ada> and <@U0BEN>") == ("U0BEN", "W0ADA")
    assert to_command_text("assign <@U0ROB|robin> &amp; go") == "assign @U0ROB & go"
    assert to_command_text("block <@U0ROB1|robin>") == "block @U0ROB1"
    assert to_command_text("block @Robin") == "block Robin", "typed by hand it is a name, and names are not unique"
    assert calls_out("<!here> please")
    assert calls_out("<!subteam^S1|@x>")
    assert not calls_out("nobody is here")


# ------------------------------------------------------------------------------------------------------- events


@pytest.mark.behaviour("slack.once")
def test_a_message_and_its_mention_share_an_identity_and_not_their_event() -> None:
    message = read(said(client_msg_id="c-1", text="<@U0BOT> hello"))
    mention = read({**said(type="app_mention", client_msg_id="c-1", text="<@U0BOT> hello"), "event_id": "Ev2"})
    assert set(message.event_ids) & set(mention.event_ids) == {
        f"A0APP:T0HOME:message:C0SHARED:{TS}",
        "A0APP:T0HOME:client:c-1",
    }
    other = read({**said(), "api_app_id": "A1APP"})
    assert not set(other.event_ids) & set(message.event_ids), "another app's event is another event"


@pytest.mark.behaviour("slack.once")
def test_the_workspace_of_an_event_is_the_installed_one_whoever_speaks() -> None:
    stranger = {**said(team="T0CUST"), "team_id": "T0CUST", "context_team_id": "T0HOME", "is_ext_shared_channel": True}
    assert installed_teams(stranger)[0] == "T0HOME"
    assert (
        installed_teams(
            {"type": "view_submission", "team": {"id": "T0CUST"}, "view": {"app_installed_team_id": "T0HOME"}}
        )[0]
        == "T0HOME"
    )
    pressed = {
        "type": "block_actions",
        "team": {"id": "T0CUST"},
        "user": {"id": "U0ADA", "team_id": "T0CUST"},
        "actions": [{"value": str(thread_key("T0HOME", "C0SHARED", TS))}],
    }
    assert installed_teams(pressed)[0] == "T0HOME"


@pytest.mark.behaviour("slack.bots")
@pytest.mark.parametrize(
    "more",
    [
        {"bot_id": "B0OTHER"},
        {"bot_id": "B0BOT", "user": "U0BOT"},
        {"user": "U0BOT"},
        {"user": "USLACKBOT"},
        {"user": None},
        {"subtype": "bot_message", "bot_id": "B0OTHER"},
        {"subtype": "channel_join"},
        {"subtype": "channel_topic"},
        {"edited": {"ts": TS}, "type": "app_mention"},
        {"ts": "not a time"},
        {"channel": ""},
    ],
)
def test_what_no_person_wrote_is_nothing(more: dict[str, Any]) -> None:
    assert read_event(said(**more), ME) is None


@pytest.mark.behaviour("slack.bots")
@pytest.mark.parametrize(
    ("more", "bot"),
    [
        ({"bot_id": "B0OTHER"}, "B0OTHER"),
        ({"bot_id": "B0NEW", "app_id": "A0OTHER"}, "A0OTHER"),
        ({"bot_profile": {"id": "B0NEW", "app_id": "A0OTHER", "name": "Other"}}, "A0OTHER"),
        ({"user": "U0OTHER"}, "U0OTHER"),
        ({"user": None, "subtype": "bot_message", "bot_id": "B0OTHER"}, "B0OTHER"),
        ({"type": "app_mention", "bot_id": "B0OTHER"}, "B0OTHER"),
        ({"bot_id": "B0OTHER", "app_id": "A0APP"}, None),
        ({"bot_id": "B0BOT"}, None),
        ({"user": "U0BOT"}, None),
        ({"bot_id": "B0OTHER", "edited": {"ts": TS}}, None),
        ({"app_id": "A0NOBODY"}, None),
        ({}, ""),
    ],
)
def test_a_bot_that_is_listed_is_known_by_any_of_its_names_and_we_are_never_listed(
    more: dict[str, Any], bot: str | None
) -> None:
    listed = frozenset({"B0OTHER", "A0OTHER", "U0OTHER", "A0APP", "B0BOT", "U0BOT"})
    found = read_event(said(**more), ME, bots=listed)
    assert (found.bot if isinstance(found, Said) else None) == bot


@pytest.mark.behaviour("slack.edit")
def test_edits_and_deletes_name_the_message_and_its_thread() -> None:
    now = {"user": "U0ADA", "text": "new", "ts": "1700000001.000200", "thread_ts": TS, "edited": {"ts": "9.1"}}
    event = {
        "type": "message",
        "subtype": "message_changed",
        "channel": "C0SHARED",
        "message": now,
        "previous_message": {**now, "text": "old"},
    }
    changed = read_event(envelope(event), ME)
    assert isinstance(changed, Changed)
    assert (changed.place.ts, changed.place.root, changed.text) == ("1700000001.000200", TS, "new")
    assert read_event(envelope({**event, "previous_message": now}), ME) is None, "a preview is no edit"
    again = read_event(envelope({**event, "message": {**now, "edited": {"ts": "9.2"}}}), ME)
    assert isinstance(again, Changed)
    assert again.event_ids[1:] != changed.event_ids[1:], "a second edit is another event"

    gone = {
        "type": "message",
        "subtype": "message_deleted",
        "channel": "C0SHARED",
        "deleted_ts": now["ts"],
        "previous_message": now,
    }
    withdrawn = read_event(envelope(gone), ME)
    assert isinstance(withdrawn, Withdrawn)
    assert (withdrawn.place.ts, withdrawn.place.root, withdrawn.user) == (now["ts"], TS, "U0ADA")
    tombstone = {**event, "message": {**now, "subtype": "tombstone", "user": "USLACKBOT"}}
    assert isinstance(read_event(envelope(tombstone), ME), Withdrawn)
    ours = {**gone, "previous_message": {**now, "bot_id": "B0BOT"}}
    assert read_event(envelope(ours), ME) is None


@pytest.mark.behaviour("slack.once")
def test_the_other_events() -> None:
    assert read_event(
        envelope({"type": "channel_id_changed", "old_channel_id": "G1", "new_channel_id": "C1"}), ME
    ) == Moved(old="G1", new="C1")
    assert read_event(envelope({"type": "app_uninstalled"}), ME) == Removed(team="T0HOME")
    assert read_event(envelope({"type": "tokens_revoked", "tokens": {"bot": ["U0BOT"]}}), ME) == Removed(team="T0HOME")
    assert read_event(envelope({"type": "tokens_revoked", "tokens": {"oauth": ["U0ADA"]}}), ME) is None
    stopped = read_event(
        envelope({"type": "agent_session_stopped", "channel": "D0ADA", "thread_ts": TS, "user": "U0ADA"}), ME
    )
    assert isinstance(stopped, Stopped)
    assert (stopped.place.root, stopped.user) == (TS, "U0ADA")
    assert read_event(envelope({"type": "reaction_added"}), ME) is None
    assert read_event({}, ME) is None


# ---------------------------------------------------------------------------------------------------- to our values


def heard(body: dict[str, Any], rules: ChannelRules | None = None) -> Any:
    spoken = read(body)
    thread = thread_key("T0HOME", spoken.place.channel, spoken.place.root)
    return to_message(spoken, thread, ADA, me=ME, names={}, rules=rules or ChannelRules())


@pytest.mark.behaviour("slack.thread")
@pytest.mark.parametrize(
    ("more", "rules", "opens", "bot", "people"),
    [
        ({"text": "hello"}, ChannelRules(), False, False, False),
        ({"text": "<@U0BOT> hello"}, ChannelRules(), False, True, False),
        ({"text": "<@U0BEN> hello"}, ChannelRules(), False, False, True),
        ({"text": "<@U0BOT> ask <@U0BEN>"}, ChannelRules(), False, True, True),
        ({"text": "<!here> hello"}, ChannelRules(), False, False, True),
        ({"text": "hello"}, ChannelRules(listening=Listening.EVERYTHING), True, False, False),
        ({"text": "hello", "thread_ts": "1.1"}, ChannelRules(listening=Listening.EVERYTHING), False, False, False),
        ({"text": "<@U0BOT> hello"}, ChannelRules(listening=Listening.NOTHING), False, False, False),
        ({"text": "<@U0BOT> hello", "thread_ts": "1.1"}, ChannelRules(listening=Listening.NOTHING), False, True, False),
        ({"channel": "D0ADA", "channel_type": "im"}, ChannelRules(), True, True, False),
    ],
)
def test_whom_a_message_is_for(more: dict[str, Any], rules: ChannelRules, opens: bool, bot: bool, people: bool) -> None:
    message = heard(said(**more), rules)
    assert (message.opens, message.mentions_bot, message.mentions_people) == (opens, bot, people)


@pytest.mark.behaviour("slack.once")
@pytest.mark.parametrize(
    ("event", "more", "audience"),
    [
        ({"channel": "D0ADA", "channel_type": "im"}, {}, Audience.DIRECT),
        ({"channel": "D0ADA", "channel_type": None}, {}, Audience.DIRECT),
        ({"channel_type": "group"}, {}, Audience.PRIVATE),
        ({"channel_type": "mpim"}, {}, Audience.PRIVATE),
        ({"channel_type": "group"}, {"is_ext_shared_channel": True}, Audience.SHARED),
        ({"channel_type": "channel"}, {"is_ext_shared_channel": True}, Audience.SHARED),
        ({"channel_type": "channel"}, {}, Audience.PUBLIC),
        ({"channel_type": None}, {}, Audience.PUBLIC),
    ],
)
def test_who_reads_along(event: dict[str, Any], more: dict[str, Any], audience: Audience) -> None:
    assert heard({**said(**event), **more}).audience is audience


@pytest.mark.behaviour("slack.files")
def test_a_file_of_slack_connect_is_known_by_its_id_alone() -> None:
    file = {"id": "F0ABC", "file_access": "check_file_info"}
    attachment = to_attachment("T0HOME", file)
    assert (attachment.name, attachment.size_bytes, attachment.ref) == ("file", 0, "T0HOME F0ABC")
    whole = {
        "id": "F0ABC",
        "name": "a\n b\u202e.png",
        "mimetype": "image/png; x=y",
        "size": 12,
        "url_private_download": "https://files.slack.com/x",
    }
    known = to_attachment("T0HOME", whole)
    assert known.id == attachment.id, "the same file has the same name for the model"
    assert (known.media_type, known.size_bytes) == ("image/png", 12)
    assert "\n" not in known.name
    assert known.ref == "T0HOME F0ABC https://files.slack.com/x"
    assert [
        file.id for file in heard(said(subtype="file_share", files=[whole, {"name": "no id"}, None])).attachments
    ] == [known.id]


@pytest.mark.behaviour("slack.typed")
def test_what_is_forwarded_is_read() -> None:
    message = heard(
        said(text="look", attachments=[{"is_share": True, "text": "the <@U0BOT> order"}, {"text": "a preview"}])
    )
    assert message.text == "look\n> the order"


@pytest.mark.behaviour("slack.earlier")
def test_a_message_that_is_read_back_is_as_it_reads_at_this_moment() -> None:
    written = {"type": "message", "user": "U0ADA", "user_team": "T0CUST", "text": "hi", "ts": TS, "edited": {"ts": "9"}}
    spoken = read_written(written, "C0SHARED", ME)
    assert spoken is not None
    assert (spoken.user, spoken.actor_team, spoken.text) == ("U0ADA", "T0CUST", "hi")
    assert spoken.event_ids == (f":{''}:message:C0SHARED:{TS}",)
    assert read_written({**written, "bot_id": "B0"}, "C0SHARED", ME) is None
    assert read_written({**written, "subtype": "channel_join"}, "C0SHARED", ME) is None


# -------------------------------------------------------------------------------------------------------- people


def user(**more: Any) -> dict[str, Any]:
    return {"id": "U0ADA", "team_id": "T0HOME", "profile": {"display_name": "Ada"}, "is_admin": True, **more}


@pytest.mark.behaviour("slack.home")
@pytest.mark.parametrize(
    ("more", "member"),
    [
        ({}, True),
        ({"team_id": "T0CUST"}, False),
        ({"team_id": ""}, False),
        ({"is_stranger": True}, False),
        ({"is_restricted": True}, False),
        ({"is_ultra_restricted": True}, False),
        ({"deleted": True}, False),
        ({"is_bot": True}, False),
        ({"team_id": "T0CUST", "profile": {"display_name": "Robin", "team": "T0HOME"}}, False),
    ],
)
def test_only_a_full_member_of_the_home_workspace_is_one_of_us(more: dict[str, Any], member: bool) -> None:
    assert to_profile(user(**more), ME).is_member is member


@pytest.mark.behaviour("slack.home")
def test_on_a_grid_the_organisation_is_home() -> None:
    grid = Installation(team="T0HOME", bot_user="U", bot_id="B", token=SecretStr("x"), enterprise="E0US")
    assert to_profile(user(team_id="T0OTHER", enterprise_user={"enterprise_id": "E0US"}), grid).is_member
    assert not to_profile(user(team_id="T0OTHER", enterprise_user={"enterprise_id": "E0THEM"}), grid).is_member
    assert not to_profile(user(team_id="T0OTHER"), ME).is_member, "no organisation is not the same organisation"


# ------------------------------------------------------------------------------------------------------- presses


@pytest.mark.behaviour("slack.form")
def test_presses_commands_and_modals_are_read() -> None:
    pressed = read_action(
        {
            "type": "block_actions",
            "user": {"id": "U0ADA", "team_id": "T0CUST"},
            "channel": {"id": "C0SHARED"},
            "message": {"ts": "1.2", "thread_ts": "1.1"},
            "actions": [{"action_id": "form", "value": "f-1", "action_ts": "3.3"}],
            "trigger_id": "t",
            "response_url": "https://hooks.slack.com/x",
        }
    )
    assert pressed is not None
    assert (pressed.action, pressed.value, pressed.channel, pressed.message, pressed.root) == (
        "form",
        "f-1",
        "C0SHARED",
        "1.2",
        "1.1",
    )
    assert "hooks" not in repr(pressed)
    ephemeral = read_action(
        {
            "type": "block_actions",
            "user": {"id": "U0ADA"},
            "container": {"message_ts": "1.2", "channel_id": "C0SHARED", "thread_ts": "1.1"},
            "actions": [{"action_id": "form", "value": "f-1"}],
        }
    )
    assert ephemeral is not None
    assert (ephemeral.channel, ephemeral.root) == ("C0SHARED", "1.1")
    command = read_action(
        {
            "command": "/support",
            "text": "status",
            "user_id": "U0ROB",
            "team_id": "T0HOME",
            "channel_id": "C0SHARED",
            "trigger_id": "t",
        }
    )
    assert command is not None
    assert (command.user, command.user_team, command.value, command.root) == ("U0ROB", "T0HOME", "status", "")
    modal = read_submission(
        {
            "type": "view_submission",
            "user": {"id": "U0ADA"},
            "view": {
                "id": "V1",
                "hash": "h",
                "callback_id": "form",
                "private_metadata": "f-1 slack:T:C:1",
                "state": {
                    "values": {
                        "username": {"username": {"value": "john_doe"}},
                        "kind": {"kind": {"selected_option": {"value": "one"}}},
                        "api_key": {"api_key": {"value": None}},
                    }
                },
            },
        }
    )
    assert modal is not None
    assert modal[0].value == "f-1 slack:T:C:1"
    assert modal[1] == {"username": "john_doe", "kind": "one", "api_key": ""}
    assert read_action({"type": "shortcut"}) is None
    assert read_submission({"type": "view_closed", "view": {}}) is None
