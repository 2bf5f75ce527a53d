"""Many people, many messages (acceptance 6, 7, 9, 10, 11, 16, 17, 18, 20) on Discord, as members see them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.discord.questions import NOT_HERE
from bot.conversation import AssistantTurn, NoteTurn, StaffTurn, Turn, UserTurn
from bot.sentences import CHANGE_YOUR_KEY
from tests.servers.discord import ChannelType, P
from tests.servers.discord.faults import fails, held_after, unavailable
from tests.servers.discord.values import Message, MessageFlag, MessageType
from tests.servers.openai import ScriptedModel, calls, held, says
from tests.servers.patience import WAIT_S
from tests.stages.discord import ADA, BEN, ROBIN, DiscordStage, as_read, discord_stage
from tests.stages.play import record

TICKET = ("get_ticket_status", {"ticket_id": "12345"})


@pytest.fixture
async def stage(variables: dict[str, str]) -> AsyncIterator[DiscordStage]:
    async with discord_stage(variables) as stage:
        yield stage


async def recorded(stage: DiscordStage, kind: type[Turn]) -> None:
    """Wait until the conversation has such a turn: a command does not wait for what was written before it."""
    async with asyncio.timeout(WAIT_S):
        while not any(isinstance(turn, kind) for turn in await record(stage)):
            await asyncio.sleep(0.02)


# ------------------------------------------------------------------------------------------------- who is spoken to


@pytest.mark.behaviour("people.form")
async def test_a_form_serves_only_the_person_to_whom_it_was_offered(stage: DiscordStage, model: ScriptedModel) -> None:
    model.plays(calls(TICKET), says("There is a form for you."))
    await stage.say("status of 12345 please")
    await stage.answer()
    ben = stage.town.people[BEN]
    seen = [message for message in ben.sees(stage.place) if "form" in str(message.components)]
    for offer in seen:  # when it stands in the thread he sees it, and gets nothing by pressing it
        pressed = await ben.press(offer, offer.buttons[0]["custom_id"]).answered()
        if pressed.modal is not None:
            told = await ben.submit(pressed, {"username": "john_doe", "api_key": "key"}).says()
        else:
            told = await pressed.says()
        assert "somebody else" in told
    assert not any(isinstance(turn, NoteTurn) for turn in await record(stage))
    assert "somebody else" not in stage.me.reads(stage.place)


@pytest.mark.behaviour("people.humans")
async def test_people_who_talk_to_each_other_are_left_alone(stage: DiscordStage, model: ScriptedModel) -> None:
    model.plays(says("Hello!"), says("Sure."))
    await stage.say("Hi")
    await stage.answer()
    asked = await stage.write("@Ben did you see this?")
    await stage.write("no, what is it?", by=BEN)
    await stage.write("the sled", replies_to=asked, by=BEN)
    await stage.write("I am looking", by=ROBIN)
    await stage.say("can you help?")
    assert as_read(await stage.answer()).endswith("Sure.")
    kept = [turn.text for turn in await record(stage) if isinstance(turn, UserTurn | StaffTurn)]
    assert kept == ["Hi", "can you help?"]
    assert len(model.requests) == 2


@pytest.mark.behaviour("discord.only_people")
async def test_what_no_person_wrote_is_not_answered(stage: DiscordStage, model: ScriptedModel) -> None:
    world, channel = stage.server.world, stage.town.channel
    other = world.user("Other bot", bot=True)
    stage.town.guild.people[other.id] = (other, [])
    at = world.clock.now()
    text = f"{stage.server.mention} hi"
    pings = world.pings(channel, other, text, None, None)
    for kind, author, webhook in (
        (MessageType.DEFAULT, other, None),
        (MessageType.DEFAULT, stage.me.user, world.ids.next()),
        (MessageType.USER_JOIN, stage.me.user, None),
        (MessageType.DEFAULT, world.app.bot, None),
    ):
        world.post(
            Message(
                id=world.ids.next(), channel=channel, author=author, content=text, at=at, type=kind,
                webhook_id=webhook, pings=pings,
            )
        )  # fmt: skip
    stage.me.write(channel, "nobody was mentioned")
    model.plays(says("Hello Ada!"))
    await stage.say("hi")
    assert await stage.answer() == "Hello Ada!"
    assert len(model.requests) == 1
    assert [c.name for c in world.channels.values() if c.is_thread] == [stage.place.name]


@pytest.mark.behaviour("discord.begins")
async def test_a_post_in_a_configured_forum_is_a_conversation_and_goes_on_without_a_mention(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    robin = stage.town.people[ROBIN]
    forum = stage.server.world.channel(stage.town.guild, "questions", ChannelType.FORUM)
    await stage.server.until(lambda: stage.server.world.app.syncs)
    rules = robin.open_thread(forum, "Read this first", "Here the bot helps.")
    told = await robin.command(rules.channel, "support", command="channel everything").says()
    assert "every" in told
    model.plays(says("In the post."), says("Still here."))
    stage.root = stage.me.open_thread(forum, "My sled", "Where is my sled?")
    assert await stage.answer() == "In the post."
    await stage.say("and now?")
    assert await stage.answer() == "Still here."
    assert len(stage.server.answers(stage.place)) == 2
    assert stage.server.answers(rules.channel) == []


@pytest.mark.behaviour("discord.begins")
async def test_a_post_in_another_forum_is_left_alone_until_the_bot_is_mentioned(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    forum = stage.server.world.channel(stage.town.guild, "off topic", ChannelType.FORUM)
    alone = stage.me.open_thread(forum, "My cat", "Look at my cat!")
    model.plays(says("A nice cat."), says("Still here."))
    stage.root = stage.me.open_thread(forum, "My sled", "Where is my sled?")
    await stage.write("no cat, I know")
    await stage.say("@Frontdesk do you know?")
    assert await stage.answer() == "A nice cat."
    await stage.say("and now?")
    assert await stage.answer() == "Still here."
    assert "Where is my sled?" in str(model.requests[0].messages), "what was said before is known"
    assert len(model.requests) == 2
    assert stage.server.answers(alone.channel) == []


@pytest.mark.behaviour("discord.begins", "people.typed_key")
async def test_where_every_message_is_for_the_bot_it_needs_no_mention_and_a_key_is_caught(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    world, robin = stage.server.world, stage.town.people[ROBIN]
    await stage.server.until(lambda: world.app.syncs)
    assert await robin.command(stage.town.channel, "support", command="channel everything").says()
    model.plays(says("Thank you."))
    root = stage.me.write(stage.town.channel, "my API key is: zq7-canary-4821")
    thread = await stage.server.until(lambda: world.channels.get(root.id))
    assert thread is not None
    await stage.server.until(lambda: "Thank you." in stage.me.reads(thread))
    await stage.server.until(lambda: root.id not in stage.town.channel.messages)
    assert "zq7" not in thread.name


@pytest.mark.behaviour("discord.begins", "discord.ask")
async def test_where_nothing_is_for_the_bot_a_mention_is_not_answered_and_a_command_says_so(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    robin = stage.town.people[ROBIN]
    await stage.server.until(lambda: stage.server.world.app.syncs)
    assert await robin.command(stage.town.channel, "support", command="channel off").says()
    stage.me.write(stage.town.channel, f"{stage.server.mention} hello?")
    told = await stage.me.command(stage.town.channel, "ask", question="are you there?").says()
    assert as_read(told) == NOT_HERE
    assert stage.server.answers(stage.town.channel) == []
    assert model.requests == []


@pytest.mark.behaviour("discord.begins")
async def test_a_mention_in_a_thread_of_others_is_answered_there(stage: DiscordStage, model: ScriptedModel) -> None:
    ada = stage.me
    thread = stage.server.world.thread(stage.town.channel, "Chat", ada.user)
    ada.write(thread, "no business of a bot")
    model.plays(says("Here I am."))
    ada.write(thread, f"{stage.server.mention} can you help?")
    await stage.server.until(lambda: "Here I am." in ada.reads(thread))
    assert len(model.requests) == 1
    assert "no business of a bot" in str(model.requests[0].messages), "what was said before is known"
    assert "no business of a bot" not in model.requests[0].last_user


@pytest.mark.behaviour("discord.forwards")
async def test_what_is_forwarded_comes_along(variables: dict[str, str], model: ScriptedModel) -> None:
    async with discord_stage(variables, direct=True) as stage:
        original = stage.town.people[BEN].write(stage.town.channel, "my sled came broken")
        model.plays(says("I see."))
        stage.me.forward(original, stage.place)
        assert await stage.answer() == "I see."
        assert "my sled came broken" in model.requests[0].last_user


@pytest.mark.behaviour("discord.forwards")
async def test_what_a_question_replies_to_comes_along(stage: DiscordStage, model: ScriptedModel) -> None:
    model.plays(says("I see that too."))
    ben = stage.town.people[BEN].write(stage.town.channel, "mine has no bells")
    stage.root = stage.me.write(stage.town.channel, f"{stage.server.mention} what of this?", replies_to=ben)
    assert await stage.answer() == "I see that too."
    assert "mine has no bells" in model.requests[0].last_user


# ------------------------------------------------------------------------------------------- many and changed messages


@pytest.mark.behaviour("people.twice")
async def test_a_message_that_is_told_twice_is_answered_once(stage: DiscordStage, model: ScriptedModel) -> None:
    model.plays(says("Hello!"), says("Bye!"))
    await stage.say("Hi")
    stage.server.gateway.tell_again("MESSAGE_CREATE")
    assert await stage.answer() == "Hello!"
    asked = next(told for told in stage.server.gateway.told if told.message is stage.root)
    stage.server.gateway.tell(asked)
    await stage.say("Bye")
    assert await stage.answer() == "Bye!"
    assert len(model.requests) == 2
    assert len(stage.server.answers(stage.place)) == 2
    assert [turn.text for turn in await record(stage) if isinstance(turn, UserTurn)] == ["Hi", "Bye"]


@pytest.mark.behaviour("people.delete")
async def test_messages_that_a_moderator_sweeps_away_are_forgotten(stage: DiscordStage, model: ScriptedModel) -> None:
    model.plays(says("Noted."), says("Tell me more."), says("I do not know."))
    await stage.say("hello")
    await stage.answer()
    sent = await stage.write("my number is 555-0100")
    await stage.answer()
    stage.server.world.remove_many(stage.place, [sent])
    model.forget_prefix()
    await stage.say("what did I say?")
    await stage.answer()
    assert "555-0100" not in str(model.requests[2].messages)


@pytest.mark.behaviour("people.edit")
async def test_a_preview_that_the_platform_adds_is_no_edit(stage: DiscordStage, model: ScriptedModel) -> None:
    model.plays(says("Hello."), says("Fine."))
    sent = await stage.write("see https://example.com/a")
    await stage.answer()
    sent.embeds = [{"type": "link", "url": "https://example.com/a", "title": "A page"}]
    stage.server.world.tell_message("MESSAGE_UPDATE", sent)
    await stage.say("thanks")
    await stage.answer()
    assert not any(isinstance(turn, NoteTurn) for turn in await record(stage))


# --------------------------------------------------------------------------------------------------- what is written


@pytest.mark.behaviour("people.typed_key")
async def test_a_key_typed_in_public_is_taken_off_the_screen_and_its_owner_is_told(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    model.plays(says("Hello."), says("Thank you."), says("You're welcome."))
    await stage.say("Hi")
    await stage.answer()
    sent = await stage.write("my API key is: zq7-canary-4821")
    assert await stage.answer() == f"Thank you.\n\n{CHANGE_YOUR_KEY}"
    await stage.server.until(lambda: sent.id not in stage.place.messages)
    assert "zq7-canary-4821" not in stage.place.name
    await stage.say("thanks")
    assert await stage.answer() == "You're welcome."
    kept = [turn.text for turn in await record(stage) if isinstance(turn, UserTurn)]
    assert len(kept) == 3, "what was taken off the screen by us stays on the record, without the key"


@pytest.mark.behaviour("people.typed_key")
async def test_a_key_in_the_first_message_is_in_no_name_of_a_thread(stage: DiscordStage, model: ScriptedModel) -> None:
    model.plays(says("Thank you."))
    await stage.write("my API key is: zq7-canary-4821")
    assert "Thank you." in await stage.answer()
    assert all("zq7" not in channel.name for channel in stage.server.world.channels.values())
    root = stage.root
    assert root is not None
    await stage.server.until(lambda: root.id not in stage.town.channel.messages)


@pytest.mark.behaviour("outgoing.mentions", "discord.mentions")
async def test_nobody_is_called_by_an_answer_a_name_of_a_thread_or_a_form(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    guild, world = stage.town.guild, stage.server.world
    guild.everyone |= P.MENTION_EVERYONE
    ben = stage.town.people[BEN]
    role = world.role(guild, "Everybody's role", P(0), ben.user)
    calling = f"@everyone @here {ben.mention} <@&{role.id}>"
    model.plays(says(f"Hello {calling} all"))
    await stage.write(f"@everyone {stage.server.mention} please greet <@&{role.id}> @here")
    await stage.answer()
    bot = world.app.bot
    mine = [m for channel in world.channels.values() for m in channel.messages.values() if m.author is bot]
    assert mine
    for message in mine:
        assert not message.pings.everyone
        assert not message.pings.roles
        assert message.pings.users <= {stage.me.user.id}
        assert message.allowed_mentions is not None
        assert not message.allowed_mentions.get("parse")
    assert "@everyone" not in stage.place.name
    assert "@here" not in stage.place.name


@pytest.mark.behaviour("discord.previews")
async def test_links_in_answers_bring_no_preview(variables: dict[str, str], model: ScriptedModel) -> None:
    async with discord_stage({**variables, "LINK_HOSTS": "example.com"}) as stage:
        model.plays(says("See https://example.com/help for more."))
        await stage.say("help")
        (part,) = await stage.parts()
        assert "https://example.com/help" in part.content
        assert MessageFlag.SUPPRESS_EMBEDS in part.flags


@pytest.mark.behaviour("discord.long")
async def test_a_long_answer_stands_in_parts_that_can_be_read(stage: DiscordStage, model: ScriptedModel) -> None:
    code = "\n".join(f"line_{number} = '{'x' * 40}'" for number in range(80))
    table = "| id | what |\n| --- | --- |\n" + "\n".join(f"| {number} | sled {number} |" for number in range(20))
    points = "\n".join(f"- point {number} with some words 🛷 " for number in range(40))
    text = f"Here it is.\n\n```python\n{code}\n```\n\n{table}\n\n{points}\n\nThat is all."
    assert len(text) > 5_000
    model.plays(says(text))
    await stage.say("explain everything")
    parts = await stage.parts()
    assert 3 <= len(parts) <= 6
    assert all(len(part.content) <= 2_000 for part in parts)
    assert all(part.content.count("```") % 2 == 0 for part in parts)
    whole = "\n".join(part.content for part in parts)
    for word in (
        *(f"line_{number} " for number in range(80)),
        *(f"point {number} " for number in range(40)),
        "sled 19",
    ):
        assert whole.count(word) == 1, word
    assert [part.id for part in parts] == sorted(part.id for part in parts)
    assert not any(part.buttons for part in parts[:-1])


@pytest.mark.behaviour("discord.long")
async def test_what_nobody_reads_in_messages_comes_as_a_file(stage: DiscordStage, model: ScriptedModel) -> None:
    text = "\n\n".join(f"Paragraph {number}: {'word ' * 80}" for number in range(60))
    model.plays(says(text))
    await stage.say("everything you know")
    parts = await stage.parts()
    assert len(parts) <= 6
    (file,) = parts[-1].files
    assert "Paragraph 59" in file.data.decode()
    assert not any(part.files for part in parts[:-1])


@pytest.mark.behaviour("discord.typing")
async def test_typing_that_fails_harms_nothing(stage: DiscordStage, model: ScriptedModel) -> None:
    stage.server.faults.always("POST", "/channels/.*/typing", fails(50013))
    model.plays(calls(("get_order_status", {"order_id": "123123", "email": "santa@clau.se"})), says("On its way."))
    await stage.say("Order 123123 of santa@clau.se")
    assert await stage.answer() == "On its way."
    asked = len(stage.server.rest.made("POST", "/channels/.*/typing"))
    stage.server.faults.clear()
    stage.server.faults.always("POST", "/channels/.*/typing", unavailable(503))
    model.plays(says("You're welcome."))
    await stage.say("thanks")
    assert await stage.answer() == "You're welcome."
    assert asked <= 2, "what is forbidden is not asked for again and again"


# ------------------------------------------------------------------------------------------------- buttons, people


@pytest.mark.behaviour("discord.buttons")
async def test_a_button_serves_the_person_and_the_server_it_was_offered_in(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    model.plays(says("Hello!"))
    await stage.say("Hi")
    (answer,) = await stage.parts()
    ben, ada = stage.town.people[BEN], stage.me
    private = [b["custom_id"] for b in answer.buttons if "private" in str(b.get("label", "")).lower()]
    told = await ben.press(answer, private[0]).says()
    assert told
    world = stage.server.world
    assert not [c for c in world.channels.values() if c.type is ChannelType.PRIVATE_THREAD]
    elsewhere = world.guild("Elsewhere")
    stranger = stage.server.person("Mallory", elsewhere)
    there = world.channel(elsewhere, "general")
    model.plays(says("Hello stranger!"))
    asked = stranger.write(there, f"{stage.server.mention} hi")
    thread = await stage.server.until(lambda: world.channels.get(asked.id))
    assert thread is not None
    (decoy,) = await stage.server.until(lambda: [m for m in stranger.sees(thread) if len(m.buttons) > 1])
    for button in answer.buttons:
        pressed = stranger.press_id(decoy, button["custom_id"])
        assert "does not belong here" in await pressed.says()
    assert not stage.town.team.messages
    assert not [c for c in world.channels.values() if c.type is ChannelType.PRIVATE_THREAD]
    assert not any(isinstance(turn, NoteTurn) for turn in await record(stage))
    assert "Mallory" not in ada.reads(stage.place)


@pytest.mark.behaviour("discord.private")
async def test_a_conversation_goes_on_privately_and_nobody_else_reads_along(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    model.plays(says("Hello!"), says("Only you see this."))
    await stage.say("Hi")
    (answer,) = await stage.parts()
    await stage.me.press(answer, "privately").answered()
    world = stage.server.world
    (private,) = await stage.server.until(
        lambda: [c for c in world.channels.values() if c.type is ChannelType.PRIVATE_THREAD]
    )
    await stage.server.until(lambda: stage.me.user.id in private.members)
    stage.me.write(private, "my order is 123123")
    await stage.server.until(lambda: "Only you see this." in stage.me.reads(private))
    assert stage.town.people[BEN].sees(private) == []
    assert "Only you see this." not in stage.town.people[BEN].reads(stage.place)


@pytest.mark.behaviour("discord.private", "people.delete", "people.edit")
async def test_what_is_taken_back_in_public_after_going_private_is_forgotten_there_too(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    model.plays(says("Hello!"), says("Noted."), says("Noted, too."))
    await stage.say("Hi")
    await stage.answer()
    number = await stage.write("my number is 555-0100")
    await stage.answer()
    colour = await stage.write("the red one")
    (answer,) = await stage.parts()
    first, second = (stage.me.press(answer, "privately") for _ in range(2))
    await asyncio.gather(first.answered(), second.answered())
    world = stage.server.world
    (private,) = await stage.server.until(
        lambda: [c for c in world.channels.values() if c.type is ChannelType.PRIVATE_THREAD]
    )
    await stage.server.until(lambda: "please go on" in stage.me.reads(private))
    stage.me.delete(number)
    stage.me.edit(colour, "the blue one")
    await recorded(stage, NoteTurn)
    model.forget_prefix()
    model.plays(says("The blue one, you said."))
    stage.me.write(private, "what did I say?")
    await stage.server.until(lambda: "The blue one" in stage.me.reads(private))
    asked = str(model.requests[-1].messages)
    assert "555-0100" not in asked
    assert "the blue one" in asked
    model.plays(says("Hello Ben!"))
    stage.town.people[BEN].write(stage.place, f"{stage.server.mention} hi")
    await stage.server.until(lambda: "Hello Ben!" in stage.town.people[BEN].reads(stage.place))
    assert "what did I say" not in str(model.requests[-1].messages), "what was said in private stays there"


@pytest.mark.behaviour("discord.private")
async def test_what_begins_in_a_channel_that_is_set_so_goes_on_in_private(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    world, robin = stage.server.world, stage.town.people[ROBIN]
    await stage.server.until(lambda: world.app.syncs)
    assert await robin.command(stage.town.channel, "support", command="channel private on").says()
    model.plays(says("Only you see this."))
    stage.me.write(stage.town.channel, f"{stage.server.mention} my order is 123123")
    (private,) = await stage.server.until(
        lambda: [c for c in world.channels.values() if c.type is ChannelType.PRIVATE_THREAD]
    )
    await stage.server.until(lambda: "Only you see this." in stage.me.reads(private))
    assert stage.town.people[BEN].sees(private) == []
    assert stage.server.answers(stage.town.channel) == []
    assert not [c for c in world.channels.values() if c.type is ChannelType.PUBLIC_THREAD]


@pytest.mark.behaviour("discord.limits", "discord.long")
async def test_one_edit_is_under_way_at_a_time_and_the_last_one_has_the_whole_text(
    stage: DiscordStage, model: ScriptedModel
) -> None:
    """What the platform is slow to confirm holds up no text, and no other edit is sent beside it."""
    words = ["Well, ", *(f"and {letter} " for letter in "abcdefghijklmnopqrstuvwxyz"), "is all."]
    running = held(*words)
    model.plays(running)
    await stage.say("talk a lot")
    await stage.shown("Well")
    edit = stage.server.faults.next("PATCH", r"/channels/\d+/messages/\d+", held_after())
    for pause in running.pauses:
        pause.release()
    await edit.reached.wait()
    async with asyncio.timeout(WAIT_S):
        while not any(isinstance(turn, AssistantTurn) for turn in await record(stage)):
            await asyncio.sleep(0.02)
    assert len(stage.server.rest.made("PATCH", r"/channels/\d+/messages/\d+")) == 1
    edit.release()
    assert await stage.answer() == "".join(words)
    assert len(stage.server.answers(stage.place)) == 1


@pytest.mark.behaviour("discord.buttons")
async def test_a_vote_is_kept_and_only_its_giver_is_told(stage: DiscordStage, model: ScriptedModel) -> None:
    model.plays(says("Hello!"))
    await stage.say("Hi")
    (answer,) = await stage.parts()
    (up,) = [b["custom_id"] for b in answer.buttons if (b.get("emoji") or {}).get("name") == "👍"]
    pressed = await stage.me.press(answer, up).answered()
    assert "Thank you" in await pressed.says()
    assert "Thank you" not in stage.town.people[BEN].reads(stage.place)
    assert len(model.requests) == 1


@pytest.mark.behaviour("discord.buttons")
async def test_who_is_not_content_may_say_why_and_need_not(
    stage: DiscordStage, model: ScriptedModel, tmp_path: Path
) -> None:
    def votes() -> list[tuple[int, int, str]]:
        with sqlite3.connect(tmp_path / "data" / "desk.sqlite3") as database:
            rows = database.execute("SELECT turn, value, comment FROM votes").fetchall()
        return [(int(turn), int(value), str(comment)) for turn, value, comment in rows]

    model.plays(says("Hello!"))
    await stage.say("Hi")
    (answer,) = await stage.parts()
    (down,) = [b["custom_id"] for b in answer.buttons if (b.get("emoji") or {}).get("name") == "👎"]
    pressed = await stage.me.press_id(answer, down).answered()
    assert pressed.modal is not None
    await stage.server.until(votes)
    assert votes() == [(1, -1, "")], "the vote counts before anything is typed"
    assert "Thank you" in await stage.me.submit(pressed, {"comment": "it did not say when"}).says()
    assert votes() == [(1, -1, "it did not say when")]
    stranger = await stage.town.people[BEN].press_id(answer, down).answered()
    assert stranger.modal is None
    assert votes() == [(1, -1, "it did not say when")]


def _support(stage: DiscordStage, words: str) -> dict[str, str]:
    """The one option of `/support`."""
    commands = [c for found in stage.server.world.app.commands.values() for c in found]
    (support,) = [command for command in commands if command["name"] == "support"]
    return {support["options"][0]["name"]: words}


@pytest.mark.behaviour("people.parallel")
async def test_threads_do_not_wait_for_each_other(variables: dict[str, str], model: ScriptedModel) -> None:
    slow = held("slow ", "one")
    async with (
        discord_stage(variables) as first,
        discord_stage(variables, app=first.app, town=first.town, reads=BEN) as second,
    ):
        model.plays(slow, says("quick"))
        await first.say("Hi")
        await first.shown("slow")
        await second.say("Hi")
        assert await second.answer() == "quick"
        for pause in slow.pauses:
            pause.release()
        assert await first.answer() == "slow one"
        assert first.place is not second.place
        assert ADA not in second.place.name
