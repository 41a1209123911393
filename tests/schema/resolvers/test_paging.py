"""Pages by key: in every order and direction, from either end, and every row once while others come and go."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest

from tests.support.api.destinations import LIST, at, draft
from tests.support.databases.many_rows import plant_destinations, timestamp
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import ask, code_of, data_of, http_client, post

PAGE = """
query ($first: Int, $after: String, $last: Int, $before: String, $orderBy: BackupDestinationOrder) {
  backupDestinations(first: $first, after: $after, last: $last, before: $before, orderBy: $orderBy) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    edges { cursor node { databaseId label createdAt updatedAt } }
  }
}
"""
MAX_PAGES = 50
FIELDS = {"CREATED_AT": "createdAt", "UPDATED_AT": "updatedAt", "LABEL": "label"}
ORDERS: tuple[dict[str, str] | None, ...] = (
    None,
    *({"field": field, "direction": direction} for field in FIELDS for direction in ("ASC", "DESC")),
)
LABELS = ("b", "B", "a", "é", "z", "Z", "e\u0301", "日本", "🗄", "\uffee", "a b", "a'b", "10", "9", "ß", "b")
"""Some equal, some beyond the plane where UTF-8 and UTF-16 sort the same."""


def in_order(nodes: list[dict[str, Any]], order: Mapping[str, str] | None) -> list[dict[str, Any]]:
    """The rule, told anew: by the field, labels by code point, the id decides; descending turns all of it round."""
    field = "databaseId" if order is None else FIELDS[order["field"]]
    reverse = order is not None and order["direction"] == "DESC"
    return sorted(nodes, key=lambda node: (node[field], node["databaseId"]), reverse=reverse)


async def page(client: httpx.AsyncClient, **arguments: Any) -> dict[str, Any]:
    """One page."""
    answer = await post(client, PAGE, arguments)
    assert "errors" not in answer, answer
    found: dict[str, Any] = answer["data"]["backupDestinations"]
    return found


async def pages(client: httpx.AsyncClient, *, size: int, backwards: bool, **arguments: Any) -> AsyncIterator[list[int]]:
    """The ids of page after page to the end, each page in the order of the list; a list without an end is told."""
    cursor = None
    for _ in range(MAX_PAGES):
        window = {"last": size, "before": cursor} if backwards else {"first": size, "after": cursor}
        found = await page(client, **window, **arguments)
        yield [edge["node"]["databaseId"] for edge in found["edges"]]
        info = found["pageInfo"]
        cursor = info["startCursor"] if backwards else info["endCursor"]
        if not info["hasPreviousPage" if backwards else "hasNextPage"]:
            return
    raise AssertionError(f"there is more after {MAX_PAGES} pages")


async def planted(gateway: Gateway) -> Account:
    """A user with a destination for each of the labels, some of the same moment."""
    account = await gateway.new_user()
    timestamps = [(timestamp(n % 3), timestamp(n % 5)) for n in range(len(LABELS))]
    await plant_destinations(gateway, account.user_id, LABELS, timestamps)
    return account


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "-".join(order.values()) if order else "unordered")
async def test_every_window_of_every_order_is_the_part_of_the_list_it_says(
    gateway: Gateway, order: dict[str, str] | None
) -> None:
    """From the start and from the end, between any two cursors, also where they leave nothing between them."""
    account = await planted(gateway)
    async with http_client(account) as client:
        edges = (await page(client, orderBy=order, first=100))["edges"]
        assert [edge["node"] for edge in edges] == in_order([edge["node"] for edge in edges], order)

        for after, before in ((None, None), (0, None), (None, 9), (3, 12), (7, 8), (15, None), (None, 0), (9, 2)):
            between = edges[0 if after is None else after + 1 : len(edges) if before is None else before]
            cursors = {"after": None if after is None else edges[after]["cursor"]}
            cursors["before"] = None if before is None else edges[before]["cursor"]
            for name, size in (("first", 4), ("last", 4), ("first", 100)):
                found = await page(client, orderBy=order, **cursors, **{name: size})
                wanted = between[:size] if name == "first" else between[-size:]
                more = len(between) > size
                assert found["edges"] == wanted
                assert found["pageInfo"] == {
                    "hasNextPage": more if name == "first" else before is not None,
                    "hasPreviousPage": after is not None if name == "first" else more,
                    "startCursor": wanted[0]["cursor"] if wanted else None,
                    "endCursor": wanted[-1]["cursor"] if wanted else None,
                }


async def test_labels_are_in_the_same_order_on_both_databases(gateways: Mapping[str, Gateway]) -> None:
    """By code point, whatever language a database was set up in."""
    listed = {}
    for engine, gateway in gateways.items():
        account = await planted(gateway)
        async with http_client(account) as client:
            edges = (await page(client, first=100, orderBy={"field": "LABEL", "direction": "ASC"}))["edges"]
        listed[engine] = [edge["node"]["label"] for edge in edges]

    assert listed["sqlite"] == listed["postgresql"] == sorted(LABELS)


async def test_a_page_has_15_destinations_unless_told_otherwise_and_at_most_100(gateway: Gateway) -> None:
    """None may be asked for, to learn the number of all; null is as good as left out."""
    account = await gateway.new_user()
    await plant_destinations(gateway, account.user_id, ["A"] * 101)

    async with http_client(account) as client:
        for window, count in (({}, 15), ({"first": None}, 15), ({"first": 0}, 0), ({"last": 0}, 0), ({"last": 1}, 1),
                              ({"first": 100}, 100), ({"last": 100, "first": None}, 100)):  # fmt: skip
            found = await page(client, **window)
            assert (len(found["edges"]), found["totalCount"]) == (count, 101)

        for bad in ({"first": 101}, {"first": -1}, {"last": 101}, {"last": -1}, {"first": 2**31 - 1},
                    {"first": 1, "last": 1}, {"first": 0, "last": 0}):  # fmt: skip
            assert code_of(await post(client, PAGE, bad)) == "BAD_USER_INPUT"
        for unfit in ({"first": 2**31}, {"first": "1"}, {"first": 1.5}, {"first": True}, {"after": 1}):
            assert code_of(await post(client, PAGE, unfit)) == "BAD_USER_INPUT"


async def test_a_cursor_of_another_order_is_refused(gateway: Gateway) -> None:
    """One of the other direction too: the page after it would go back to where the client came from."""
    account = await planted(gateway)
    async with http_client(account) as client:
        cursors = [(await page(client, first=1, orderBy=order))["pageInfo"]["endCursor"] for order in ORDERS]
        for cursor, of in zip(cursors, ORDERS, strict=True):
            for order in ORDERS:
                answer = await post(client, PAGE, {"after": cursor, "orderBy": order})
                if order == of:
                    assert "errors" not in answer
                else:
                    assert code_of(answer) == "BAD_USER_INPUT"


def forged(*parts: Any) -> str:
    """A cursor of the form ours have at this time, with other contents."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).rstrip(b"=").decode()


