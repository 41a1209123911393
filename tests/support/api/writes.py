"""Every way to write users, destinations and events, through the service and past it, for tests that mix them.

A write takes the ids there are and two numbers to choose among them with.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from models.accounts.user import User
from models.destinations.attributes import Attribute, DestinationKind
from models.vault.vault import Vault, generate_key
from tests.support.databases.databases import TIMESTAMP, insert, update, user, viewer_of
from tests.support.databases.services import service_of

SERVICE = service_of(Vault(generate_key()))
S3 = {
    Attribute.ACCESS_KEY: "access",
    Attribute.SECRET_KEY: "secret",
    Attribute.BUCKET_NAME: "bucket",
    Attribute.PATH_STYLE_ENDPOINT: True,
}
RAW: Mapping[DestinationKind, Mapping[Attribute, object]] = {
    DestinationKind.AMAZON_S3: {**S3, Attribute.REGION: "eu-north-1"},
    DestinationKind.CUSTOM_S3: {**S3, Attribute.ENDPOINT: "https://s3.example.com"},
    DestinationKind.LOCAL: {},
}
COLUMNS = "uid, user_id, label, kind, created_at, updated_at"
NEW_UID = {
    "sqlite": "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(2)) || '-'"
    " || hex(randomblob(2)) || '-' || hex(randomblob(6)))",
    "postgres": "gen_random_uuid()",
}


@dataclass(frozen=True, slots=True)
class Ids:
    """The users and the destinations there are, and two numbers to choose among them with."""

    users: Sequence[int]
    destinations: Sequence[tuple[int, int]]
    n: int
    m: int

    @property
    def user(self) -> int:
        """One user."""
        return self.users[self.n % len(self.users)]

    @property
    def other(self) -> int:
        """Another user, unless there is one only."""
        return self.users[(self.n + 1 + self.m) % len(self.users)]

    @property
    def destination(self) -> tuple[int, int]:
        """The id of one destination and of its user; of no user when there is none."""
        return self.destinations[self.m % len(self.destinations)] if self.destinations else (2_000_000_001, self.user)


Write = Callable[[Ids], Awaitable[object]]


async def execute(statement: str) -> None:
    """Run a statement on the connection of the models; `{NEW_UID}` is a new uid for every row."""
    connection = User._meta.db
    await connection.execute_query(statement.format(NEW_UID=NEW_UID[connection.capabilities.dialect]))


def sql(build: Callable[[Ids], str]) -> Write:
    """A write that is one statement."""
    return lambda ids: execute(build(ids))


async def create(ids: Ids) -> None:
    """One destination through the service."""
    kind = list(DestinationKind)[ids.m % 3]
    owner = viewer_of(await User.get(id=ids.user))
    await SERVICE.create(owner, {**RAW[kind], Attribute.LABEL: f"Label {ids.m}", Attribute.KIND: kind})


async def change(ids: Ids) -> None:
    """One destination through the service: its label, or its kind."""
    id_, user_id = ids.destination
    if ids.destinations:
        kind = list(DestinationKind)[ids.n % 3]
        raw = {**RAW[kind], Attribute.KIND: kind} if ids.m % 2 else {Attribute.LABEL: f"Label {ids.n}"}
        await SERVICE.update(viewer_of(await User.get(id=user_id)), id_, raw)


async def remove(ids: Ids) -> None:
    """One destination through the service."""
    id_, user_id = ids.destination
    if ids.destinations:
        await SERVICE.delete(viewer_of(await User.get(id=user_id)), id_)


def event(ids: Ids) -> dict[str, str]:
    """A row of `events`."""
    columns = {"kind": "'created'", "label": "'x'", "protocol": "'rest'", "occurred_at": TIMESTAMP}
    return {**columns, "user_id": str(ids.user), "destination_id": str(ids.destination[0])}


def rows_for(users: str, copies: int = 1) -> str:
    """The statement that stores several local destinations for each user of a condition at once."""
    values = " UNION ALL ".join(["SELECT 1"] * copies)
    return (
        f"INSERT INTO backup_destinations ({COLUMNS}) "  # noqa: S608 - our own values
        f"SELECT {{NEW_UID}}, users.id, 'Bulk', 'local', {TIMESTAMP}, {TIMESTAMP} "
        f"FROM users CROSS JOIN ({values}) AS copies WHERE {users}"
    )


def exchange(ids: Ids) -> str:
    """The statement by which two users exchange their destinations."""
    swapped = f"CASE WHEN user_id = {ids.user} THEN {ids.other} ELSE {ids.user} END"
    return update("backup_destinations", {"user_id": swapped}, f"user_id IN ({ids.user}, {ids.other})")


def half(ids: Ids) -> str:
    """A condition for every other destination."""
    return f"id % 2 = {ids.n % 2}"


WRITES: Mapping[str, Write] = {
    "create through the service": create,
    "change through the service": change,
    "remove through the service": remove,
    "insert several": sql(lambda ids: rows_for(f"users.id = {ids.user}", copies=1 + ids.m % 4)),
    "insert for every user": sql(lambda ids: rows_for("1 = 1", copies=1 + ids.m % 2)),
    "insert none": sql(lambda ids: rows_for("1 = 0")),
    "change many": sql(lambda ids: update("backup_destinations", {"label": f"'Label {ids.m}'"}, half(ids))),
    "change none": sql(lambda _: update("backup_destinations", {"label": "'x'"}, "1 = 0")),
    "move one": sql(
        lambda ids: update("backup_destinations", {"user_id": str(ids.user)}, f"id = {ids.destination[0]}")
    ),
    "move all to one": sql(lambda ids: update("backup_destinations", {"user_id": str(ids.user)}, half(ids))),
    "exchange": sql(exchange),
    "remove many": sql(lambda ids: f"DELETE FROM backup_destinations WHERE {half(ids)}"),  # noqa: S608 - our own values
    "remove all": sql(lambda _: "DELETE FROM backup_destinations"),
    "add a user": sql(lambda _: insert("users", user(uuid4().hex))),
    "remove a user": sql(lambda ids: f"DELETE FROM users WHERE id = {ids.user}"),  # noqa: S608 - our own values
    "rename a user": sql(lambda ids: update("users", {"name": f"'Name {ids.m}'"}, f"id = {ids.user}")),
    "rename all users": sql(lambda ids: update("users", {"name": f"'Name {ids.m}'"}, "1 = 1")),
    "move a user's mail": sql(lambda ids: update("users", {"email": f"'{uuid4()}@example.com'"}, f"id = {ids.user}")),
    "add an event": sql(lambda ids: insert("events", event(ids))),
    "change events": sql(lambda ids: update("events", {"label": f"'Label {ids.m}'"}, half(ids))),
    "move events": sql(lambda ids: update("events", {"user_id": str(ids.user)}, half(ids))),
    "remove events": sql(lambda ids: f"DELETE FROM events WHERE {half(ids)}"),  # noqa: S608 - our own values
}
"""What both engines take."""


async def save_a_stale_user(ids: Ids) -> None:
    """A whole row written back by the ORM, with a count and a revision that are not true any more."""
    row = await User.get(id=ids.user)
    await execute(rows_for(f"users.id = {ids.user}"))
    row.name = "Stale"
    await row.save()


def upsert(ids: Ids) -> str:
    """The statement that stores one destination, or gives the one that is there to another user."""
    return (
        f"INSERT INTO backup_destinations (id, {COLUMNS}) VALUES ({ids.destination[0]}, {{NEW_UID}}, "  # noqa: S608
        f"{ids.user}, 'Upserted', 'local', {TIMESTAMP}, {TIMESTAMP}) "
        f"ON CONFLICT (id) DO UPDATE SET user_id = {ids.other}"
    )


def move_anew(ids: Ids) -> str:
    """The statement that removes destinations of many and adds them to one."""
    return (
        f"WITH gone AS (DELETE FROM backup_destinations WHERE {half(ids)} RETURNING *) "  # noqa: S608 - our own values
        f"INSERT INTO backup_destinations ({COLUMNS}) "
        f"SELECT {{NEW_UID}}, {ids.user}, label, 'local', created_at, updated_at FROM gone"
    )


def replace(ids: Ids, key: str) -> str:
    """The statement that puts a new destination in the place of one with the same key."""
    row = {"uid": "{NEW_UID}", "user_id": str(ids.other), "label": "'x'", "kind": "'local'"}
    same = f"(SELECT {key} FROM backup_destinations WHERE id = {ids.destination[0]})"  # noqa: S608 - our own values
    timestamps = {"created_at": TIMESTAMP, "updated_at": TIMESTAMP}
    return insert(
        "backup_destinations", {**row, **timestamps, key: f"coalesce({same}, {row.get(key, 'NULL')})"}, "REPLACE"
    )


OWN: Mapping[str, Mapping[str, Write]] = {
    "postgresql": {
        "truncate destinations": sql(lambda _: "TRUNCATE backup_destinations"),
        "truncate events": sql(lambda _: "TRUNCATE events"),
        "upsert": sql(upsert),
        "remove and add": sql(move_anew),
    },
    "sqlite": {},
}
"""What one engine alone takes."""

REFUSED: Mapping[str, Mapping[str, Write]] = {
    "postgresql": {
        "lower a revision": sql(lambda ids: update("users", {"revision": "revision - 1"}, f"id = {ids.user}")),
        "save a stale user": save_a_stale_user,
    },
    "sqlite": {
        "lower a revision": sql(lambda ids: update("users", {"revision": "revision - 1"}, f"id = {ids.user}")),
        "save a stale user": save_a_stale_user,
        "upsert": sql(upsert),
        "replace by id": sql(lambda ids: replace(ids, "id")),
        "replace by uid": sql(lambda ids: replace(ids, "uid")),
        "replace a user": sql(lambda ids: insert("users", user("new") | {"id": str(ids.user)}, "REPLACE")),
        "replace an event": sql(
            lambda ids: insert("events", event(ids) | {"id": "(SELECT min(id) FROM events)"}, "REPLACE")
        ),
    },
}
"""What an engine refuses where there is something to refuse, because its triggers could not see all of it."""
