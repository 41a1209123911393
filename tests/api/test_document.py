"""Every JSON block of the document, replayed against the gateway and compared key by key, in order."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.api.document import reading
from tests.support.api.destinations import (
    KEYS,
    LONG_AGO,
    MISSING,
    TIMESTAMP,
    TYPES,
    at,
    backdate,
    data_of,
    draft,
    stored,
)
from tests.support.gateway.gateway import CREDENTIALS, Account, Gateway

DOCUMENT_HOST = "http://example.com"
CREATED_ID = 2
"""The id of the destination that the document creates; every other example is about the one it lists."""


def printed(content: object) -> str:
    """JSON as text, so that the order of keys and the types of values count."""
    return json.dumps(content, indent=1, ensure_ascii=False)


def substituted(content: Any, changes: dict[str, Any], url: str) -> Any:
    """A block with what must differ here: the values of the keys in `changes`, and the host."""
    if isinstance(content, dict):
        return {key: changes.get(key, substituted(value, changes, url)) for key, value in content.items()}
    if isinstance(content, list):
        return [substituted(value, changes, url) for value in content]
    return content.replace(DOCUMENT_HOST, url) if isinstance(content, str) else content


async def listed_destination(account: Account, client: httpx.AsyncClient) -> int:
    """The destination that the document lists, as old as it is there; made from the listed object itself."""
    (listed,) = reading.examples()[0].answer["data"]
    id_: int = data_of(await client.post("/api/backup-destinations", json=listed | CREDENTIALS), 201)["id"]
    await backdate(account.gateway, id_)
    return id_


def test_the_document_has_nine_json_blocks_and_each_is_an_example_or_an_error() -> None:
    """Nothing in braces is overlooked: what is left without the blocks holds no brace but the `{id}` of paths."""
    blocks = reading.blocks()
    examples = reading.examples()
    rest = "".join(
        reading.TEXT[start:end]
        for start, end in zip(
            [0, *(block.end for block in blocks)], [*(block.start for block in blocks), None], strict=True
        )
    ).replace("{id}", "")

    assert len(blocks) == 9
    assert "{" not in rest
    assert "}" not in rest
    assert [example.method for example in examples] == ["GET", "POST", "GET", "PUT", "DELETE"]
    assert len(examples) + sum(example.body is not None for example in examples) + len(reading.errors()) == 9


async def test_every_example_of_the_document_is_answered_as_printed(gateway: Gateway) -> None:
    """One user goes through the document from its first request to its last; only what must differ differs."""
    account = await gateway.new_user()
    async with account.client() as client:
        listed_id = await listed_destination(account, client)
        for example in reading.examples():
            answer = await client.request(
                example.method, example.path.replace("{id}", str(listed_id)), json=example.body
            )
            assert answer.status_code == (201 if example.method == "POST" else 200)
            got, shown = answer.json(), example.answer.get("data")
            changes: dict[str, Any] = {"id": listed_id, "user_id": account.user_id}
            if isinstance(shown, dict) and shown["id"] == CREATED_ID:
                changes |= {field: got["data"][field] for field in ("id", "created_at", "updated_at")}
                assert got["data"]["created_at"] == got["data"]["updated_at"] > LONG_AGO
            if isinstance(shown, dict) and shown["updated_at"] > shown["created_at"]:
                changes |= {"updated_at": got["data"]["updated_at"]}
                assert got["data"]["updated_at"] > LONG_AGO
            assert printed(got) == printed(substituted(example.answer, changes, gateway.url)), example


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_both_errors_of_the_document_are_answered_as_printed(gateway: Gateway, method: str) -> None:
    """A row that does not exist and a row of another user."""
    account, stranger = await gateway.new_user(), await gateway.new_user()
    foreign = await stranger.create()

    async with account.client() as client:
        absent = await client.request(method, at(MISSING))
        forbidden = await client.request(method, at(foreign))

    assert (absent.status_code, forbidden.status_code) == (404, 403)
    assert printed(absent.json()) == printed(reading.errors()["Not Found"])
    assert printed(forbidden.json()) == printed(reading.errors()["Forbidden"])


@pytest.mark.parametrize("kind", TYPES)
async def test_the_notes_hold_for_every_kind_in_every_answer(gateway: Gateway, kind: str) -> None:
    """`type_human` always; the bucket and the path style for the two S3 kinds; region or endpoint; local has none."""
    account = await gateway.new_user()
    async with account.client() as client:
        created = data_of(await client.post("/api/backup-destinations", json=draft(kind)), 201)
        shown = data_of(await client.get(at(created["id"])))
        (listed,) = (await client.get("/api/backup-destinations")).json()["data"]
        updated = data_of(await client.put(at(created["id"]), json={"label": "Renamed"}))

    assert created == shown == listed == updated | {"label": created["label"], "updated_at": created["updated_at"]}
    for data in (created, shown, listed, updated):
        assert list(data) == KEYS[kind]
        assert data["type_human"] == {"s3": "Amazon S3", "custom_s3": "Custom S3", "local": "Local"}[kind]
        assert ("s3_bucket_name" in data, "path_style_endpoint" in data) == (kind != "local", kind != "local")
        assert ("s3_region" in data, "s3_endpoint" in data) == (kind == "s3", kind == "custom_s3")


def test_the_notes_are_the_five_rules_that_are_tested() -> None:
    """A rule that is added to the document must find its test."""
    fields = [re.findall(r"type_human|path_style_endpoint|s3_[a-z_]+", rule) for rule in reading.notes()]

    assert fields == [
        ["type_human"],
        ["s3_bucket_name", "path_style_endpoint"],
        ["s3_region"],
        ["s3_endpoint"],
        [],
    ]


async def test_timestamps_are_whole_seconds_of_now_in_utc(gateway: Gateway) -> None:
    """In JSON and in the database alike, so that neither API shows more than the other."""
    account = await gateway.new_user()
    before = datetime.now(UTC).replace(microsecond=0)
    async with account.client() as client:
        data = data_of(await client.post("/api/backup-destinations", json=draft("s3")), 201)
    row = await stored(gateway, data["id"])

    for field in ("created_at", "updated_at"):
        assert TIMESTAMP.fullmatch(data[field])
        timestamp = datetime.fromisoformat(data[field])
        assert before <= timestamp <= datetime.now(UTC)
        assert datetime.fromisoformat(str(row[field])) == timestamp
