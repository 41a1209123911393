"""An answer is no larger than the limit says, whatever is in the rows; the size is known before it is made."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random

import orjson
import pytest

from schema.execution.engine import Engine
from schema.execution.not_executed import NotExecuted
from schema.limits import Limits
from tests.hostile.test_event_loop import IS_FULL, WORST_REPORT, Writer
from tests.support.databases.many_rows import plant_copies, plant_events, quoted
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import ask

LIMIT = Limits().answer_bytes
HOSTILE_BYTES = 100_000
_PAGE = (
    "{ backupDestinations(first: 100%s) { edges { cursor node { %s } } "
    "pageInfo { endCursor hasNextPage } totalCount } }"
)
_EVERYTHING = (
    "__typename id databaseId label kindName createdAt updatedAt version ... on S3CompatibleDestination { bucketName "
    "region pathStyleEndpoint credentialsSetAt reachability checkPrefix lastCheck { checkedAt reachable "
    "steps { name outcome code remedy field storeCode durationMs } suggestion { region endpoint pathStyleEndpoint } "
    "takesBackups canDelete locksObjects keepsVersions encrypts unreachableSince } } "
    "... on CustomS3Destination { endpoint }"
)
_NODE = "... on BackupDestination { label kindName createdAt updatedAt version }"
HONEST = {
    "a page of everything": _PAGE % ("", _EVERYTHING),
    "a page of everything by label": _PAGE % (", orderBy: {field: LABEL}", _EVERYTHING),
    "four lists of twenty": "{ "
    + " ".join(
        f"a{n}: backupDestinations(first: 20, orderBy: {{field: {field}, direction: {direction}}}) "
        "{ nodes { id label } }"
        for n, (field, direction) in enumerate(product(("LABEL", "CREATED_AT"), ("ASC", "DESC")))
    )
    + " }",
    "cursors of an ordered page, selected apart": "{ "
    + " ".join(
        f"backupDestinations(first: 100, orderBy: {{field: LABEL}}) {{ {selected} }}"
        for selected in ("nodes { id label }", "edges { node { id } }", "edges { cursor } pageInfo { endCursor }")
    )
    + " }",
    "a page of each kind": "{ "
    + " ".join(
        f"{kind}: backupDestinations(first: 100, filter: {{kinds: [{kind}]}}) {{ nodes {{ id label createdAt }} }}"
        for kind in ("AMAZON_S3", "CUSTOM_S3", "LOCAL")
    )
    + " }",
    "a few rows beside a page": _PAGE.replace(
        "{ backup", "{ newest: backupDestinations(first: 5) { nodes { id } } backup", 1
    )
    % ("", "id label createdAt"),
    "a list selected by each of its components": "{ backupDestinations(first: 100) { "
    + " ".join("nodes { id label kindName createdAt }" for _ in range(9))
    + " } }",
    "a small list twice": "{ a: backupDestinations { nodes { id label } } b: backupDestinations { nodes { id } } }",
    "twenty nodes": "{ "
    + " ".join(f'a{n}: node(id: "BackupDestination:{n + 900_000}") {{ id {_NODE} }}' for n in range(20))
    + " }",
    "a fragment of many components": "{ backupDestinations(first: 100) { nodes { "
    + " ".join(f"...F{n}" for n in range(9))
    + " } } }"
    + "".join(f" fragment F{n} on BackupDestination {{ id label }}" for n in range(9)),
}
COPIES = {
    "labels thirty times": _PAGE % ("", " ".join(f"a{n}: label" for n in range(30))),
    "IDs in thirty long keys": _PAGE % ("", " ".join(f"{'a' * 70}{n}: id" for n in range(30))),
    "copies in fragments": _PAGE % ("", "...A ...B")
    + " fragment A on BackupDestination { a: label b: label } fragment B on BackupDestination { c: label d: label }",
    "labels in nine selections of a list": "{ backupDestinations(first: 100) { "
    + " ".join(f"nodes {{ a{n}: label }}" for n in range(9))
    + " } }",
    "IDs in long keys in selections of a list": "{ backupDestinations(first: 100) { "
    + " ".join(f"edges {{ node {{ {'a' * 70}{n}: id }} }}" for n in range(30))
    + " } }",
    "labels in fragments of an edge": "{ backupDestinations(first: 100) { "
    + " ".join(f"...F{n}" for n in range(9))
    + " } }"
    + "".join(f" fragment F{n} on BackupDestinationConnection {{ nodes {{ a{n}: label }} }}" for n in range(9)),
    "names of a user two hundred times": "{ "
    + " ".join(f"u{n}: viewer {{ a{n}: name b{n}: name }}" for n in range(10))
    + " }",
    "fifteen pages": "{ "
    + " ".join(f"a{n}: backupDestinations(first: 100) {{ edges {{ node {{ label }} }} }}" for n in range(15))
    + " }",
    **{
        f"{count} pages": "{ "
        + " ".join(f"a{n}: backupDestinations(first: 100) {{ nodes {{ label }} }}" for n in range(count))
        + " }"
        for count in (2, 4, 9)
    },
    "nine pages with different spaces": "{ "
    + " ".join(f"a{n}: backupDestinations({' ' * n}first: 100,) {{ nodes {{ label }} }}" for n in range(9))
    + " }",
    "nine pages of different sizes": "{ "
    + " ".join(f"a{n}: backupDestinations(first: {100 - n}) {{ nodes {{ label }} }}" for n in range(9))
    + " }",
    "four orders of a page": "{ "
    + " ".join(
        f"a{n}: backupDestinations(first: 100, orderBy: {{field: {field}, direction: {direction}}}) "
        "{ nodes { id label } }"
        for n, (field, direction) in enumerate(product(("LABEL", "CREATED_AT"), ("ASC", "DESC")))
    )
    + " }",
    "four pages of different sizes": "{ "
    + " ".join(f"a{n}: backupDestinations(first: {100 - n}) {{ nodes {{ label }} }}" for n in range(4))
    + " }",
    "two pages by different filters": "{ "
    + " ".join(
        f'a{n}: backupDestinations(first: 100, filter: {{labelContains: "{text}"}}) {{ nodes {{ label }} }}'
        for n, text in enumerate(("", "\U0001f5c4"))
    )
    + " }",
    "pages of no kinds": "{ "
    + " ".join(
        f"a{n}: backupDestinations(first: {100 - n}, filter: {{kinds: []}}) {{ nodes {{ label }} }}" for n in range(4)
    )
    + " }",
    "pages of kinds that overlap": "{ "
    + " ".join(
        f"a{n}: backupDestinations(first: 100, filter: {{kinds: [AMAZON_S3, {kind}]}}) {{ nodes {{ label }} }}"
        for n, kind in enumerate(("CUSTOM_S3", "LOCAL"))
    )
    + " }",
    "a list by ID in three orders": "{ "
    + " ".join(
        f"a{n}: nodes(ids: [{' '.join(f'{number}' for number in range(n, n + 90))}]) {{ {_NODE} }}" for n in range(3)
    )
    + " }",
    "nine pages of IDs": "{ "
    + " ".join(f"a{n}: backupDestinations(first: {100 - n}) {{ nodes {{ id }} }}" for n in range(9))
    + " }",
    "nine pages in fragments": "{ "
    + " ".join(f"...F{n}" for n in range(9))
    + " }"
    + "".join(
        f" fragment F{n} on Query {{ a{n}: backupDestinations(first: 100) {{ nodes {{ label }} }} }}" for n in range(9)
    ),
    "reports nine times": "{ backupDestinations(first: 100) { nodes { ... on S3CompatibleDestination { "
    + " ".join(f"a{n}: lastCheck {{ steps {{ name outcome code remedy }} }}" for n in range(9))
    + " } } } }",
    "events in long keys": "{ events(first: 100) { edges { node { "
    + " ".join(f"{'a' * 70}{n}: backupDestinationId" for n in range(30))
    + " } } } }",
}


@pytest.fixture(scope="module")
def embedded() -> Iterator[Gateway]:
    """A gateway of these tests' own."""
    gateway = Gateway().start()
    yield gateway
    gateway.close()


