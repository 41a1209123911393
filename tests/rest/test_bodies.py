"""How the REST API reads the fields of a body: forms, empty bodies, aliases, booleans, trimming, changes of type."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.api.destinations import LIST, TYPES, assert_refused, at, data_of, draft, stored
from tests.support.gateway.gateway import CREDENTIALS, Gateway

JSON = {"content-type": "application/json"}
KIND_COLUMNS = ("bucket_name", "region", "endpoint", "path_style_endpoint", "access_key", "secret_key")
BOOLEANS = {"true": (True, 1, "1", " 1 "), "false": (False, 0, "0")}
NO_BOOLEANS: tuple[object, ...] = ("true", "false", "yes", 2, -1, 0.5, [], {})


async def made(client: httpx.AsyncClient, kind: str, **changes: Any) -> int:
    """A destination of the client's user."""
    id_: int = data_of(await client.post(LIST, json=draft(kind, **changes)), 201)["id"]
    return id_


def violations(answer: httpx.Response) -> dict[str, list[str]]:
    """The fields of a 422 and their sentences."""
    errors: dict[str, list[str]] = assert_refused(answer, 422)["errors"]
    return errors


@pytest.mark.parametrize("kind", TYPES)
async def test_a_form_creates_what_the_same_json_creates(gateway: Gateway, kind: str) -> None:
    """The official PHP client sends forms with `1` and `0`, on PUT too."""
    account = await gateway.new_user()
    form = {field: str(int(value)) if isinstance(value, bool) else value for field, value in draft(kind).items()}

    async with account.client() as client:
        of_json = data_of(await client.post(LIST, json=draft(kind)), 201)
        of_form = data_of(await client.post(LIST, data=form), 201)
        changed = data_of(await client.put(at(of_form["id"]), data={"label": "Grün & gut", "path_style_endpoint": "1"}))

    assert of_form == of_json | {field: of_form[field] for field in ("id", "created_at", "updated_at")}
    assert changed["label"] == "Grün & gut"
    assert changed.get("path_style_endpoint", True) is True


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_an_empty_body_that_calls_itself_json_is_no_malformed_json(gateway: Gateway, method: str) -> None:
    """The official PHP client sends that header on every request."""
    account = await gateway.new_user()

    async with account.client() as client:
        answer = await client.request(method, at(await made(client, "s3")), headers=JSON)

    assert answer.status_code == 200


async def test_an_empty_create_is_told_what_is_required(gateway: Gateway) -> None:
    """Even without a Content-Type: no body has no fields."""
    account = await gateway.new_user()

    async with account.client() as client:
        for headers in ({}, JSON, {"content-type": "application/x-www-form-urlencoded"}):
            assert list(violations(await client.post(LIST, headers=headers))) == ["label", "type"]


KEYS = {"s3_access_key": "AKIAOTHER", "s3_secret_key": "another secret"}


async def test_the_answers_names_are_understood_as_aliases(gateway: Gateway) -> None:
    """`s3_region` and `s3_endpoint`, at creation and later."""
    account = await gateway.new_user()
    amazon = draft("s3", custom_s3_region=None, s3_region="eu-west-1")
    custom = draft("custom_s3", custom_s3_endpoint=None, s3_endpoint="https://alias.example.com")

    async with account.client() as client:
        created = [data_of(await client.post(LIST, json=body), 201) for body in (amazon, custom)]
        changes = ({"s3_region": "eu-west-2"}, {"s3_endpoint": "https://other.example.com", **KEYS})
        updated = [
            data_of(await client.put(at(data["id"]), json=body)) for data, body in zip(created, changes, strict=True)
        ]

    assert (created[0]["s3_region"], created[1]["s3_endpoint"]) == ("eu-west-1", "https://alias.example.com")
    assert (updated[0]["s3_region"], updated[1]["s3_endpoint"]) == ("eu-west-2", "https://other.example.com")


async def test_the_requests_own_name_wins_over_the_alias(gateway: Gateway) -> None:
    """A client that puts an answer back and adds its change means the change, in whatever order it is written."""
    account = await gateway.new_user()
    change = {"custom_s3_region": "eu-north-1"}

    async with account.client() as client:
        shown = data_of(await client.get(at(await made(client, "s3"))))
        for body in (shown | change, change | shown | change):
            assert data_of(await client.put(at(shown["id"]), json=body))["s3_region"] == "eu-north-1"
        endpoints = {"s3_endpoint": "https://alias.example.com", "custom_s3_endpoint": "https://own.example.com"}
        created = data_of(await client.post(LIST, json=draft("custom_s3") | endpoints), 201)

    assert created["s3_endpoint"] == "https://own.example.com"


async def test_a_violation_is_told_under_the_requests_own_name(gateway: Gateway) -> None:
    """Also when the alias was sent."""
    account = await gateway.new_user()

    async with account.client() as client:
        answer = await client.put(at(await made(client, "custom_s3")), json={"s3_region": 5, "s3_endpoint": "nowhere"})

    assert violations(answer) == {
        "custom_s3_region": ["The custom s3 region field must be a string."],
        "custom_s3_endpoint": ["The custom s3 endpoint field must be a valid URL."],
    }


