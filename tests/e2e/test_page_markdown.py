"""The Markdown of answers as elements, rendered by the page's own script in real Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page

from bot.store.embedded import EmbeddedRedis
from tests.servers.browser import launched, window
from tests.servers.page import staged

CASES = [
    ("plain", "plain", "<p>plain</p>"),
    ("breaks", "a\nb", "<p>a<br>b</p>"),
    ("paragraphs", "a\n\n\nb", "<p>a</p><p>b</p>"),
    (
        "marks",
        "**a** *b* _c_ ~~d~~ `e*f*`",
        "<p><strong>a</strong> <em>b</em> <em>c</em> <s>d</s> <code>e*f*</code></p>",
    ),
    ("nested", "**a *b* c**", "<p><strong>a <em>b</em> c</strong></p>"),
    ("no-marks", "$5 * 3 * 2 and snake_case_name", "<p>$5 * 3 * 2 and snake_case_name</p>"),
    ("escaped", r"\*a\* \<b>", "<p>*a* &lt;b&gt;</p>"),
    ("headings", "# a\n### b #\ntext", "<h3>a</h3><h5>b</h5><p>text</p>"),
    ("rule", "a\n\n---\n\nb", "<p>a</p><hr><p>b</p>"),
    ("list", "- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
    ("numbers", "3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'),
    ("deep-list", "- a\n  - b\n  - c\n- d", "<ul><li>a<ul><li>b</li><li>c</li></ul></li><li>d</li></ul>"),
    ("text-then-list", "Items:\n- a", "<p>Items:</p><ul><li>a</li></ul>"),
    ("list-then-text", "- a\n\nb", "<ul><li>a</li></ul><p>b</p>"),
    ("quote", "> a\n> b", "<blockquote><p>a<br>b</p></blockquote>"),
    ("html", "<b>a</b> &amp;", "<p>&lt;b&gt;a&lt;/b&gt; &amp;amp;</p>"),
    ("no-picture", "![a](https://x.example/a.png)", '<p>!<a href="https://x.example/a.png">a</a></p>'),
    ("link", "[a](https://x.example/b)", '<p><a href="https://x.example/b">a</a></p>'),
    ("address", "see https://x.example/a.", '<p>see <a href="https://x.example/a">https://x.example/a</a>.</p>'),
    ("script-link", "[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>"),
    ("data-link", "[a](data:text/html,b)", "<p>[a](data:text/html,b)</p>"),
    ("relative-link", "[a](/logout)", "<p>[a](/logout)</p>"),
    ("open-fence", "```py\na\n", "<div><div><span>py</span><button></button></div><pre><code>a</code></pre></div>"),
    (
        "fence",
        "```\n<a>\n\n- b\n```\nc",
        "<div><div><span>text</span><button></button></div><pre><code>&lt;a&gt;\n\n- b</code></pre></div><p>c</p>",
    ),
    (
        "table",
        "| a | b |\n|---|--:|\n| 1 | `2|` |\n| \\| |",
        "<div><table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td><td>`2</td></tr>"
        "<tr><td>|</td></tr></tbody></table></div>",
    ),
    ("languages", "**注文** مرحبا 👩‍👩‍👧", "<p><strong>注文</strong> مرحبا 👩‍👩‍👧</p>"),
]

RENDER = """async ([whole, inPieces]) => {
  const { showMarkdown } = await import('/static/markdown.js');
  const escape = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
  const plain = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.data.replace(/[&<>]/g, (letter) => escape[letter]);
    const name = node.localName;
    if (name === 'svg') return '';
    const told = ['href', 'start'].filter((key) => node.hasAttribute(key));
    const kept = told.map((key) => ` ${key}="${node.getAttribute(key)}"`);
    const inner = [...node.childNodes].map(plain).join('');
    return ['br', 'hr'].includes(name) ? `<${name}>` : `<${name}${kept.join('')}>${inner}</${name}>`;
  };
  const place = document.createElement('div');
  for (let end = inPieces ? 1 : whole.length; end <= whole.length; end += 1) showMarkdown(place, whole.slice(0, end));
  return [...place.childNodes].map(plain).join('');
}"""


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(
    _redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory, chromium: Path
) -> AsyncIterator[Page]:
    folder = tmp_path_factory.mktemp("page")
    async with (
        staged(_redis_server.url, folder) as stage,
        launched(chromium) as browser,
        window(browser, stage.url) as shown,
    ):
        yield shown.page


@pytest.mark.behaviour("page.inert")
async def test_markdown_becomes_elements(page: Page) -> None:
    rendered = {name: await page.evaluate(RENDER, [source, False]) for name, source, _ in CASES}
    assert rendered == {name: wanted for name, _, wanted in CASES}


async def test_text_that_comes_letter_by_letter_ends_the_same(page: Page) -> None:
    rendered = {name: await page.evaluate(RENDER, [source, True]) for name, source, _ in CASES}
    assert rendered == {name: wanted for name, _, wanted in CASES}


@pytest.mark.parametrize(
    "source",
    [
        "*" * 20_000,
        "[" * 20_000,
        "`" * 20_000,
        "_a" * 10_000,
        "- " * 10_000,
        "> " * 300 + "x",
        "|" * 20_000,
        "**a" * 8_000,
    ],
)
async def test_text_that_means_harm_is_rendered_in_time(page: Page, source: str) -> None:
    took_ms = await page.evaluate(
        "async (source) => { const { showMarkdown } = await import('/static/markdown.js');"
        " const start = performance.now(); showMarkdown(document.createElement('div'), source);"
        " return performance.now() - start }",
        source,
    )
    assert took_ms < 2_000
