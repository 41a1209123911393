"""How often a user may ask and an address may fail: small limits on gateways of their own, and no limit when off."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.support.api.destinations import LIST, MISSING, assert_refused, at, draft
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.configured import configured
from tests.support.gateway.gateway import Account, Gateway

LIMIT = 5
FAILURES = 10
WINDOW_S = 60
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def limited(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A gateway that lets a user ask five times a minute."""
    with configured(request.param, postgres, rate_limit=f"{LIMIT}/minute") as gateway:
        yield gateway


def calling_from(gateway: Gateway, address: str, **headers: str) -> httpx.AsyncClient:
    """A client whose connections come from that address of this machine; all of 127.0.0.0/8 is ours."""
    transport = httpx.AsyncHTTPTransport(local_address=address)
    return httpx.AsyncClient(timeout=60, base_url=gateway.url, transport=transport, headers=headers)


def bearer(account: Account) -> dict[str, str]:
    """The headers of the account's token."""
    return {"authorization": f"Bearer {account.token}"}


def counted(answer: httpx.Response) -> tuple[str, str]:
    """The limit and what is left of it, as the headers say."""
    return answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]


def assert_too_many(answer: httpx.Response, limit: int) -> None:
    """The refusal of a count that is full, with its way out in both forms."""
    body = assert_refused(answer, 429, "Too Many Attempts.")
    assert list(body) == ["error", "message"]
    assert counted(answer) == (str(limit), "0")
    retry_after_s, resets_at = int(answer.headers["retry-after"]), int(answer.headers["x-ratelimit-reset"])
    assert 1 <= retry_after_s <= WINDOW_S
    assert abs(time.time() + retry_after_s - resets_at) <= 2
    assert answer.headers["cache-control"] == "no-store"


async def test_every_authenticated_answer_shows_the_count_refusals_too(limited: Gateway) -> None:
    """One less with every request, however it ended."""
    account = await limited.new_user()

    async with account.client() as client:
        answers = [
            await client.get(LIST),
            await client.get(at(MISSING)),
            await client.post(LIST, json={}),
            await client.post(LIST, content=b"{", headers=JSON),
            await client.delete(at("abc")),
        ]

    assert [answer.status_code for answer in answers] == [200, 404, 422, 400, 404]
    assert [counted(answer) for answer in answers] == [(str(LIMIT), str(left)) for left in (4, 3, 2, 1, 0)]
    assert not [answer for answer in answers if "retry-after" in answer.headers]


async def test_a_refusal_for_a_missing_ability_or_another_users_row_is_counted(limited: Gateway) -> None:
    """A token that may nothing cannot ask without end."""
    account, stranger = await limited.new_user(abilities=["view-backup-destinations"]), await limited.new_user()
    foreign = await stranger.create("local")

    async with account.client() as client:
        answers = [await client.post(LIST, json=draft("local")), await client.get(at(foreign))]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert [counted(answer) for answer in answers] == [("5", "4"), ("5", "3")]


async def test_one_request_too_many_is_a_429_and_is_not_performed(limited: Gateway) -> None:
    """It says when to come back, in seconds and as an epoch second."""
    account = await limited.new_user()

    async with account.client() as client:
        for _ in range(LIMIT):
            assert (await client.get(LIST)).status_code == 200
        refused = [await client.post(LIST, json=draft("local")), await client.get(at("abc")), await client.head(LIST)]

    for answer in refused[:2]:
        assert_too_many(answer, LIMIT)
    assert (refused[2].status_code, refused[2].content) == (429, b"")
    assert await limited.rows(f"SELECT id FROM backup_destinations WHERE user_id = {account.user_id}") == []  # noqa: S608 - our own integer


async def test_a_user_has_one_count_across_tokens_and_paths(limited: Gateway) -> None:
    """Two tokens are not twice as many requests, and a path without the prefix is not another one."""
    account = await limited.new_user()
    calls = [
        (account.token, LIST),
        (account.full_token, LIST),
        (account.token, "/backup-destinations"),
        (account.full_token.partition("|")[2], f"{LIST}/"),
        (account.full_token, f"/backup-destinations/{MISSING}"),
    ]

    async with httpx.AsyncClient(timeout=60, base_url=limited.url) as client:
        answers = [await client.get(path, headers={"authorization": f"Bearer {token}"}) for token, path in calls]
        for token in (account.token, account.full_token):
            assert_too_many(await client.get(LIST, headers={"authorization": f"Bearer {token}"}), LIMIT)

    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["4", "3", "2", "1", "0"]


