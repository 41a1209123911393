"""The reference and the front page in a real browser, and that no page keeps anybody out."""

from __future__ import annotations

import json
import shlex
from importlib.metadata import version

import pytest

from tests.api.document.reading import examples
from tests.support.browser.browser import Browser
from tests.support.browser.explorer import (
    EDITORS,
    OPERATIONS,
    execute,
    grave_faults,
    open_graphiql,
    open_panel,
    open_reference,
    response_with,
    try_to_create,
)
from tests.support.browser.page import Page
from tests.support.gateway.gateway import Account, Gateway

GRANTS = "POST /api/backup-destinations/{id}/grants"


@pytest.fixture
async def account(site: Gateway) -> Account:
    return await site.new_user()


async def test_the_reference_shows_the_five_endpoints_and_grants_and_tries_them(page: Page, account: Account) -> None:
    await open_reference(page, account)
    shown = await page.evaluate(
        "[...document.querySelectorAll('.opblock')].map(o => o.querySelector('.opblock-summary-method').innerText"
        " + ' ' + o.querySelector('.opblock-summary-path').innerText.replaceAll('\\u200b', ''))"
    )
    status = await try_to_create(page)

    assert shown == [*(f"{example.method} {example.path}" for example in examples()), GRANTS]
    assert status.split()[0] == "201"
    assert "Custom S3 Backup" in await page.evaluate("document.querySelector('.live-responses-table').innerText")


async def test_the_reference_offers_to_execute_a_request_together_with_the_body_it_sends(
    page: Page, site: Gateway
) -> None:
    """Pressed before the body is there, the button would refuse without a word."""
    await page.open(f"{site.url}/api/docs")
    await page.until(OPERATIONS)
    await page.evaluate(
        "globalThis.bodies = new Set(); new MutationObserver(() => {"
        "  if (document.querySelector('.opblock-post .execute'))"
        "    bodies.add(document.querySelector('.opblock-post textarea')?.value ?? 'none');"
        "}).observe(document.body, {childList: true, subtree: true}); 0"
    )
    await page.click("document.querySelector('.opblock-post .opblock-summary-control')")

    bodies = await page.until("bodies.size && [...bodies]")

    assert [json.loads(body) for body in bodies] == [examples()[1].body]


async def test_the_curl_line_of_the_reference_names_the_token_and_does_not_hold_it(
    page: Page, account: Account
) -> None:
    """As it is shown, and as it is copied; in a shell that has the token in TOKEN it does the same."""
    await open_reference(page, account)
    await try_to_create(page)
    await page.evaluate("addEventListener('copy', () => { globalThis.copied = String(getSelection()) }, true)")
    await page.click("document.querySelector('.curl-command .copy-to-clipboard button')")
    copied = shlex.split(await page.until("globalThis.copied"))
    shown = shlex.split(await page.evaluate("document.querySelector('.curl-command pre').innerText"))

    for line in (copied, shown):
        assert "Authorization: Bearer $TOKEN" in line
        assert json.loads(line[line.index("-d") + 1]) == examples()[1].body
    assert '"Authorization: Bearer $TOKEN"' in await page.text()
    assert account.token.rpartition("|")[2] not in await page.evaluate("document.documentElement.outerHTML")


async def test_the_front_page_tells_how_it_is_and_leads_on_by_keyboard(page: Page, site: Gateway) -> None:
    """The first stop of the keyboard is GraphiQL."""
    await page.open(f"{site.url}/")
    text = await page.text()
    await page.press("Tab", 9)
    await page.until("document.activeElement.innerText === 'GraphiQL'")
    await page.press("Enter", 13, text="\r")
    await page.until("location.pathname === '/graphql'")
    await page.until(EDITORS)

    assert version("moorings") in text
    assert "The database answers." in text


@pytest.mark.parametrize("path", ["/", "/graphql", "/api/docs"])
async def test_no_page_keeps_anybody_out(page: Page, account: Account, path: str) -> None:
    """In light and in dark, with a request of the reference tried, and a refusal in GraphiQL."""
    if path == "/api/docs":
        await open_reference(page, account)
        await try_to_create(page)
    else:
        await page.open(account.gateway.url + path)
    if path == "/graphql":
        await page.until(EDITORS)
        await execute(page)
        await response_with(page, "UNAUTHENTICATED")
        await page.expect("401 ")
        await page.expect("status of 401")

    for dark in (False, True):
        await page.prefer(dark=dark)
        assert await grave_faults(page) == []


