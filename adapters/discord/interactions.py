"""What people do with commands, buttons and forms.

Everything is answered first and worked on then. What a button or a form means is in its custom id and in shared state,
so that it works after a restart and in any process; whose it is and where it belongs is checked against the verified
event: a person, a server and a place that do not fit are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from adapters.discord import commands
from adapters.discord.atlas import Atlas
from adapters.discord.exchange import Exchange
from adapters.discord.files import Files
from adapters.discord.inbound import (
    DIRECT,
    PLATFORM,
    Place,
    moment,
    plain,
    to_attachments,
    to_command_text,
    to_kept_attachment,
    to_place,
)
from adapters.discord.posts import Posts
from adapters.discord.reader import Reader
from adapters.discord.reception import Reception
from adapters.discord.render import Pressed, parse_custom_id, render_modal, render_receipt_form, title_of
from adapters.discord.rest import Refused, Rest
from adapters.discord.threads import Origin, Threads
from bot.errors import Permanent, ToolFailed, Transient
from bot.messages import (
    Attachment,
    Audience,
    ButtonPressed,
    CommandGiven,
    Event,
    FormSubmitted,
    IncomingMessage,
    Person,
    StopRequested,
    ThreadKey,
    VoteCast,
)
from bot.ports import Outcome, Resources, Upload, Verdict

log = structlog.get_logger(__name__)

Json = dict[str, Any]

FILE_LIMIT_BYTES = 10 * 1024 * 1024
CLAIM_S = 900.0
PATIENCE_S = 10.0
"""A person who pressed something looks at a wheel that turns."""

BUSY = "We are very busy at the moment. Please try again in a minute."
NOT_HERE = "This button does not belong here any more. Please write your question again."
NOT_YOURS = "This button is for the person who was answered."
FORM_OVER = "This form is not open any more. Ask again, and you are offered a new one."
FORM_NOT_YOURS = "This form was offered to somebody else."
ASKED_HERE = "Thank you. The answer comes here."
ASKED_THREAD = "Thank you. The answer comes in a thread of this channel."
ASKED_PRIVATE = "Thank you. The answer comes in a private thread; you will be mentioned there."
NO_PRIVATE = "There can be no private thread here. Please write to me in a direct message."

_COMMAND, _COMPONENT, _MODAL = 2, 3, 5


class Interactions:
    """Takes interactions."""

    def __init__(
        self,
        rest: Rest,
        atlas: Atlas,
        threads: Threads,
        posts: Posts,
        files: Files,
        reader: Reader,
        reception: Reception,
        resources: Resources,
    ) -> None:
        self._rest = rest
        self._atlas = atlas
        self._threads = threads
        self._posts = posts
        self._files = files
        self._reader = reader
        self._reception = reception
        self._resources = resources
        self._state = resources.state.within("interactions")

    async def take(self, data: Json) -> None:
        """Take an interaction; of several processes that hear of it one does."""
        exchange = Exchange(self._rest, data)
        try:
            if not await self._state.compare_and_set(f"claim/{exchange.id}", None, b"1", ttl_s=CLAIM_S):
                return
            await self._dispatch(exchange, data)
        except Transient as failure:
            log.warning("discord_interaction_failed", reason=failure.reason)
            await exchange.tell(BUSY)
        except Permanent as failure:
            log.warning("discord_interaction_failed", reason=failure.reason)
            await exchange.tell("This does not work at the moment.")

    async def _dispatch(self, exchange: Exchange, data: Json) -> None:
        inner = data.get("data") or {}
        match data["type"]:
            case 2 if inner["name"] == commands.SUPPORT:
                await self._support(exchange, data)
            case 2 if inner["name"] == commands.ASK:
                await self._ask(exchange, data)
            case 2 if inner["name"] == commands.RECEIPT:
                private = "1" if _options(data).get("private") else "0"
                await exchange.open(render_receipt_form(f"fd1|receipt|{private}"))
            case 2 if inner["name"] == commands.ABOUT:
                await self._about(exchange, data)
            case 3 | 5:
                pressed = parse_custom_id(str(inner["custom_id"]))
                if pressed is not None and (work := self._works(data["type"]).get(pressed.what)) is not None:
                    await work(exchange, data, pressed)

    def _works(self, kind: int) -> dict[str, Callable[[Exchange, Json, Pressed], Coroutine[None, None, None]]]:
        if kind == _MODAL:
            return {"form": self._form_submitted, "receipt": self._receipt_submitted}
        return {
            "form": self._form_wanted,
            "up": self._answer_button,
            "down": self._answer_button,
            "human": self._answer_button,
            "stop": self._answer_button,
            "private": self._answer_button,
            "card": self._card_button,
        }

    # ----------------------------------------------------------------------------------------------------- commands

    async def _support(self, exchange: Exchange, data: Json) -> None:
        if not await exchange.defer():
            return
        place = await self._place(data)
        key = await self._reader.key(place, "")
        event = CommandGiven(
            thread=key,
            author=await self._person(data),
            event_ids=(f"{PLATFORM}:{exchange.id}",),
            at=moment(exchange.id),
            text=to_command_text(str(_options(data).get("command") or "")),
        )
        await _told(exchange, await self._bring(event))

    async def _ask(self, exchange: Exchange, data: Json) -> None:
        if not await exchange.defer():
            return
        options = _options(data)
        resolved = (data["data"].get("resolved") or {}).get("attachments") or {}
        files = [resolved[str(options["attachment"])]] if options.get("attachment") else []
        await self._asked(exchange, data, str(options["question"]), files=files, private=bool(options.get("private")))

    async def _asked(
        self, exchange: Exchange, data: Json, question: str, *, files: Sequence[Json], private: bool
    ) -> None:
        """A question that no message holds: it begins a conversation, or goes into the one where it was asked."""
        place = await self._place(data)
        here = not place.guild or (place.kind.is_thread and not private)
        channel = place.parent if place.kind.is_thread else place.id
        key = (
            await self._reader.key(place, exchange.id)
            if here
            else ThreadKey(platform=PLATFORM, space=place.guild, channel=channel, root=exchange.id)
        )
        author = await self._person(data)
        audience = place.audience
        if not here:
            private = private or (await self._resources.channel_rules(key)).private
            audience = Audience.PRIVATE if private else Audience.PUBLIC
            await self._threads.begin(key, Origin(person=author.id, private=private, asks=True))
        try:
            attachments = [await self._kept(file, key, author) for file in files]
        except ToolFailed as failed:
            await exchange.tell(_FILE_TROUBLE.get(failed.code, _FILE_TROUBLE["gone"]))
            return
        event = IncomingMessage(
            thread=key,
            author=author,
            event_ids=(f"{PLATFORM}:{exchange.id}",),
            at=moment(exchange.id),
            message_id=exchange.id,
            text=question,
            audience=audience,
            attachments=tuple(attachments),
            opens=True,
            mentions_bot=True,
        )
        outcome = await self._bring(event)
        told = ASKED_HERE if here else ASKED_PRIVATE if private else ASKED_THREAD
        await exchange.tell(told if outcome.verdict is Verdict.STORED else outcome.text or BUSY)

    async def _about(self, exchange: Exchange, data: Json) -> None:
        if not await exchange.defer():
            return
        inner = data["data"]
        message: Json = dict(inner["resolved"]["messages"][str(inner["target_id"])])
        message.setdefault("channel_id", data["channel_id"])
        place = await self._place(data)
        me = await self._atlas.me(place.guild)
        author = await self._person(data)
        text = plain(str(message.get("content") or ""), message, me)
        writer = message["author"]
        if str(writer["id"]) != author.id:
            name = writer.get("global_name") or writer.get("username") or "somebody"
            text = f"About a message of {name}:\n" + "\n".join(f"> {line}" for line in text.split("\n"))
        event = IncomingMessage(
            thread=await self._reader.key(place, str(message["id"])),
            author=author,
            event_ids=(f"{PLATFORM}:{exchange.id}",),
            at=moment(exchange.id),
            message_id=exchange.id,
            text=text,
            audience=place.audience,
            attachments=to_attachments(message),
            opens=True,
            mentions_bot=True,
        )
        outcome = await self._bring(event)
        told = ASKED_HERE if place.kind.is_thread or not place.guild else ASKED_THREAD
        await exchange.tell(told if outcome.verdict is Verdict.STORED else outcome.text or BUSY)

    # ------------------------------------------------------------------------------------------------------ buttons

    async def _answer_button(self, exchange: Exchange, data: Json, pressed: Pressed) -> None:
        """A button under an answer: bound to a conversation of this place, to a turn and to a person."""
        if not await exchange.acknowledge():
            return
        channel, root, turn, owner = pressed.values
        place = await self._place(data)
        key = ThreadKey(platform=PLATFORM, space=place.guild or DIRECT, channel=channel, root=root)
        is_here = channel in (place.id, place.parent) and place.guild == str(data.get("guild_id") or "")
        if not is_here or str(data["message"]["author"]["id"]) != await self._rest.me():
            await exchange.tell(NOT_HERE)
            return
        author = await self._person(data)
        may_press = author.id == owner or pressed.what == "human" or (pressed.what == "stop" and author.is_staff)
        if not may_press:
            await exchange.tell(NOT_YOURS)
            return
        if pressed.what == "private":
            await self._go_private(exchange, key, place, author)
            return
        ids, at = (f"{PLATFORM}:{exchange.id}",), moment(exchange.id)
        event: VoteCast | ButtonPressed | StopRequested
        match pressed.what:
            case "human":
                event = ButtonPressed(thread=key, author=author, event_ids=ids, at=at, action="human")
            case "stop":
                event = StopRequested(thread=key, author=author, event_ids=ids, at=at)
            case vote:
                value = 1 if vote == "up" else -1
                event = VoteCast(thread=key, author=author, event_ids=ids, at=at, turn=int(turn), value=value)
        outcome = await self._bring(event)
        if outcome.text or outcome.verdict is Verdict.BUSY:
            await _told(exchange, outcome)

    async def _go_private(self, exchange: Exchange, key: ThreadKey, place: Place, author: Person) -> None:
        """Move a conversation into a private thread; whoever writes in the old one begins another conversation."""
        current = await self._threads.place(key)
        if current is not None and current.private:
            await exchange.tell(f"This conversation goes on in <#{current.channel}>.")
            return
        try:
            private = await self._threads.private(key, author.id, title_of(f"Support for {author.display_name}"))
        except Refused as refused:
            log.warning("discord_no_private_thread", code=refused.code, channel=key.channel)
            await exchange.tell(NO_PRIVATE)
            return
        if place.kind.is_thread:
            other = ThreadKey(platform=PLATFORM, space=key.space, channel=key.channel, root=exchange.id)
            await self._threads.forget(place.id, other)
        greeting = f"<@{author.id}> Here only you and the team read along. What was said so far is known; please go on."
        await self._posts.greet(private.channel, greeting, author.id, exchange.id)
        await exchange.tell(f"This conversation goes on in <#{private.channel}>.")

    async def _card_button(self, exchange: Exchange, data: Json, pressed: Pressed) -> None:
        if not await exchange.acknowledge():
            return
        digest, action = pressed.values
        card = await self._posts.card(digest)
        if card is None or card.channel != str(data["channel_id"]):
            await exchange.tell(NOT_HERE)
            return
        event = ButtonPressed(
            thread=ThreadKey.parse(card.thread),
            author=await self._person(data),
            event_ids=(f"{PLATFORM}:{exchange.id}",),
            at=moment(exchange.id),
            action=action,
        )
        await _told(exchange, await self._bring(event))

    # -------------------------------------------------------------------------------------------------------- forms

    async def _form_wanted(self, exchange: Exchange, data: Json, pressed: Pressed) -> None:
        form = await self._posts.form(pressed.values[0])
        if form is None:
            await exchange.tell(FORM_OVER)
        elif form.person != exchange.person or not _is_of_server(form.thread, data):
            await exchange.tell(FORM_NOT_YOURS)
        else:
            await exchange.open(render_modal(pressed.values[0], form.title, form.fields))

    async def _form_submitted(self, exchange: Exchange, data: Json, pressed: Pressed) -> None:
        if not await exchange.defer():
            return
        form = await self._posts.form(pressed.values[0])
        if form is None:
            await exchange.tell(FORM_OVER)
            return
        if form.person != exchange.person or not _is_of_server(form.thread, data):
            await exchange.tell(FORM_NOT_YOURS)
            return
        typed = {str(item["custom_id"]): str(item.get("value") or "") for item in _inputs(data)}
        thread = ThreadKey.parse(form.thread)
        event = FormSubmitted(
            thread=thread,
            author=await self._person(data),
            event_ids=(f"{PLATFORM}:{exchange.id}",),
            at=moment(exchange.id),
            form_id=pressed.values[0],
            audience=await self._audience(thread),
            fields={name: typed.get(name, "") for name in form.fields},
        )
        await _told(exchange, await self._bring(event))

    async def _receipt_submitted(self, exchange: Exchange, data: Json, pressed: Pressed) -> None:
        if not await exchange.defer():
            return
        question, files = "", list[Json]()
        resolved = (data["data"].get("resolved") or {}).get("attachments") or {}
        for item in _inputs(data):
            if item["custom_id"] == "files":
                files = [resolved[str(id)] for id in item.get("values") or () if str(id) in resolved]
            else:
                question = str(item.get("value") or "")
        question = question.strip() or "Help me make sense of this receipt."
        await self._asked(exchange, data, question, files=files, private=pressed.values[0] == "1")

    async def _audience(self, thread: ThreadKey) -> Audience:
        """Who reads along where a conversation goes on."""
        place = await self._threads.place(thread)
        if thread.space == DIRECT or (place is not None and place.private and not place.is_thread):
            return Audience.DIRECT
        return Audience.PRIVATE if place is not None and place.private else Audience.PUBLIC

    # ------------------------------------------------------------------------------------------------------- common

    async def _kept(self, file: Json, key: ThreadKey, author: Person) -> Attachment:
        """Keep a file with us before the event that brought it is acknowledged.

        Raises:
            ToolFailed: it cannot be read.
        """
        if int(file.get("size") or 0) > FILE_LIMIT_BYTES:
            raise ToolFailed("too_large", "The file is too large.")
        tenant = self._resources.tenant_of(key.space)
        attachment = to_kept_attachment(file, tenant=tenant, upload=f"discord-{file['id']}")
        await self._resources.desk.save_upload(
            tenant,
            Upload(
                id=f"discord-{file['id']}",
                thread=str(key),
                person=f"{key.platform}:{key.space}:{author.id}",
                name=attachment.name,
                media_type=attachment.media_type,
                data=await self._files.keep(str(file["url"]), FILE_LIMIT_BYTES),
            ),
        )
        return attachment

    async def _bring(self, event: Event) -> Outcome:
        return await self._reception.bring(event, patience_s=PATIENCE_S)

    async def _place(self, data: Json) -> Place:
        """Where it happened, as the platform's own index has it; the event's description serves when that is hidden."""
        try:
            return await self._atlas.place(str(data["channel_id"]))
        except Refused:
            return to_place({"guild_id": data.get("guild_id"), **data["channel"]})

    async def _person(self, data: Json) -> Person:
        member = data.get("member")
        user = (member or {}).get("user") or data["user"]
        return await self._atlas.person(user, member, str(data.get("guild_id") or ""))


_FILE_TROUBLE = {
    "too_large": "This file is larger than 10 MB. Please choose a smaller one.",
    "gone": "This file could not be read. Please send it again.",
    "unavailable": "Files cannot be read at the moment. Please try again in a few minutes.",
}


async def _told(exchange: Exchange, outcome: Outcome) -> None:
    text = outcome.text or (BUSY if outcome.verdict is Verdict.BUSY else "Done.")
    await exchange.tell(text, [outcome.file] if outcome.file else [])


def _is_of_server(thread: str, data: Json) -> bool:
    """Whether a form belongs to the server in which it is used; by direct message it may belong to any."""
    guild = str(data.get("guild_id") or "")
    return not guild or ThreadKey.parse(thread).space == guild


def _options(data: Json) -> Json:
    return {str(option["name"]): option.get("value") for option in data["data"].get("options") or ()}


def _inputs(data: Json) -> list[Json]:
    """What was typed and chosen in a form, whatever it is laid out with."""
    found = []
    for row in data["data"].get("components") or ():
        found += [row["component"]] if "component" in row else list(row.get("components") or ())
    return found
