"""The local Discord, as the unmodified client library finds it: what is proved with it stands on this."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import discord
import pytest
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from tests.servers.discord import Channel, ChannelType, DiscordServer, Guild, P
from tests.servers.discord.faults import lost, ratelimited
from tests.servers.discord.people import Person
from tests.servers.discord.values import Intent
from tests.servers.patience import WAIT_S

INTENTS = discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=True)


class Bot(discord.Client):
    """A client that keeps what it hears."""

    def __init__(self, **more: Any) -> None:
        super().__init__(intents=INTENTS, guild_ready_timeout=0.1, **more)
        self.heard: list[discord.Message] = []
        self.on: Callable[[discord.Message], Awaitable[None]] | None = None
        self.tree = app_commands.CommandTree(self)

    async def on_message(self, message: discord.Message) -> None:
        self.heard.append(message)
        if self.on is not None and message.author != self.user:
            await self.on(message)


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as server:
        monkeypatch.setattr(Route, "BASE", server.api_url)
        monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(server.gateway_url))
        yield server


@pytest.fixture
def guild(server: DiscordServer) -> Guild:
    return server.world.guild("Acme")


@pytest.fixture
def channel(server: DiscordServer, guild: Guild) -> Channel:
    return server.world.channel(guild, "help")


@pytest.fixture
def ada(server: DiscordServer, guild: Guild) -> Person:
    return server.person("Ada", guild)


@asynccontextmanager
async def running(server: DiscordServer, bot: discord.Client) -> AsyncIterator[asyncio.Task[None]]:
    before = len(server.gateway.connected)
    work = asyncio.create_task(bot.start(server.token))
    try:
        connected = asyncio.create_task(server.gateway.until_connected(before + 1))
        await asyncio.wait({work, connected}, timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
        connected.cancel()
        yield work
    finally:
        await bot.close()
        await asyncio.wait({work}, timeout=WAIT_S)
        if not work.cancelled():
            work.exception()


@pytest.fixture
async def bot(server: DiscordServer, guild: Guild, channel: Channel) -> AsyncIterator[Bot]:
    """A connected one that knows the server."""
    bot = Bot()
    async with running(server, bot):
        async with asyncio.timeout(WAIT_S):
            await bot.wait_until_ready()
        yield bot


def text(bot: discord.Client, channel: Channel) -> discord.TextChannel:
    found = bot.get_channel(channel.id)
    assert isinstance(found, discord.TextChannel)
    return found


async def test_a_mention_is_heard_and_answered_in_a_thread_of_its_message(
    server: DiscordServer, bot: Bot, channel: Channel, ada: Person
) -> None:
    async def answer(message: discord.Message) -> None:
        if message.guild is not None and message.type is discord.MessageType.default:
            thread = await message.create_thread(name="Question")
            async with thread.typing():
                await thread.send("Hello!")

    bot.on = answer
    asked = ada.write(channel, f"{server.mention} hi")
    thread = await server.until(lambda: server.world.channels.get(asked.id))
    assert thread is not None
    await server.until(lambda: "Hello!" in ada.reads(thread))
    assert server.answers(thread) == ["Hello!"]
    assert thread.typing == 1
    await server.until(lambda: len(bot.heard) == 3)
    assert bot.user is not None
    assert bot.user.mentioned_in(bot.heard[0])
    kinds = {message.type for message in bot.heard}
    assert kinds == {discord.MessageType.default, discord.MessageType.thread_starter_message}


async def test_a_second_thread_of_one_message_is_refused_and_the_first_has_its_id(
    bot: Bot, channel: Channel, ada: Person, server: DiscordServer
) -> None:
    asked = ada.write(channel, "hi")
    message = await text(bot, channel).fetch_message(asked.id)
    thread = await message.create_thread(name="one")
    assert thread.id == message.id
    with pytest.raises(discord.HTTPException) as refusal:
        await message.create_thread(name="two")
    assert refusal.value.code == 160004


async def test_a_nonce_gives_the_first_message_until_its_window_ends(
    bot: Bot, channel: Channel, server: DiscordServer
) -> None:
    first = await text(bot, channel).send("one", nonce="turn:0")
    assert (await text(bot, channel).send("one", nonce="turn:0")).id == first.id
    server.world.clock.advance(600)
    assert (await text(bot, channel).send("one", nonce="turn:0")).id != first.id
    assert len(server.answers(channel)) == 2


@pytest.mark.parametrize(("content", "code"), [("x" * 2_001, 50035), (" ", 50006)], ids=["too long", "nothing"])
async def test_what_cannot_be_a_message_is_refused(bot: Bot, channel: Channel, content: str, code: int) -> None:
    with pytest.raises(discord.HTTPException) as refusal:
        await text(bot, channel).send(content)
    assert refusal.value.code == code


async def test_without_allowed_mentions_everything_pings_and_with_none_nothing(
    bot: Bot, channel: Channel, guild: Guild, ada: Person, server: DiscordServer
) -> None:
    guild.everyone |= P.MENTION_EVERYONE
    await text(bot, channel).send(f"@everyone {ada.mention}")
    await text(bot, channel).send(f"@everyone {ada.mention}", allowed_mentions=discord.AllowedMentions.none())
    loud, quiet = channel.messages.values()
    assert loud.pings.everyone
    assert loud.pings.users == {ada.user.id}
    assert not quiet.pings.everyone
    assert not quiet.pings.users


async def test_edits_keep_to_the_bucket_and_are_never_refused(
    bot: Bot, channel: Channel, server: DiscordServer
) -> None:
    message = await text(bot, channel).send("0")
    await asyncio.gather(*(message.edit(content=str(number)) for number in range(1, 15)))
    assert server.buckets.refused.total() == 0
    assert len(server.rest.made("PATCH", ".*")) == 14


async def test_a_429_is_waited_for_and_a_shared_one_is_nobodys_fault(
    bot: Bot, channel: Channel, server: DiscordServer
) -> None:
    server.faults.next("POST", "/channels/.*/messages", ratelimited(0.05), ratelimited(0.05, scope="shared"))
    await text(bot, channel).send("at last")
    assert server.answers(channel) == ["at last"]
    assert server.buckets.invalid == 1


async def test_a_lost_answer_leaves_the_message_behind(bot: Bot, channel: Channel, server: DiscordServer) -> None:
    server.faults.next("POST", "/channels/.*/messages", lost())
    with pytest.raises(aiohttp.ClientError):
        await text(bot, channel).send("once", nonce="turn:0")
    await text(bot, channel).send("once", nonce="turn:0")
    assert server.answers(channel) == ["once"]


async def test_after_a_drop_the_session_goes_on_and_what_was_missed_is_told(
    bot: Bot, channel: Channel, ada: Person, server: DiscordServer
) -> None:
    server.gateway.drop()
    ada.write(channel, "while away")
    await server.gateway.until_resumed(1)
    await server.until(lambda: [message.content for message in bot.heard] == ["while away"])
    assert len(server.gateway.identified) == 1


async def test_a_forgotten_session_begins_anew_without_what_was_missed(
    bot: Bot, channel: Channel, ada: Person, server: DiscordServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(shard_id: int | None, *, initial: bool = False) -> None:
        return None

    monkeypatch.setattr(bot, "before_identify_hook", at_once)
    server.gateway.forget()
    server.gateway.drop()
    ada.write(channel, "lost for ever")
    await server.gateway.until_identified(2)
    await server.gateway.until_connected()
    ada.write(channel, "heard")
    await server.until(lambda: [message.content for message in bot.heard] == ["heard"])


async def test_an_intent_that_is_not_granted_ends_with_4014(server: DiscordServer, guild: Guild) -> None:
    server.world.app.intents = Intent(0)
    with pytest.raises(discord.PrivilegedIntentsRequired):
        async with running(server, Bot()) as work:
            await work


async def test_a_token_that_was_reset_ends_with_401_and_4004(server: DiscordServer, bot: Bot) -> None:
    server.world.app.token = "another"
    async with Bot() as late:
        with pytest.raises(discord.LoginFailure):
            await late.start(server.token)
    server.gateway.drop()
    await server.gateway.until_left()


async def test_without_the_content_intent_only_what_is_meant_for_the_bot_can_be_read(
    server: DiscordServer, guild: Guild, channel: Channel, ada: Person
) -> None:
    server.world.app.intents = Intent(0)
    bot = Bot()
    bot._connection._intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
    async with running(server, bot):
        ada.write(channel, "secret of others")
        ada.write(channel, f"{server.mention} for you")
        ada.write(server.world.dm(ada.user), "directly")
        await server.until(lambda: len(bot.heard) == 3)
        assert [m.content for m in bot.heard] == ["", f"{server.mention} for you", "directly"]


async def test_each_shard_hears_of_its_own_servers(server: DiscordServer) -> None:
    guilds = [server.world.guild(f"shard {number}", shard=(number, 2)) for number in range(2)]
    channels = [server.world.channel(guild, "help") for guild in guilds]
    ada = server.person("Ada", *guilds)
    one, two = Bot(shard_id=0, shard_count=2), Bot(shard_id=1, shard_count=2)
    async with running(server, one), running(server, two):
        for number, channel in enumerate(channels):
            ada.write(channel, f"{number}")
        ada.write(server.world.dm(ada.user), "directly")
        await server.until(lambda: len(one.heard) == 2 and len(two.heard) == 1)
        assert [m.content for m in one.heard] == ["0", "directly"]
        assert [m.content for m in two.heard] == ["1"]


async def test_history_after_a_message_comes_in_order(
    bot: Bot, channel: Channel, ada: Person, server: DiscordServer
) -> None:
    written = [ada.write(channel, f"{number}") for number in range(120)]
    after = discord.Object(written[4].id)
    told = [message.content async for message in text(bot, channel).history(after=after, limit=None)]
    assert told == [f"{number}" for number in range(5, 120)]


async def test_writing_wakes_an_archived_thread_and_editing_does_not(
    bot: Bot, channel: Channel, ada: Person, server: DiscordServer
) -> None:
    asked = ada.write(channel, "hi")
    thread = await (await text(bot, channel).fetch_message(asked.id)).create_thread(name="Question")
    answer = await thread.send("one")
    kept = server.world.channels[thread.id]
    server.world.change_thread(kept, archived=True)
    with pytest.raises(discord.HTTPException) as refusal:
        await answer.edit(content="two")
    assert refusal.value.code == 50083
    await thread.send("three")
    assert not kept.archived
    server.world.forbid(channel, P.MANAGE_THREADS)
    server.world.change_thread(kept, locked=True)
    with pytest.raises(discord.HTTPException) as refusal:
        await thread.send("four")
    assert refusal.value.code == 160005
    server.world.forbid(channel, P.SEND_MESSAGES_IN_THREADS)
    server.world.change_thread(kept, locked=False)
    with pytest.raises(discord.Forbidden) as forbidden:
        await thread.send("five")
    assert forbidden.value.code == 50013


async def test_a_command_opens_a_form_whose_text_and_file_come_back(
    server: DiscordServer, guild: Guild, channel: Channel, ada: Person
) -> None:
    bot = Bot()
    sent: list[tuple[str, bytes]] = []

    class Receipt(discord.ui.Modal, title="A receipt"):
        why: discord.ui.Label[Any] = discord.ui.Label(text="Why", component=discord.ui.TextInput(custom_id="why"))
        file: discord.ui.Label[Any] = discord.ui.Label(text="File", component=discord.ui.FileUpload(custom_id="file"))

        async def on_submit(self, interaction: discord.Interaction) -> None:
            await interaction.response.defer(ephemeral=True, thinking=True)
            upload = self.file.component
            why = self.why.component
            assert isinstance(upload, discord.ui.FileUpload)
            assert isinstance(why, discord.ui.TextInput)
            sent.append((why.value, await upload.values[0].read()))
            await interaction.followup.send("Thank you.")

    @bot.tree.command(name="receipt", description="Send a receipt")
    async def receipt(interaction: discord.Interaction, hint: str) -> None:
        await interaction.response.send_modal(Receipt())

    async with running(server, bot):
        await bot.tree.sync()
        opened = ada.command(channel, "receipt", hint="soon")
        await opened.opens()
        submitted = ada.submit(opened, {"Why": "a soda"}, files={"File": (("receipt.png", b"bytes"),)})
        assert await submitted.says() == "Thank you."
    assert sent == [("a soda", b"bytes")]
    assert submitted.original is not None
    assert submitted.original.only_for == ada.user.id
    assert server.world.app.syncs[0][0] == 0
    stranger = server.person("Ben", guild)
    assert "Thank you." in ada.reads(channel)
    assert "Thank you." not in stranger.reads(channel)


async def test_a_button_and_a_menu_come_back_and_only_the_first_answer_counts(
    server: DiscordServer, bot: Bot, channel: Channel, ada: Person
) -> None:
    view = discord.ui.View(timeout=None)
    button: discord.ui.Button[discord.ui.View] = discord.ui.Button(label="Press me", custom_id="it")
    codes: list[int] = []

    async def pressed(interaction: discord.Interaction) -> None:
        again = discord.Interaction(data=_raw(server, interaction), state=interaction._state)
        await interaction.response.send_message("Pressed", ephemeral=True)
        try:
            await again.response.send_message("Twice")
        except discord.HTTPException as error:
            codes.append(error.code)

    button.callback = pressed  # type: ignore[method-assign]  # how the library has it done
    view.add_item(button)
    await text(bot, channel).send("Here", view=view)
    (message,) = ada.sees(channel)
    it = ada.press(message, "Press me")
    assert await it.says() == "Pressed"
    await server.until(lambda: codes == [40060])


def _raw(server: DiscordServer, interaction: discord.Interaction) -> Any:
    it = server.interactions.by_token[interaction.token]
    return {
        "id": str(it.id), "application_id": str(interaction.application_id), "type": 3, "token": it.token,
        "version": 1, "data": it.data, "attachment_size_limit": 1,
    }  # fmt: skip


async def test_an_interaction_lives_three_seconds_without_and_fifteen_minutes_with_an_answer(
    server: DiscordServer, bot: Bot, channel: Channel, ada: Person
) -> None:
    codes: list[int] = []

    @bot.tree.command(name="slow", description="Slow")
    async def slow(interaction: discord.Interaction) -> None:
        server.world.clock.advance(3.5)
        try:
            await interaction.response.defer()
        except discord.NotFound as error:
            codes.append(error.code)

    @bot.tree.command(name="late", description="Late")
    async def late(interaction: discord.Interaction) -> None:
        await interaction.response.defer()
        server.world.clock.advance(16 * 60)
        try:
            await interaction.followup.send("too late")
        except discord.HTTPException as error:
            codes.append(error.code)

    await bot.tree.sync()
    ada.command(channel, "slow")
    await server.until(lambda: codes == [10062])
    ada.command(channel, "late")
    await server.until(lambda: codes == [10062, 50027])


async def test_a_file_is_served_under_an_address_that_ends(
    server: DiscordServer, bot: Bot, channel: Channel, ada: Person
) -> None:
    ada.write(channel, "see", files=(("a.png", b"picture"),))
    await server.until(lambda: bot.heard)
    (attachment,) = bot.heard[0].attachments
    assert await attachment.read() == b"picture"
    server.world.clock.advance(25 * 3_600)
    with pytest.raises(discord.NotFound):
        await attachment.read()
    fresh = await text(bot, channel).fetch_message(bot.heard[0].id)
    assert await fresh.attachments[0].read() == b"picture"


async def test_a_file_goes_up_and_a_forum_post_is_a_thread_with_its_first_message(
    server: DiscordServer, bot: Bot, channel: Channel, guild: Guild, ada: Person
) -> None:
    await text(bot, channel).send(file=discord.File(io.BytesIO(b"transcript"), "t.txt"))
    (message,) = channel.messages.values()
    assert [(file.name, file.data) for file in message.files] == [("t.txt", b"transcript")]
    forum = server.world.channel(guild, "questions", ChannelType.FORUM)
    post = ada.open_thread(forum, "Sled?", "Where is it?")
    await server.until(lambda: any(message.content == "Where is it?" for message in bot.heard))
    assert post.id == post.channel.id
    found = bot.get_channel(post.channel.id)
    assert isinstance(found, discord.Thread)
    assert isinstance(found.parent, discord.ForumChannel)


async def test_a_forward_carries_its_text_in_a_snapshot(
    server: DiscordServer, bot: Bot, channel: Channel, ada: Person
) -> None:
    original = ada.write(channel, "the original", files=(("a.png", b"x"),))
    ada.forward(original, server.world.dm(ada.user))
    await server.until(lambda: len(bot.heard) == 2)
    assert bot.heard[1].content == ""
    (snapshot,) = bot.heard[1].message_snapshots
    assert snapshot.content == "the original"
    assert [attachment.filename for attachment in snapshot.attachments] == ["a.png"]


async def test_a_server_that_went_away_comes_back_on_its_port(server: DiscordServer, bot: Bot) -> None:
    url = server.api_url
    await server.stop()
    await server.start()
    assert server.api_url == url
    await server.gateway.until_resumed(1)
