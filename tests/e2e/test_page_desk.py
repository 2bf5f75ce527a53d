"""The page in real Chromium before a whole Frontdesk: a customer calls a human, a colleague does what colleagues do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from bot.sentences import CASE_CLOSED, HUMAN_CALLED
from tests.servers.browser import launched, window
from tests.servers.openai import ScriptedModel, says
from tests.stages.play import played

pytestmark = pytest.mark.timeout_s(120)


@pytest.fixture
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    async with launched(chromium) as browser:
        yield browser


@pytest.mark.behaviour("page.desk")
async def test_a_human_is_called_and_a_colleague_closes_the_case(
    variables: dict[str, str], model: ScriptedModel, browser: Browser, tmp_path: Path
) -> None:
    model.plays(says("Hello!"))
    async with played(variables) as app, window(browser, app.url) as shown:
        page = shown.page
        human = page.get_by_role("button", name="Ask for a human colleague")
        await expect(human).to_be_hidden()
        await page.fill("#text", "Hi, <b>are</b> you there?")
        await page.keyboard.press("Enter")
        await expect(page.locator(".answer")).to_contain_text("Hello!")
        await page.get_by_role("button", name="This did not help").click()
        await page.get_by_role("textbox", name="Why?").fill("too short")
        await page.keyboard.press("Enter")
        await expect(page.locator(".answer")).to_contain_text("Thank you.")
        await human.click()
        await expect(page.locator(".notice")).to_have_text(HUMAN_CALLED)
        await expect(human).to_be_hidden()
        await expect(page.locator(".card")).to_have_count(0)

        await page.get_by_role("radio", name="Robin Vale").check(force=True)
        card = page.locator(".card")
        await expect(card.locator("header")).to_contain_text("Ada Fern (Acme) is waiting for a human")
        await expect(card.locator("strong", has_text="Why:")).to_be_visible()
        await expect(card).to_contain_text("Hi, <b>are</b> you there?")
        await card.get_by_role("button", name="Take it").click()
        await expect(card.locator("header")).to_contain_text("takes care of")
        await page.fill("#text", "/support transcript html")
        await page.keyboard.press("Enter")
        async with page.expect_download() as download:
            await page.locator("a.file").click()
        saved = tmp_path / "transcript.html"
        await (await download.value).save_as(saved)
        assert "&lt;b&gt;are&lt;/b&gt;" in saved.read_text()
        await shown.keep("desk")
        await card.get_by_role("button", name="Close").click()
        await expect(page.locator(".answer").last).to_contain_text(CASE_CLOSED)
        await expect(card.get_by_role("button")).to_have_count(0)
        assert shown.complaints == []
