"""The clients that front ends use, unmodified, on real gateways: each script tells step by step what it saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schema.resolvers.definition import print_sdl
from tests.support.browser.front_ends import (
    compile_relay,
    examples,
    generate_types,
    make_project,
    write_trusted_documents,
)
from tests.support.browser.node import PACKAGES, SCRIPTS, install_clients, run_node, run_script, variables_of
from tests.support.gateway.gateway import Account, Gateway
from tests.support.paths import ROOT

LABELS = ["One", "Two", "Three", "Four", "Five"]
POSSIBLE_TYPES = ROOT / "schema" / "possibleTypes.json"
TOO_LONG = "The label field must not be greater than 255 characters."
GONE = "Backup destination not found"


@pytest.fixture(scope="module", autouse=True)
def _clients() -> None:
    install_clients()


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    """A user with five destinations in two kinds."""
    account = await gateway.new_user()
    for label in LABELS:
        await account.create("local" if label == "Two" else "custom_s3", label=label)
    return account


def by_step(lines: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What a script reported, by the name of the step."""
    return {line.pop("step"): line for line in lines}


def changed(*, first: str = "Renamed", third: str | None = "Three", made: bool = True) -> list[str]:
    """The labels of the list after changes."""
    return [first, "Two", *([third] if third else []), "Four", "Five", *(["Made"] if made else [])]


async def introspected(account: Account) -> str:
    """The schema in SDL, as graphql-js prints what it introspected."""
    return await run_node(SCRIPTS / "introspect.mjs", cwd=SCRIPTS, **variables_of(account))


async def test_graphql_js_introspects_the_schema_we_print(account: Account) -> None:
    """One-of inputs, `specifiedBy`, defaults and descriptions come through introspection, which needs no token."""
    assert (await introspected(account)).strip() == print_sdl().strip()


async def test_every_release_of_graphql_js_loads_the_schema(account: Account) -> None:
    """From 14 to 17, each by its own introspection query."""
    seen = by_step(await run_script(SCRIPTS / "versions.mjs", account))

    assert seen == {release: {"faults": [], "query": "Query"} for release in ("14", "15", "16", "17")}


async def test_apollo_client_keeps_one_cache_over_interfaces_pages_and_events(account: Account) -> None:
    """A change by mutation or by event is seen in the list without asking for the list again."""
    lines = await run_script(SCRIPTS / "apollo.mjs", account, POSSIBLE_TYPES=POSSIBLE_TYPES.read_text("utf-8"))
    seen = by_step(lines)

    assert seen["the first page"] == {"labels": LABELS[:2], "requests": 1}
    assert seen["all pages"] == {"labels": LABELS, "requests": 3}
    assert seen["renamed"] == {"labels": changed(made=False), "requests": 4}
    assert seen["created"] == {"labels": changed(), "requests": 5}
    made = {"__typename": "CustomS3Destination", "label": "Made", "bucketName": "b", "reachability": "UNKNOWN"}
    assert seen["the new one"]["made"].items() >= {**made, "endpoint": "https://s3.example.com"}.items()
    assert seen["deleted"] == {"labels": changed(third=None), "requests": 6}
    invalid, gone = seen["problems"]["problems"]
    assert (invalid["__typename"], invalid["message"]) == ("ValidationProblem", TOO_LONG)
    assert invalid["violations"] == [{"__typename": "Violation", "path": ["label"], "code": "TOO_LONG"}]
    assert gone == {"__typename": "NotFoundProblem", "message": GONE}
    assert seen["an error"] == {"caught": True, "code": "BAD_USER_INPUT"}
    assert seen["heard of"] == {"labels": changed(first="From elsewhere", third=None), "requests": 0}


