"""A check through GraphQL, against a real store and a scripted one: what it reports, and what it leaves as it was."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from models.checks.report import REMEDIES, CheckCode, CheckDepth
from models.vault.secret import Secret
from tests.support.api.destinations import FORBIDDEN, MISSING, NOT_FOUND, TIMESTAMP, at, backdate, events_of
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import ask, code_of, data_of, over_socket
from tests.support.graphql.graphql_documents import (
    CHECK,
    CHECKED,
    CREATE,
    EVENTS,
    LISTEN,
    TEST,
    UPDATE,
    destination_id,
    draft,
)
from tests.support.graphql.graphql_operations import NOT_CHECKABLE
from tests.support.ports import free_port
from tests.support.stores.moto_store import Keys, MotoStore
from tests.support.stores.peers import MemoryStore, error, listening, only_in

LIST, WRITE, READ, DELETE = "s3:ListBucket", "s3:PutObject", "s3:GetObject", "s3:DeleteObject"
ALL = (LIST, WRITE, READ, DELETE)
VIEWS = (
    """
query ($id: ID!) {
  backupDestination(id: $id) { ...Checked }
  node(id: $id) { ...Checked }
  backupDestinations(first: 1) { edges { node { ...Checked } } }
}
"""
    + CHECKED
)
NOBODY = Keys(Secret("AKIANOBODY"), Secret("hunter22"))
HELD = "SELECT (SELECT count(*) FROM backup_destinations) AS rows, (SELECT count(*) FROM events) AS events, "
HELD += "(SELECT revision FROM users WHERE id = {}) AS revision"
DENIED = "http://10.11.12.13:9000"


@pytest.fixture(scope="module")
def bucket(moto_store: MotoStore) -> str:
    """An empty bucket for all of these tests."""
    return moto_store.new_bucket(f"nightly-{uuid4().hex}")


@pytest.fixture(scope="module")
def keys(moto_store: MotoStore) -> Keys:
    """Keys that may do what a backup does."""
    return moto_store.new_keys(*ALL)


def there(endpoint: str, bucket: str = "nightly", keys: Keys = NOBODY, **changes: Any) -> dict[str, Any]:
    """A create input for a store."""
    credentials = {"accessKey": keys.access_key.reveal(), "secretKey": keys.secret_key.reveal()}
    given = {"endpoint": endpoint, "bucketName": bucket, "pathStyleEndpoint": True, "credentials": credentials}
    return draft("customS3", **given | changes)


async def made(account: Account, given: dict[str, Any]) -> dict[str, str]:
    """The id of a new destination, as variables."""
    result = (await data_of(account, CREATE, {"input": given}))["result"]
    return {"id": result["backupDestination"]["id"]}


async def views_of(account: Account, id_: dict[str, str]) -> list[Any]:
    """The destination in each place where it is shown."""
    data = await data_of(account, VIEWS, id_)
    return [data["backupDestination"], data["node"], data["backupDestinations"]["edges"][0]["node"]]


def outcomes(report: dict[str, Any]) -> str:
    """One letter a rung, in order."""
    assert [step["name"] for step in report["steps"]] == list(CheckDepth.FULL.steps)
    return "".join(step["outcome"][0] for step in report["steps"])


def failure(report: dict[str, Any]) -> tuple[str, str]:
    """The step that failed and why; its remedy is the code's, and no other step has one."""
    (step,) = (step for step in report["steps"] if step["outcome"] == "FAILED")
    assert {(s["code"], s["remedy"]) for s in report["steps"] if s is not step} == {(None, None)}
    assert step["remedy"] == REMEDIES[CheckCode(step["code"])].text
    assert not report["reachable"]
    return step["name"], step["code"]


