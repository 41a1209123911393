"""GraphiQL as a person meets it, in a real browser with the internet cut off."""

from __future__ import annotations

import json
import time

import pytest

from tests.support.browser.browser import Browser
from tests.support.browser.explorer import (
    EDITORS,
    OPERATIONS,
    cause_until_shown,
    execute,
    know_the_schema,
    open_graphiql,
    open_tab,
    response_with,
    suggest,
    write,
)
from tests.support.browser.page import Page
from tests.support.gateway.gateway import Account, Gateway

LOADED_WITHIN_S = 2.0
ATTEMPTS = 5
SHOWN = {"/graphql": EDITORS, "/api/docs": OPERATIONS}


@pytest.fixture
async def account(site: Gateway) -> Account:
    return await site.new_user()


def slowness() -> float:
    """How many times longer than alone a program takes just now, for others want the processors too."""
    wall, cpu = time.perf_counter(), time.process_time()
    while time.process_time() - cpu < 0.2:
        pass
    return max(1.0, (time.perf_counter() - wall) / (time.process_time() - cpu))


@pytest.mark.parametrize("path", SHOWN)
async def test_a_page_loads_promptly_and_takes_nothing_from_elsewhere(
    site: Gateway, browser: Browser, path: str
) -> None:
    """The quickest of a few loads into an empty cache counts: the machine may be busy, the page may not be slow."""
    took = []
    for _ in range(ATTEMPTS):
        async with browser.page() as page:
            before, started = slowness(), time.monotonic()
            await page.open(site.url + path)
            await page.until(SHOWN[path])
            took.append((time.monotonic() - started) / max(before, slowness()))
            assert page.faults == []
            assert page.hosts() == {f"{site.host}:{site.port}"}
        if took[-1] < LOADED_WITHIN_S:
            break
    assert min(took) < LOADED_WITHIN_S, took


async def test_a_first_visitor_finds_an_operation_for_everything(page: Page, site: Gateway) -> None:
    await page.open(f"{site.url}/graphql")
    await page.until(EDITORS)

    tabs = await page.evaluate("[...document.querySelectorAll('.graphiql-tab-button')].map(b => b.innerText)")

    assert tabs == ["List", "CreateAmazonS3", "CreateCustomS3", "CreateLocal", "Check", "Listen"]


@pytest.mark.parametrize("dark", [False, True])
async def test_the_editor_takes_the_colours_of_the_page_from_the_first_moment(
    browser: Browser, site: Gateway, *, dark: bool
) -> None:
    """Not those that Monaco has for a theme it was not told yet, which are white."""
    async with browser.page(dark=dark) as page:
        await page.open(f"{site.url}/graphql")
        await page.until(EDITORS)

        ground = "getComputedStyle(document.querySelector('.monaco-editor')).backgroundColor"
        assert await page.evaluate(ground) == "rgba(255, 255, 255, 0)"


async def test_a_query_and_a_mutation_run_with_the_token_that_was_typed(page: Page, account: Account) -> None:
    """By the button and by the keyboard, as the first sample says."""
    await open_graphiql(page, account)
    assert account.email in await page.evaluate("document.getElementById('who').innerText")

    await open_tab(page, "CreateCustomS3")
    await execute(page)
    created = await response_with(page, "kindName")
    await open_tab(page, "List")
    await page.click("document.querySelector('.graphiql-query-editor .view-line')")
    await page.press("Enter", 13, control=True)
    listed = await response_with(page, "totalCount")

    assert '"label": "Custom S3 Backup"' in created
    assert '"totalCount": 1' in listed
    assert [
        row["kind"]
        for row in await account.gateway.rows(
            f"SELECT kind FROM backup_destinations WHERE user_id = {account.user_id}"  # noqa: S608 - our own integer
        )
    ] == ["custom_s3"]


async def test_a_subscription_shows_what_happens_through_rest(page: Page, account: Account) -> None:
    await open_graphiql(page, account)
    await open_tab(page, "Listen")
    await execute(page)

    shown = await cause_until_shown(page, account, "From the other API")

    assert '"__typename": "BackupDestinationCreated"' in shown
    assert '"protocol": "REST"' in shown


async def test_the_token_and_the_credentials_are_kept_nowhere_beyond_the_tab(page: Page, account: Account) -> None:
    """Neither the token of the field, nor one of the headers pane, nor a key typed into the variables is stored."""
    await open_graphiql(page, account)
    await open_tab(page, "CreateCustomS3")
    credentials = {"accessKey": "AKIATYPEDTYPED", "secretKey": "typed-secret"}
    destination = {"label": "x", "bucketName": "b", "endpoint": "https://typed.example.com", "credentials": credentials}
    await write(page, "variables.json", json.dumps({"input": {"customS3": destination}}))
    await write(page, "request-headers.json", json.dumps({"Authorization": f"Bearer {account.full_token}"}))
    await page.click("document.getElementById('forget')")
    await execute(page)
    await response_with(page, "kindName")
    await page.until("(localStorage['graphiql:queries'] ?? '').includes('CreateCustomS3')")
    await page.until("localStorage['graphiql:tabState'].includes('typed.example.com')")

    stored = await page.evaluate("JSON.stringify([{...localStorage}, document.cookie, location.href])")

    for secret in (account.token, account.full_token, *credentials.values()):
        assert secret.rpartition("|")[2] not in stored


async def test_a_token_in_the_headers_pane_serves_a_subscription(page: Page, account: Account) -> None:
    """It goes into `connection_init`; without any the person is told what is missing."""
    await page.open(f"{account.gateway.url}/graphql")
    await page.until(EDITORS)
    await open_tab(page, "Listen")
    await execute(page)
    told = await response_with(page, "need a token")
    await write(page, "request-headers.json", json.dumps({"Authorization": f"Bearer {account.token}"}))
    await execute(page)

    assert "Subscriptions need a token" in told
    assert "Heard" in await cause_until_shown(page, account, "Heard")


async def test_the_editor_completes_from_the_schema(page: Page, site: Gateway) -> None:
    """Which takes a worker of its own, under the same policy; the schema needs no token."""
    await page.open(f"{site.url}/graphql")
    await page.until(EDITORS)
    await know_the_schema(page)

    await write(page, "operation.graphql", "{ viewer {  } }")
    await suggest(page, "operation.graphql", line=1, column=12)
    offered = await page.until(
        "(rows => rows.length > 3 && rows)([...document.querySelectorAll('.suggest-widget .monaco-list-row')]"
        ".map(row => row.getAttribute('aria-label')))"
    )

    assert offered[:4] == ["id", "databaseId", "name", "email"]
