"""The reference and the front page in a real browser, and that no page keeps anybody out."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from tests.browser import Browser, Page
from tests.document.reading import examples
from tests.explorer import EDITORS, execute, grave_faults, open_graphiql, response_with, use_token
from tests.gateway import Account, Gateway


@pytest.fixture
async def account(site: Gateway) -> Account:
    return await site.new_user()


async def test_the_reference_shows_the_five_endpoints_and_tries_them(page: Page, account: Account) -> None:
    """With the token that the tab has already; the curl line and the answer are shown."""
    await page.open(f"{account.gateway.url}/api/docs")
    await page.until("document.querySelectorAll('.opblock').length === 5")
    await use_token(page, account.token)
    shown = await page.evaluate(
        "[...document.querySelectorAll('.opblock')].map(o => o.querySelector('.opblock-summary-method').innerText"
        " + ' ' + o.querySelector('.opblock-summary-path').innerText.replaceAll('\\u200b', ''))"
    )
    await page.click("document.querySelector('.opblock-post .opblock-summary-control')")
    await page.click("document.querySelector('.opblock-post .execute')")
    status = await page.until("document.querySelector('.live-responses-table tbody .response-col_status')?.innerText")

    assert shown == [f"{example.method} {example.path}" for example in examples()]
    assert status.split()[0] == "201"
    assert "Custom S3 Backup" in await page.evaluate("document.querySelector('.live-responses-table').innerText")


async def test_the_front_page_leads_on_by_keyboard_and_fits_a_narrow_screen(browser: Browser, site: Gateway) -> None:
    """At 320 pixels nothing has to be scrolled sideways; the first stop of the keyboard is GraphiQL."""
    async with browser.page(width=320) as page:
        await page.open(f"{site.url}/")
        overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        await page.press("Tab", 9)
        first = await page.evaluate("document.activeElement.innerText")
        text = await page.text()
        await page.press("Enter", 13, text="\r")
        await page.until("location.pathname === '/graphql'")
        await page.until(EDITORS)

        assert overflow == 0
        assert first == "GraphiQL"
        assert version("moorings") in text
        assert "The database answers." in text
        assert page.faults == []


@pytest.mark.parametrize("path", ["/", "/graphql", "/api/docs"])
async def test_no_page_keeps_anybody_out(page: Page, account: Account, path: str) -> None:
    """In light and in dark, with a request of the reference unfolded, and an answer in GraphiQL."""
    await page.open(account.gateway.url + path)
    if path == "/graphql":
        await page.until(EDITORS)
        await execute(page)
        await response_with(page, "UNAUTHENTICATED")
        page.faults.clear()  # that was a 401
    if path == "/api/docs":
        await page.until("document.querySelectorAll('.opblock').length === 5")
        await page.click("document.querySelector('.opblock-post .opblock-summary-control')")
        await page.until("!!document.querySelector('.opblock-post .responses-table')")

    for dark in (False, True):
        await page.prefer(dark=dark)
        assert await grave_faults(page) == []


async def test_the_panels_of_graphiql_keep_nobody_out(page: Page, account: Account) -> None:
    """The docs, the history with an entry, and the explorer."""
    await open_graphiql(page, account)
    await execute(page)
    await response_with(page, "totalCount")

    for place, shown in enumerate(("Docs", "History", "Explorer")):
        await page.click(f"document.querySelectorAll('.graphiql-sidebar button')[{place}]")
        await page.until(f"document.querySelector('.graphiql-plugin')?.innerText.startsWith('{shown}')")
        assert await grave_faults(page) == []


async def test_the_browser_of_these_tests_reaches_no_other_host_and_sees_a_policy_broken(
    browser: Browser, site: Gateway
) -> None:
    """What the tests above rely on: an image from elsewhere and a script written into the page are both told."""
    async with browser.page() as page:
        await page.open(f"{site.url}/graphql")
        await page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'ran = 1'}))")
        await page.evaluate("fetch('http://elsewhere.example.com/').catch(() => 0)")
        ran = await page.evaluate("typeof ran")

        assert ran == "undefined"
        assert any("script-src" in fault for fault in page.faults)
        assert any("connect-src" in fault for fault in page.faults)
        await page.open("http://elsewhere.example.com/", fails=True)
        assert any("ERR_NAME_NOT_RESOLVED" in fault for fault in page.faults)