async def test_urql_with_graphcache_knows_the_schema_and_takes_mutations_into_the_list(account: Account) -> None:
    """Pages are joined, no query is repeated, nothing is warned of; events come over its own fetch."""
    seen = by_step(await run_script(SCRIPTS / "urql.mjs", account))

    assert seen["two pages"] == {"first": ["Five", "Four"], "joined": ["Five", "Four", "One", "Three"], "requests": 2}
    assert (seen["listed"]["labels"], seen["listed"]["requests"]) == (LABELS, 3)
    assert seen["listed"]["one"].items() >= {"label": "One", "bucketName": "nightly"}.items()
    assert (seen["renamed"]["labels"], seen["renamed"]["requests"]) == (changed(made=False), 4)
    assert (seen["created"]["labels"], seen["created"]["requests"]) == (changed(), 5)
    assert (seen["deleted"]["labels"], seen["deleted"]["requests"]) == (changed(third=None), 6)
    violations = [{"path": ["local", "label"], "code": "TOO_LONG"}]
    assert seen["too long"]["answer"] == {"message": TOO_LONG, "violations": violations}
    assert seen["gone"]["answer"] == {"message": GONE}
    assert seen["heard of"]["labels"] == changed(first="Heard of", third=None)
    assert seen["an error"] == {"code": "BAD_USER_INPUT", "warnings": []}


async def test_relay_compiles_its_operations_and_runs_them(account: Account, tmp_path: Path) -> None:
    """Fragments on interfaces, a connection by pages, edges in and out, an object refetched through `node`, events."""
    relay = make_project(tmp_path, await introspected(account)) / "relay"
    await compile_relay(relay, NewDestination=examples("graphql")[0])

    seen = by_step(await run_script(relay / "main.js", account))

    assert seen["queried"] == {"person": {"name": "Test", "email": account.email}, "total": 5}
    assert seen["the first page"] == {"labels": LABELS[:2], "requests": 1}
    assert seen["all pages"] == {"labels": LABELS, "requests": 3}
    assert seen["renamed"] == {"labels": changed(made=False), "requests": 4}
    assert seen["created"] == {"labels": changed(), "requests": 5}
    assert seen["deleted"] == {"labels": changed(third=None), "requests": 6}
    problem = {"__typename": "NotFoundProblem", "message": GONE}
    assert seen["a problem"]["answer"] == {"updateBackupDestination": problem}
    assert seen["refetched through node"] == {"labels": changed(first="From elsewhere", third=None), "requests": 8}
    assert seen["heard of"] == {"labels": changed(first="Heard of", third=None), "requests": 8}


async def test_code_generator_makes_types_that_a_strict_compiler_accepts(account: Account, tmp_path: Path) -> None:
    """The program is checked against the schema, one-of inputs and all; the settings are the manual's."""
    program = make_project(tmp_path, await introspected(account)) / "codegen"
    await generate_types(program)
    await run_node(PACKAGES / "typescript" / "bin" / "tsc", "--project", ".", cwd=program)

    [seen] = await run_script(program / "built" / "program.js", account)

    assert (seen["made"], seen["refused"]) == ("Typed: a directory", "local.label REQUIRED")
    stores = [label for label in LABELS if label != "Two"]
    assert seen["listed"] == [f"{label}: nightly at https://s3.example.com, unknown" for label in stores]


async def test_graphql_ws_loses_no_event_when_its_connection_is_lost(account: Account) -> None:
    """Queries, mutations and events share a socket; what went wrong in an operation leaves it open."""
    seen = by_step(await run_script(SCRIPTS / "socket.mjs", account))

    assert seen["queried"] == {"viewer": {"databaseId": account.user_id}}
    created = {"__typename": "BackupDestinationCreated", "protocol": "REST", "tokenName": "test"}
    local = {"__typename": "LocalDestination"}
    event = {**created, "backupDestination": {**local, "label": "Through REST"}}
    assert seen["heard"]["event"].items() >= event.items()
    deleted = {"__typename": "BackupDestinationDeleted", "protocol": "GRAPHQL", "label": "Through REST"}
    assert seen["mutated"]["event"].items() >= deleted.items()
    assert seen["mutated"]["answer"]["data"]["deleteBackupDestination"]["deletedId"].startswith("BackupDestination:")
    assert seen["reconnected"]["dials"] == 1
    missed = {**created, "backupDestination": {**local, "label": "While away"}}
    assert seen["reconnected"]["event"].items() >= missed.items()
    assert [error["extensions"]["code"] for error in seen["an error"]["errors"]] == ["GRAPHQL_VALIDATION_FAILED"]
    assert seen["no token"] == {"code": 4401}


