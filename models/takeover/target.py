"""Statements on many rows of the gateway's own database at once, on either engine.

Rows are lists of integers, texts and None: timestamps as texts in UTC, booleans as 0 and 1. On PostgreSQL a batch is
one statement, so that the triggers that count for each statement do so once for a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from tortoise.backends.base.client import BaseDBAsyncClient

from models.accounts.token_ids import named_token_ids

Value = int | str | None

_TYPES: Mapping[str, str] = {
    **dict.fromkeys(("id", "user_id", "source_id", "target_id", "imported_id"), "int"),
    "path_style_endpoint": "boolean",
    "uid": "uuid",
    "version": "bigint",
}


class Target:
    """One connection, inside of a transaction or not."""

    def __init__(self, client: BaseDBAsyncClient) -> None:
        self._client = client
        self.is_sqlite = client.capabilities.dialect == "sqlite"

    async def rows(self, sql: str, ids: Sequence[int] | Sequence[str]) -> list[dict[str, Any]]:
        """The rows of a statement with `IN {ids}`, for a list of numbers or texts.

        PostgreSQL gets an array there, which it looks up in an index whatever it knows of the table by now.
        """
        if not ids:
            return []
        if self.is_sqlite:
            return await self._client.execute_query_dict(sql.format(ids=f"({', '.join('?' * len(ids))})"), list(ids))
        array = f"= any($1::{'text' if isinstance(ids[0], str) else 'int'}[])"
        return await self._client.execute_query_dict(sql.replace("IN {ids}", array), [list(ids)])

    async def locked_rows(self, sql: str, ids: Sequence[int]) -> list[dict[str, Any]]:
        """`rows` that no one else changes until the transaction ends; one that writes on SQLite is alone anyway."""
        return await self.rows(sql if self.is_sqlite else f"{sql} FOR UPDATE", ids)

    async def all(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a statement without parameters."""
        return await self._client.execute_query_dict(sql)

    async def execute(self, sql: str) -> None:
        """Run a statement without parameters."""
        await self._client.execute_query(sql)

    async def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> None:
        """Add rows."""
        if not rows:
            return
        names = ", ".join(columns)
        if self.is_sqlite:
            places = ", ".join("?" * len(columns))
            sql = f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608 - our own names
            await self._client.execute_many(sql, [[*row] for row in rows])
        else:
            source = f"SELECT {names} FROM {_recordset(columns)}"  # noqa: S608 - our own names
            await self._client.execute_query(f"INSERT INTO {table} ({names}) {source}", [_json(columns, rows)])

    async def update(
        self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]], *, fixed: str = ""
    ) -> None:
        """Change rows by their `id`, the first of the columns; `fixed` are further settings, the same for all."""
        if not rows:
            return
        if self.is_sqlite:
            settings = ", ".join([*(f"{column} = ?" for column in columns[1:]), *filter(None, [fixed])])
            changes = [[*row[1:], row[0]] for row in rows]
            await self._client.execute_many(f"UPDATE {table} SET {settings} WHERE id = ?", changes)  # noqa: S608
        else:
            settings = ", ".join([*(f"{column} = r.{column}" for column in columns[1:]), *filter(None, [fixed])])
            sql = f"UPDATE {table} AS t SET {settings} FROM {_recordset(columns)} WHERE t.id = r.id"  # noqa: S608
            await self._client.execute_query(sql, [_json(columns, rows)])

    async def delete(self, table: str, ids: Sequence[int]) -> None:
        """Remove rows by their `id`."""
        if not ids:
            return
        if self.is_sqlite:
            await self._client.execute_many(f"DELETE FROM {table} WHERE id = ?", [[id_] for id_ in ids])  # noqa: S608
        else:
            await self._client.execute_query(f"DELETE FROM {table} WHERE id = any($1::bigint[])", [list(ids)])  # noqa: S608

    async def raise_sequence(self, table: str, to: int) -> None:
        """Let the next id be greater than a number and than all there are; never lowers it.

        PostgreSQL's sequences are outside of transactions: to be called when the rows are committed.
        """
        if self.is_sqlite:
            await self._client.execute_query(
                f"INSERT INTO sqlite_sequence (name, seq) SELECT '{table}', 0 WHERE NOT EXISTS "  # noqa: S608
                f"(SELECT 1 FROM sqlite_sequence WHERE name = '{table}')"
            )
            await self._client.execute_query(f"UPDATE sqlite_sequence SET seq = max(seq, {to}) WHERE name = '{table}'")  # noqa: S608
            return
        sequence = (await self.all(f"SELECT pg_get_serial_sequence('{table}', 'id') AS name"))[0]["name"]
        last = f"(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence})"  # noqa: S608 - quoted by PostgreSQL
        wanted = f"greatest({to}, {last}, (SELECT coalesce(max(id), 0) FROM {table}))"  # noqa: S608
        await self._client.execute_query(f"SELECT setval('{sequence}', w) FROM (SELECT {wanted} AS w) AS s WHERE w > 0")  # noqa: S608

    async def named_token_ids(self) -> set[int]:
        """See `named_token_ids` of the accounts."""
        return await named_token_ids(self._client)

    async def highest_id(self, table: str) -> int:
        """The highest id that a table has."""
        return int((await self.all(f"SELECT coalesce(max(id), 0) AS n FROM {table}"))[0]["n"])  # noqa: S608


def stored_time(time: datetime | None) -> str | None:
    """A timestamp as both engines take it."""
    return None if time is None else time.astimezone(UTC).replace(microsecond=0).isoformat(sep=" ")


def as_time(value: object) -> datetime | None:
    """A timestamp as either engine gives it."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


def _recordset(columns: Sequence[str]) -> str:
    typed = ", ".join(f"{column} {_type_of(column)}" for column in columns)
    return f"json_to_recordset($1::json) AS r({typed})"


def _type_of(column: str) -> str:
    return "timestamptz" if column.endswith("_at") else _TYPES.get(column, "text")


def _json(columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> str:
    return orjson.dumps([dict(zip(columns, row, strict=True)) for row in rows]).decode()
