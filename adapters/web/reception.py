"""What a viewer can do on the page: each action goes to intake first, and is shown when it is in safe hands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from adapters.web import inbound
from adapters.web.log import PageLog, PageThread
from adapters.web.render import (
    NOT_ADDRESSED,
    Item,
    deleted,
    edited,
    message_id,
    place_for_message,
    render_message,
    render_notice,
    title_of,
)
from adapters.web.session import Door, Viewer
from adapters.web.uploads import Sent, Unacceptable, keep_file, keep_files
from bot.messages import Attachment, Event
from bot.ports import Intake, Outcome, Resources, Verdict

BUSY = "We are very busy at the moment. Please send it again in a minute."
STARTING = "The page is starting or stopping. Please try again in a moment."


class Reception:
    """Takes what viewers do.

    Args:
        intake: gives the place where events are brought, once there is one.
    """

    def __init__(self, log: PageLog, door: Door, resources: Resources, intake: Callable[[], Intake | None]) -> None:
        self._log = log
        self._door = door
        self._resources = resources
        self._intake = intake

    async def thread(self, root: str, viewer: Viewer) -> PageThread:
        """A thread that the viewer may see; somebody else's is as good as none."""
        thread = await self._log.find(root) if inbound.is_id(root) else None
        if thread is None or thread.owner != viewer.owner:
            raise Unacceptable(404, "not_found", "There is no such conversation.")
        return thread

    async def post(self, root: str, viewer: Viewer, sent: Sent) -> Outcome:
        """Take a message; the same one again changes nothing."""
        if not (inbound.is_id(root) and inbound.is_id(sent.id)):
            raise Unacceptable(400, "malformed", "Conversations and messages are named by a UUID.")
        if not sent.text.strip() and not sent.files:
            raise Unacceptable(400, "empty", "There is nothing in this message.")
        found = await self._log.find(root)
        if found is not None and found.owner != viewer.owner:
            raise Unacceptable(404, "not_found", "There is no such conversation.")
        command = inbound.command_in(sent.text) if viewer.person.is_staff else None
        if command is not None:
            return await self.command(root, viewer, command, sent.id)
        tenant = self._resources.tenant_of(inbound.thread_key(root).space)
        attachments = await keep_files(self._resources, tenant, root, viewer.person, sent)
        thread = await self._log.begin(root, viewer.owner, sent.id)
        if thread.owner != viewer.owner:
            raise Unacceptable(404, "not_found", "There is no such conversation.")
        at = datetime.now(UTC)
        await self._log.upsert(thread, place_for_message(sent.id, viewer.person, at))
        outcome = await self._bring(
            inbound.to_message(
                root,
                sent.id,
                viewer.person,
                sent.text,
                at,
                attachments=attachments,
                people=self._door.people.values(),
                audience=self._door.audience,
                opens=not self._resources.demo or thread.first == sent.id,
            )
        )
        item = render_message(
            sent.id,
            viewer.person,
            at,
            outcome.text,
            attachments=attachments,
            secrets=outcome.secrets,
            hint=NOT_ADDRESSED if outcome.verdict is Verdict.IGNORED else "",
        )
        await self._show(thread, sent.id, item, outcome)
        return outcome

    async def _show(self, thread: PageThread, message: str, item: Item, outcome: Outcome) -> None:
        if outcome.verdict in (Verdict.BUSY, Verdict.REFUSED):
            if thread.first == message:
                await self._log.forget(thread)
            return
        if outcome.verdict is Verdict.DUPLICATE:
            shown = (await self._log.view(thread.root)).get(item["id"])
            if shown is not None and not shown.get("pending"):
                return
        await self._log.upsert(thread, item)
        if thread.first == message:
            await self._log.list_thread(thread, title=title_of(item["text"]), at=item["at"])
        else:
            await self._log.keep(thread)

    async def edit(self, root: str, viewer: Viewer, message: str, text: str) -> Outcome:
        """Give one's own message another text."""
        if not text.strip():
            raise Unacceptable(400, "empty", "There is nothing in this message.")
        thread, item = await self._own(root, viewer, message)
        nonce = str(uuid4())
        outcome = await self._bring(inbound.to_edit(root, message, viewer.person, text, datetime.now(UTC), nonce))
        if outcome.verdict is not Verdict.BUSY and outcome.verdict is not Verdict.REFUSED:
            await self._log.rewrite(thread, edited(item, outcome.text, outcome.secrets))
            if thread.first == message:
                await self._log.rename(thread, title_of(outcome.text))
        return outcome

    async def delete(self, root: str, viewer: Viewer, message: str) -> Outcome:
        """Take one's own message back."""
        thread, item = await self._own(root, viewer, message)
        outcome = await self._bring(inbound.to_deletion(root, message, viewer.person, datetime.now(UTC)))
        if outcome.may_acknowledge:
            await self._log.rewrite(thread, deleted(item))
            if thread.first == message:
                await self._log.rename(thread, "Deleted message")
        return outcome

    async def stop(self, root: str, viewer: Viewer) -> Outcome:
        """Ask the running turn to stop."""
        await self.thread(root, viewer)
        return await self._bring(inbound.to_stop(root, viewer.person, datetime.now(UTC), str(uuid4())))

    async def command(self, root: str, viewer: Viewer, text: str, nonce: str) -> Outcome:
        """Carry out what a colleague ordered, and tell them alone."""
        thread = await self._log.find(root)
        outcome = await self._bring(inbound.to_command(root, viewer.person, text, datetime.now(UTC), nonce))
        if thread is not None:
            await self._tell(thread, viewer, nonce, outcome)
        return outcome

    async def press(self, root: str, viewer: Viewer, action: str, value: str) -> Outcome:
        """A button of a card was pressed."""
        thread = await self.thread(root, viewer)
        nonce = str(uuid4())
        outcome = await self._bring(inbound.to_button(root, viewer.person, action, value, datetime.now(UTC), nonce))
        await self._tell(thread, viewer, nonce, outcome)
        return outcome

    async def _tell(self, thread: PageThread, viewer: Viewer, nonce: str, outcome: Outcome) -> None:
        """Show one person what came of an order of theirs, and nobody else."""
        files: tuple[Attachment, ...] = ()
        if outcome.file is not None:
            key = inbound.thread_key(thread.root)
            tenant = self._resources.tenant_of(key.space)
            files = (await keep_file(self._resources.desk, tenant, key, viewer.person, nonce, outcome.file),)
        if outcome.text or files:
            await self._log.upsert(thread, render_notice(nonce, outcome.text, [viewer.person.id], files))

    async def vote(self, root: str, viewer: Viewer, turn: int, value: int, comment: str = "") -> Outcome:
        """An answer was found good or bad."""
        await self.thread(root, viewer)
        now, nonce = datetime.now(UTC), str(uuid4())
        return await self._bring(inbound.to_vote(root, viewer.person, turn, value, now, nonce, comment))

    async def submit(self, root: str, viewer: Viewer, form: str, fields: dict[str, str]) -> Outcome:
        """A private form came back: what was typed goes to intake and to nowhere else."""
        thread = await self.thread(root, viewer)
        item = (await self._log.view(root)).get(f"form:{form}")
        if item is None or viewer.person.id not in item["to"]:
            raise Unacceptable(404, "not_found", "This form was offered to somebody else, or its time is over.")
        named = {field["name"]: fields.get(field["name"], "") for field in item["fields"]}
        outcome = await self._bring(
            inbound.to_form(root, viewer.person, form, named, datetime.now(UTC), str(uuid4()), self._door.audience)
        )
        if outcome.verdict is Verdict.BUSY:
            return outcome
        kept = {key: value for key, value in item.items() if key not in ("last", "error")}
        if outcome.verdict is Verdict.REFUSED:
            await self._log.upsert(thread, {**kept, "state": "offered", "error": outcome.text})
        else:
            await self._log.upsert(thread, {**kept, "state": "done", "told": outcome.text})
        return outcome

    async def _own(self, root: str, viewer: Viewer, message: str) -> tuple[PageThread, Item]:
        thread = await self.thread(root, viewer)
        item = (await self._log.view(root)).get(message_id(message))
        if item is None or item.get("pending") or item.get("deleted"):
            raise Unacceptable(404, "not_found", "There is no such message.")
        if item["author"]["id"] != viewer.person.id:
            raise Unacceptable(403, "not_yours", "Only who wrote a message can change it.")
        return thread, item

    async def _bring(self, event: Event) -> Outcome:
        intake = self._intake()
        if intake is None:
            raise Unacceptable(503, "busy", STARTING)
        return await intake(event)
