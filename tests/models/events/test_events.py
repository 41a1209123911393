"""Every write leaves one event that says what, where, who and how; nothing else does, and no secret is in one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import httpx
import pytest

from tests.support.api.destinations import LIST, TYPES, at, data_of, draft, events_of
from tests.support.gateway.gateway import Account, Gateway

SECRETS = {"s3_access_key": "event-access-canary", "s3_secret_key": "event-secret-canary"}
FIELDS = ("kind", "destination_id", "label", "changed_fields", "protocol", "token_name")


def told(event: dict[str, Any]) -> tuple[Any, ...]:
    """What an event says, without its times and ids."""
    return tuple(event[field] for field in FIELDS)


def token_id(account: Account) -> int:
    """The id of the account's token, which is its first part."""
    return int(account.token.partition("|")[0])


async def created(client: httpx.AsyncClient, kind: str, **changes: Any) -> int:
    """The id of a destination of the client's user."""
    id_: int = data_of(await client.post(LIST, json=draft(kind, **changes)), 201)["id"]
    return id_


@pytest.mark.parametrize("kind", TYPES)
async def test_the_life_of_a_destination_is_told_in_three_events(gateway: Gateway, kind: str) -> None:
    """Created, updated, deleted: each once, in that order, through REST, by the token that did it."""
    account = await gateway.new_user()
    before = datetime.now(UTC).replace(microsecond=0)

    async with account.client() as client:
        id_ = await created(client, kind, label="Nightly")
        await client.put(at(id_), json={"label": "Weekly"})
        await client.delete(at(id_))
    events = await events_of(gateway, account.user_id)

    assert [told(event) for event in events] == [
        ("created", id_, "Nightly", "", "rest", "test"),
        ("updated", id_, "Weekly", "label", "rest", "test"),
        ("deleted", id_, "Weekly", "", "rest", "test"),
    ]
    assert {event["token_id"] for event in events} == {token_id(account)}
    assert all(earlier["id"] < later["id"] for earlier, later in pairwise(events))
    for event in events:
        timestamp = datetime.fromisoformat(str(event["occurred_at"]))
        assert before <= timestamp <= datetime.now(UTC)
        assert timestamp.microsecond == 0


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ({"label": "Other"}, "label"),
        ({"label": "A custom_s3 destination", "s3_bucket_name": "other"}, "bucket_name"),
        ({"s3_secret_key": SECRETS["s3_secret_key"]}, "secret_key"),
        ({**SECRETS, "label": "Other"}, "label access_key secret_key"),
        ({"path_style_endpoint": 0, "custom_s3_region": "here", "s3_endpoint": "https://other.example.com",
          **SECRETS}, "access_key secret_key region endpoint path_style_endpoint"),
        ({"type": "s3", "custom_s3_region": "eu-west-1", **SECRETS}, "kind access_key secret_key region endpoint"),
        ({"type": "local"}, "kind access_key secret_key bucket_name endpoint path_style_endpoint"),
    ],
)  # fmt: skip
async def test_an_update_names_the_attributes_that_changed(
    gateway: Gateway, body: dict[str, Any], changed: str
) -> None:
    """In words of the domain and in their order; what was sent as it was is not among them."""
    account = await gateway.new_user()

    async with account.client() as client:
        data_of(await client.put(at(await created(client, "custom_s3")), json=body))
    _, updated = await events_of(gateway, account.user_id)

    assert updated["changed_fields"] == changed


async def test_what_changes_nothing_leaves_no_event(gateway: Gateway) -> None:
    """Refusals of every kind, reading, and a PUT of what is there already."""
    account, stranger = await gateway.new_user(), await gateway.new_user()
    foreign = await stranger.create("local")

    async with account.client() as client:
        own = await created(client, "s3")
        answers = [
            await client.get(LIST),
            await client.get(at(own)),
            await client.put(at(own), json=(await client.get(at(own))).json()["data"]),
            await client.put(at(own), json={"path_style_endpoint": "yes"}),
            await client.put(at(own), content=b"{", headers={"content-type": "application/json"}),
            await client.put(at(own), content=b"{}", headers={"content-type": "text/plain"}),
            await client.put(at(foreign), json={"label": "Mine"}),
            await client.delete(at(foreign)),
            await client.delete(at("abc")),
            await client.post(LIST, json=draft("s3", label="x" * 256)),
            await client.post(LIST, json=draft("local"), headers={"authorization": "Bearer nobody"}),
        ]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 422, 400, 415, 403, 403, 404, 422, 401]
    assert [event["kind"] for event in await events_of(gateway, account.user_id)] == ["created"]
    assert [event["kind"] for event in await events_of(gateway, stranger.user_id)] == ["created"]


async def test_a_missing_ability_leaves_no_event(gateway: Gateway) -> None:
    """The event is of the act, not of the attempt."""
    account = await gateway.new_user(abilities=["view-backup-destinations"])
    own = await account.create("local")

    async with account.client() as client:
        for answer in (
            await client.post(LIST, json=draft("local")),
            await client.put(at(own), json={"label": "Other"}),
            await client.delete(at(own)),
        ):
            assert answer.status_code == 403

    assert [event["token_name"] for event in await events_of(gateway, account.user_id)] == ["full"]


async def test_an_event_never_holds_a_secret(gateway: Gateway) -> None:
    """Not even the sealed form of one."""
    account = await gateway.new_user()

    async with account.client() as client:
        id_ = await created(client, "custom_s3", **SECRETS)
        await client.put(at(id_), json={name: f"{value}-2" for name, value in SECRETS.items()})
        await client.delete(at(id_))
    text = repr(await events_of(gateway, account.user_id))

    assert "canary" not in text
    assert "s1:" not in text


async def test_a_second_delete_leaves_no_second_event(gateway: Gateway) -> None:
    """Of ten at once, one deletes and nine find nothing."""
    account = await gateway.new_user()

    async with account.client() as client:
        id_ = await created(client, "local")
        answers = await asyncio.gather(*(client.delete(at(id_)) for _ in range(10)))
    events = await events_of(gateway, account.user_id)

    assert sorted(answer.status_code for answer in answers) == [200] + [404] * 9
    assert [event["kind"] for event in events] == ["created", "deleted"]


async def test_parallel_writes_leave_one_event_each(gateway: Gateway) -> None:
    """None is lost and none is told twice, and whatever was answered before has the smaller id."""
    account = await gateway.new_user()

    async with account.client() as client:
        ids = await asyncio.gather(*(created(client, "local") for _ in range(12)))
        await asyncio.gather(*(client.put(at(id_), json={"label": f"Row {id_}"}) for id_ in ids))
    events = await events_of(gateway, account.user_id)

    assert sorted(event["destination_id"] for event in events[:12]) == sorted(ids)
    assert {event["label"] for event in events[12:]} == {f"Row {id_}" for id_ in ids}
    assert [event["kind"] for event in events] == ["created"] * 12 + ["updated"] * 12
