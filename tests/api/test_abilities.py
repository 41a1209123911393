"""The ability matrix: every ability, alone, together, unknown or none, against every operation on every kind of row."""

from __future__ import annotations

import httpx
import pytest
from graphql import FieldNode, OperationDefinitionNode, build_schema, parse

from models.accounts.abilities import Ability
from schema.resolvers.definition import print_sdl
from tests.support.api.destinations import LIST, MISSING, assert_refused, at, data_of, draft, stored
from tests.support.api.operations import REST, Operation, lacking
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import ask
from tests.support.graphql.graphql_operations import DOCUMENTS, GRAPHQL

OPERATIONS = (*REST, *GRAPHQL)

STORED = [
    "",
    "archive-backup-destinations",
    "VIEW-BACKUP-DESTINATIONS create-backup-destination **",
    *(ability.value for ability in Ability),
    "delete-backup-destinations view-backup-destinations",
    "create-backup-destinations update-backup-destinations",
    "archive-backup-destinations update-backup-destinations",
]
"""What the abilities column of a token may hold; unknown names among them."""


def allows(stored_abilities: str, ability: Ability) -> bool:
    """The rule, written again: the exact name or the star, as one of the words; what backups hold needs its name."""
    sufficient = {ability.value} if ability is Ability.USE else {ability.value, "*"}
    return bool(sufficient & set(stored_abilities.split(" ")))


async def holder_of(gateway: Gateway, stored_abilities: str) -> Account:
    """A user whose token has exactly these abilities stored."""
    account = await gateway.new_user()
    token_id = int(account.token.partition("|")[0])
    await gateway.rows(f"UPDATE tokens SET abilities = '{stored_abilities}' WHERE id = {token_id}")  # noqa: S608 - our own values
    return account


@pytest.mark.parametrize("stored_abilities", STORED)
async def test_an_operation_is_allowed_with_its_ability_and_refused_without(
    gateway: Gateway, stored_abilities: str
) -> None:
    """Without it the refusal says so before a row is loaded: foreign and missing rows are refused in the same words."""
    account, stranger = await holder_of(gateway, stored_abilities), await gateway.new_user()
    foreign = await stranger.create("local")
    full = {"authorization": f"Bearer {account.full_token}"}
    expected, answered = {}, {}

    async with account.client() as client:
        for operation in OPERATIONS:
            made = await client.post(LIST, json=draft("local"), headers=full)
            rows = {"own": data_of(made, 201)["id"], "foreign": foreign, "missing": MISSING}
            for target, refusal in {"own": None, **operation.of_others}.items():
                allowed = allows(stored_abilities, operation.ability)
                expected[operation.name, target] = refusal if allowed else lacking(operation.ability)
                answered[operation.name, target] = await operation.ask(client, rows[target])

    assert answered == expected
    assert (await stored(gateway, foreign))["label"] == "A local destination"


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.broken], ids=lambda operation: operation.name)
async def test_a_missing_ability_comes_before_a_broken_body(gateway: Gateway, operation: Operation) -> None:
    """A caller that may not write is not shown how to write."""
    others = " ".join(ability for ability in Ability if ability not in (operation.ability, Ability.ALL))
    account = await holder_of(gateway, others)
    own = await account.create("local")
    assert operation.broken

    async with account.client() as client:
        assert await operation.broken(client, own) == lacking(operation.ability)


async def test_a_missing_ability_comes_before_an_id_that_cannot_be_one(gateway: Gateway) -> None:
    """An address without a row behind it tells no more than one with a row."""
    account = await holder_of(gateway, Ability.CREATE)
    abilities = {"GET": Ability.VIEW, "PUT": Ability.UPDATE, "DELETE": Ability.DELETE}

    async with account.client() as client:
        for method, ability in abilities.items():
            for id_ in ("abc", "0", "9" * 30):
                assert_refused(await client.request(method, at(id_)), 403, lacking(ability))


async def test_a_refused_operation_changes_nothing(gateway: Gateway) -> None:
    """A token of no ability leaves the rows, and their number, as they were."""
    account = await holder_of(gateway, "")
    own = await account.create("s3")
    before = await stored(gateway, own)

    async with account.client() as client:
        for operation in OPERATIONS:
            assert await operation.ask(client, own) == lacking(operation.ability)

    assert await stored(gateway, own) == before
    assert len(await gateway.rows(f"SELECT id FROM backup_destinations WHERE user_id = {account.user_id}")) == 1  # noqa: S608 - our own integer


async def test_abilities_are_those_of_the_token_and_not_of_the_user(gateway: Gateway) -> None:
    """The same user sees more with another token, at once."""
    account = await holder_of(gateway, Ability.CREATE)

    async with httpx.AsyncClient(timeout=60, base_url=gateway.url) as client:
        statuses = [
            (await client.get(LIST, headers={"authorization": f"Bearer {token}"})).status_code
            for token in (account.token, account.full_token)
        ]

    assert statuses == [403, 200]


async def test_an_ability_that_is_taken_away_is_gone_with_the_next_request(gateway: Gateway) -> None:
    """Nothing remembers what a token was once allowed."""
    account = await gateway.new_user()
    own = await account.create("local")

    async with account.client() as client:
        before = await client.get(at(own))
        await gateway.rows(f"UPDATE tokens SET abilities = '' WHERE user_id = {account.user_id}")  # noqa: S608 - our own integer
        after = await client.get(at(own))

    assert (before.status_code, after.status_code) == (200, 403)


async def test_the_viewer_is_shown_whatever_the_token_allows(gateway: Gateway) -> None:
    """Whose token it is, is no secret to who holds it; and asking for nothing needs nothing."""
    account = await holder_of(gateway, "")
    query = "query ($id: ID!) { viewer { id } node(id: $id) { id } nodes(ids: [$id]) { id } }"
    id_ = {"id": f"User:{account.user_id}"}

    assert (await ask(account, query, id_))["data"] == {"viewer": id_, "node": id_, "nodes": [id_]}


def test_every_field_of_every_graphql_root_is_in_the_matrix() -> None:
    """A new one has to say which ability it needs."""
    schema = build_schema(print_sdl())
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)

    asked = {
        selection.name.value
        for document in DOCUMENTS
        for definition in parse(document).definitions
        if isinstance(definition, OperationDefinitionNode)
        for selection in definition.selection_set.selections
        if isinstance(selection, FieldNode)
    }

    assert asked | {"viewer"} == {field for root in roots if root for field in root.fields}
