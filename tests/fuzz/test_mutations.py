"""Compiled mutations answer as graphql-core does, byte for byte, and act once, whatever comes between."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing

import orjson
import pytest

from models.destinations.table import BackupDestination
from models.events.event import Event
from schema.context import Context
from schema.execution.engine import Engine
from schema.limits import Limits
from tests.support.fuzz.fuzz_stage import WATCHED, Stage, staged
from tests.support.fuzz.mutation_fuzz import MutationFuzz
from tests.support.fuzz.operation_fuzz import write
from tests.support.fuzz.random_mutations import ACTS, FIELDS

SEED, CASES = 20_261_126, 900
UPDATE = """mutation ($id: ID!, $input: UpdateBackupDestinationInput!) {
  updateBackupDestination(id: $id, input: $input) {
    __typename ... on UpdateBackupDestinationPayload { backupDestination { label ...S } } ... on Problem { message }
  }
} fragment S on S3CompatibleDestination { lastCheck { reachable } }"""
CREATE = """mutation ($input: CreateBackupDestinationInput!) {
  createBackupDestination(input: $input) {
    ... on CreateBackupDestinationPayload { backupDestination { __typename ...D } edge { cursor node { id } } }
    ... on ValidationProblem { __typename message violations { path code message } }
  }
}
fragment D on BackupDestination {
  id databaseId label kindName createdAt updatedAt
  ... on S3CompatibleDestination { bucketName pathStyleEndpoint credentialsSetAt reachability lastCheck { reachable } }
  ... on AmazonS3Destination { region } ... on CustomS3Destination { endpoint region }
}"""
DELETE = "mutation ($id: ID!) { deleteBackupDestination(id: $id) { __typename ... on Problem { message } } }"
LEFT = (
    'mutation { deleteBackupDestination(id: "x") { __typename } b: deleteBackupDestination(id: "y") { __typename } }',
    'mutation ($x: Boolean = true) { deleteBackupDestination(id: "x") @include(if: $x) { __typename } }',
    "mutation { __typename }",
)
"""What only graphql-core does."""


@pytest.fixture
async def stage(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Stage]:
    """A database and the users of it; what breaks on purpose is logged to nobody."""
    caplog.set_level(logging.CRITICAL, logger="moorings")
    async with staged() as stage:
        yield stage


async def test_compiled_mutations_answer_as_graphql_core_does(stage: Stage) -> None:
    """And leave the same rows and events behind; and it is compiled code that answers."""
    fuzz = MutationFuzz(stage, SEED)
    await fuzz.run(CASES)

    assert fuzz.untroubled >= 0.3 * fuzz.cases
    assert fuzz.untroubled_answered >= 0.8 * fuzz.untroubled
    wanted = {
        *ACTS,
        *("CreateBackupDestinationPayload", "UpdateBackupDestinationPayload", "DeleteBackupDestinationPayload"),
        *("ValidationProblem", "NotFoundProblem", "ForbiddenProblem"),
        *("a variable of type ID!", "a variable of type S3CredentialsInput!", "a variable of type Boolean"),
    }
    assert wanted - set(fuzz.compiled) == set()


async def test_each_act_is_compiled_however_it_ends(stage: Stage) -> None:
    """Every kind, and every problem that the types promise."""
    fuzz, ids = MutationFuzz(stage, SEED), stage.facts.ids
    keys = {"credentials": {"accessKey": "a", "secretKey": "s"}, "bucketName": "b", "label": "x"}
    for kind, input_, shown in (
        ("amazonS3", {**keys, "region": "eu-north-1"}, "AmazonS3Destination"),
        ("customS3", {**keys, "endpoint": "https://s3.example.com"}, "CustomS3Destination"),
        ("local", {"label": "x"}, "LocalDestination"),
        ("local", {"label": ""}, "ValidationProblem"),
    ):
        answer = await fuzz.answer_of(CREATE, {"input": {kind: input_}})
        assert shown.encode() in (answer or b"")
    for whose, shown in (
        ("one of the viewer's", "Payload"),
        ("somebody else's", "ForbiddenProblem"),
        ("nothing's", "NotFoundProblem"),
    ):
        for text, more in ((UPDATE, {"input": {"label": "New"}}), (DELETE, {})):
            answer = await fuzz.answer_of(text, {"id": ids[whose][0], **more})
            assert shown.encode() in (answer or b"")


async def test_a_mutation_whose_answer_cannot_be_written_has_acted_once(stage: Stage) -> None:
    """What a check found is not readable: graphql-core says so, of the very act that was done."""
    fuzz, engine = MutationFuzz(stage, SEED), Engine(Limits())
    row = await BackupDestination.filter(bucket_name__not_isnull=True).order_by("id").first()
    assert row is not None
    await BackupDestination.filter(id=row.id).update(last_check="nothing a check would say")
    variables = {"id": f"BackupDestination:{row.id}", "input": {"label": "Once"}}

    assert await fuzz.answer_of(UPDATE, variables) is None
    prepared = engine.prepare(UPDATE, None)
    assert [prepared.compiled(engine._strawberry) for _ in range(2)][1] is not None
    before = await Event.all().count()
    written = await write(engine, prepared, variables, stage.context(WATCHED, None))

    assert not written.is_whole
    assert await Event.all().count() == before + 1


@pytest.mark.parametrize("text", LEFT)
async def test_what_is_no_single_act_is_left_to_graphql_core(stage: Stage, text: str) -> None:
    """Several acts, an act under a condition, none."""
    assert await MutationFuzz(stage, SEED).answer_of(text, {}) is None


async def test_a_mutation_that_takes_too_long_is_called_off(stage: Stage) -> None:
    """As graphql-core's is, and nothing of it is left; a client cannot know that, and is told so."""
    engine = Engine(Limits(execution_s=0.1))
    prepared = engine.prepare(UPDATE, None)
    variables = {"id": str(stage.facts.ids["one of the viewer's"][0]), "input": {"label": "Late"}}
    assert [prepared.compiled(engine._strawberry) for _ in range(2)][1] is not None
    file = (await Event._meta.db.execute_query("PRAGMA database_list"))[1][0]["file"]
    before = await Event.all().count()

    with closing(sqlite3.connect(file, isolation_level=None)) as outside:
        outside.execute("BEGIN IMMEDIATE")
        wanted = await engine.run(prepared, variables, stage.context(WATCHED, None))
        written = await write(engine, prepared, variables, stage.context(WATCHED, None))

    assert orjson.loads(written.text) == wanted
    (error,) = wanted["errors"]
    assert error["extensions"] == {"code": "OUTCOME_UNKNOWN"}
    assert error["message"].startswith(
        "The outcome is unknown: the operation took longer than 0.1 seconds. To find out"
    )
    assert await Event.all().count() == before


def test_the_fuzz_writes_every_field_of_the_inputs() -> None:
    """A new one has to be taught to it."""
    types = Engine(Limits())._schema.type_map

    assert {name: set(fields) for name, fields in FIELDS.items()} == {
        name: set(types[name].fields)  # type: ignore[attr-defined] # inputs have them
        for name in FIELDS
    }
    assert Context.__dataclass_fields__["act_result"].default is None
