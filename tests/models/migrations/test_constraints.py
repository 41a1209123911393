"""Bad rows cannot be stored by any path: the database refuses them from raw SQL too, as INSERT and as UPDATE."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest
from tortoise.exceptions import IntegrityError, OperationalError
from tortoise.transactions import in_transaction

from models.accounts.user import User
from models.clock import current_second
from models.destinations.attributes import DestinationKind
from models.destinations.table import BackupDestination
from tests.support.databases.databases import ENGINES, TIMESTAMP, Literals, insert, migrated, update, user
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway

TABLE = "backup_destinations"
SEALED = "'s1:0123456789ab:c2VhbGVk'"
HEAD = {"label": "'Nightly'", "created_at": TIMESTAMP, "updated_at": TIMESTAMP}
BUCKET = {
    "bucket_name": "'bucket'",
    "path_style_endpoint": "TRUE",
    "access_key": SEALED,
    "secret_key": SEALED,
    "credentials_set_at": TIMESTAMP,
}
GOOD: dict[str, Literals] = {
    "amazon_s3": {**HEAD, "kind": "'amazon_s3'", **BUCKET, "region": "'eu-north-1'"},
    "custom_s3": {**HEAD, "kind": "'custom_s3'", **BUCKET, "endpoint": "'https://s3.example.com'"},
    "local": {**HEAD, "kind": "'local'"},
}
"""A good row of each kind, but its uid and its user."""

REQUIRED = {"amazon_s3": [*BUCKET, "region"], "custom_s3": [*BUCKET, "endpoint"]}
FOREIGN = {"amazon_s3": ["endpoint"], "local": [*BUCKET, "region", "endpoint"]}
VALUES = {**BUCKET, "region": "'eu-north-1'", "endpoint": "'https://s3.example.com'"}
TEXTS = ("label", "bucket_name", "region", "endpoint", "access_key", "secret_key")
SPELLINGS = {
    "sqlite": {"NUL": "char(0)", "BLOB": "X'6162'"},
    "postgres": {
        "NUL": "convert_from(decode('00', 'hex'), 'UTF8')",
        "BLOB": "convert_from(decode('ff', 'hex'), 'UTF8')",
    },
}
"""What the engines write differently."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that is good but for `changes`, and that no engine may store."""

    what: str
    kind: str
    changes: Literals
    only: str = "INSERT UPDATE"

    def __str__(self) -> str:
        return self.what


def text(length: int) -> str:
    """A text of that many characters."""
    return f"'{'x' * length}'"


LACKING = [Bad(f"{kind} without {c}", kind, {c: "NULL"}) for kind, columns in REQUIRED.items() for c in columns]
HAVING = [Bad(f"{kind} with {c}", kind, {c: VALUES[c]}) for kind, columns in FOREIGN.items() for c in columns]
NOTHING = [Bad(f"no {c}", "local", {c: "NULL"}) for c in ("uid", "user_id", *HEAD, "kind")]
LENGTHS = [
    *(Bad(f"an empty {c}", "amazon_s3", {c: "''"}) for c in ("label", "bucket_name", "region")),
    *(Bad(f"a long {c}", "amazon_s3", {c: text(256)}) for c in ("label", "bucket_name", "region")),
    Bad("an empty region of another store", "custom_s3", {"region": "''"}),
    Bad("a long endpoint", "custom_s3", {"endpoint": f"'https://' || {text(2041)}"}),
]
SECRETS = [
    Bad(f"{value or 'nothing'} as {c}", kind, {c: f"'{value}'"})
    for kind in REQUIRED
    for c in ("access_key", "secret_key")
    for value in ("", "AKIATESTTESTTESTTEST", "s1:no-envelope", "S1:0123456789ab:c2VhbGVk", "s2:0123456789ab:c2VhbGVk")
]
VALUES_OF_NO_USE = [
    Bad("an unknown kind", "local", {"kind": "'azure'"}),
    Bad("a kind in capitals", "local", {"kind": "'LOCAL'"}),
    Bad("an empty kind", "local", {"kind": "''"}),
    Bad("a kind its row does not fit", "local", {"kind": "'amazon_s3'"}),
    Bad("an unknown reachability", "amazon_s3", {"reachability": "'perhaps'"}),
    Bad("no reachability", "amazon_s3", {"reachability": "NULL"}),
    Bad("an endpoint that is no URL", "custom_s3", {"endpoint": "'s3.example.com'"}),
    Bad("an endpoint of another scheme", "custom_s3", {"endpoint": "'ftp://s3.example.com'"}),
    Bad("a user that is nobody", "local", {"user_id": "2000000001"}),
    Bad("a user that is a word", "local", {"user_id": "'nobody'"}),
    Bad("a uid that is none", "local", {"uid": "'not a uid'"}, only="INSERT"),
    Bad("a uid without its form", "local", {"uid": f"'{'-' * 36}'"}, only="INSERT"),
    Bad("an id of zero", "local", {"id": "0"}),
    Bad("a negative id", "local", {"id": "-7"}),
    Bad("an id beyond 32 bits", "local", {"id": "2147483648"}),
    Bad("an id that is a word", "local", {"id": "'seven'"}),
    Bad("another id", "local", {"id": "1234567"}, only="UPDATE"),
    Bad("another uid", "local", {"uid": f"'{uuid4()}'"}, only="UPDATE"),
    Bad("a path style that is a word", "amazon_s3", {"path_style_endpoint": "'perhaps'"}),
]
MOMENTS = [
    Bad(f"{value} as {c}", "amazon_s3", {c: value})
    for c in ("created_at", "updated_at", "credentials_set_at")
    for value in ("'yesterday, about noon'", "5", "'2024-02-30 00:00:00+00:00'", "'0001-01-01 00:00:00+00:00 BC'")
]
TYPES = [
    *(Bad(f"bytes as {c}", "custom_s3", {c: "{BLOB}"}) for c in ("uid", "kind", "reachability", *TEXTS)),
    *(Bad(f"bytes as {c}", "custom_s3", {c: "{BLOB}"}) for c in ("created_at", "updated_at")),
    Bad("a path style of two", "custom_s3", {"path_style_endpoint": "2"}),
    Bad("a path style of a half", "custom_s3", {"path_style_endpoint": "0.5"}),
    Bad("bytes as path style", "custom_s3", {"path_style_endpoint": "{BLOB}"}),
    *(Bad(f"{m} as created_at", "local", {"created_at": m}) for m in ("'12:00'", "2460530.5")),
]
NULS = [Bad(f"NUL in {c}", "custom_s3", {c: VALUES.get(c, HEAD["label"]) + " || {NUL}"}) for c in TEXTS]
BAD = [*LACKING, *HAVING, *NOTHING, *LENGTHS, *SECRETS, *VALUES_OF_NO_USE, *MOMENTS, *TYPES, *NULS]
USERS = [
    Bad("no name", "user", {"name": "NULL"}),
    Bad("an empty name", "user", {"name": "''"}),
    Bad("a long name", "user", {"name": text(256)}),
    Bad("a short email", "user", {"email": "'@b'"}),
    Bad("a long email", "user", {"email": text(256)}),
    Bad("an email twice", "user", {"email": "'owner@example.com'"}),
]