async def test_good_keys_pass_every_rung_and_every_view_shows_the_report(
    gateway: Gateway, moto_store: MotoStore, bucket: str, keys: Keys
) -> None:
    """Before it there is none; TLS is skipped where the endpoint wants none."""
    account = await gateway.new_user()
    id_ = await made(account, there(moto_store.url, bucket, keys))
    before = await views_of(account, id_)

    result = (await data_of(account, CHECK, id_))["result"]

    report = result["report"]
    assert before == [{"reachability": "UNKNOWN", "lastCheck": None}] * 3
    assert (outcomes(report), report["reachable"], report["suggestion"]) == ("PPSPPPPPP", True, None)
    assert {(step["code"], step["remedy"]) for step in report["steps"]} == {(None, None)}
    assert all(0 <= step["durationMs"] < 10_000 for step in report["steps"])
    assert TIMESTAMP.fullmatch(report["checkedAt"])
    after = {"reachability": "REACHABLE", "lastCheck": report}
    assert result["backupDestination"] == after
    assert await views_of(account, id_) == [after] * 3
    assert moto_store.keys_in(bucket) == []


async def test_each_failure_is_on_its_rung_with_its_code_and_remedy(
    gateway: Gateway, moto_store: MotoStore, bucket: str, keys: Keys
) -> None:
    """Of what is stored and of what is only tried alike."""
    account, store = await gateway.new_user(), moto_store.url
    cases = {
        ("RESOLVE", "ENDPOINT_NOT_ALLOWED"): there(DENIED),
        ("CONNECT", "CONNECT_FAILED"): there(f"http://127.0.0.1:{free_port()}"),
        ("AUTHENTICATE", "SIGNATURE_MISMATCH"): there(store, bucket, Keys(keys.access_key, Secret("hunter22"))),
        ("AUTHENTICATE", "INVALID_ACCESS_KEY"): there(store, bucket),
        ("BUCKET", "NO_SUCH_BUCKET"): there(store, f"missing-{uuid4().hex}", keys),
        ("LIST", "ACCESS_DENIED"): there(store, bucket, moto_store.new_keys(WRITE, READ, DELETE)),
        ("WRITE", "ACCESS_DENIED"): there(store, bucket, moto_store.new_keys(LIST, READ, DELETE)),
    }

    for expected, given in cases.items():
        id_ = await made(account, given)
        checked = (await data_of(account, CHECK, id_))["result"]
        tried = (await data_of(account, TEST, {"input": given}))["result"]

        assert failure(checked["report"]) == failure(tried["report"]) == expected
        assert outcomes(checked["report"]) == outcomes(tried["report"])
        assert checked["backupDestination"] == {"reachability": "UNREACHABLE", "lastCheck": checked["report"]}
    assert moto_store.keys_in(bucket) == []


async def test_a_read_only_check_ends_with_the_listing(gateway: Gateway, moto_store: MotoStore, bucket: str) -> None:
    account = await gateway.new_user()
    given = there(moto_store.url, bucket, moto_store.new_keys(LIST))
    id_ = await made(account, given)

    for depth, expected in (("READ_ONLY", "PPSPPPSSS"), ("FULL", "PPSPPPFSS")):
        checked = await data_of(account, CHECK, {**id_, "depth": depth})
        tried = await data_of(account, TEST, {"input": given, "depth": depth})
        assert outcomes(checked["result"]["report"]) == outcomes(tried["result"]["report"]) == expected


async def test_a_check_leaves_rests_answer_as_it_was_to_the_byte(gateway: Gateway) -> None:
    """`updated_at` is of the attributes."""
    account = await gateway.new_user()
    async with listening(MemoryStore().script) as peer, account.client() as client:
        id_ = await made(account, there(peer.url))
        number = int(id_["id"].partition(":")[2])
        await backdate(gateway, number)
        before = [(await client.get(path)).content for path in (at(number), "/api/backup-destinations")]

        assert (await data_of(account, CHECK, id_))["result"]["report"]["reachable"]

        after = [(await client.get(path)).content for path in (at(number), "/api/backup-destinations")]
    assert before == after
    assert b'"updated_at":"2024-08-07T00:00:00Z"' in after[0]


async def test_a_suggestion_can_be_applied_and_the_next_check_passes(gateway: Gateway) -> None:
    """Between the two nothing is known of the destination."""
    account = await gateway.new_user()
    wrong = error("400 Bad Request", "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>")
    async with listening(MemoryStore(only_in("eu-west-1", wrong)).script) as peer:
        id_ = await made(account, there(peer.url))
        first = (await data_of(account, CHECK, id_))["result"]["report"]
        assert failure(first) == ("BUCKET", "WRONG_REGION")

        changes = {name: value for name, value in first["suggestion"].items() if value is not None}
        await data_of(account, UPDATE, {**id_, "input": changes})
        between = await views_of(account, id_)
        second = (await data_of(account, CHECK, id_))["result"]["report"]

    assert changes == {"region": "eu-west-1"}
    assert between == [{"reachability": "UNKNOWN", "lastCheck": None}] * 3
    assert (second["reachable"], second["suggestion"]) == (True, None)


