"""What happened, as an audit log and live: in order, the viewer's own alone, through whichever API it came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from models.accounts.viewer import Protocol
from models.destinations.attributes import Attribute, DestinationKind
from models.destinations.validation import Raw
from models.vault.vault import Vault
from tests.support.api.destinations import LONG_AGO, TIMESTAMP, at, events_of
from tests.support.databases.many_rows import plant_events
from tests.support.databases.services import service_of, viewer_of_token
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import LISTENS, Ended, Listen, ask, code_of, data_of
from tests.support.graphql.graphql_documents import CREATE, DELETE, EVENTS, LISTEN, UPDATE, destination_id, draft

Told = tuple[Any, ...]


def told(event: Mapping[str, Any]) -> Told:
    """What an event says, without its ID and time."""
    assert TIMESTAMP.fullmatch(event["occurredAt"])
    about = event.get("changedFields", event.get("label"))
    return event["__typename"], event["backupDestinationId"], event["protocol"], event["tokenName"], about


async def act_through_both_apis(account: Account) -> list[Told]:
    """A life through GraphQL and one through REST; returns what must be told of them, oldest first."""
    made = (await data_of(account, CREATE, {"input": draft("customS3", label="One")}))["result"]["backupDestination"]
    keys = {"accessKey": "canary-1", "secretKey": "canary-2"}
    one = {"id": made["id"]}
    await data_of(account, UPDATE, one | {"input": {"label": "Uno", "credentials": keys}})
    await data_of(account, DELETE, one)
    number = await account.create("s3", label="Two")
    two = destination_id(number)
    async with account.client() as client:
        await client.put(at(number), json={"label": "Due", "s3_bucket_name": "weekly"})
        await client.delete(at(number))
    return [
        ("BackupDestinationCreated", one["id"], "GRAPHQL", "test", None),
        ("BackupDestinationUpdated", one["id"], "GRAPHQL", "test", ["label", "credentials"]),
        ("BackupDestinationDeleted", one["id"], "GRAPHQL", "test", "Uno"),
        ("BackupDestinationCreated", two, "REST", "full", None),
        ("BackupDestinationUpdated", two, "REST", "test", ["label", "bucketName"]),
        ("BackupDestinationDeleted", two, "REST", "test", "Due"),
    ]


async def act_past_the_gateway(account: Account) -> None:
    """Create a destination from this process, as a program beside the gateway would."""
    raw: Raw = {Attribute.KIND: DestinationKind.LOCAL, Attribute.LABEL: "Beside"}
    async with account.gateway.models():
        viewer = await viewer_of_token(account.token, Protocol.COMMAND_LINE)
        await service_of(Vault(account.gateway.settings["secret_keys"])).create(viewer, raw)


async def log_of(account: Account, **window: Any) -> list[dict[str, Any]]:
    """A page of the audit log."""
    edges = (await data_of(account, EVENTS, window))["events"]["edges"]
    return [edge["node"] for edge in edges]


async def start_of(account: Account) -> str:
    """Make something happen, and return the ID of that event: from there on nothing is missed."""
    await account.create("local", label="Start")
    return str((await log_of(account, first=1))[0]["id"])


async def test_the_audit_log_tells_what_happened_newest_first(gateway: Gateway) -> None:
    """When, what, by which token and through which protocol, and which fields changed; never a secret."""
    account, stranger = await gateway.new_user(), await gateway.new_user()
    expected = await act_through_both_apis(account)
    await stranger.create("local")

    events = await log_of(account)

    assert [told(event) for event in reversed(events)] == expected
    assert [event["backupDestination"] for event in events if "backupDestination" in event] == [None] * 4
    assert "canary" not in str(events)
    assert len(await log_of(stranger)) == 1


async def test_an_event_shows_the_destination_as_it_is_now(gateway: Gateway) -> None:
    """Until it is gone."""
    account = await gateway.new_user()
    number = await account.create("local", label="Before")
    async with account.client() as client:
        await client.put(at(number), json={"label": "After"})

    assert [event["backupDestination"] for event in await log_of(account)] == [{"label": "After"}] * 2


async def test_an_event_of_nobodys_token_says_so(gateway: Gateway) -> None:
    """What the command line does has no token, and its moment may be long ago."""
    account = await gateway.new_user()
    await plant_events(gateway, account.user_id, ["Gone"])

    (event,) = await log_of(account)

    assert told(event) == ("BackupDestinationDeleted", "BackupDestination:1", "COMMAND_LINE", None, "Gone")
    assert event["occurredAt"] == LONG_AGO


async def test_the_audit_log_is_paged_by_key_from_either_end(gateway: Gateway) -> None:
    """Every window is the part of the log it says."""
    account = await gateway.new_user()
    await plant_events(gateway, account.user_id, [f"{n}" for n in range(23)])
    edges = (await data_of(account, EVENTS, {"first": 100}))["events"]["edges"]
    assert [edge["node"]["label"] for edge in edges] == [f"{n}" for n in range(22, -1, -1)]
    assert len(await log_of(account)) == 15

    for after, before in ((None, None), (4, None), (None, 9), (3, 20), (7, 8), (22, None)):
        between = edges[0 if after is None else after + 1 : len(edges) if before is None else before]
        cursors = {"after": None if after is None else edges[after]["cursor"]}
        cursors["before"] = None if before is None else edges[before]["cursor"]
        for name in ("first", "last"):
            found = (await data_of(account, EVENTS, {**cursors, name: 6}))["events"]
            assert found["edges"] == (between[:6] if name == "first" else between[-6:])
            more = len(between) > 6
            assert found["pageInfo"]["hasNextPage"] == (more if name == "first" else before is not None)
            assert found["pageInfo"]["hasPreviousPage"] == (after is not None if name == "first" else more)

    for bad in ({"first": 101}, {"last": -1}, {"first": 1, "last": 1}, {"after": "x"}):
        assert code_of(await ask(account, EVENTS, bad)) == "BAD_USER_INPUT"


@pytest.mark.parametrize("listen", LISTENS.values(), ids=LISTENS)
async def test_a_subscriber_hears_what_happens_in_order_and_of_its_own_alone(gateway: Gateway, listen: Listen) -> None:
    """Through either API, and past both; the same events as in the audit log."""
    account, stranger = await gateway.new_user(), await gateway.new_user()
    start = await start_of(account)

    async with listen(account, LISTEN, {"after": start}) as listener:
        await stranger.create("local")
        expected = await act_through_both_apis(account)
        await act_through_both_apis(stranger)
        heard = await listener.events(len(expected))
        await act_past_the_gateway(account)
        (beside,) = await listener.events(1)

    assert [told(event) for event in heard] == expected
    assert (beside["__typename"], beside["protocol"]) == ("BackupDestinationCreated", "COMMAND_LINE")
    assert beside["backupDestination"] == {"label": "Beside"}
    assert [event["id"] for event in [*heard, beside]] == [e["id"] for e in reversed(await log_of(account, first=7))]


@pytest.mark.parametrize("listen", LISTENS.values(), ids=LISTENS)
async def test_a_subscriber_resumes_behind_the_last_event_it_saw(gateway: Gateway, listen: Listen) -> None:
    """What happened while it was away comes first, in order, more than one batch of it."""
    account = await gateway.new_user()
    start = await start_of(account)
    await plant_events(gateway, account.user_id, [f"{n}" for n in range(250)])

    async with listen(account, LISTEN, {"after": start}) as listener:
        heard = await listener.events(120)
    await plant_events(gateway, account.user_id, ["250"])
    async with listen(account, LISTEN, {"after": heard[-1]["id"]}) as listener:
        heard += await listener.events(131)

    assert [event["label"] for event in heard] == [f"{n}" for n in range(251)]


@pytest.mark.parametrize("listen", LISTENS.values(), ids=LISTENS)
async def test_a_subscriber_without_a_position_hears_only_what_is_new(gateway: Gateway, listen: Listen) -> None:
    """The past is in the audit log."""
    account = await gateway.new_user()
    await plant_events(gateway, account.user_id, ["past"] * 3)

    async with listen(account, LISTEN) as listener:
        answer = None
        while answer is None:
            # When the subscription has begun is not told: something happens until it is heard.
            await account.create("local")
            try:
                answer = await listener.answer(deadline_s=0.3)
            except TimeoutError:
                continue

    assert answer["data"]["backupDestinationEvents"]["__typename"] == "BackupDestinationCreated"


@pytest.mark.parametrize("listen", LISTENS.values(), ids=LISTENS)
async def test_a_subscription_that_cannot_begin_says_why_and_ends(gateway: Gateway, listen: Listen) -> None:
    """A position that is none, a missing ability, a document that is not valid."""
    account = await gateway.new_user(abilities=["create-backup-destinations"])
    cases: list[tuple[str, Any, str]] = [
        (LISTEN, {"after": after}, "BAD_USER_INPUT") for after in ("", "1", "User:1", "BackupDestinationEvent:00")
    ]
    cases += [
        (LISTEN, {"after": {}}, "BAD_USER_INPUT"),
        ("subscription { nothing }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {", {}, "GRAPHQL_PARSE_FAILED"),
    ]

    for query, variables, code in cases:
        async with listen(account, query, variables, token=account.full_token) as listener:
            assert code_of(await listener.answer()) == code
            with pytest.raises(Ended):
                await listener.answer()
    async with listen(account, LISTEN, {"after": None}) as listener:
        assert code_of(await listener.answer()) == "FORBIDDEN"


@pytest.mark.parametrize("listen", LISTENS.values(), ids=LISTENS)
async def test_a_position_that_is_no_event_of_the_viewer_is_an_error_of_its_own(
    gateway: Gateway, listen: Listen
) -> None:
    """One of the future, of another user, pruned, or of a history that was lost: never silence."""
    account, other = await gateway.new_user(), await gateway.new_user()
    await account.create("local")
    await other.create("local")
    (stored,) = await events_of(gateway, account.user_id)
    (foreign,) = await events_of(gateway, other.user_id)
    known = f"BackupDestinationEvent:{stored['id']}"

    for number in (1, stored["id"] + 1, foreign["id"], 2**62, 2**63 - 1, 2**63, 9_999_999_999_999_999_999):
        async with listen(account, LISTEN, {"after": f"BackupDestinationEvent:{number}"}) as listener:
            (error,) = (await listener.answer())["errors"]
            assert error["extensions"] == {"code": "BAD_USER_INPUT", "reason": "UNKNOWN_EVENT"}
            with pytest.raises(Ended):
                await listener.answer()
    async with listen(account, LISTEN, {"after": known}) as listener:
        await account.create("local")
        assert (await listener.events(1))[0]["__typename"] == "BackupDestinationCreated"


async def test_a_cursor_of_a_list_of_events_must_be_of_the_history_too(gateway: Gateway) -> None:
    """What was between it and the rest is unknown."""
    account = await gateway.new_user()
    for _ in range(3):
        await account.create("local")
    edges = (await data_of(account, EVENTS, {"first": 3}))["events"]["edges"]
    await gateway.rows(f"DELETE FROM events WHERE id = {edges[1]['node']['id'].rpartition(':')[2]}")  # noqa: S608 - our own

    for name in ("after", "before"):
        answer = await ask(account, EVENTS, {name: edges[1]["cursor"]})
        assert answer["errors"][0]["extensions"]["reason"] == "UNKNOWN_EVENT"
    found = (await data_of(account, EVENTS, {"after": edges[0]["cursor"]}))["events"]["edges"]
    assert [edge["node"]["id"] for edge in found] == [edges[2]["node"]["id"]]


FILTERED = """query ($filter: BackupDestinationEventFilter, $first: Int, $after: String, $last: Int, $before: String) {
  events(filter: $filter, first: $first, after: $after, last: $last, before: $before) {
    edges { cursor } nodes { id } pageInfo { hasNextPage hasPreviousPage } } }"""


async def test_the_audit_log_is_filtered_and_paged_within_the_filter(gateway: Gateway) -> None:
    """By destination, also one that is gone, kinds, protocol and time; each alone and some together."""
    account, stranger = await gateway.new_user(), await gateway.new_user()
    await act_through_both_apis(account)
    await act_through_both_apis(stranger)
    await plant_events(gateway, account.user_id, ["Long ago"])
    events = await log_of(account)
    newest, one, two = events[1]["occurredAt"], events[-1]["backupDestinationId"], events[1]["backupDestinationId"]
    created = {"kinds": ["CREATED"]}
    cases: list[tuple[Any, Any]] = [
        (None, lambda _event: True),
        ({}, lambda _event: True),
        (dict.fromkeys(("backupDestinationId", "kinds", "protocol", "since", "until")), lambda _event: True),
        ({"backupDestinationId": one}, lambda event: event["backupDestinationId"] == one),
        (created, lambda event: event["__typename"] == "BackupDestinationCreated"),
        ({"kinds": ["UPDATED", "DELETED"]}, lambda event: event["__typename"] != "BackupDestinationCreated"),
        ({"kinds": []}, lambda _event: False),
        ({"protocol": "REST"}, lambda event: event["protocol"] == "REST"),
        ({"until": LONG_AGO}, lambda _event: False),
        ({"since": newest}, lambda event: event["occurredAt"] >= newest),
        ({"until": newest}, lambda event: event["occurredAt"] < newest),
        ({"since": LONG_AGO, "until": "2024-08-07T23:59:59-12:00"}, lambda event: event["occurredAt"] < "2024-08-09"),
        ({"since": "9999-12-31T23:59:59Z"}, lambda _event: False),
        ({"backupDestinationId": "BackupDestination:9999999999999999999"}, lambda _event: False),
        (created | {"backupDestinationId": two, "protocol": "GRAPHQL"}, lambda _event: False),
        (created | {"backupDestinationId": two, "protocol": "REST"}, lambda event: event is events[3]),
    ]

    for chosen, is_met in cases:
        expected = [event["id"] for event in events if is_met(event)]
        found = (await data_of(account, FILTERED, {"filter": chosen}))["events"]
        assert [node["id"] for node in found["nodes"]] == expected, chosen
        cursors = [edge["cursor"] for edge in found["edges"]]
        if len(expected) > 2:
            behind = await data_of(account, FILTERED, {"filter": chosen, "first": 1, "after": cursors[0]})
            assert behind["events"]["nodes"] == found["nodes"][1:2]
            assert behind["events"]["pageInfo"] == {"hasNextPage": True, "hasPreviousPage": True}
            ahead = await data_of(account, FILTERED, {"filter": chosen, "last": 2, "before": cursors[2]})
            assert ahead["events"]["nodes"] == found["nodes"][:2]


@pytest.mark.parametrize(
    "chosen",
    [
        {"backupDestinationId": "User:1"},
        {"backupDestinationId": "1"},
        {"since": "2024-08-07T00:00:00"},
        {"since": "yesterday"},
        {"until": 1},
        {"until": "0001-01-01T00:00:00+14:00"},
        {"kinds": ["GONE"]},
    ],
    ids=str,
)
async def test_a_condition_that_is_none_is_refused(chosen: dict[str, Any], gateway: Gateway) -> None:
    account = await gateway.new_user()
    assert code_of(await ask(account, FILTERED, {"filter": chosen})) == "BAD_USER_INPUT"
