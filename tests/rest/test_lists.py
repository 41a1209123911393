"""Lists of the REST API: pages, links and meta as the document shows them, rows in the order of their ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.support.api.destinations import LIST, assert_well_formed, at, data_of, draft
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.configured import configured
from tests.support.gateway.gateway import Account, Gateway

PUBLIC_URL = "https://backups.example.com/moorings"
META = ["current_page", "from", "last_page", "path", "per_page", "to", "total"]
ODD_SIZES = ["0", "", "ten", "-1", "1.5", "1e1", "٣", "NaN", "0x10", "+5"]
ODD_NUMBERS = ["0", "", "two", "-1", "1.5", "1e0", "٢", "NaN", "+2"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def published(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A gateway that knows by which URL the world calls it."""
    with configured(request.param, postgres, public_url=PUBLIC_URL + "/") as gateway:
        yield gateway


async def listing(client: httpx.AsyncClient, path: str = LIST, **headers: str) -> dict[str, Any]:
    """The body of a list, its envelope checked."""
    answer = await client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert list(body) == ["data", "links", "meta"]
    assert list(body["links"]) == ["first", "last", "prev", "next"]
    assert list(body["meta"]) == META
    for data in body["data"]:
        assert_well_formed(data)
    return body


async def owner_of(gateway: Gateway, rows: int) -> tuple[Account, list[int]]:
    """A user with that many local destinations."""
    account = await gateway.new_user()
    async with account.client() as client:
        return account, [data_of(await client.post(LIST, json=draft("local")), 201)["id"] for _ in range(rows)]


async def test_pages_hold_every_row_once_by_ascending_id(gateway: Gateway) -> None:
    """The positions of each page continue those of the page before."""
    account, ids = await owner_of(gateway, 7)

    async with account.client() as client:
        pages = [await listing(client, f"{LIST}?per_page=3&page={number}") for number in (1, 2, 3)]

    assert [[data["id"] for data in page["data"]] for page in pages] == [ids[:3], ids[3:6], ids[6:]]
    assert [(page["meta"]["from"], page["meta"]["to"]) for page in pages] == [(1, 3), (4, 6), (7, 7)]
    assert [page["meta"]["current_page"] for page in pages] == [1, 2, 3]
    assert {(page["meta"]["last_page"], page["meta"]["per_page"], page["meta"]["total"]) for page in pages} == {
        (3, 3, 7)
    }


async def test_a_changed_row_keeps_its_place(gateway: Gateway) -> None:
    """The order is that of the ids, not of the last write."""
    account, ids = await owner_of(gateway, 3)

    async with account.client() as client:
        data_of(await client.put(at(ids[0]), json={"label": "Zuletzt"}))
        assert [data["id"] for data in (await listing(client))["data"]] == ids


async def test_links_are_the_documents_and_carry_per_page_only_when_it_was_asked_for(gateway: Gateway) -> None:
    """`?page=N`, and `&per_page=` behind it for clients that follow `next`."""
    account, _ = await owner_of(gateway, 17)
    base = gateway.url + LIST

    async with account.client() as client:
        first, second = await listing(client), await listing(client, f"{LIST}?page=2")
        sized = await listing(client, f"{LIST}?per_page=6&page=2")

    last = f"{base}?page=2"
    assert first["links"] == {"first": f"{base}?page=1", "last": last, "prev": None, "next": f"{base}?page=2"}
    assert second["links"] == {"first": f"{base}?page=1", "last": last, "prev": f"{base}?page=1", "next": None}
    assert sized["links"] == {
        "first": f"{base}?page=1&per_page=6",
        "last": f"{base}?page=3&per_page=6",
        "prev": f"{base}?page=1&per_page=6",
        "next": f"{base}?page=3&per_page=6",
    }
    assert first["meta"]["path"] == sized["meta"]["path"] == base


async def test_following_next_visits_every_row_once(gateway: Gateway) -> None:
    """And following `prev` from the last page leads all the way back."""
    account, ids = await owner_of(gateway, 5)

    async with account.client() as client:
        page = await listing(client, f"{LIST}?per_page=2")
        seen = [page]
        while page["links"]["next"]:
            seen.append(page := await listing(client, page["links"]["next"]))
        back = [page]
        while page["links"]["prev"]:
            back.append(page := await listing(client, page["links"]["prev"]))

    assert [data["id"] for page in seen for data in page["data"]] == ids
    assert back[::-1] == seen