async def test_the_region_of_a_custom_s3_can_be_set_and_cleared(gateway: Gateway) -> None:
    """With null or an empty string; the answer shows no region for this type."""
    account = await gateway.new_user()

    async with account.client() as client:
        id_ = await made(client, "custom_s3", custom_s3_region="garage")
        regions = [(await stored(gateway, id_))["region"]]
        for value in (None, "again", ""):
            data_of(await client.put(at(id_), json={"custom_s3_region": value}))
            regions.append((await stored(gateway, id_))["region"])

    assert regions == ["garage", None, "again", None]


@pytest.mark.parametrize("empty", [None, "", "  \t\n"])
async def test_a_required_field_cannot_be_cleared(gateway: Gateway, empty: str | None) -> None:
    """Empty is empty: null, nothing, or only spaces."""
    account = await gateway.new_user()
    fields = ("s3_access_key", "s3_secret_key", "s3_bucket_name", "custom_s3_region", "path_style_endpoint")

    async with account.client() as client:
        errors = violations(
            await client.put(at(await made(client, "s3")), json=dict.fromkeys(("label", *fields), empty))
        )

    assert errors.pop("label") == ["The label field is required."]
    boolean = errors.pop("path_style_endpoint")
    assert errors == {
        name: [f"The {name.replace('_', ' ')} field is required when type is s3."] for name in fields[:-1]
    }
    assert len(boolean) == 1


async def test_strings_are_trimmed_before_they_are_judged_and_stored(gateway: Gateway) -> None:
    """300 characters of which 45 are spaces around it are 255."""
    account = await gateway.new_user()
    body = draft("s3", label="\t Étiquette\u00a0\n", type=" s3 ", s3_bucket_name=" " * 45 + "b" * 255, s3_region=" eu ")

    async with account.client() as client:
        data = data_of(await client.post(LIST, json=body | {"custom_s3_region": "  eu-west-1 "}), 201)

    assert (data["label"], data["s3_bucket_name"], data["s3_region"]) == ("Étiquette", "b" * 255, "eu-west-1")


async def test_lengths_count_characters(gateway: Gateway) -> None:
    """255 of any alphabet fit, 256 do not."""
    account = await gateway.new_user()

    async with account.client() as client:
        fitting = await client.post(LIST, json=draft("local", label="🗄" * 255))
        longer = await client.post(LIST, json=draft("local", label="🗄" * 256))

    assert data_of(fitting, 201)["label"] == "🗄" * 255
    assert violations(longer) == {"label": ["The label field must not be greater than 255 characters."]}


async def test_booleans_have_six_spellings(gateway: Gateway) -> None:
    """And come back as JSON booleans; anything else is refused as no boolean."""
    account = await gateway.new_user()

    async with account.client() as client:
        id_ = await made(client, "s3")
        for name, spellings in BOOLEANS.items():
            for spelling in spellings:
                data = data_of(await client.put(at(id_), json={"path_style_endpoint": spelling}))
                assert data["path_style_endpoint"] is (name == "true"), spelling
        for value in NO_BOOLEANS:
            errors = violations(await client.put(at(id_), json={"path_style_endpoint": value}))
            assert errors == {"path_style_endpoint": ["The path style endpoint field must be true or false."]}, value


async def test_a_change_of_type_alone_names_what_the_new_type_lacks(gateway: Gateway) -> None:
    """The rules are those of the merged row."""
    account = await gateway.new_user()
    lacking = {
        ("local", "s3"): [*CREDENTIALS, "s3_bucket_name", "custom_s3_region", "path_style_endpoint"],
        ("local", "custom_s3"): [*CREDENTIALS, "s3_bucket_name", "custom_s3_endpoint", "path_style_endpoint"],
        ("custom_s3", "s3"): ["custom_s3_region"],
        ("s3", "custom_s3"): ["custom_s3_endpoint"],
    }

    async with account.client() as client:
        for (old, new), fields in lacking.items():
            errors = violations(await client.put(at(await made(client, old)), json={"type": new}))
            assert errors == {
                name: [f"The {name.replace('_', ' ')} field is required when type is {new}."] for name in fields
            }


async def test_a_change_of_type_drops_what_the_old_type_alone_had(gateway: Gateway) -> None:
    """What both have stays but for the keys, which are for one store; going back asks for the rest anew."""
    account = await gateway.new_user()

    async with account.client() as client:
        id_ = await made(client, "custom_s3")
        before = await stored(gateway, id_)
        to_amazon = data_of(await client.put(at(id_), json={"type": "s3", "custom_s3_region": "eu-west-1", **KEYS}))
        as_amazon = await stored(gateway, id_)
        back = violations(await client.put(at(id_), json={"type": "custom_s3"}))
        data_of(await client.put(at(id_), json={"type": "local"}))
        as_local = await stored(gateway, id_)

    assert (to_amazon["type"], to_amazon["type_human"]) == ("s3", "Amazon S3")
    assert as_amazon["endpoint"] is None
    assert as_amazon["bucket_name"] == before["bucket_name"]
    assert all(as_amazon[name] != before[name] for name in ("access_key", "secret_key"))
    assert list(back) == ["custom_s3_endpoint"]
    assert [as_local[name] for name in KIND_COLUMNS] == [None] * len(KIND_COLUMNS)
    assert as_local["credentials_set_at"] is None
