"""The page in real Chromium, the bot behind it played by the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from bot.messages import IncomingMessage, StopRequested
from bot.ports import Form
from tests.servers.browser import Window, launched, window
from tests.servers.page import Stage, asked, staged

pytestmark = pytest.mark.timeout_s(120)

SAMPLE = Path(__file__).parents[2] / "adapters" / "web" / "static" / "sample-receipt.png"
RECEIPT: dict[str, Any] = {
    "date": "2023-09-27 19:45",
    "items": [
        {"name": "New Yorker", "quantity": 1, "price_in_cents": 1299},
        {"name": "Tuna Salad (Classic)", "quantity": 1, "price_in_cents": 1049},
        {"name": "Soda Regular", "quantity": 1, "price_in_cents": 188},
        {"name": "Water Bottled", "quantity": 1, "price_in_cents": 188},
    ],
    "currency": "USD",
    "total_in_cents": 2724,
    "sums_agree": True,
    "difference_in_cents": 0,
}
LINES_OF_LAST_CELL = """() => {
    const range = document.createRange();
    range.selectNodeContents([...document.querySelectorAll(".answer td")].at(-1));
    return range.getClientRects().length;
}"""
HOSTILE = "<img src=x onerror='window.pwned=1'><script>window.pwned=1</script>"


@pytest.fixture
async def stage(redis_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(redis_url, tmp_path) as stage:
        yield stage


@pytest.fixture
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    async with launched(chromium) as browser:
        yield browser


@pytest.fixture
async def shown(stage: Stage, browser: Browser) -> AsyncIterator[Window]:
    async with window(browser, stage.url) as shown:
        yield shown
        assert shown.complaints == []


async def say(page: Page, text: str) -> None:
    await page.fill("#text", text)
    await page.keyboard.press("Enter")


def form(name: str = "f1") -> Form:
    fields = {"username": "Username", "api_key": "API key"}
    return Form(id=name, title="Verify that it is you", fields=fields, secret_fields=frozenset({"api_key"}))


@pytest.mark.behaviour("page.streams", "page.picture")
async def test_a_receipt_is_dropped_read_and_talked_about(stage: Stage, shown: Window) -> None:
    page = shown.page
    await expect(page.get_by_role("heading", name="How can we help?")).to_be_visible()
    await shown.keep("page-welcome")
    await page.get_by_role("button", name="Make sense of a receipt").click()
    await expect(page.locator(".thumb canvas")).to_be_visible()
    await page.keyboard.press("Enter")
    lease = await stage.claim()
    stream = stage.platform.reply(lease)
    await expect(page.locator(".thinking")).to_be_visible()
    [attachment] = asked(lease).attachments
    assert await stage.platform.fetch(attachment, 1_000_000) == SAMPLE.read_bytes()
    lease = await stage.call(lease, stream, "analyze_receipt_image", {"image": attachment.id}, RECEIPT)
    await expect(page.locator(".receipt tbody tr")).to_have_count(4)
    await expect(page.locator(".receipt tfoot")).to_contain_text("$27.24")
    await expect(page.locator(".receipt")).to_contain_text("The items add up")
    card = page.locator("details.tool")
    await expect(card).to_contain_text("analyze_receipt_image")
    await expect(card).to_contain_text("38 ms")
    await card.locator("summary").click()
    await expect(card.locator("pre").first).to_contain_text(f'"image": "{attachment.id}"')
    stream.append("The total is **$27.24** and")
    await expect(page.locator(".answer.is-live .prose strong")).to_have_text("$27.24")
    await expect(page.get_by_role("button", name="Stop writing")).to_be_visible()
    await shown.keep("page-streaming")
    await stage.finish(lease, stream, "The total is **$27.24** and the amounts add up.")
    await expect(page.locator(".answer:not(.is-live) .prose")).to_have_text(
        "The total is $27.24 and the amounts add up."
    )
    await expect(page.locator(".answer")).to_have_count(1)
    await expect(page.get_by_role("button", name="Send")).to_be_disabled()
    await expect(page.locator("#announcer")).to_contain_text("the amounts add up")
    await expect(card).to_have_attribute("open", "")
    picture = page.locator(".message .picture img")
    assert await picture.evaluate("async (node) => { await node.decode(); return node.naturalWidth }") == 620


@pytest.mark.behaviour("page.streams")
async def test_a_running_answer_is_stopped(stage: Stage, shown: Window) -> None:
    await say(shown.page, "Tell me everything")
    lease = await stage.claim()
    stream = stage.platform.reply(lease)
    stream.append("First, ")
    await expect(shown.page.locator(".answer.is-live")).to_be_visible()
    async with shown.page.expect_response("**/stop*"):
        await shown.page.get_by_role("button", name="Stop writing").click()
    await expect(shown.page.get_by_role("button", name="Stop writing")).to_be_visible()
    assert any(isinstance(event, StopRequested) for event in stage.taken)
    await stage.finish(lease, stream, "First, (Stopped.)")
    await expect(shown.page.get_by_role("button", name="Send")).to_be_visible()


@pytest.mark.behaviour("page.late", "page.takeover")
async def test_a_reload_in_the_middle_of_an_answer_changes_nothing(stage: Stage, shown: Window) -> None:
    page = shown.page
    await say(page, "Hello")
    lease = await stage.claim()
    stream = stage.platform.reply(lease)
    stream.append("It is almost")
    await expect(page.locator(".answer.is-live .prose")).to_have_text("It is almost")
    await page.reload()
    await expect(page.locator(".answer.is-live .prose")).to_have_text("It is almost")
    await stream.abandon()
    await stage.mailbox.release(lease)
    lease = await stage.claim()
    heir = stage.platform.reply(lease)
    heir.append("It has arrived")
    await expect(page.locator(".answer.is-live .prose")).to_have_text("It has arrived")
    await stage.finish(lease, heir, "It has arrived.")
    await expect(page.locator(".answer .prose")).to_have_text(["It has arrived."])


@pytest.mark.behaviour("page.inert")
async def test_nothing_that_is_written_becomes_markup(stage: Stage, shown: Window) -> None:
    page = shown.page
    await say(page, HOSTILE)
    lease = await stage.claim()
    stream = stage.platform.reply(lease)
    lease = await stage.call(
        lease, stream, HOSTILE, {HOSTILE: HOSTILE}, {**RECEIPT, "currency": HOSTILE, "date": HOSTILE}
    )
    await stage.platform.offer(lease.thread, asked(lease).author, Form(id="x", title=HOSTILE, fields={"a": HOSTILE}))
    await stage.platform.direct(lease.thread, asked(lease).author, HOSTILE)
    text = (
        f"{HOSTILE}\n\n# {HOSTILE}\n\n- {HOSTILE}\n\n| {HOSTILE} |\n|---|\n| x |\n\n```{HOSTILE}\n{HOSTILE}\n```\n\n"
        "[a](javascript:window.pwned=1) [b](data:text/html,x) [c](https://ok.example/)\n\n![d](https://evil.example/p.png)"
    )
    stream.append(text[:200])
    await expect(page.locator(".answer.is-live")).to_be_visible()
    await stage.finish(lease, stream, text)
    await expect(page.locator(".answer:not(.is-live)")).to_be_visible()
    await page.locator("details.tool summary").click()
    await page.click("#inspect")
    await expect(page.locator(".entry")).to_have_count(4)
    for entry in await page.locator(".entry summary").all():
        await entry.click()
    assert await page.evaluate("window.pwned") is None
    assert await page.locator("#app script, #app img:not([src^='/static/'])").count() == 0
    links = await page.locator(".prose a").evaluate_all("nodes => nodes.map((node) => [node.href, node.rel])")
    assert ["https://ok.example/", "noopener noreferrer nofollow"] in links
    assert all(address.startswith("https://") for address, _ in links)
    assert await page.evaluate("document.querySelectorAll('[style*=expression], iframe, object, embed').length") == 0


@pytest.mark.behaviour("page.inert")
async def test_the_browser_itself_refuses_markup_from_text(shown: Window) -> None:
    refused = await shown.page.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; return false } catch (error) { return error.name } }"
    )
    assert refused == "TypeError", "trusted types: no text becomes markup on this page, whoever writes the script"
    shown.complaints.clear()


@pytest.mark.behaviour("page.busy", "page.once")
async def test_what_could_not_be_sent_is_still_there_and_goes_once(stage: Stage, shown: Window) -> None:
    page = shown.page
    stage.busy = True
    await say(page, "Order 123123")
    await expect(page.locator(".message.is-sending")).to_be_visible()
    await expect(page.locator(".problem")).to_contain_text("very busy")
    await expect(page.locator("#text")).to_have_value("Order 123123")
    await expect(page.locator(".message")).to_have_count(0)
    stage.busy = False
    await page.keyboard.press("Enter")
    await expect(page.locator(".message:not(.is-sending)")).to_have_count(1)
    assert len({event.message_id for event in stage.taken if isinstance(event, IncomingMessage)}) == 1
    await expect(page.locator(".problem")).to_be_hidden()
    shown.complaints = [complaint for complaint in shown.complaints if "503" not in complaint]


@pytest.mark.behaviour("page.secrets")
async def test_a_secret_disappears_from_the_screen(stage: Stage, shown: Window) -> None:
    await say(shown.page, "my key is sk-abc123, help")
    await expect(shown.page.locator(".bubble")).to_have_text("my key is (secret:1), help")
    await expect(shown.page.locator(".message")).to_contain_text("A secret was removed")
    assert "sk-abc123" not in await shown.page.content()


@pytest.mark.behaviour("page.files")
async def test_a_picture_that_no_browser_can_show_is_a_file(shown: Window) -> None:
    page = shown.page
    await page.set_input_files(
        "input[type=file]", {"name": "it.png", "mimeType": "image/png", "buffer": b"MZ" + bytes(2_046)}
    )
    await expect(page.locator(".thumb-file")).to_be_visible()
    await say(page, "what is this?")
    await expect(page.locator(".message:not(.is-sending)")).to_be_visible()
    await expect(page.locator(".files img")).to_have_count(0)
    await expect(page.locator(".files")).to_have_text("it.png2 kB")


@pytest.mark.behaviour("page.speakers", "page.form", "page.staff")
async def test_everybody_sees_what_is_theirs(stage: Stage, shown: Window) -> None:
    page = shown.page
    await say(page, "How is my ticket?")
    lease = await stage.claim()
    stream = stage.platform.reply(lease)
    await stage.platform.offer(lease.thread, asked(lease).author, form())
    await stage.call(lease, stream, "get_ticket_status", {"ticket_id": "12345"}, {"error": "verification_required"})
    await expect(page.locator("details.tool")).to_contain_text("Needs verification first")
    await page.get_by_label("Username").fill("john_doe")
    await page.get_by_label("API key").fill("wrong")
    assert await page.get_by_label("API key").get_attribute("type") == "password"
    await page.keyboard.press("Enter")
    await expect(page.locator(".form-error")).to_have_text("These details do not match.")
    await expect(page.get_by_label("Username")).to_have_value("john_doe")
    await expect(page.get_by_label("API key")).to_have_value("")
    await shown.keep("page-form")
    await page.locator(".speaker", has_text="Ben Ortega").click()
    await expect(page.locator(".message")).to_have_count(1)
    await expect(page.locator(".private-form, details.tool")).to_have_count(0)
    await expect(page.locator("#text")).to_have_attribute("placeholder", "Mention @Frontdesk to ask it")
    await say(page, "And mine?")
    await expect(page.locator(".message").last).to_contain_text("Frontdesk was not addressed")
    await page.locator(".speaker", has_text="Robin Vale").click()
    await page.get_by_role("button", name="Take over").click()
    await expect(page.locator("#mode")).to_have_text("A colleague has this conversation")
    await say(page, "Hello, this is Robin.")
    await expect(page.locator(".message.is-staff")).to_be_visible()
    await page.get_by_role("button", name="Hand back").click()
    await expect(page.locator("#mode")).to_be_hidden()
    await page.locator(".speaker", has_text="Ada Fern").click()
    await page.get_by_label("Username").fill("john_doe")
    await page.get_by_label("API key").fill("key")
    await page.get_by_role("button", name="Verify").click()
    await expect(page.locator(".notice.is-good")).to_contain_text("verified as john_doe")


@pytest.mark.behaviour("page.forgets")
async def test_a_message_is_edited_and_deleted_in_place(stage: Stage, shown: Window) -> None:
    page = shown.page
    await say(page, "Ordr 1")
    await expect(page.locator(".message:not(.is-sending)")).to_be_visible()
    await page.locator(".message").hover()
    await page.get_by_role("button", name="Edit this message").click()
    editor = page.get_by_role("textbox", name="Edit this message")
    await editor.fill("Order 1")
    await editor.press("Enter")
    await expect(page.locator(".bubble")).to_have_text("Order 1")
    await expect(page.locator(".message")).to_contain_text("edited")
    await expect(page.locator("#title")).to_have_text("Order 1")
    await page.locator(".message").hover()
    await page.get_by_role("button", name="Delete this message").click()
    await expect(page.locator(".message")).to_have_text("You deleted this message")


@pytest.mark.behaviour("page.picture", "page.limits")
async def test_pictures_are_pasted_dropped_and_taken_away_again(stage: Stage, shown: Window) -> None:
    page = shown.page
    give = """([kind, name, size]) => {
      const data = new DataTransfer();
      const canvas = Object.assign(document.createElement('canvas'), { width: 40, height: 30 });
      return new Promise((done) => canvas.toBlob((blob) => {
        const parts = size ? [new Uint8Array(size)] : [blob];
        data.items.add(new File(parts, name, { type: 'image/png' }));
        const target = document.querySelector(kind === 'paste' ? '#text' : '#middle');
        const event = kind === 'paste'
          ? new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })
          : new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true });
        target.dispatchEvent(event);
        done();
      }));
    }"""
    await page.evaluate(give, ["paste", "pasted.png", 0])
    await page.evaluate(give, ["drop", "dropped.png", 0])
    await page.set_input_files("input[type=file]", SAMPLE)
    await expect(page.locator(".thumb canvas")).to_have_count(3)
    await page.get_by_role("button", name="Remove dropped.png").click()
    await expect(page.locator(".thumb")).to_have_count(2)
    await page.evaluate(give, ["paste", "huge.png", 10 * 1024 * 1024 + 1])
    await expect(page.locator(".problem")).to_contain_text("larger than 10.0 MB")
    for number in range(3):
        await page.evaluate(give, ["paste", f"{number}.png", 0])
    await expect(page.locator(".problem")).to_contain_text("At most 4 files")
    await page.focus("#text")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message:not(.is-sending) .picture img")).to_have_count(4)
    names = [file.name for file in asked(await stage.claim()).attachments]
    assert names[:2] == ["pasted.png", "sample-receipt.png"]


@pytest.mark.behaviour("page.keyboard")
async def test_the_page_is_used_without_a_mouse(stage: Stage, shown: Window) -> None:
    page = shown.page
    assert await page.evaluate("document.querySelector('a, button, input').className") == "skip"
    await page.get_by_role("link", name="Skip to the message box").focus()
    await expect(page.get_by_role("link", name="Skip to the message box")).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page.locator("#text")).to_be_focused()
    await page.keyboard.type("One")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("two")
    await page.keyboard.press("Enter")
    await expect(page.locator(".bubble")).to_have_text("One\ntwo", use_inner_text=True)
    await stage.answer("Hi.")
    await expect(page.locator(".answer")).to_have_count(1)
    await page.evaluate("document.activeElement.blur()")
    await page.keyboard.press("i")
    await expect(page.locator("#inspector")).to_be_visible()
    await expect(page.locator(".entry")).to_have_count(2)
    await page.keyboard.press("i")
    await expect(page.locator("#inspector")).to_be_hidden()
    await page.keyboard.press("?")
    await expect(page.locator("#keys")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#keys")).to_be_hidden()
    await page.keyboard.press("t")
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    await page.keyboard.press("n")
    await expect(page.get_by_role("heading", name="How can we help?")).to_be_visible()
    await expect(page.locator("#text")).to_be_focused()
    await page.evaluate("document.activeElement.blur()")
    await page.keyboard.press("/")
    await expect(page.locator("#text")).to_be_focused()
    await page.reload()
    await page.wait_for_selector("html[data-ready]")
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark", "the choice is kept"
    await shown.keep("page-dark")


@pytest.mark.behaviour("page.keyboard")
async def test_what_can_be_pressed_has_a_name_and_what_has_focus_shows_it(stage: Stage, shown: Window) -> None:
    page = shown.page
    await say(page, "Hello")
    await stage.answer("Hi, see https://example.com/ and `this`.")
    await expect(page.locator(".answer:not(.is-live)")).to_be_visible()
    nameless = await page.evaluate(
        "[...document.querySelectorAll('button, a, input:not([hidden]), textarea')]"
        ".filter((node) => !(node.ariaLabel || node.textContent.trim() || node.labels?.length || node.title))"
        ".map((node) => node.outerHTML)"
    )
    assert nameless == []
    await page.locator(".skip").focus()
    for _ in range(12):
        await page.keyboard.press("Tab")
        outline = await page.evaluate(
            "(() => { const node = document.activeElement; const seen = (one) => one && "
            "(getComputedStyle(one).outlineStyle !== 'none' || one.matches('textarea, .skip')); "
            "return seen(node) || seen(node.closest('.speaker')) || node.outerHTML })()"
        )
        assert outline is True


@pytest.mark.behaviour("page.phone")
async def test_the_page_fits_a_phone(stage: Stage, browser: Browser) -> None:
    small = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    async with window(browser, stage.url, **small) as phone:
        page = phone.page
        await phone.keep("phone-welcome")
        await say(page, "A word that is long: " + "x" * 200)
        table = "| Item | Quantity | Price each | Sum | Of which tax |\n|---|---:|---:|---:|---:|\n"
        table += "| Tuna Salad (Classic) | 1 | $10.49 | $10.49 | $1.049,00 |\n" * 2
        await stage.answer(f"{table}\n```\n{'y' * 300}\n```")
        await expect(page.locator(".answer table")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") == 360
        assert await page.evaluate(LINES_OF_LAST_CELL) == 1, "no amount is cut in two"
        assert await page.evaluate("document.querySelector('#scroller').scrollWidth") <= 360
        await expect(page.locator("#sidebar")).not_to_be_in_viewport()
        await page.get_by_role("button", name="Conversations").click()
        await expect(page.locator(".thread")).to_be_in_viewport()
        await page.locator("#backdrop").click(position={"x": 350, "y": 300})
        await expect(page.locator("#sidebar")).not_to_be_in_viewport()
        await page.get_by_role("button", name="The record (I)").click()
        await expect(page.locator(".entry").first).to_be_visible()
        await page.get_by_role("button", name="Close the record").click()
        await expect(page.locator("#composer")).to_be_in_viewport()
        await phone.keep("phone-conversation")
        assert phone.complaints == []


@pytest.mark.behaviour("page.record")
async def test_the_record_follows_the_conversation(stage: Stage, shown: Window) -> None:
    page = shown.page
    await page.click("#inspect")
    await expect(page.locator("#inspector-summary")).to_contain_text("Nothing is kept yet")
    await say(page, "Hello")
    await expect(page.locator(".entry.is-waiting")).to_have_count(1)
    await stage.answer("Hi.")
    await expect(page.locator(".entry:not(.is-waiting)")).to_have_count(2)
    await expect(page.locator(".entry.is-waiting")).to_have_count(0)
    await page.locator(".entry summary").last.click()
    await expect(page.locator(".entry pre").last).to_contain_text('"Hi."')


async def test_threads_are_kept_and_can_be_gone_back_to(stage: Stage, shown: Window) -> None:
    page = shown.page
    for text in ("The first one", "The second one"):
        await page.click("#new")
        await say(page, text)
        await stage.answer(f"About {text.lower()}.")
        await expect(page.locator(".answer:not(.is-live)")).to_have_count(1)
    await expect(page.locator(".thread")).to_have_text(["The second one", "The first one"])
    await page.locator(".thread").last.click()
    await expect(page.locator(".prose")).to_have_text("About the first one.")
    await page.go_back()
    await expect(page.locator(".prose")).to_have_text("About the second one.")
    await page.reload()
    await expect(page.locator(".prose")).to_have_text("About the second one.")
    assert await page.title() == "The second one · Frontdesk"
