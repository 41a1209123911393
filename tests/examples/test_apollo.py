"""The application of `examples/apollo` in a real browser, from another origin than the gateway's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from httpx import codes

from tests.support.api.destinations import LIST
from tests.support.browser import example
from tests.support.browser.browser import Browser
from tests.support.browser.example import ROWS, fill, operations, press, scroll, sign_in
from tests.support.browser.page import Page
from tests.support.gateway.gateway import Account, Gateway
from tests.support.ports import free_port
from tests.support.stores.moto_store import MotoStore

MANY = 47
PAGE = 15
REQUESTS = 4


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Where the page is served."""
    example.build()
    with example.serve(free_port()) as origin:
        yield origin


@pytest.fixture
def gateway(origin: str) -> Iterator[Gateway]:
    """A gateway of one test's own, which it may restart."""
    gateway = Gateway(cors_origins=origin, s3_allow="127.0.0.1").start()
    yield gateway
    gateway.close()


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    return await gateway.new_user()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page of the size of a phone's screen, so that a list of 15 is longer."""
    async with browser.page(width=760, height=560) as page:
        yield page


async def shows(page: Page, expected: list[str]) -> None:
    """Wait until exactly these rows are shown, in this order."""
    shown = f"JSON.stringify({ROWS}.map(row => row.querySelector('strong').innerText))"
    await page.until(f"{shown} === {json.dumps(json.dumps(expected, separators=(',', ':')))}")


def row(label: str) -> str:
    """An expression: the row of that label."""
    return f"{ROWS}.find(row => row.querySelector('strong').innerText === '{label}')"


async def test_47_rows_take_4_requests_and_stay_over_everything_that_happens(
    account: Account, gateway: Gateway, origin: str, page: Page, moto_store: MotoStore
) -> None:
    """A check, a create and a delete from another client, a reconnect, a restart: no row twice, no page read again."""
    bucket, keys = moto_store.new_bucket(f"example-{uuid4().hex}"), moto_store.new_keys("s3:*")
    stored = {
        "s3_bucket_name": bucket,
        "custom_s3_endpoint": moto_store.url,
        "s3_access_key": keys.access_key.reveal(),
        "s3_secret_key": keys.secret_key.reveal(),
    }
    ids = {f"Row {number:02}": 0 for number in range(MANY - 1)}
    for label in ids:
        ids[label] = await account.create("local", label=label)
    await account.create("custom_s3", label="Bucket", **stored)
    expected = ["Bucket", *reversed(ids)]

    await sign_in(page, origin, account)
    for shown in (*range(PAGE, MANY, PAGE), MANY):
        await shows(page, expected[:shown])
        await scroll(page)
    assert operations(page, "List") == REQUESTS

    await press(page, "Check", row="Bucket")
    await page.until(f"{row('Bucket')}?.querySelector('.REACHABLE')?.innerText === 'reachable'")
    async with account.client() as other:
        created = await other.post(LIST, json={"label": "From elsewhere", "type": "local"})
        await other.delete(f"{LIST}/{ids['Row 30']}")
        expected.insert(0, "From elsewhere")
        expected.remove("Row 30")
        await shows(page, expected)
        await other.put(f"{LIST}/{created.json()['data']['id']}", json={"label": "Renamed"})
        expected[0] = "Renamed"
        await shows(page, expected)

        gateway.stop()
        gateway.start()
        await other.post(LIST, json={"label": "After the restart", "type": "local"})
    expected.insert(0, "After the restart")
    await shows(page, expected)
    assert await page.evaluate("document.querySelector('header p').innerText") == f"Test: {len(expected)}"
    assert operations(page, "List") == REQUESTS


async def test_a_form_shows_each_violation_at_its_field_and_what_it_makes_once(
    account: Account, origin: str, page: Page
) -> None:
    await sign_in(page, origin, account)
    await press(page, "New")
    await fill(page, label="Nightly")
    await press(page, "Save")
    wrong = "[...document.querySelectorAll('[aria-invalid=true]')].map(field => field.name).join()"
    await page.until(f"{wrong} === 'bucketName,region,accessKey,secretKey'")
    assert "region field is required" in await page.text()

    await fill(page, bucketName="nightly", region="eu-north-1", accessKey="AKIATEST", secretKey="a-secret")
    await press(page, "Save")
    await shows(page, ["Nightly"])
    await page.until("!document.querySelector('form')")

    await press(page, "Edit", row="Nightly")
    await fill(page, label="Weekly")
    await press(page, "Save")
    await shows(page, ["Weekly"])


async def test_a_form_lets_the_person_choose_when_another_client_was_faster(
    account: Account, origin: str, page: Page
) -> None:
    """Their own change is saved, and what the other client changed beside it stays."""
    id_ = await account.create("s3", label="Nightly")
    await sign_in(page, origin, account)
    await press(page, "Edit", row="Nightly")
    await fill(page, label="Mine")
    async with account.client() as other:
        assert (await other.put(f"{LIST}/{id_}", json={"label": "Theirs", "custom_s3_region": "eu-west-1"})).is_success
        await shows(page, ["Theirs"])
        await press(page, "Save")
        await press(page, "Save my changes nevertheless")
        await shows(page, ["Mine"])
        found = (await other.get(f"{LIST}/{id_}")).json()["data"]
        assert (found["label"], found["s3_region"]) == ("Mine", "eu-west-1")
        await page.evaluate("globalThis.confirm = () => true")
        await press(page, "Delete", row="Mine")
        await shows(page, [])
        assert (await other.get(f"{LIST}/{id_}")).status_code == codes.NOT_FOUND


async def test_a_token_that_is_not_valid_is_said_and_not_tried_for_ever(
    account: Account, origin: str, page: Page
) -> None:
    await page.open(f"{origin}/")
    await page.until("!!document.querySelector('form.sign-in')")
    await fill(page, url=account.gateway.url, token="nobody")
    await press(page, "Sign in")
    await page.until("document.querySelector('[role=alert]')?.innerText === 'Unauthenticated.'")
    await press(page, "Sign out")
    await page.until("!!document.querySelector('form.sign-in')")
    assert operations(page, "List") == 1
