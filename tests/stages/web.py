"""The web page's stage: the requests and the event stream of a browser, without the browser."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from bot.app import App
from bot.messages import ThreadKey
from bot.ports import Form
from tests.servers.http import plain_client
from tests.servers.patience import WAIT_S
from tests.stages.play import played

ADA, BEN, ROBIN = "customer-a", "customer-b", "colleague"


class Page:
    """One conversation as browsers show it; everybody may speak in it.

    Args:
        reads: whose eyes `answer` and `form` look through.
    """

    def __init__(self, client: httpx2.AsyncClient, root: str, reads: str) -> None:
        self.root = root
        self.items: dict[str, dict[str, Any]] = {}
        self.live = ""
        """The text that is being written at this moment."""
        self._reads = reads
        self._client = client
        self._changed = asyncio.Condition()
        self._turns: set[int] = set()
        self._following: asyncio.Task[None] | None = None

    async def post(
        self, text: str, *, by: str = "", files: tuple[tuple[str, bytes], ...] = (), message_id: str | None = None
    ) -> dict[str, Any]:
        """Send a message as the page does; what the server says to it."""
        message_id = message_id or str(uuid.uuid4())
        path = f"/api/threads/{self.root}/messages"
        if files:
            parts = [("files", (name, data, "application/octet-stream")) for name, data in files]
            response = await self._client.post(
                path, params=self._as(by), data={"id": message_id, "text": text}, files=parts
            )
        else:
            response = await self._client.post(path, params=self._as(by), json={"id": message_id, "text": text})
        response.raise_for_status()
        self.follow()
        return {"id": message_id, **response.json()}

    async def say(self, text: str, *, by: str = "", files: tuple[tuple[str, bytes], ...] = ()) -> str:
        return str((await self.post(text, by=by, files=files))["text"])

    async def request(self, method: str, path: str, *, by: str = "", **more: Any) -> httpx2.Response:
        """Any other request of the page, below the thread's address."""
        return await self._client.request(method, f"/api/threads/{self.root}/{path}", params=self._as(by), **more)

    async def answer(self) -> str:
        async def fresh() -> dict[str, Any] | None:
            for item in self.items.values():
                if item["kind"] == "answer" and not item.get("pending") and item["turn"] not in self._turns:
                    return item
            return None

        item = await self.until(fresh)
        self._turns.add(item["turn"])
        return str(item.get("text", ""))

    async def shown(self, text: str) -> None:
        """Wait until this text is being written."""

        async def seen() -> bool:
            return text in self.live

        await self.until(seen)

    async def form(self, *, by: str = "") -> Form:
        async def offered() -> dict[str, Any] | None:
            found = [item for item in self.items.values() if item["kind"] == "form" and item["state"] == "offered"]
            return found[-1] if found else None

        item = await self.until(offered)
        return Form(id=item["form"], title=item["title"], fields={f["name"]: f["label"] for f in item["fields"]})

    async def fill(self, fields: Mapping[str, str], *, by: str = "") -> str:
        form = await self.form()
        response = await self.request("POST", f"forms/{form.id}", by=by, json={"fields": dict(fields)})
        return str(response.json().get("text") or response.json()["message"])

    def answers(self) -> list[str]:
        """Every answer that stands."""
        return [
            item["text"]
            for item in self.items.values()
            if item["kind"] == "answer" and not item.get("pending") and not item.get("gone")
        ]

    async def until(self, look: Any) -> Any:
        """Wait until `look` finds something in what the page shows."""
        async with asyncio.timeout(WAIT_S), self._changed:
            while not (found := await look()):
                await self._changed.wait()
            return found

    def follow(self) -> None:
        """Look at the conversation from now on, and at all that is in it."""
        if self._following is None:
            self._following = asyncio.create_task(self._follow())

    def _as(self, by: str) -> dict[str, str]:
        return {"speaker": by or self._reads}

    async def _follow(self) -> None:
        async with self._client.stream(
            "GET", f"/api/threads/{self.root}/events", params=self._as(""), timeout=None
        ) as response:
            event = ""
            async for line in response.aiter_lines():
                if line.startswith("event: "):
                    event = line[7:]
                elif line.startswith("data: "):
                    await self._hear(event, json.loads(line[6:]))

    async def _hear(self, event: str, data: Any) -> None:
        async with self._changed:
            if event == "items":
                for item in data:
                    if not (item.get("pending") and item["id"] in self.items):
                        self.items[item["id"]] = item
            elif event == "live":
                self.live = _applied(self.live, data)
            self._changed.notify_all()

    async def aclose(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)


def _applied(text: str, change: Mapping[str, Any]) -> str:
    if change.get("reset") or change.get("end"):
        text = ""
    return text + str(change.get("text", ""))


class WebStage(Page):
    """A page beside the Frontdesk that serves it."""

    def __init__(self, app: App, client: httpx2.AsyncClient, root: str, reads: str) -> None:
        super().__init__(client, root, reads)
        self.app = app

    @property
    def thread(self) -> ThreadKey:
        return ThreadKey(platform="web", space="page", channel="main", root=self.root)


def _client(url: str) -> httpx2.AsyncClient:
    return plain_client(url, timeout_s=WAIT_S)


@asynccontextmanager
async def page_stage(url: str, root: str, *, reads: str = ADA) -> AsyncIterator[Page]:
    """A conversation that is there, with a Frontdesk that runs elsewhere."""
    async with _client(url) as client:
        page = Page(client, root, reads)
        page.follow()
        try:
            yield page
        finally:
            await page.aclose()


@asynccontextmanager
async def web_stage(
    variables: Mapping[str, str], *, root: str | None = None, reads: str = ADA, app: App | None = None
) -> AsyncIterator[WebStage]:
    """A stage with a Frontdesk of its own, or one more conversation with a Frontdesk that runs."""
    if app is None:
        async with played(variables) as own, web_stage(variables, root=root, reads=reads, app=own) as stage:
            yield stage
        return
    async with _client(app.url) as client:
        stage = WebStage(app, client, root or str(uuid.uuid4()), reads)
        try:
            yield stage
        finally:
            await stage.aclose()