FORGED: tuple[str, ...] = (
    *("", " ", "x", "=", "é", "AAAA", "x" * 5_000, forged(), forged("id", None), forged("id", None, 1, 1)),
    *(forged("id", None, id_) for id_ in (0, -1, 1.5, "1", True, None, 2**31, 2**63, 10**30)),
    *(forged("id", value, 1) for value in (1, "a")),
    *(forged("created_at", value, 1) for value in (None, "a", True, 1.5, 2**62, -(2**62), 10**30)),
    *(forged("label", value, 1) for value in (None, 1, "a\0", "\ud800")),
    *(forged("label", "a", id_) for id_ in (2**31, 2**64)),
    *(forged(name, value, 1) for name in ("-created_at", "-label") for value in (None, True)),
    *(forged([], {}, 1), forged("event", None, 1), base64.b64encode(b'{"a":1,"b":2,"c":3}').decode()),
)


async def test_a_cursor_that_is_none_of_ours_is_the_clients_mistake(gateway: Gateway) -> None:
    """In every order, and for the events too: never an answer, never a failure of ours."""
    account = await gateway.new_user()
    events = "query ($after: String) { events(after: $after) { edges { cursor } } }"

    async with http_client(account) as client:
        for cursor in FORGED:
            for order in (None, *ORDERS[1::2]):
                answer = await post(client, PAGE, {"after": cursor, "orderBy": order})
                assert code_of(answer) == "BAD_USER_INPUT", (cursor, order)
            if cursor not in (forged("event", None, 1), forged("event", None, 2**31)):
                assert code_of(await post(client, events, {"after": cursor})) == "BAD_USER_INPUT", cursor


