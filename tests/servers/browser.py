"""Real Chromium, for pages that are made for one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from tests.servers.patience import WAIT_S

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
ARTEFACTS = Path(__file__).parents[2] / "artefacts"
PATIENCE_MS = round(WAIT_S * 1_000)


@asynccontextmanager
async def launched(program: Path) -> AsyncIterator[Browser]:
    """A browser that runs while the context lasts."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


class Window:
    """A window on the page, and everything that went wrong in it.

    Args:
        complaints: errors of scripts and of the content security policy; a test ends with none.
    """

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.context = context
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    async def keep(self, name: str) -> None:
        """Keep a picture of what is seen, for people to look at."""
        ARTEFACTS.mkdir(exist_ok=True)
        await self.page.screenshot(path=ARTEFACTS / f"{name}.png")


@asynccontextmanager
async def window(browser: Browser, url: str, **options: Any) -> AsyncIterator[Window]:
    """A window that shows the page, ready to be used."""
    context = await browser.new_context(**{"viewport": {"width": 1360, "height": 860}, **options})
    context.set_default_timeout(PATIENCE_MS)
    try:
        shown = Window(context, await context.new_page())
        await shown.page.goto(url)
        await shown.page.wait_for_selector("html[data-ready]")
        yield shown
    finally:
        await context.close()
