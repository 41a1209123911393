"""What the viewer may do, as GraphQL shows it: abilities, the token, and what is left of the requests of a window."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.accounts import accounts
from models.accounts.user import User
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import ask, code_of, data_of

ABILITIES = "{ viewer { abilities } }"
TOKEN = "{ viewer { id token { id name expiresAt } } }"
RATE = "{ viewer { rateLimit { limit remaining resetAt } } }"
ALL = [f"{act}_BACKUP_DESTINATIONS" for act in ("VIEW", "CREATE", "UPDATE", "DELETE")]


@pytest.fixture
async def limited(fresh_database_url: str | None) -> AsyncIterator[Account]:
    """A user of a gateway that limits requests."""
    gateway = Gateway(fresh_database_url, rate_limit="50/minute").start()
    yield await gateway.new_user()
    gateway.close()


async def with_token(account: Account, **fields: Any) -> Account:
    """The same user with another token."""
    async with account.gateway.models():
        user = await User.get(id=account.user_id)
        token = await accounts.issue_token(user, **fields)
    return Account(account.gateway, account.user_id, account.email, token, token)


def id_in(account: Account) -> str:
    """The ID of the account's token, by the number that stands in it."""
    return f"ApiToken:{account.token.partition('|')[0]}"


@pytest.mark.parametrize(
    ("abilities", "shown"),
    [
        (["*"], ALL),
        (["delete-backup-destinations", "view-backup-destinations"], [ALL[0], ALL[3]]),
        (["create-backup-destinations"], [ALL[1]]),
        (["*", "use-backup-destinations"], [*ALL, "USE_BACKUP_DESTINATIONS"]),
    ],
)
async def test_the_abilities_are_those_of_the_token(gateway: Gateway, abilities: list[str], shown: list[str]) -> None:
    account = await gateway.new_user(abilities)

    for document in (ABILITIES, "{ viewer { token { name } abilities } }"):  # compiled, and not
        assert (await data_of(account, document))["viewer"]["abilities"] == shown


async def test_each_token_sees_itself_whatever_another_of_the_same_abilities_saw(gateway: Gateway) -> None:
    first = await gateway.new_user()
    ends = timedelta(days=3)
    second = await with_token(first, name="laptop", expires_in=ends)
    before = datetime.now(UTC)

    for _ in range(2):
        mine, other = [(await data_of(account, TOKEN))["viewer"]["token"] for account in (first, second)]
        assert mine == {"id": id_in(first), "name": "test", "expiresAt": None}
        assert other["id"] == id_in(second) != mine["id"]
        assert other["name"] == "laptop"
        assert abs(datetime.fromisoformat(other["expiresAt"]) - before - ends) < timedelta(minutes=1)


async def test_the_rate_limit_is_that_of_the_headers_and_is_never_an_old_one(limited: Account) -> None:
    seen = []
    async with limited.client() as client:
        for _ in range(3):
            response = await client.post("/graphql", json={"query": RATE})
            shown = response.json()["data"]["viewer"]["rateLimit"]
            assert str(shown["remaining"]) == response.headers["x-ratelimit-remaining"]
            assert str(shown["limit"]) == response.headers["x-ratelimit-limit"]
            left = datetime.fromisoformat(shown["resetAt"]) - datetime.now(UTC)
            assert timedelta(0) < left <= timedelta(seconds=61)
            seen.append(shown["remaining"])

    assert seen == [49, 48, 47]


async def test_without_a_limit_there_is_none_to_show(gateway: Gateway) -> None:
    assert (await data_of(await gateway.new_user(), RATE))["viewer"]["rateLimit"] is None


async def test_the_nodes_of_a_connection_are_those_of_its_edges(gateway: Gateway) -> None:
    account = await gateway.new_user()
    for type_ in ("s3", "local", "custom_s3"):
        await account.create(type_, label=type_)
    listed = "backupDestinations(first: 2, orderBy: {field: LABEL, direction: DESC})"
    document = f"{{ {listed} {{ nodes {{ id label }} edges {{ node {{ id label }} }} }} }}"

    shown = (await data_of(account, document))["backupDestinations"]
    alone = (await data_of(account, f"{{ {listed} {{ nodes {{ id label }} }} }}"))["backupDestinations"]
    events = (await data_of(account, "{ events(first: 2) { nodes { id } edges { node { id } } } }"))["events"]

    assert [node["label"] for node in shown["nodes"]] == ["s3", "local"]
    assert shown["nodes"] == [edge["node"] for edge in shown["edges"]] == alone["nodes"]
    assert events["nodes"] == [edge["node"] for edge in events["edges"]]
    assert len(events["nodes"]) == 2


async def test_a_report_has_an_id_of_its_own_that_the_destination_shows_too(gateway: Gateway) -> None:
    account = await gateway.new_user()
    number = await account.create("custom_s3", custom_s3_endpoint="http://127.0.0.1:9", label="x")
    check = (
        f'mutation {{ checkBackupDestination(id: "BackupDestination:{number}") {{ ... on CheckBackupDestinationPayload '
        "{ report { id } backupDestination { lastCheck { id } } } } }"
    )
    test = (
        'mutation { testBackupDestination(input: {customS3: {label: "x", bucketName: "bucket", '
        'endpoint: "http://127.0.0.1:9", pathStyleEndpoint: true, credentials: {accessKey: "a", secretKey: "b"}}}) '
        "{ ... on TestBackupDestinationPayload { report { id } } } }"
    )

    checked = (await data_of(account, check))["checkBackupDestination"]
    one = f'{{ node(id: "BackupDestination:{number}") {{ ... on S3CompatibleDestination {{ lastCheck {{ id }} }} }} }}'
    listed = await data_of(account, one)
    drafts = [(await data_of(account, test))["testBackupDestination"]["report"]["id"] for _ in range(2)]

    assert checked["report"] == checked["backupDestination"]["lastCheck"] == listed["node"]["lastCheck"]
    assert checked["report"]["id"].startswith(f"CheckReport:{number}-")
    assert len({*drafts, checked["report"]["id"]}) == 3
    refused = await ask(account, "query ($id: ID!) { node(id: $id) { id } }", {"id": checked["report"]["id"]})
    assert code_of(refused) == "BAD_USER_INPUT"