async def test_a_cursor_outlives_its_row(gateway: Gateway) -> None:
    """A client in the middle of a list goes on where it was."""
    account = await planted(gateway)
    order = {"field": "LABEL", "direction": "ASC"}
    async with http_client(account) as client:
        edges = (await page(client, first=100, orderBy=order))["edges"]
        await client.delete(at(edges[7]["node"]["databaseId"]))
        rest = (await page(client, first=100, orderBy=order, after=edges[7]["cursor"]))["edges"]

    assert rest == edges[8:]


async def test_moments_with_fractions_of_a_second_are_paged_once(gateways: Mapping[str, Gateway]) -> None:
    """PostgreSQL keeps them when somebody writes past the gateway."""
    gateway = gateways["postgresql"]
    account = await gateway.new_user()
    ids = await plant_destinations(gateway, account.user_id, ["A"] * 9)
    await gateway.rows(
        "UPDATE backup_destinations SET created_at = '1969-12-31 23:59:59.25 UTC'::timestamptz + id % 4 * "  # noqa: S608 - our own integer
        f"interval '0.5 seconds' WHERE user_id = {account.user_id}"
    )

    for order in ({"field": "CREATED_AT", "direction": direction} for direction in ("ASC", "DESC")):
        async with http_client(account) as client:
            found = [ids async for ids in pages(client, size=2, backwards=False, orderBy=order)]
        assert sorted(id_ for of_page in found for id_ in of_page) == ids


async def test_every_old_row_comes_once_while_four_writers_insert_and_delete(gateway: Gateway) -> None:
    """A thousand rows, in every order, forwards and backwards."""
    account = await gateway.new_user()
    timestamps = [(timestamp(n * 7 % 60), timestamp(n * 11 % 60)) for n in range(1_000)]
    labels = [f"{'bad'[n % 3]} {n % 13}" for n in range(1_000)]
    old = set(await plant_destinations(gateway, account.user_id, labels, timestamps))
    finished = asyncio.Event()

    async def write(label: str) -> int:
        made = 0
        async with http_client(account) as client:
            while not finished.is_set():
                answer = await client.post(LIST, json=draft("local", label=f"{label} {made}"))
                await client.delete(at(answer.json()["data"]["id"]))
                made += 1
        return made

    writers = [asyncio.create_task(write(label)) for label in ("a", "bb", "c", "e")]
    async with http_client(account) as client:
        for number, order in enumerate(ORDERS):
            found = [ids async for ids in pages(client, size=100, backwards=number % 2 == 1, orderBy=order)]
            seen = [id_ for of_page in found for id_ in of_page if id_ in old]
            assert (len(seen), set(seen)) == (1_000, old)
    finished.set()

    assert min(await asyncio.gather(*writers)) > 0
    assert (await data_of(account, "{ backupDestinations { totalCount } }"))["backupDestinations"] == {
        "totalCount": 1_000
    }


async def test_the_list_is_empty_for_a_new_user(gateway: Gateway) -> None:
    """No edge, no cursor, nothing before or behind."""
    account = await gateway.new_user()

    found = (await ask(account, PAGE))["data"]["backupDestinations"]

    info = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    assert found == {"totalCount": 0, "pageInfo": info, "edges": []}
