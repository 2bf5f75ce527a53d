"""The door of the page in production, in real Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.servers.browser import ARTEFACTS, PATIENCE_MS, launched
from tests.servers.page import staged

TOKEN = "correct-horse-battery"


@pytest.mark.behaviour("page.token", "page.headers")
async def test_a_visitor_signs_in_talks_and_signs_out(redis_url: str, tmp_path: Path, chromium: Path) -> None:
    async with (
        staged(redis_url, tmp_path, {"WEB_TOKEN": TOKEN}, demo=False) as stage,
        launched(chromium) as browser,
    ):
        page = await browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        await page.goto(stage.url)
        await expect(page).to_have_url(f"{stage.url}/login")
        await page.get_by_label("Your name").fill("Omar")
        await page.get_by_label("Access token").fill("wrong")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("not the access token")
        await expect(page.get_by_label("Your name")).to_have_value("Omar")
        ARTEFACTS.mkdir(exist_ok=True)
        await page.screenshot(path=ARTEFACTS / "page-login.png")
        await page.get_by_label("Access token").fill(TOKEN)
        await page.get_by_role("button", name="Come in").click()
        await page.wait_for_selector("html[data-ready]")
        await expect(page.locator("#speakers")).to_be_hidden()
        await page.fill("#text", "Hello")
        await page.keyboard.press("Enter")
        await stage.answer("Hi.")
        await expect(page.locator(".answer .prose")).to_have_text("Hi.")
        await expect(page.locator(".message")).to_contain_text("Omar")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page).to_have_url(f"{stage.url}/login")
        await page.goto(stage.url)
        await expect(page).to_have_url(f"{stage.url}/login")
