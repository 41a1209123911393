"""What a check may touch and trust is an attribute of GraphQL alone: REST neither shows nor changes it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api.destinations import events_of, stored
from tests.support.gateway.gateway import Gateway
from tests.support.graphql.graphql_client import data_of
from tests.support.graphql.graphql_documents import CREATE, UPDATE, draft
from tests.support.stores.certificates import EXAMPLE_PEM

OWN = {"checkPrefix": "team-a/", "certificateAuthorities": EXAMPLE_PEM.strip()}
SHOWN = """
query ($id: ID!) {
  backupDestination(id: $id) {
    version databaseId ... on S3CompatibleDestination { checkPrefix certificateAuthorities }
  }
  backupDestinations { edges { node { ... on S3CompatibleDestination { checkPrefix certificateAuthorities } } } }
}
"""


@pytest.mark.parametrize("kind", ["amazonS3", "customS3"])
async def test_both_are_kept_shown_and_cleared_by_graphql(kind: str, gateway: Gateway) -> None:
    """In lists too; an update without them keeps them, and null clears them."""
    account = await gateway.new_user()
    made = (await data_of(account, CREATE, {"input": draft(kind, **OWN)}))["result"]["backupDestination"]
    id_ = {"id": made["id"]}
    created = await data_of(account, SHOWN, id_)
    await data_of(account, UPDATE, {**id_, "input": {"label": "Other"}})
    kept = await data_of(account, SHOWN, id_)
    await data_of(account, UPDATE, {**id_, "input": dict.fromkeys(OWN)})
    cleared = await data_of(account, SHOWN, id_)
    events = await events_of(gateway, account.user_id)

    for data, wanted in ((created, OWN), (kept, OWN), (cleared, dict.fromkeys(OWN))):
        shown = data["backupDestination"]
        assert {name: shown[name] for name in OWN} == wanted
        assert data["backupDestinations"]["edges"] == [{"node": wanted}]
    versions = [data["backupDestination"]["version"] for data in (created, kept, cleared)]
    assert len(set(versions)) == 3
    changed = [event["changed_fields"] for event in events if event["kind"] == "updated"]
    assert changed == ["label", "check_prefix certificate_authorities"]


async def test_rest_neither_shows_nor_changes_either(gateway: Gateway) -> None:
    """A PUT of the whole GET body leaves them alone, and so do their names, in any spelling; another kind has none."""
    account = await gateway.new_user()
    made = (await data_of(account, CREATE, {"input": draft("customS3", **OWN)}))["result"]["backupDestination"]
    number = (await data_of(account, SHOWN, {"id": made["id"]}))["backupDestination"]["databaseId"]
    path = f"/api/backup-destinations/{number}"
    sneaked = {"check_prefix": "x", "checkPrefix": "x", "certificate_authorities": "x", "s3_check_prefix": "x"}
    async with account.client() as client:
        got: dict[str, Any] = (await client.get(path)).json()["data"]
        put = await client.put(path, json={**got, **sneaked, "label": "Other"})
        row = await stored(gateway, number)
        local = await client.put(path, json={"label": "Other", "type": "local"})
    row_after = await stored(gateway, number)

    assert got.keys().isdisjoint(sneaked)
    assert "team-a" not in str(got)
    assert put.status_code == 200
    assert put.json()["data"].keys() == got.keys()
    assert (row["label"], row["check_prefix"], row["certificate_authorities"]) == ("Other", *OWN.values())
    assert local.status_code == 200
    assert (row_after["check_prefix"], row_after["certificate_authorities"]) == (None, None)


async def test_a_malformed_one_is_a_violation_with_its_path(gateway: Gateway) -> None:
    account = await gateway.new_user()
    wrong = {"checkPrefix": "../x", "certificateAuthorities": "-----BEGIN PRIVATE KEY-----"}

    result = (await data_of(account, CREATE, {"input": draft("customS3", **wrong)}))["result"]

    assert [violation["path"] for violation in result["violations"]] == [
        ["customS3", "checkPrefix"],
        ["customS3", "certificateAuthorities"],
    ]
    assert "PRIVATE" not in str(result)
