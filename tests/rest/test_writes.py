"""What a REST write takes from its body and what it leaves alone: creation, partial updates, deletion."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api.destinations import (
    LIST,
    LONG_AGO,
    NOT_FOUND,
    TYPES,
    assert_refused,
    at,
    backdate,
    data_of,
    draft,
    events_of,
    stored,
)
from tests.support.gateway.gateway import CREDENTIALS, Account, Gateway

JSON = {"content-type": "application/json"}
SECRETS = ("access_key", "secret_key")
EXACT_ENDPOINTS = [
    "https://s3.example.com/",
    "HTTPS://S3.Example.COM:443/Path/%2f/",
    "http://[2001:db8::1]:9000",
    "http://192.0.2.7:9000//double//",
    "https://bücher.example",
]


async def owner_of(gateway: Gateway, kind: str, **changes: Any) -> tuple[Account, int]:
    """A user with one destination of that type, untouched since `LONG_AGO`."""
    account = await gateway.new_user()
    async with account.client() as client:
        id_: int = data_of(await client.post(LIST, json=draft(kind, **changes)), 201)["id"]
    await backdate(gateway, id_)
    return account, id_


@pytest.mark.parametrize("kind", TYPES)
async def test_create_answers_201_with_the_address_of_the_new_row(gateway: Gateway, kind: str) -> None:
    """What stands at the Location is what was answered; PUT and DELETE answer 200."""
    account = await gateway.new_user()

    async with account.client() as client:
        created = await client.post(LIST, json=draft(kind))
        data = data_of(created, 201)
        assert created.headers["location"] == f"{gateway.url}{at(data['id'])}"
        assert data_of(await client.get(created.headers["location"])) == data
        data_of(await client.put(at(data["id"]), json={"label": "Renamed"}), 200)
        assert (await client.delete(at(data["id"]))).status_code == 200
        assert_refused(await client.get(at(data["id"])), 404, NOT_FOUND)


@pytest.mark.parametrize("kind", TYPES)
async def test_a_whole_answer_can_be_put_back_and_changes_nothing(gateway: Gateway, kind: str) -> None:
    """The answer's own names, ids and times are understood or left aside; no event, no later `updated_at`."""
    account, id_ = await owner_of(gateway, kind)

    async with account.client() as client:
        before = data_of(await client.get(at(id_)))
        after = data_of(await client.put(at(id_), json=before))

    assert before == after
    assert after["updated_at"] == LONG_AGO
    assert [event["kind"] for event in await events_of(gateway, account.user_id)] == ["created"]


@pytest.mark.parametrize("kind", TYPES)
async def test_a_whole_answer_put_back_with_another_label_changes_only_that(gateway: Gateway, kind: str) -> None:
    """Clients that edit an answer and send all of it lose nothing."""
    account, id_ = await owner_of(gateway, kind)
    before = await stored(gateway, id_)

    async with account.client() as client:
        data_of(await client.put(at(id_), json=data_of(await client.get(at(id_))) | {"label": "Edited"}))
    after = await stored(gateway, id_)

    assert {name for name in before if before[name] != after[name]} == {"label", "updated_at", "version"}


@pytest.mark.parametrize(
    "body", [{}, {"label": "A custom_s3 destination"}, {"nothing": "known"}, {"type": "custom_s3"}]
)
async def test_a_put_that_changes_nothing_leaves_the_row_alone(gateway: Gateway, body: dict[str, Any]) -> None:
    """No event, and not one column is new."""
    account, id_ = await owner_of(gateway, "custom_s3")
    before = await stored(gateway, id_)

    async with account.client() as client:
        data_of(await client.put(at(id_), json=body))

    assert await stored(gateway, id_) == before
    assert len(await events_of(gateway, account.user_id)) == 1


async def test_a_change_moves_updated_at_alone(gateway: Gateway) -> None:
    """`created_at` stays for the life of a row."""
    account, id_ = await owner_of(gateway, "local")

    async with account.client() as client:
        data = data_of(await client.put(at(id_), json={"label": "Renamed"}))

    assert data["created_at"] == LONG_AGO < data["updated_at"]


async def test_what_the_gateway_gives_cannot_be_assigned(gateway: Gateway) -> None:
    """Not at creation and not later."""
    account, stranger = await gateway.new_user(), await gateway.new_user()
    given = {"id": 77_777, "user_id": stranger.user_id, "created_at": LONG_AGO, "type_human": "Mine", "uid": "0" * 32}

    async with account.client() as client:
        created = data_of(await client.post(LIST, json=draft("local", **given)), 201)
        updated = data_of(await client.put(at(created["id"]), json=given | {"label": "Renamed"}))

    assert created["id"] != 77_777
    assert created["user_id"] == updated["user_id"] == account.user_id
    assert created["created_at"] == updated["created_at"] > LONG_AGO
    assert created["type_human"] == updated["type_human"] == "Local"