async def test_a_check_that_cannot_be_made_is_a_problem_in_words(gateway: Gateway) -> None:
    account, stranger = await gateway.new_user(), await gateway.new_user()
    foreign, local = await stranger.create("s3"), await account.create("local")

    answers = [await ask(account, CHECK, {"id": destination_id(id_)}) for id_ in (local, foreign, MISSING)]
    answers.append(await ask(account, TEST, {"input": draft("local")}))

    assert [answer["data"]["result"] for answer in answers] == [
        {"__typename": "NotCheckableProblem", "message": NOT_CHECKABLE},
        {"__typename": "ForbiddenProblem", "message": FORBIDDEN},
        {"__typename": "NotFoundProblem", "message": NOT_FOUND},
        {"__typename": "NotCheckableProblem", "message": NOT_CHECKABLE},
    ]
    for id_ in ("", "x", "1", "User:1", "BackupDestination:0", "BackupDestination:x"):
        assert code_of(await ask(account, CHECK, {"id": id_})) == "BAD_USER_INPUT"
    assert code_of(await ask(account, CHECK, {"id": destination_id(local), "depth": None})) == "BAD_USER_INPUT"
    assert [event["kind"] for event in await events_of(gateway, stranger.user_id)] == ["created"]


async def test_what_is_only_tried_is_held_to_the_same_rules_and_stored_nowhere(gateway: Gateway) -> None:
    """No row, no event, and no cache grows old."""
    account = await gateway.new_user()
    before = await gateway.rows(HELD.format(account.user_id))
    broken = [
        draft("customS3", endpoint="ftp://x", label="", bucketName=""),
        draft("amazonS3", region="x" * 256, credentials={"accessKey": "", "secretKey": ""}),
        draft("local", label="x" * 256),
    ]

    for given in broken:
        tried, created = [(await data_of(account, q, {"input": given}))["result"] for q in (TEST, CREATE)]
        assert tried["__typename"] == "ValidationProblem"
        assert tried == created
    tried = (await data_of(account, TEST, {"input": there(DENIED)}))["result"]

    assert failure(tried["report"]) == ("RESOLVE", "ENDPOINT_NOT_ALLOWED")
    assert await gateway.rows(HELD.format(account.user_id)) == before


async def test_a_check_is_told_to_whoever_listens_and_in_the_audit_log(gateway: Gateway) -> None:
    account = await gateway.new_user()
    id_ = await made(account, there(DENIED))
    log = await data_of(account, EVENTS, {"first": 1})
    async with over_socket(account, LISTEN, {"after": log["events"]["edges"][0]["node"]["id"]}) as listener:
        await data_of(account, CHECK, id_)
        await data_of(account, CHECK, id_)
        events = [event for _ in range(2) for event in await listener.events(2)]
    kinds = [event["__typename"] for event in events]
    begun = [event for event in events if event["__typename"] == "BackupDestinationChecking"]
    heard = [event for event in events if event not in begun]

    shown = [edge["node"] for edge in (await data_of(account, EVENTS, {"first": 2}))["events"]["edges"]]
    assert heard == shown[::-1]
    assert [(e["__typename"], e["backupDestinationId"], e["protocol"], e["tokenName"]) for e in heard] == [
        ("BackupDestinationChecked", id_["id"], "GRAPHQL", "test")
    ] * 2
    assert [event["__typename"] for event in begun] == ["BackupDestinationChecking"] * 2
    assert kinds[0] == "BackupDestinationChecking", "what is stored is read, and may come behind the next that begins"
    assert kinds[-1] == "BackupDestinationChecked"
    assert [(event["reachable"], event["backupDestination"]["label"]) for event in heard] == [
        (False, "A customS3 destination")
    ] * 2