class _Accepted(Exception):
    """The database took a statement."""


@pytest.fixture(scope="module", params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A database of each engine."""
    with migrated(request.param, postgres) as gateway:
        yield gateway


@pytest.fixture(scope="module")
async def owner(database: Gateway) -> AsyncIterator[int]:
    """The id of a user that has a good row of each kind, with the models open."""
    async with database.models():
        owner = await User.create(email="owner@example.com", name="Owner", created_at=current_second())
        for row in GOOD.values():
            await execute(insert(TABLE, row | {"uid": f"'{uuid4()}'", "user_id": str(owner.id)}))
        yield owner.id


async def execute(statement: str) -> None:
    """Run a statement on the connection of the models."""
    connection = User._meta.db
    await connection.execute_query(statement.format(**SPELLINGS[connection.capabilities.dialect]))


async def undone(statement: str) -> None:
    """Run a statement, say that it was taken, and undo it, so that it spoils no other test."""
    async with in_transaction():
        await execute(statement)
        raise _Accepted(statement)


async def assert_refused(statement: str) -> None:
    """The database refuses the statement for a constraint or a type, and not because it cannot read it."""
    with pytest.raises((IntegrityError, OperationalError)) as refusal:
        await undone(statement)
    types = (asyncpg.DataError, asyncpg.DatatypeMismatchError)
    assert refusal.type is IntegrityError or isinstance(refusal.value.__cause__, types), refusal.value


def test_the_table_of_bad_rows_is_long_and_names_columns_that_there_are() -> None:
    """A slip in the name of a column would be refused too."""
    assert len(BAD) >= 40
    assert {column for bad in BAD for column in bad.changes} <= {*BackupDestination._meta.db_fields, "user_id"}


async def test_a_good_row_of_each_kind_is_stored_and_read_back(owner: int) -> None:
    """What the bad rows differ from is good, and so is a full one of a kind with something optional."""
    full = GOOD["custom_s3"] | {"region": "'x'", "endpoint": "'HTTPS://S3.EXAMPLE.COM'", "path_style_endpoint": "FALSE"}
    await execute(insert(TABLE, full | {"uid": f"'{uuid4()}'", "user_id": str(owner)}))

    rows = await BackupDestination.filter(user_id=owner).order_by("id")
    assert [row.kind for row in rows[:3]] == list(DestinationKind)
    assert [row.path_style_endpoint for row in rows] == [True, True, None, False]
    assert {row.created_at for row in rows} == {datetime(2024, 8, 7, tzinfo=UTC)}


@pytest.mark.parametrize("bad", [bad for bad in BAD if "INSERT" in bad.only], ids=str)
async def test_a_bad_row_cannot_be_inserted(bad: Bad, owner: int) -> None:
    """Not even past the models."""
    row = {**GOOD[bad.kind], "uid": f"'{uuid4()}'", "user_id": str(owner), **bad.changes}

    await assert_refused(insert(TABLE, row))


@pytest.mark.parametrize("bad", [bad for bad in BAD if "UPDATE" in bad.only], ids=str)
async def test_a_good_row_cannot_be_made_a_bad_one(bad: Bad, owner: int) -> None:
    """Not even past the models."""
    await assert_refused(update(TABLE, bad.changes, f"kind = '{bad.kind}' AND user_id = {owner}"))


@pytest.mark.parametrize("bad", USERS, ids=str)
@pytest.mark.usefixtures("owner")
async def test_a_bad_user_cannot_be_stored(bad: Bad) -> None:
    """A user has a name and an address that fit, and no other user has the address."""
    await execute(insert("users", user(uuid4().hex)))

    await assert_refused(insert("users", user("another") | bad.changes))
    await assert_refused(update("users", bad.changes, "id = (SELECT max(id) FROM users)"))