async def test_put_keeps_every_field_that_it_leaves_out(gateway: Gateway) -> None:
    """The sealed credentials too: their ciphertext is not even written again."""
    account, id_ = await owner_of(gateway, "s3")
    before = await stored(gateway, id_)

    async with account.client() as client:
        data_of(await client.put(at(id_), json={"s3_bucket_name": "weekly"}))
    after = await stored(gateway, id_)

    assert {name for name in before if before[name] != after[name]} == {"bucket_name", "updated_at", "version"}


@pytest.mark.parametrize("name", ["s3_access_key", "s3_secret_key"])
async def test_one_of_the_credentials_can_be_replaced_alone(gateway: Gateway, name: str) -> None:
    """The other one keeps its seal."""
    account, id_ = await owner_of(gateway, "custom_s3")
    before = await stored(gateway, id_)

    async with account.client() as client:
        data_of(await client.put(at(id_), json={name: "another-one"}))
    after = await stored(gateway, id_)

    assert {secret for secret in SECRETS if before[secret] != after[secret]} == {name.removeprefix("s3_")}


@pytest.mark.parametrize("body", [{}, {"type": None, "label": None}, {"label": "", "type": " "}])
async def test_a_refused_create_lists_every_violation(gateway: Gateway, body: dict[str, Any]) -> None:
    """The message is the first sentence and says how many follow."""
    account = await gateway.new_user()

    async with account.client() as client:
        refused = assert_refused(
            await client.post(LIST, json=body), 422, "The label field is required. (and 1 more error)"
        )

    assert list(refused["errors"].items()) == [
        ("label", ["The label field is required."]),
        ("type", ["The type field is required."]),
    ]


async def test_a_refused_update_changes_nothing_of_the_row(gateway: Gateway) -> None:
    """A good field beside a bad one is not taken."""
    account, id_ = await owner_of(gateway, "s3")
    before = await stored(gateway, id_)

    async with account.client() as client:
        answer = await client.put(at(id_), json={"label": "Renamed", "path_style_endpoint": "yes"})

    assert_refused(answer, 422, "The path style endpoint field must be true or false.")
    assert await stored(gateway, id_) == before


@pytest.mark.parametrize("endpoint", EXACT_ENDPOINTS)
async def test_an_endpoint_is_kept_exactly_as_given(gateway: Gateway, endpoint: str) -> None:
    """Clients compare it with what they sent."""
    account = await gateway.new_user()

    async with account.client() as client:
        data = data_of(await client.post(LIST, json=draft("custom_s3", custom_s3_endpoint=endpoint)), 201)

    assert data["s3_endpoint"] == endpoint


@pytest.mark.parametrize("header", ["return=minimal", 'Return="minimal"', "respond-async, return = minimal"])
async def test_delete_says_nothing_to_who_prefers_that(gateway: Gateway, header: str) -> None:
    """`Prefer: return=minimal` (RFC 7240): 204, an empty body, and the header that says it was heeded."""
    account, id_ = await owner_of(gateway, "local")

    async with account.client() as client:
        answer = await client.delete(at(id_), headers={"prefer": header})

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["preference-applied"] == "return=minimal"


async def test_delete_ends_with_a_message_and_a_second_one_finds_nothing(gateway: Gateway) -> None:
    """A client library throws on an empty body, so there is one."""
    account, id_ = await owner_of(gateway, "custom_s3")

    async with account.client() as client:
        first, second = await client.delete(at(id_), headers=JSON), await client.delete(at(id_))

    assert (first.status_code, first.json()) == (200, {"message": "Backup destination successfully deleted"})
    assert_refused(second, 404, NOT_FOUND)


@pytest.mark.parametrize("kind", TYPES)
async def test_the_credentials_never_come_back(gateway: Gateway, kind: str) -> None:
    """Not from a creation, a look, a list, an update or a refusal."""
    account = await gateway.new_user()
    secrets = {"s3_access_key": "mine-alone-access", "s3_secret_key": "mine-alone-secret"}

    async with account.client() as client:
        created = await client.post(LIST, json=draft(kind, **secrets))
        address = at(data_of(created, 201)["id"])
        answers = [created, await client.get(address), await client.get(LIST), await client.put(address, json=secrets)]
        answers += [await client.post(LIST, json=secrets), await client.put(address, json={"label": 1, **secrets})]

    said = [answer.text + str(answer.headers) for answer in answers]
    assert [answer.status_code for answer in answers[-2:]] == [422, 422]
    assert not [text for text in said for secret in (*secrets.values(), *CREDENTIALS.values()) if secret in text]