async def test_graphql_sse_streams_queries_and_subscriptions_on_distinct_connections(account: Account) -> None:
    """A subscription goes on behind the last event; a document that is refused is told in the stream."""
    seen = by_step(await run_script(SCRIPTS / "sse.mjs", account))

    assert seen["queried"] == {"viewer": {"databaseId": account.user_id}}
    labels = [event["backupDestination"]["label"] for event in seen["heard"]["events"]]
    assert labels == ["First", "Second"]
    assert {event["protocol"] for event in seen["heard"]["events"]} == {"REST"}
    assert [event["backupDestination"]["label"] for event in seen["resumed"]["events"]] == ["While away"]
    [error] = seen["an error"]["answer"]["errors"]
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.parametrize("by_get", ["no", "yes"])
@pytest.mark.parametrize("script", ["persisted.mjs", "persisted-urql.mjs"])
async def test_the_links_for_persisted_queries_send_the_text_once(script: str, by_get: str, account: Account) -> None:
    """Apollo's and urql's. A second client, with a cache of its own, sends the hash alone."""
    name = f"Persisted{account.user_id}{by_get}{script[9:13].strip('-.')}"
    lines = await run_script(SCRIPTS / script, account, BY_GET=by_get, NAME=name)
    method = "GET" if by_get == "yes" else "POST"

    assert by_step(lines) == {
        "first": {"name": "Test", "sent": [f"hash by {method}", "text"]},
        "second": {"name": "Test", "sent": [f"hash by {method}"]},
    }


@pytest.mark.parametrize("script", ["persisted.mjs", "persisted-urql.mjs"])
async def test_the_links_for_persisted_queries_fall_back_to_texts_where_they_are_off(script: str) -> None:
    gateway = Gateway(graphql_persisted_queries="false").start()
    try:
        account = await gateway.new_user()
        lines = await run_script(SCRIPTS / script, account, BY_GET="no", NAME="NotPersisted")
    finally:
        gateway.close()

    assert [line["name"] for line in lines] == ["Test", "Test"]
    assert lines[0]["sent"] == ["hash by POST", "text"]


async def test_clients_of_trusted_documents_send_ids_alone_where_trust_is_enforced(tmp_path: Path) -> None:
    """Of the manifest of Apollo's tool, and of relay-compiler's file; persisted queries are off."""
    sources = make_project(tmp_path, print_sdl())
    manifest = await write_trusted_documents(sources)
    gateway = Gateway(
        graphql_trusted_documents=str(manifest), graphql_trust="enforce", graphql_persisted_queries="false"
    ).start()
    try:
        lines = await run_script(sources / "trusted.mjs", await gateway.new_user(), NODE_ENV="production")
    finally:
        gateway.close()

    assert by_step(lines) == {
        "apollo": {"name": "Test", "sent": ["hash of 64"]},
        "apollo, by an ID of its own": {"name": "Test", "sent": ["hash of 11"]},
        "urql, by its exchange": {"name": "Test", "sent": ["hash of 64"]},
        "urql, by document id": {"name": "Test", "sent": ["documentId"]},
        "relay": {"name": "Test", "sent": ["documentId"]},
        "not trusted": {"name": "DOCUMENT_NOT_TRUSTED", "sent": ["text"]},
    }


async def test_apollo_s_batch_link_shows_why_a_batch_is_refused(account: Account) -> None:
    """In the result of each operation."""
    (line,) = await run_script(SCRIPTS / "batch.mjs", account)

    assert line["messages"] == ["The request must be a JSON object; batches are not supported."] * 2
