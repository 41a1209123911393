"""Writes to one destination at the same time: none is lost, and the row is whole whatever their order."""

from __future__ import annotations

import asyncio

from tests.support.api.destinations import LIST, NOT_FOUND, assert_refused, at, data_of, draft
from tests.support.gateway.gateway import Gateway


async def test_parallel_puts_of_different_fields_lose_neither(gateway: Gateway) -> None:
    """Each is merged over what the other one wrote."""
    account = await gateway.new_user()
    id_ = await account.create("s3")
    changes = {
        "label": "Parallel",
        "s3_bucket_name": "parallel",
        "s3_region": "eu-parallel-1",
        "path_style_endpoint": 1,
    }

    async with account.client() as client:
        answers = await asyncio.gather(
            *(client.put(at(id_), json={field: value}) for field, value in changes.items() for _ in range(3))
        )
        data = data_of(await client.get(at(id_)))

    assert {answer.status_code for answer in answers} == {200}
    assert data.items() >= changes.items()


async def test_parallel_puts_of_a_type_and_of_its_fields_leave_a_whole_row(gateway: Gateway) -> None:
    """Each is judged on the row as the other left it, so a local one never ends up with a bucket."""
    account = await gateway.new_user()
    changes = [{"type": "local"}, {"s3_bucket_name": "late"}, {"custom_s3_region": "late"}, {"s3_secret_key": "late"}]

    async with account.client() as client:
        ids = [data_of(await client.post(LIST, json=draft("s3")), 201)["id"] for _ in range(8)]
        answers = await asyncio.gather(*(client.put(at(id_), json=change) for id_ in ids for change in changes))
        rows = [data_of(await client.get(at(id_))) for id_ in ids]

    assert {answer.status_code for answer in answers} == {200}
    assert {row["type"] for row in rows} == {"local"}


async def test_of_many_deletes_at_once_one_succeeds(gateway: Gateway) -> None:
    """The others find nothing, in the document's words, and so does a change that comes too late."""
    account = await gateway.new_user()
    id_ = await account.create("local")

    async with account.client() as client:
        answers = await asyncio.gather(*(client.delete(at(id_)) for _ in range(8)))
        late = await client.put(at(id_), json={"label": "Late"})

    refused = [answer for answer in answers if answer.is_error]
    assert len(refused) == len(answers) - 1
    for answer in (*refused, late):
        assert_refused(answer, 404, NOT_FOUND)
