"""Questions that come without a message of their own: by a command, by a form with a file, by the menu on a message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.discord.callers import BUSY, Callers, inputs, options
from adapters.discord.exchange import Exchange
from adapters.discord.files import Files
from adapters.discord.inbound import PLATFORM, moment, plain, to_attachments, to_kept_attachment
from adapters.discord.register import Origin
from adapters.discord.render import Pressed
from adapters.discord.threads import Threads
from bot.errors import ToolFailed
from bot.messages import Attachment, Audience, IncomingMessage, Person, ThreadKey
from bot.ports import Outcome, Resources, Upload, Verdict

Json = dict[str, Any]

FILE_LIMIT_BYTES = 10 * 1024 * 1024

ASKED_HERE = "Thank you. The answer comes here."
ASKED_THREAD = "Thank you. The answer comes in a thread of this channel."
ASKED_PRIVATE = "Thank you. The answer comes in a private thread; you will be mentioned there."

NOT_HERE = "This cannot be answered here. Please ask in another channel, or write to me in a direct message."

_FILE_TROUBLE = {
    "too_large": "This file is larger than 10 MB. Please choose a smaller one.",
    "gone": "This file could not be read. Please send it again.",
    "too_many_files": "You have sent as many files today as I can keep. Please try again tomorrow.",
    "unavailable": "Files cannot be read at the moment. Please try again in a few minutes.",
}


class Questions:
    """Takes questions; a file is kept with us before anybody is told that the question is taken."""

    def __init__(self, callers: Callers, threads: Threads, files: Files, resources: Resources) -> None:
        self._callers = callers
        self._threads = threads
        self._files = files
        self._resources = resources

    async def ask(self, exchange: Exchange, data: Json) -> None:
        """`/ask`: a question with a file, perhaps in private."""
        if not await exchange.defer():
            return
        given = options(data)
        resolved = (data["data"].get("resolved") or {}).get("attachments") or {}
        files = [resolved[str(given["attachment"])]] if given.get("attachment") else []
        await self._asked(exchange, data, str(given["question"]), files=files, private=bool(given.get("private")))

    async def _asked(
        self, exchange: Exchange, data: Json, question: str, *, files: Sequence[Json], private: bool
    ) -> None:
        """A question that no message holds: it begins a conversation, or goes into the one where it was asked."""
        place = await self._callers.place(data)
        here = not place.guild or (place.kind.is_thread and not private)
        channel = place.parent if place.kind.is_thread else place.id
        key = (
            await self._callers.key(place, exchange.id)
            if here
            else ThreadKey(platform=PLATFORM, space=place.guild, channel=channel, root=exchange.id)
        )
        author = await self._callers.person(data)
        audience = place.audience
        if not here:
            private = private or (await self._resources.channel_rules(key)).private
            audience = Audience.PRIVATE if private else Audience.PUBLIC
            await self._threads.register.begin(key, Origin(person=author.id, private=private, asks=True))
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
        outcome = await self._callers.bring(event)
        told = ASKED_HERE if here else ASKED_PRIVATE if private else ASKED_THREAD
        await exchange.tell(_told(outcome, told))

    async def about(self, exchange: Exchange, data: Json) -> None:
        """A question about somebody's message, chosen from its menu; Discord gives its content with it."""
        if not await exchange.defer():
            return
        inner = data["data"]
        message: Json = dict(inner["resolved"]["messages"][str(inner["target_id"])])
        message.setdefault("channel_id", data["channel_id"])
        place = await self._callers.place(data)
        me = await self._callers.me(place.guild)
        author = await self._callers.person(data)
        text = plain(str(message.get("content") or ""), message, me)
        writer = message["author"]
        if str(writer["id"]) != author.id:
            name = writer.get("global_name") or writer.get("username") or "somebody"
            text = f"About a message of {name}:\n" + "\n".join(f"> {line}" for line in text.split("\n"))
        event = IncomingMessage(
            thread=await self._callers.key(place, str(message["id"])),
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
        outcome = await self._callers.bring(event)
        told = ASKED_HERE if place.kind.is_thread or not place.guild else ASKED_THREAD
        await exchange.tell(_told(outcome, told))

    async def receipt(self, exchange: Exchange, data: Json, pressed: Pressed) -> None:
        """A receipt that was handed in by a form."""
        if not await exchange.defer():
            return
        question, files = "", list[Json]()
        resolved = (data["data"].get("resolved") or {}).get("attachments") or {}
        for item in inputs(data):
            if item["custom_id"] == "files":
                files = [resolved[str(id)] for id in item.get("values") or () if str(id) in resolved]
            else:
                question = str(item.get("value") or "")
        question = question.strip() or "Help me make sense of this receipt."
        await self._asked(exchange, data, question, files=files, private=pressed.values[0] == "1")

    async def _kept(self, file: Json, key: ThreadKey, author: Person) -> Attachment:
        """Keep a file with us before the event that brought it is acknowledged.

        Raises:
            ToolFailed: it cannot be read.
        """
        if int(file.get("size") or 0) > FILE_LIMIT_BYTES:
            raise ToolFailed("too_large", "The file is too large.")
        tenant = self._resources.tenant_of(key.space)
        named = {**file, "filename": self._resources.mask(str(file.get("filename") or ""))}
        attachment = to_kept_attachment(named, tenant=tenant, upload=f"discord-{file['id']}")
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


def _told(outcome: Outcome, taken: str) -> str:
    """What became of a question; `taken` when it is going to be answered."""
    match outcome.verdict:
        case Verdict.STORED | Verdict.DUPLICATE:
            return taken
        case Verdict.IGNORED:  # this channel's rule is that nothing in it is for us
            return NOT_HERE
    return outcome.text or BUSY