async def test_a_page_beyond_the_last_is_empty(gateway: Gateway) -> None:
    """200 with no data and no positions; the total stays."""
    account, _ = await owner_of(gateway, 2)

    async with account.client() as client:
        bodies = {number: await listing(client, f"{LIST}?page={number}") for number in (2, 99, 2**63 - 1)}

    for number, body in bodies.items():
        assert body["data"] == []
        assert list(body["meta"].values()) == [number, None, 1, gateway.url + LIST, 15, None, 2]
        assert body["links"]["next"] is None


async def test_an_empty_list_has_one_last_page(gateway: Gateway) -> None:
    """A new user sees page 1 of 1 without positions, and links that lead to it."""
    account = await gateway.new_user()

    async with account.client() as client:
        body = await listing(client)

    base = gateway.url + LIST
    assert body["data"] == []
    assert list(body["meta"].values()) == [1, None, 1, base, 15, None, 0]
    assert body["links"] == {"first": f"{base}?page=1", "last": f"{base}?page=1", "prev": None, "next": None}


async def test_the_total_follows_every_create_and_delete_and_counts_nobody_elses_rows(gateway: Gateway) -> None:
    """At once, and in the same number of rows as the list shows."""
    account, ids = await owner_of(gateway, 2)
    await owner_of(gateway, 3)

    async with account.client() as client:
        totals = [(await listing(client))["meta"]["total"]]
        await client.post(LIST, json=draft("s3"))
        totals.append((await listing(client))["meta"]["total"])
        for id_ in ids:
            await client.delete(at(id_))
        body = await listing(client)

    assert [*totals, body["meta"]["total"], len(body["data"])] == [2, 3, 1, 1]
    assert {data["user_id"] for data in body["data"]} == {account.user_id}


async def test_per_page_is_a_size_from_1_to_100_and_otherwise_15(gateway: Gateway) -> None:
    """Nothing a client writes there is an error."""
    account, _ = await owner_of(gateway, 1)
    wanted = dict.fromkeys(ODD_SIZES, 15) | {"1": 1, "99": 99, "100": 100, "101": 100, "9" * 30: 100}

    async with account.client() as client:
        answers = {given: await client.get(LIST, params={"per_page": given}) for given in wanted}

    assert {given: answer.json()["meta"]["per_page"] for given, answer in answers.items()} == wanted
    assert {answer.status_code for answer in answers.values()} == {200}


async def test_a_page_that_is_no_number_is_the_first(gateway: Gateway) -> None:
    """Nothing a client writes there is an error."""
    account, ids = await owner_of(gateway, 1)

    async with account.client() as client:
        bodies = [await listing(client, f"{LIST}?{urlencode({'page': given})}") for given in ODD_NUMBERS]

    assert [body["meta"]["current_page"] for body in bodies] == [1] * len(ODD_NUMBERS)
    assert all([data["id"] for data in body["data"]] == ids for body in bodies)


async def test_links_use_the_allowed_host_that_was_called(gateway: Gateway) -> None:
    """Two names of one gateway see links to themselves."""
    account, _ = await owner_of(gateway, 1)

    async with account.client() as client:
        body = await listing(client, host=f"localhost:{gateway.port}")

    assert body["meta"]["path"] == f"http://localhost:{gateway.port}{LIST}"
    assert body["links"]["first"] == f"http://localhost:{gateway.port}{LIST}?page=1"


async def test_forwarded_headers_of_a_stranger_do_not_reach_the_links(gateway: Gateway) -> None:
    """They are believed from configured proxies only."""
    account, _ = await owner_of(gateway, 1)
    forged = {"x-forwarded-host": "evil.example", "x-forwarded-proto": "https", "forwarded": "host=evil.example"}

    async with account.client() as client:
        assert (await listing(client, **forged))["meta"]["path"] == gateway.url + LIST


async def test_the_list_without_the_prefix_links_to_itself(gateway: Gateway) -> None:
    """A client that calls without `/api` stays without it."""
    account, ids = await owner_of(gateway, 2)

    async with account.client() as client:
        body = await listing(client, "/backup-destinations?per_page=1")
        following = await listing(client, body["links"]["next"])

    assert body["meta"]["path"] == f"{gateway.url}/backup-destinations"
    assert [data["id"] for data in following["data"]] == ids[1:]


async def test_the_public_url_is_the_base_of_every_link(published: Gateway) -> None:
    """Whatever host was called, with the path of the public URL kept and no slash doubled."""
    account = await published.new_user()

    async with account.client() as client:
        created = await client.post(LIST, json=draft("local"))
        body = await listing(client, host="localhost")

    assert created.headers["location"] == f"{PUBLIC_URL}{at(created.json()['data']['id'])}"
    assert body["meta"]["path"] == PUBLIC_URL + LIST
    assert body["links"]["first"] == f"{PUBLIC_URL}{LIST}?page=1"
