"""The table of destinations of a Vanguard application on PostgreSQL, to be written by an export."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from models.takeover.exporting import ChangedRow
from models.takeover.laravel import BEGINNING
from models.takeover.source_rows import COLUMNS, DESTINATIONS, ENCRYPTED, INTEGERS, digest_of_row, row_of
from models.takeover.sources.postgresql_source import connected, selected, translated

_NAMES = COLUMNS[DESTINATIONS]


class PostgresqlTable:
    """See `DestinationTable`."""

    is_applied = True

    def __init__(self, connection: asyncpg.Connection, transaction: Any) -> None:
        self._connection = connection
        self._transaction = transaction

    async def sample(self, limit: int) -> Sequence[str]:
        """See `DestinationTable`."""
        some = " OR ".join(f"{name} LIKE '{BEGINNING}%'" for name in ENCRYPTED)
        with translated():
            rows = await self._connection.fetch(
                f"SELECT {', '.join(ENCRYPTED)} FROM {DESTINATIONS} WHERE {some} ORDER BY id LIMIT {limit}"  # noqa: S608
            )
        return [value for row in rows for value in row if isinstance(value, str)]

    async def taken(self, ids: Sequence[int]) -> set[int]:
        """See `DestinationTable`."""
        with translated():
            select = f"SELECT id FROM {DESTINATIONS} WHERE id = any($1::bigint[])"  # noqa: S608 - our own names
            rows = await self._connection.fetch(select, list(ids))
        return {row["id"] for row in rows}

    async def store(self, changes: Sequence[ChangedRow]) -> dict[int, str | None]:
        """See `DestinationTable`; the type `digitalocean_spaces` stays where the kind here is the same."""
        digests: dict[int, str | None] = {}
        for row, is_known in changes:
            values: dict[str, Any] = row._asdict()
            with translated():
                there = await self._connection.fetchrow(
                    f"SELECT type FROM {DESTINATIONS} WHERE id = $1 FOR UPDATE",  # noqa: S608 - our own names
                    row.id,
                )
                if there is None:
                    places = ", ".join(_place(name, number) for number, name in enumerate(_NAMES, start=1))
                    insert = f"INSERT INTO {DESTINATIONS} ({', '.join(_NAMES)}) VALUES ({places})"  # noqa: S608
                    await self._connection.execute(insert, *(values[name] for name in _NAMES))
                    await self._raise_sequence(row.id)
                elif is_known:
                    if row.type == "custom_s3" and there["type"] == "digitalocean_spaces":
                        values["type"] = there["type"]
                    settings = ", ".join(f"{n} = {_place(n, number)}" for number, n in enumerate(_NAMES[1:], start=2))
                    update = f"UPDATE {DESTINATIONS} SET {settings} WHERE id = $1"  # noqa: S608 - our own names
                    await self._connection.execute(update, *(values[name] for name in _NAMES))
                stored = await self._connection.fetchrow(
                    f"SELECT {selected(DESTINATIONS)} FROM {DESTINATIONS} WHERE id = $1",  # noqa: S608 - our own names
                    row.id,
                )
            is_another = there is not None and not is_known
            digests[row.id] = (
                None if is_another else digest_of_row(DESTINATIONS, row_of(DESTINATIONS, tuple(stored or ())))
            )
        return digests

    async def remove(self, ids: Sequence[int]) -> None:
        """See `DestinationTable`."""
        with translated():
            await self._connection.execute(f"DELETE FROM {DESTINATIONS} WHERE id = any($1)", list(ids))  # noqa: S608

    async def commit(self) -> None:
        """See `DestinationTable`."""
        with translated():
            await self._transaction.commit()

    async def _raise_sequence(self, id_: int) -> None:
        """Let the application's next id be greater than one that was made here."""
        sequence = await self._connection.fetchval("SELECT pg_get_serial_sequence($1, 'id')", DESTINATIONS)
        if sequence is not None:
            await self._connection.execute(
                f"SELECT setval('{sequence}', greatest($1::bigint, last_value)) FROM {sequence}",  # noqa: S608 - quoted by PostgreSQL
                id_,
            )


@asynccontextmanager
async def open_postgresql_table(url: str) -> AsyncIterator[PostgresqlTable]:
    """Connect for writing, in one transaction; raises `SourceRefused`."""
    async with connected(url) as connection:
        with translated():
            transaction = connection.transaction()
            await transaction.start()
        yield PostgresqlTable(connection, transaction)


def _place(name: str, number: int) -> str:
    """A parameter of the type that a row gives: a number, or a text that PostgreSQL is to read."""
    if name == "path_style_endpoint":
        return f"${number}::int::boolean"
    if name.endswith("_at"):
        return f"${number}::text::timestamp"
    return f"${number}::bigint" if name in INTEGERS else f"${number}::text"
