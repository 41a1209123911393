"""The rows of a Vanguard database, as its tables have them: integers, texts and None, nothing decided yet."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import NamedTuple, Protocol

import orjson

from models.errors import Refusal
from models.imported_row import TOKENS, USERS

SUSPENSIONS, DESTINATIONS = "user_suspensions", "backup_destinations"
TABLES = (USERS, TOKENS, DESTINATIONS)
"""Those whose rows are imported, in the order in which they need each other."""


class SourceRefused(Refusal):
    """The source cannot be read: it is not there, is locked, or lacks a table or a column."""


class UserRow(NamedTuple):
    """A row of `users`, with the suspension that is in force."""

    id: int
    name: str | None
    email: str | None
    created_at: str | None
    suspended_at: str | None = None
    suspended_until: str | None = None


class SuspensionRow(NamedTuple):
    """A row of `user_suspensions` that was not lifted; `suspended_until` of None is for ever."""

    user_id: int
    suspended_at: str | None
    suspended_until: str | None


class TokenSourceRow(NamedTuple):
    """A row of `personal_access_tokens`; `token` is the SHA-256 of the secret in hex, `abilities` a JSON array."""

    id: int
    tokenable_type: str | None
    tokenable_id: int
    name: str | None
    token: str | None
    abilities: str | None
    last_used_at: str | None
    expires_at: str | None
    created_at: str | None


class DestinationSourceRow(NamedTuple):
    """A row of `backup_destinations`; the four from `s3_access_key` on are encrypted."""

    id: int
    user_id: int
    label: str | None
    type: str | None
    s3_access_key: str | None
    s3_secret_key: str | None
    s3_bucket_name: str | None
    custom_s3_endpoint: str | None
    custom_s3_region: str | None
    path_style_endpoint: int
    created_at: str | None
    updated_at: str | None
    status: str | None = None


SourceRow = UserRow | TokenSourceRow | DestinationSourceRow
ENCRYPTED = ("s3_access_key", "s3_secret_key", "s3_bucket_name", "custom_s3_endpoint")
INTEGERS = frozenset({"id", "user_id", "tokenable_id", "path_style_endpoint"})
_ROW_TYPES: Mapping[str, type[SourceRow]] = {
    USERS: UserRow,
    TOKENS: TokenSourceRow,
    DESTINATIONS: DestinationSourceRow,
}
COLUMNS: Mapping[str, Sequence[str]] = {
    USERS: UserRow._fields[:4],
    SUSPENSIONS: SuspensionRow._fields,
    TOKENS: TokenSourceRow._fields,
    DESTINATIONS: DestinationSourceRow._fields,
}
"""The columns that are read of each table."""
_UNWATCHED = {TOKENS: ("last_used_at",), DESTINATIONS: ("status",)}
"""Columns whose changes are no changes of the row."""


class Source(Protocol):
    """A database of the application, read as it was at one time."""

    async def suspensions(self) -> Sequence[SuspensionRow]:
        """The suspensions that were not lifted; raises `SourceRefused`, as all here."""
        ...

    def rows(self, table: str) -> AsyncGenerator[Sequence[Sequence[object]], None]:
        """The rows of a table by id, some at a time, each with the values of `COLUMNS`."""
        ...

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        ...

    async def highest_id(self, table: str) -> int:
        """The highest id that the table ever gave, as far as the database knows; 0 before the first."""
        ...


class MalformedRow(Exception):
    """A row has a value that its column cannot have; `str()` is a sentence without the value."""


def row_of(table: str, values: Sequence[object]) -> SourceRow:
    """A row of one of the `TABLES`; raises `MalformedRow` for a value of another type."""
    names = COLUMNS[table]
    typed = [_typed(name, value) for name, value in zip(names, values, strict=True)]
    return _ROW_TYPES[table](*typed)  # type: ignore[arg-type]  # typed by their names


def suspension_of(values: Sequence[object]) -> SuspensionRow:
    """A row of `user_suspensions`; raises `MalformedRow`."""
    names = COLUMNS[SUSPENSIONS]
    return SuspensionRow(*(_typed(name, value) for name, value in zip(names, values, strict=True)))  # type: ignore[arg-type]


def digest_of_row(table: str, row: SourceRow) -> str:
    """The SHA-256 of a row in hex, the same for equal rows of any database."""
    skipped = _UNWATCHED.get(table, ())
    fields = zip(type(row)._fields, row, strict=True)
    values = [None if name in skipped else _canonical(name, value) for name, value in fields]
    return hashlib.sha256(orjson.dumps(values)).hexdigest()


def _canonical(name: str, value: object) -> object:
    """A timestamp without its fraction of zeros, which some databases write."""
    return value.partition(".")[0] if name.endswith("_at") and isinstance(value, str) else value


def _typed(name: str, value: object) -> int | str | None:
    if name in INTEGERS:
        if name == "path_style_endpoint" and value is None:
            return 0
        if isinstance(value, str) and value.isdigit() and value.isascii():
            return int(value)
        if isinstance(value, bool | int):
            return int(value)
        raise MalformedRow(f"its {name} is no number")
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise MalformedRow(f"its {name} is not UTF-8") from error
    return str(value)
