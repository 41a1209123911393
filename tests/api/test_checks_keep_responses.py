"""A check that finds nothing new leaves the user's responses as they are, but for those that show checks."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType, build_schema, get_named_type

from models.checks.report import CheckDepth
from schema.execution.shown_checks import shows_checks
from tests.support.gateway.gateway import Gateway
from tests.support.paths import ROOT
from tests.support.stores.checking import found as report_of

LIST = "{ backupDestinations { totalCount nodes { label ... on S3CompatibleDestination { reachability %s } } } }"
ORDERED = "query ($by: BackupDestinationOrder) { backupDestinations(orderBy: $by) { nodes { label } } }"
FILTERED = "query ($of: BackupDestinationFilter) { backupDestinations(filter: $of) { nodes { label } } }"


def graphql(query: str, **variables: Any) -> str:
    """The URL of a query by GET."""
    return "/graphql?" + urlencode({"query": query, "variables": json.dumps(variables)})


KEPT = {
    "REST's list": "/api/backup-destinations",
    "attributes and reachability": graphql(LIST % ""),
    "a variable of another order": graphql(ORDERED, by={"field": "LABEL", "direction": "ASC"}),
}
READ_ANEW = {
    "the last check": graphql(LIST % "lastCheck { checkedAt }"),
    "by another name": graphql(LIST % "a: lastCheck { b: reachable }"),
    "all checks": graphql(LIST % "checks { edges { node { checkedAt } } }"),
    "the order by it": graphql(ORDERED, by={"field": "LAST_CHECK", "direction": "DESC"}),
    "a filter by it": graphql(FILTERED, of={"notCheckedSince": "2030-01-01T00:00:00Z"}),
}


@pytest.mark.parametrize("name", [*KEPT, *READ_ANEW])
async def test_a_response_is_read_anew_after_a_check_exactly_if_it_shows_checks(name: str, gateway: Gateway) -> None:
    """With its tag, from the cache, and by the fast path, which takes what was asked before."""
    account = await gateway.new_user()
    id_, url = await account.create("custom_s3"), {**KEPT, **READ_ANEW}[name]
    report = report_of(CheckDepth.FULL, reachable=True)
    checked = "UPDATE backup_destinations SET reachability = 'reachable'"
    await gateway.rows(f"{checked} WHERE id = {id_}")

    async with account.client(accept="application/json") as client:
        before = [await client.get(url) for _ in range(3)]
        await gateway.rows(
            f"{checked}, checked_at = '{report.checked_at}', last_check = '{report.to_json()}' WHERE id = {id_}"
        )
        conditional = await client.get(url, headers={"If-None-Match": before[-1].headers["etag"]})
        after = await client.get(url)

    assert {response.status_code for response in before} == {200}, before[0].text
    assert len({response.headers["etag"] for response in before}) == 1
    assert "errors" not in before[0].json()
    assert conditional.status_code == (304 if name in KEPT else 200)
    assert (after.headers["etag"] == before[0].headers["etag"]) is (name in KEPT)
    if name in ("the last check", "by another name"):
        assert after.json() != before[0].json()


def test_all_of_the_schema_that_shows_checks_is_called_so() -> None:
    """Fields of checks, and whatever a list is filtered and ordered by, when it was checked: by the letters of it."""
    schema = build_schema((ROOT / "schema/schema.graphql").read_text())
    shown: set[str] = set()
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLObjectType) and "BackupDestination" in {each.name for each in type_.interfaces}:
            shown |= {
                name for name, field in type_.fields.items() if get_named_type(field.type).name.startswith("Check")
            }
        elif isinstance(type_, GraphQLInputObjectType):
            times = {
                name: field for name, field in type_.fields.items() if get_named_type(field.type).name == "DateTime"
            }
            shown |= {name for name, field in times.items() if "check" in (field.description or "").lower()}
        elif isinstance(type_, GraphQLEnumType) and type_.name.endswith("OrderField"):
            shown |= {name for name, value in type_.values.items() if "check" in (value.description or "").lower()}

    assert {"lastCheck", "checks", "checkedSince", "notCheckedSince", "LAST_CHECK"} <= shown
    assert [name for name in shown if not shows_checks(name, {})] == []
    assert [name for name in shown if not shows_checks("", {"of": [{name: 1}]})] == []
    assert not shows_checks("{ backupDestinations { nodes { label reachability } } }", {"first": 3})