async def test_users_do_not_share_a_count(limited: Gateway) -> None:
    """One who asked too often takes nothing from another at the same address."""
    busy, other = await limited.new_user(), await limited.new_user()

    async with busy.client() as client:
        for _ in range(LIMIT + 1):
            last = await client.get(LIST)
    async with other.client() as client:
        first = await client.get(LIST)

    assert_too_many(last, LIMIT)
    assert (first.status_code, counted(first)) == (200, ("5", "4"))


async def test_ten_failed_authentications_a_minute_and_then_a_429(limited: Gateway) -> None:
    """A valid token from the same address still works, and so does failing from another address."""
    account = await limited.new_user()

    async with calling_from(limited, "127.0.1.1") as client, calling_from(limited, "127.0.1.2") as neighbour:
        failed = [await client.get(LIST, headers={"authorization": f"Bearer {n}|guess"}) for n in range(FAILURES)]
        refused = [await client.get(LIST), await client.get("/backup-destinations/7"), await client.post(LIST)]
        valid = await client.get(LIST, headers=bearer(account))
        still_refused = await client.get(LIST, headers={"authorization": "Bearer guess"})
        elsewhere = await neighbour.get(LIST)

    assert [answer.status_code for answer in failed] == [401] * FAILURES
    for answer in (*refused, still_refused):
        assert_too_many(answer, FAILURES)
    assert (valid.status_code, counted(valid)) == (200, ("5", "4"))
    assert_refused(elsewhere, 401, "Unauthenticated.")


async def test_a_valid_token_does_not_use_up_the_failures_of_its_address(limited: Gateway) -> None:
    """Nor does a full count of the user: a 429 of a known user is no failed authentication."""
    account = await limited.new_user()

    async with calling_from(limited, "127.0.1.3") as client:
        for _ in range(FAILURES + 2):
            await client.get(LIST, headers=bearer(account))
        failed = [await client.get(LIST) for _ in range(FAILURES)]

    assert [answer.status_code for answer in failed] == [401] * FAILURES


async def test_a_forged_client_address_does_not_escape_the_count(limited: Gateway) -> None:
    """Forwarded headers are believed from configured proxies only."""
    async with calling_from(limited, "127.0.1.4") as client:
        for number in range(FAILURES):
            await client.get(LIST, headers={"x-forwarded-for": f"198.51.100.{number}", "x-real-ip": f"10.0.0.{number}"})
        refused = await client.get(LIST, headers={"x-forwarded-for": "203.0.113.9", "forwarded": "for=203.0.113.9"})

    assert_too_many(refused, FAILURES)


async def test_what_anonymous_clients_make_the_gateway_compute_is_counted(limited: Gateway) -> None:
    """Introspection that was executed before is not computed again, and is still served when the count is full."""
    account = await limited.new_user()

    async with calling_from(limited, "127.0.1.5") as client, calling_from(limited, "127.0.1.6") as neighbour:

        async def introspect(name: str, by: httpx.AsyncClient = client) -> httpx.Response:
            return await by.post("/graphql", json={"query": f'{{ __type(name: "{name}") {{ name }} }}'})

        computed = [await introspect(f"Type{n}") for n in range(FAILURES)]
        beyond = await introspect("Another")
        unknown = await client.post("/graphql", json={"query": "{ viewer { id } }"})
        again = await introspect("Type3")
        elsewhere = await introspect("Another", neighbour)
        valid = await client.post("/graphql", json={"query": "{ viewer { id } }"}, headers=bearer(account))

    assert [answer.json() for answer in computed] == [{"data": {"__type": None}}] * FAILURES
    for answer in (beyond, unknown):
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (429, "RATE_LIMITED")
        assert 1 <= int(answer.headers["retry-after"]) <= WINDOW_S
        assert answer.json()["errors"][0]["extensions"]["retryAfter"] == int(answer.headers["retry-after"])
        assert counted(answer) == (str(FAILURES), "0")
    assert [answer.status_code for answer in (again, elsewhere, valid)] == [200, 200, 200]


async def test_off_means_off(gateway: Gateway) -> None:
    """No count, no header, and no limit of failures either."""
    account = await gateway.new_user()

    async with account.client() as client:
        answers = [await client.get(LIST) for _ in range(3 * FAILURES)]
        failed = [await client.get(LIST, headers={"authorization": "Bearer guess"}) for _ in range(3 * FAILURES)]

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.status_code for answer in failed} == {401}
    assert not [name for answer in answers + failed for name in answer.headers if name.startswith("x-ratelimit")]
