"""Grants in both APIs: who gets them, what they say, what stays of them, and that no signature does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.accounts import accounts
from tests.support.api.destinations import FORBIDDEN, MISSING, NOT_FOUND, at, events_of
from tests.support.api.operations import NOT_GRANTABLE
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import ask
from tests.support.graphql.graphql_documents import GRANT, destination_id

ABILITIES = ("*", "use-backup-destinations")
STORE = "http://127.0.0.1:9"
"""An address that the gateways of the tests may connect to; nothing listens there, and no grant tries."""
ODD = "nightly/ä +?&%25.dump"
EVENTS = """
query { events(first: 5, filter: { kinds: [ACCESS_GRANTED] }) { edges { node {
  __typename tokenName protocol backupDestinationId
  ... on BackupDestinationAccessGranted { operations keys prefix expiresAt backupDestination { label } }
} } } }
"""


@pytest.fixture(scope="module")
def generous() -> Iterator[Gateway]:
    """A gateway where `*` includes the ability, grants are short and few requests are allowed."""
    gateway = Gateway(
        s3_allow="127.0.0.1", wildcard_includes_use="true", grant_max_age="60s", rate_limit="12/hour"
    ).start()
    yield gateway
    gateway.close()


async def grant(account: Account, id_: int, status: int = 201, **body: Any) -> dict[str, Any]:
    """A grant by REST: what is under `data`, or the body of the refusal."""
    async with account.client() as client:
        answer = await client.post(f"{at(id_)}/grants", json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    said: dict[str, Any] = answer.json()
    if status != 201:
        return said
    data: dict[str, Any] = said["data"]
    return data


async def grant_by_graphql(account: Account, id_: int, **given: Any) -> dict[str, Any]:
    """The same by GraphQL: the result, a payload or a problem."""
    answer = await ask(account, GRANT, {"id": destination_id(id_), "input": given})
    assert "errors" not in answer, answer
    result: dict[str, Any] = answer["data"]["result"]
    return result


async def test_both_apis_sign_the_same_request(gateway: Gateway) -> None:
    account = await gateway.new_user(ABILITIES)
    id_ = await account.create(custom_s3_endpoint=STORE, s3_access_key="AKIAIOSFODNN7EXAMPLE")
    bound = {"content-length": "5", "content-type": "text/plain"}

    by_rest = await grant(account, id_, operations=["put"], key=ODD, content_length=5, content_type="text/plain")
    by_graphql = await grant_by_graphql(
        account, id_, operations=["PUT"], key=ODD, contentLength=5, contentType="text/plain"
    )

    (one,), (other,) = by_rest["requests"], by_graphql["requests"]
    url, signed = one["url"].split("&X-Amz-Date=")
    assert url == (
        f"{STORE}/nightly/nightly/%C3%A4%20%2B%3F%26%2525.dump?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
        f"AKIAIOSFODNN7EXAMPLE%2F{signed[:8]}%2Fus-east-1%2Fs3%2Faws4_request"
    )
    assert "X-Amz-Expires=900&X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost&X-Amz-Signature=" in signed
    assert other["url"].startswith(url)
    assert {**one, "url": ""} == {
        "operation": "put",
        "key": ODD,
        "part_number": None,
        "method": "PUT",
        "url": "",
        "headers": bound,
    }
    assert (other["operation"], other["key"], other["partNumber"], other["method"]) == ("PUT", ODD, None, "PUT")
    assert {header["name"]: header["value"] for header in other["headers"]} == bound
    for said in (by_rest["expires_at"], by_graphql["expiresAt"]):
        left = datetime.fromisoformat(said) - datetime.now(UTC)
        assert timedelta(minutes=10) < left <= timedelta(minutes=15)


async def test_a_grant_is_an_event_an_entry_of_the_audit_and_a_row_and_its_signature_is_nowhere(
    gateway: Gateway,
) -> None:
    account = await gateway.new_user(ABILITIES)
    id_ = await account.create(custom_s3_endpoint=STORE)
    token_id = int(account.token.partition("|")[0])

    granted = await grant(account, id_, operations=["list", "get"], prefix="db/", keys=["db/a", "db/b"], expires_in=60)

    assert [(request["operation"], request["key"]) for request in granted["requests"]] == [
        ("list", None),
        ("get", "db/a"),
        ("get", "db/b"),
    ]
    (edge,) = (await ask(account, EVENTS))["data"]["events"]["edges"]
    assert edge["node"] == {
        "__typename": "BackupDestinationAccessGranted",
        "tokenName": "test",
        "protocol": "REST",
        "backupDestinationId": destination_id(id_),
        "operations": ["LIST", "GET"],
        "keys": ["db/a", "db/b"],
        "prefix": "db/",
        "expiresAt": granted["expires_at"],
        "backupDestination": {"label": "A custom_s3 destination"},
    }
    (entry,) = await gateway.rows(
        f"SELECT * FROM audit WHERE kind = 'destination_access_granted' AND subject = 'destination {id_}'"  # noqa: S608 - our own integer
    )
    assert (entry["actor"], entry["user_id"], entry["token_id"], entry["protocol"]) == (
        "user",
        account.user_id,
        token_id,
        "rest",
    )
    assert entry["address"] == "127.0.0.1"
    said = json.loads(entry["detail"])["granted"]
    assert {**said, "expires_at": ""} == {
        "operations": ["list", "get"],
        "keys": ["db/a", "db/b"],
        "prefix": "db/",
        "expires_at": "",
    }
    rows = await gateway.rows(
        f"SELECT operation, object_key, prefix, token_id, user_id FROM access_grants WHERE destination_id = {id_} "  # noqa: S608 - our own integer
        "ORDER BY operation, object_key"
    )
    common = {"prefix": "db/", "token_id": token_id, "user_id": account.user_id}
    assert rows == [
        {"operation": "get", "object_key": "db/a", **common},
        {"operation": "get", "object_key": "db/b", **common},
        {"operation": "list", "object_key": None, **common},
    ]
    signatures = [request["url"].partition("X-Amz-Signature=")[2] for request in granted["requests"]]
    stored = [
        str(await gateway.rows(f"SELECT * FROM {table}"))  # noqa: S608 - our own names
        for table in ("access_grants", "events", "audit")
    ]
    assert all(len(signature) == 64 for signature in signatures)
    assert not any(signature in text for signature in signatures for text in (*stored, gateway.log_text()))


async def test_a_request_that_breaks_rules_is_told_all_of_them_in_the_form_of_each_api(gateway: Gateway) -> None:
    account = await gateway.new_user(ABILITIES)
    id_ = await account.create(custom_s3_endpoint=STORE)

    refused = await grant(account, id_, 422, operations=["put"], key="a/../b", expires_in=100_000)
    problem = await grant_by_graphql(account, id_, operations=["PUT"], key="a/../b", expiresIn=100_000)

    of_key = "The key field must have no `.` or `..` part between slashes."
    of_time = "The expires in field must be an integer from 1 to 86400."
    assert refused == {
        "error": "Unprocessable Entity",
        "message": f"{of_key} (and 1 more error)",
        "errors": {"key": [of_key], "expires_in": [of_time]},
    }
    assert problem == {
        "__typename": "ValidationProblem",
        "message": f"{of_key} (and 1 more error)",
        "violations": [
            {"path": ["key"], "code": "MALFORMED", "message": of_key},
            {"path": ["expiresIn"], "code": "MALFORMED", "message": of_time},
        ],
    }
    assert [event for event in await events_of(gateway, account.user_id) if event["kind"] == "access_granted"] == []


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"operation": "put", "key": "a", "bogus": 1}, {"bogus": "The bogus field is not one of a grant."}),
        (
            {"operation": "put", "operations": ["get"], "key": "a"},
            {"operation": "The operation field does not go together with operations."},
        ),
        (
            {"operation": "put", "key": "a", "contentLength": 5, "x" * 1_000: 1},
            {
                "contentLength": "The contentLength field is not one of a grant.",
                "x" * 64: f"The {'x' * 64} field is not one of a grant.",
            },
        ),
    ],
)
async def test_a_field_that_would_have_no_effect_is_refused_by_its_name(
    gateway: Gateway, body: dict[str, Any], errors: dict[str, str]
) -> None:
    account = await gateway.new_user(ABILITIES)
    id_ = await account.create(custom_s3_endpoint=STORE)

    refused = await grant(account, id_, 422, **body)

    assert refused["error"] == "Unprocessable Entity"
    assert refused["errors"] == {name: [sentence] for name, sentence in errors.items()}
    assert refused["message"].startswith(next(iter(errors.values())))
    rows = await gateway.rows(f"SELECT id FROM access_grants WHERE destination_id = {id_}")  # noqa: S608 - our own integer
    assert rows == []


async def test_a_form_with_a_field_that_is_not_one_of_a_grant_is_refused(gateway: Gateway) -> None:
    account = await gateway.new_user(ABILITIES)
    id_ = await account.create(custom_s3_endpoint=STORE)

    async with account.client() as client:
        form = await client.post(f"{at(id_)}/grants", data={"operation": "get", "key": "a", "bogus": "1"})
        document = (await client.get("/api/openapi.json")).json()["components"]["schemas"]

    assert (form.status_code, list(form.json()["errors"])) == (422, ["bogus"])
    assert [document[name]["additionalProperties"] for name in ("NewGrant", "NewGrantForm")] == [False, False]


async def test_a_form_is_taken_and_neither_text_nor_a_broken_body_is(gateway: Gateway) -> None:
    account = await gateway.new_user(ABILITIES)
    id_ = await account.create(custom_s3_endpoint=STORE)

    async with account.client() as client:
        form = await client.post(f"{at(id_)}/grants/", data={"operation": "get", "key": " a ", "expires_in": "60"})
        without_prefix = await client.post(f"{at(id_)}/grants".removeprefix("/api"), data={"operation": "list"})
        text = await client.post(f"{at(id_)}/grants", content=b"x", headers={"content-type": "text/plain"})
        broken = await client.post(f"{at(id_)}/grants", content=b"{", headers={"content-type": "application/json"})
        read = await client.get(f"{at(id_)}/grants")

    assert form.json()["data"]["requests"][0]["key"] == " a "
    assert without_prefix.json()["data"]["requests"][0]["url"].startswith(f"{STORE}/nightly?list-type=2&prefix=&")
    assert [answer.status_code for answer in (form, without_prefix, text, broken, read)] == [201, 201, 415, 400, 405]
    assert read.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("kind", "changes", "code"),
    [
        ("local", {}, None),
        ("custom_s3", {"custom_s3_endpoint": "http://10.0.0.5:9000"}, "ENDPOINT_NOT_ALLOWED"),
        ("custom_s3", {"custom_s3_endpoint": "http://169.254.169.254"}, "ENDPOINT_NOT_ALLOWED"),
        ("custom_s3", {"custom_s3_endpoint": "http://nowhere.invalid"}, "DNS_FAILURE"),
        ("s3", {"custom_s3_region": "nowhere"}, "WRONG_REGION"),
    ],
)
async def test_a_destination_without_a_store_that_may_be_reached_is_a_typed_problem(
    gateway: Gateway, kind: str, changes: dict[str, Any], code: str | None
) -> None:
    account = await gateway.new_user(ABILITIES)
    id_ = await account.create(kind, **changes)

    refused = await grant(account, id_, 409, operations=["get"], key="a")
    problem = await grant_by_graphql(account, id_, operations=["GET"], key="a")

    assert refused["error"] == "Conflict"
    assert refused["message"] == problem["message"]
    if code is None:
        assert (problem["__typename"], problem["message"]) == ("NotGrantableProblem", NOT_GRANTABLE)
    else:
        assert (problem["__typename"], problem["code"]) == ("StoreProblem", code)


async def test_credentials_that_do_not_open_are_a_problem(gateway: Gateway) -> None:
    account = await gateway.new_user(ABILITIES)
    id_, other = [await account.create(custom_s3_endpoint=STORE) for _ in range(2)]
    await gateway.rows(
        f"UPDATE backup_destinations SET secret_key = (SELECT secret_key FROM backup_destinations WHERE id = {other}) "  # noqa: S608 - our own integers
        f"WHERE id = {id_}"
    )

    problem = await grant_by_graphql(account, id_, operations=["GET"], key="a")

    assert (problem["__typename"], problem["code"]) == ("StoreProblem", "SECRET_UNREADABLE")


async def test_the_largest_grant_and_a_page_of_its_like_fit_into_an_answer(gateway: Gateway) -> None:
    """What an answer may have is known before it is made; neither is refused for its size, and neither is larger."""
    account = await gateway.new_user(["*", "use-backup-destinations"])
    id_ = await account.create(custom_s3_endpoint=STORE)
    keys = [f"{number:02}/{'ä' * 80}" for number in range(99)]

    parts = {"key": "ä" * 512, "uploadId": "+" * 1_024, "partNumbers": list(range(1, 101))}
    largest = await grant_by_graphql(account, id_, operations=["UPLOAD_PART"], contentLength=5, **parts)
    for _ in range(15):
        await grant(account, id_, operations=["get"], prefix="", keys=None, key="a")
        await grant(account, id_, operations=["delete"], prefix="0", keys=[key for key in keys if key[0] == "0"])
    page = await ask(account, EVENTS.replace("first: 5", "first: 15"))

    assert len(largest["requests"]) == 100
    assert len(str(largest)) < 1_048_576
    assert len(page["data"]["events"]["edges"]) == 15


async def test_a_grant_under_an_idempotency_key_is_another_each_time_and_none_is_stored(gateway: Gateway) -> None:
    """To repeat the first answer, its signatures would have to be kept."""
    account = await gateway.new_user(ABILITIES)
    id_ = await account.create(custom_s3_endpoint=STORE)
    variables = {"id": destination_id(id_), "input": {"operations": ["GET"], "key": "a"}}

    async with account.client(**{"Idempotency-Key": "the-same-each-time"}) as client:
        by_rest = [
            await client.post(f"{at(id_)}/grants", json={"operation": "get", "key": key}) for key in ("a", "a", "b")
        ]
        by_graphql = [await client.post("/graphql", json={"query": GRANT, "variables": variables}) for _ in range(2)]

    assert [answer.status_code for answer in by_rest] == [201, 201, 201]
    assert all("X-Amz-Signature" in answer.text for answer in (*by_rest, *by_graphql))
    of_user = f"SELECT * FROM idempotency_keys WHERE user_id = {account.user_id}"  # noqa: S608 - our own integer
    assert "X-Amz" not in str(await gateway.rows(of_user))
    of_grants = f"SELECT id FROM access_grants WHERE destination_id = {id_}"  # noqa: S608 - our own integer
    assert len(await gateway.rows(of_grants)) == 5


async def test_rows_of_others_and_missing_ones_are_refused_before_the_body_is_read(gateway: Gateway) -> None:
    account, stranger = await gateway.new_user(ABILITIES), await gateway.new_user()
    foreign = await stranger.create(custom_s3_endpoint=STORE)

    assert (await grant(account, foreign, 403))["message"] == FORBIDDEN
    assert (await grant(account, MISSING, 404))["message"] == NOT_FOUND
    assert (await grant_by_graphql(account, foreign, operations=[]))["__typename"] == "ForbiddenProblem"
    assert (await grant_by_graphql(account, MISSING, operations=[]))["__typename"] == "NotFoundProblem"


async def test_a_revoked_token_gets_no_new_grant(gateway: Gateway) -> None:
    account = await gateway.new_user(ABILITIES)
    id_ = await account.create(custom_s3_endpoint=STORE)
    await grant(account, id_, operations=["get"], key="a")

    async with gateway.models():
        await accounts.revoke_token(int(account.token.partition("|")[0]))

    assert (await grant(account, id_, 401, operations=["get"], key="a"))["message"] == "Unauthenticated."


async def test_the_settings_of_the_operator_hold(generous: Gateway) -> None:
    """`*` may include the ability, grants are as short as the operator says, and count as requests."""
    account = await generous.new_user()
    id_ = await account.create(custom_s3_endpoint=STORE)

    granted = await grant(account, id_, operations=["get"], key="a")
    assert "X-Amz-Expires=60&" in granted["requests"][0]["url"]
    await grant(account, id_, 422, operations=["get"], key="a", expires_in=61)
    shown = await ask(account, "{ viewer { abilities } }")
    assert "USE_BACKUP_DESTINATIONS" in shown["data"]["viewer"]["abilities"]
    for _ in range(8):
        await grant(account, id_, operations=["get"], key="a")
    await grant(account, id_, 429, operations=["get"], key="a")


async def test_what_a_deletion_would_do_is_told_before_and_it_is_done_all_the_same(gateway: Gateway) -> None:
    """By REST as documented: a destination that is in use can be deleted."""
    account = await gateway.new_user(["*", "use-backup-destinations"])
    used, unused = [await account.create(custom_s3_endpoint=STORE) for _ in range(2)]
    nothing = {"isInUse": False, "recentGrants": 0, "lastGrantedAt": None, "accessEndsAt": None}
    before = await impacts_of(account)
    granted = await grant(account, used, operations=["get", "head"], key="a")

    after = await impacts_of(account)
    async with account.client() as client:
        deleted = await client.delete(at(used))

    assert before == {destination_id(used): nothing, destination_id(unused): nothing}
    assert after[destination_id(unused)] == nothing
    told = after[destination_id(used)]
    assert (told["isInUse"], told["recentGrants"], told["accessEndsAt"]) == (True, 2, granted["expires_at"])
    assert (deleted.status_code, deleted.json()) == (200, {"message": "Backup destination successfully deleted"})


async def test_after_a_month_without_a_grant_a_destination_is_not_in_use(gateway: Gateway) -> None:
    account = await gateway.new_user(["*", "use-backup-destinations"])
    id_ = await account.create(custom_s3_endpoint=STORE)
    await grant(account, id_, operations=["get"], key="a")
    assert (await impacts_of(account))[destination_id(id_)]["isInUse"]

    for days, is_in_use in ((29, True), (31, False)):
        then = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S+00:00")
        await gateway.rows(f"UPDATE access_grants SET created_at = '{then}' WHERE destination_id = {id_}")  # noqa: S608 - our own
        assert (await impacts_of(account))[destination_id(id_)]["isInUse"] == is_in_use


async def impacts_of(account: Account) -> dict[str, dict[str, Any]]:
    """What deleting each of the user's destinations would do, by GraphQL."""
    impact = "deletionImpact { isInUse recentGrants lastGrantedAt accessEndsAt }"
    answer = await ask(account, f"{{ backupDestinations {{ nodes {{ id {impact} }} }} }}")
    return {node["id"]: node["deletionImpact"] for node in answer["data"]["backupDestinations"]["nodes"]}


async def test_old_grants_are_forgotten_with_the_next_one(gateway: Gateway) -> None:
    account = await gateway.new_user(ABILITIES)
    id_ = await account.create(custom_s3_endpoint=STORE)
    await grant(account, id_, operations=["get"], key="old")
    long_ago = "2024-08-07 00:00:00+00:00"
    await gateway.rows(f"UPDATE access_grants SET created_at = '{long_ago}' WHERE destination_id = {id_}")  # noqa: S608 - our own

    await grant(account, id_, operations=["get"], key="new")

    kept = await gateway.rows(f"SELECT object_key FROM access_grants WHERE destination_id = {id_}")  # noqa: S608 - our own integer
    assert kept == [{"object_key": "new"}]