async def test_the_panels_and_dialogs_of_graphiql_keep_nobody_out(page: Page, account: Account) -> None:
    """The docs, the history with an entry, the explorer; the keys and the settings, in dark."""
    await open_graphiql(page, account)
    await execute(page)
    await response_with(page, "totalCount")

    for panel, holds in (("Docs", "Subscription"), ("History", "List"), ("Explorer", "backupDestinations")):
        await open_panel(page, panel)
        await page.until(f"document.querySelector('.graphiql-plugin').innerText.includes('{holds}')")
        assert await grave_faults(page) == []

    await page.prefer(dark=True)
    for dialog in ("short keys", "settings"):
        await page.click(f"document.querySelector('.graphiql-sidebar button[aria-label=\"Open {dialog} dialog\"]')")
        await page.until("document.querySelector('[role=dialog]')?.innerText")
        assert await grave_faults(page) == []
        await page.press("Escape", 27)
        await page.until("!document.querySelector('[role=dialog]')")


@pytest.mark.parametrize("path", ["/", "/graphql", "/api/docs"])
async def test_no_page_has_to_be_scrolled_sideways_on_a_narrow_screen(
    browser: Browser, account: Account, path: str
) -> None:
    """At 320 pixels, with the longest thing that each shows: a long address in the bar, and an answer."""
    async with browser.page(width=320) as page:
        if path == "/graphql":
            await open_graphiql(page, account)
            await execute(page)
            await response_with(page, "data")
        elif path == "/api/docs":
            await open_reference(page, account)
            await try_to_create(page)
        else:
            await page.open(account.gateway.url)
        await page.settled()

        assert await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        assert page.faults == []


async def test_the_browser_of_these_tests_reaches_no_other_host_and_sees_a_policy_broken(
    browser: Browser, site: Gateway
) -> None:
    """What the tests above rely on: a script written into the page and a request to elsewhere are both told."""
    async with browser.page() as page:
        await page.open(f"{site.url}/graphql")
        await page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'ran = 1'}))")
        await page.evaluate("fetch('http://elsewhere.example.com/').catch(() => 0)")

        assert await page.evaluate("typeof ran") == "undefined"
        assert await page.expect("script-src")
        assert await page.expect("connect-src")
        await page.send("Page.navigate", url="http://elsewhere.example.com/")
        assert await page.expect("ERR_NAME_NOT_RESOLVED")


async def test_a_click_waits_for_what_moves_and_lands_on_what_was_meant(page: Page, site: Gateway) -> None:
    """A button that slides, is covered and disabled at first, and jumps away between the first look and the press."""
    await page.open(site.url)
    await page.evaluate(SLIDING)

    await page.click("document.getElementById('meant')")

    assert await page.evaluate("[pressed, looks]") == [["meant"], 2]


SLIDING = """
globalThis.pressed = [];
document.body.replaceChildren(...['other', 'meant', 'cover'].map(id => {
  const button = Object.assign(document.createElement('button'), {id, textContent: id, disabled: id === 'meant'});
  Object.assign(button.style, {position: 'fixed', top: '0', left: '0', width: '80px', height: '40px'});
  button.addEventListener('click', () => pressed.push(id));
  return button;
}));
const [other, meant, cover] = document.body.children;
globalThis.looks = 0;
let asked;
Object.defineProperty(globalThis, 'wasHit', {
  get: () => asked,
  set(value) {
    asked = value;
    looks += 1;
    if (looks === 1) [other.style.top, meant.style.top] = [meant.style.top, '0'];
  },
});
let frames = 0;
(function slide() {
  frames += 1;
  meant.style.top = cover.style.top = `${4 * Math.min(frames, 60)}px`;
  if (frames === 80) meant.disabled = false;
  if (frames === 100) cover.remove();
  else requestAnimationFrame(slide);
})();
"""