@pytest.fixture
async def account(embedded: Gateway) -> Account:
    """A user whose every value is as long as it may be."""
    account = await embedded.new_user()
    await plant_copies(account, 100)
    await plant_events(embedded, account.user_id, ["\U0001f5c4" * 255] * 100)
    longest = quoted("\U0001f5c4" * 255)
    await embedded.rows(
        f"UPDATE backup_destinations SET last_check = {quoted(WORST_REPORT)}, checked_at = updated_at, "  # noqa: S608 - our own values
        f"bucket_name = {longest}, region = {longest}, check_prefix = {longest}, "
        f"endpoint = {quoted('https://s3.example.com/' + 'x' * 232)} WHERE user_id = {account.user_id}"
    )
    return account


@pytest.mark.parametrize("name", HONEST)
async def test_an_honest_page_is_answered_within_the_limit(name: str, account: Account) -> None:
    """Everything there is of a hundred destinations, each value as long as it may be."""
    answer = await ask(account, HONEST[name])

    assert list(answer) == ["data"], answer
    assert len(orjson.dumps(answer)) <= LIMIT


@pytest.mark.parametrize("name", COPIES)
async def test_an_answer_of_copies_is_small_or_refused_before_it_is_made(name: str, account: Account) -> None:
    answer = await ask(account, COPIES[name])

    assert len(orjson.dumps(answer)) < HOSTILE_BYTES
    if "errors" in answer:
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["COST_LIMIT_EXCEEDED"]
        assert "data" not in answer


@pytest.mark.parametrize("seed", range(20 if IS_FULL else 1))
async def test_no_answer_is_larger_than_was_foreseen(seed: int, account: Account) -> None:
    """Of random documents near the limits."""
    engine, writer = Engine(Limits()), Writer(Random(seed), is_entangled=False)  # noqa: S311 - to repeat it
    answered = 0
    for _ in range(300 if IS_FULL else 60):
        text = writer.document()
        try:
            foreseen = engine.prepare(text, None).size.of({})
        except NotExecuted:
            continue
        answer = await ask(account, text)
        if answer.get("data") is not None:
            answered += 1
            assert len(orjson.dumps({"data": answer["data"]})) <= min(foreseen, LIMIT), text

    assert answered >= 3
