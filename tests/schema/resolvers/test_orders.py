"""Orders of the list by kind, bucket and last check: equal values, and values that a destination has not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

import pytest

from tests.schema.resolvers.test_paging import pages
from tests.support.databases.many_rows import quoted, timestamp
from tests.support.databases.odd_destinations import SEAL
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import data_of, http_client

LIST = """
query ($orderBy: BackupDestinationOrder!, $first: Int, $after: String) {
  backupDestinations(first: $first, after: $after, orderBy: $orderBy) { nodes { databaseId } edges { cursor } }
}
"""
BUCKETS = ("b", "B", "a", "é", "z", "日本", "🗄", "a-b", "10", "9", "b", "ab")
COLUMNS = (
    *("uid", "user_id", "label", "kind", "created_at", "updated_at", "bucket_name", "region", "endpoint"),
    *("path_style_endpoint", "credentials_set_at", "access_key", "secret_key", "checked_at"),
)
Row = Mapping[str, Any]


@pytest.fixture
async def gateway(gateway: Gateway) -> AsyncIterator[Gateway]:
    """A shared gateway without rows, afterwards, whose credentials no key opens: none starts on such a database."""
    yield gateway
    await gateway.rows(f"DELETE FROM backup_destinations WHERE access_key = '{SEAL}'")  # noqa: S608 - a constant


async def planted(gateway: Gateway) -> tuple[Account, Sequence[Row]]:
    """A user with destinations of every kind, some with equal buckets, some never checked; and their rows by id."""
    account = await gateway.new_user()
    rows = []
    for number in range(36):
        kind = ("custom_s3", "local", "amazon_s3")[number % 3]
        is_local = kind == "local"
        s3 = [quoted(BUCKETS[number % 12 if number < 24 else 10]), "'eu-1'"]
        s3 += ["'https://s3.example.com'" if kind == "custom_s3" else "NULL", "false", timestamp(0)]
        s3 += [f"'{SEAL}'"] * 2 + ["NULL" if number % 5 == 0 else timestamp(number % 4)]
        first = [f"'{uuid4()}'", str(account.user_id), f"'{number}'", f"'{kind}'", timestamp(0), timestamp(0)]
        rows.append(f"({', '.join([*first, *(['NULL'] * 8 if is_local else s3)])})")
    await gateway.rows(f"INSERT INTO backup_destinations ({', '.join(COLUMNS)}) VALUES {', '.join(rows)}")  # noqa: S608
    found = await gateway.rows(
        f"SELECT id, kind, bucket_name, checked_at FROM backup_destinations WHERE user_id = {account.user_id}"  # noqa: S608
    )
    return account, found


def in_order(rows: Sequence[Row], field: str, *, descending: bool) -> list[int]:
    """The rule, told anew: nothing comes before everything, texts are by code point, and the id decides."""
    column = {"KIND": "kind", "BUCKET_NAME": "bucket_name", "LAST_CHECK": "checked_at"}[field]
    keys = [(row[column] is not None, row[column] if row[column] is not None else 0, row["id"]) for row in rows]
    return [key[-1] for key in sorted(keys, reverse=descending)]


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("field", ["KIND", "BUCKET_NAME", "LAST_CHECK"])
async def test_every_row_comes_once_and_in_order(gateway: Gateway, field: str, direction: str) -> None:
    """Page by page, from both ends; many have the same value, and some have none."""
    account, rows = await planted(gateway)
    expected = in_order(rows, field, descending=direction == "DESC")
    order = {"field": field, "direction": direction}

    async with http_client(account) as client:
        for size in (1, 5):
            forwards = [ids async for ids in pages(client, size=size, backwards=False, orderBy=order)]
            assert [id_ for page in forwards for id_ in page] == expected
        backwards = [ids async for ids in pages(client, size=7, backwards=True, orderBy=order)]

    assert [id_ for page in reversed(backwards) for id_ in page] == expected


@pytest.mark.parametrize("field", ["KIND", "BUCKET_NAME", "LAST_CHECK"])
async def test_what_changes_its_place_moves_no_other_row(gateway: Gateway, field: str) -> None:
    """Between two pages the last row that was read and one that was not get other values; the first is deleted."""
    account, rows = await planted(gateway)
    order = {"field": field, "direction": "ASC"}
    expected = in_order(rows, field, descending=False)

    found = await data_of(account, LIST, {"orderBy": order, "first": 10})
    cursor = found["backupDestinations"]["edges"][-1]["cursor"]
    for id_ in (expected[9], expected[20]):
        await gateway.rows(
            f"UPDATE backup_destinations SET bucket_name = 'zz', checked_at = {timestamp(50)} "  # noqa: S608
            f"WHERE id = {id_} AND kind <> 'local'"
        )
    await gateway.rows(f"DELETE FROM backup_destinations WHERE id = {expected[0]}")  # noqa: S608
    rest = await data_of(account, LIST, {"orderBy": order, "first": 100, "after": cursor})

    seen = [node["databaseId"] for node in rest["backupDestinations"]["nodes"]]
    untouched = [id_ for id_ in expected[10:] if id_ != expected[20]]
    assert [id_ for id_ in seen if id_ in untouched] == untouched
    assert len(seen) == len(set(seen))


async def test_a_check_shows_in_the_order_and_in_filters_at_once(gateway: Gateway) -> None:
    """No response from before the check is kept, however often the same list was read."""
    account = await gateway.new_user()
    first, second = [await account.create("s3", label=label) for label in ("a", "b")]
    order = {"field": "LAST_CHECK", "direction": "DESC"}
    since = 'query { backupDestinations(filter: {checkedSince: "2024-01-01T00:00:00Z"}) { totalCount } }'
    for number, checked in enumerate((first, second, first)):
        at = f"'2024-08-07 00:00:0{number}+00:00'"
        await gateway.rows(f"UPDATE backup_destinations SET checked_at = {at} WHERE id = {checked}")  # noqa: S608
        for _ in range(4):
            listed = (await data_of(account, LIST, {"orderBy": order}))["backupDestinations"]["nodes"]
            counted = (await data_of(account, since))["backupDestinations"]["totalCount"]
            assert (listed[0]["databaseId"], counted) == (checked, min(number + 1, 2))
