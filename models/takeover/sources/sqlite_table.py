"""The table of destinations of a Vanguard application on SQLite, to be written by an export."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from models.takeover.exporting import ChangedRow
from models.takeover.laravel import BEGINNING
from models.takeover.source_rows import COLUMNS, DESTINATIONS, ENCRYPTED, digest_of_row, row_of
from models.takeover.sources.sqlite_source import connected, translated

_NAMES = COLUMNS[DESTINATIONS]


class SqliteTable:
    """See `DestinationTable`."""

    is_applied = True

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def sample(self, limit: int) -> Sequence[str]:
        """See `DestinationTable`."""
        some = " OR ".join(f"{name} LIKE '{BEGINNING}%'" for name in ENCRYPTED)
        with translated():
            rows = self._connection.execute(
                f"SELECT {', '.join(ENCRYPTED)} FROM {DESTINATIONS} WHERE {some} ORDER BY id LIMIT {limit}"  # noqa: S608
            ).fetchall()
        return [value for row in rows for value in row if isinstance(value, str)]

    async def taken(self, ids: Sequence[int]) -> set[int]:
        """See `DestinationTable`."""
        select = f"SELECT id FROM {DESTINATIONS} WHERE id IN ({', '.join('?' * len(ids))})"  # noqa: S608 - our own names
        with translated():
            return {row[0] for row in self._connection.execute(select, list(ids))}

    async def store(self, changes: Sequence[ChangedRow]) -> dict[int, str | None]:
        """See `DestinationTable`; the type `digitalocean_spaces` stays where the kind here is the same."""
        digests: dict[int, str | None] = {}
        for row, is_known in changes:
            values = row._asdict()
            with translated():
                there = self._connection.execute(f"SELECT type FROM {DESTINATIONS} WHERE id = ?", (row.id,)).fetchone()  # noqa: S608
                if there is None:
                    places = ", ".join("?" * len(_NAMES))
                    insert = f"INSERT INTO {DESTINATIONS} ({', '.join(_NAMES)}) VALUES ({places})"  # noqa: S608
                    self._connection.execute(insert, [values[name] for name in _NAMES])
                elif is_known:
                    if row.type == "custom_s3" and there[0] == "digitalocean_spaces":
                        values["type"] = there[0]
                    settings = ", ".join(f"{name} = ?" for name in _NAMES[1:])
                    update = f"UPDATE {DESTINATIONS} SET {settings} WHERE id = ?"  # noqa: S608
                    self._connection.execute(update, [*(values[name] for name in _NAMES[1:]), row.id])
                stored = self._connection.execute(
                    f"SELECT {', '.join(_NAMES)} FROM {DESTINATIONS} WHERE id = ?",  # noqa: S608
                    (row.id,),
                ).fetchone()
            is_another = there is not None and not is_known
            digests[row.id] = None if is_another else digest_of_row(DESTINATIONS, row_of(DESTINATIONS, stored))
        return digests

    async def remove(self, ids: Sequence[int]) -> None:
        """See `DestinationTable`."""
        with translated():
            self._connection.executemany(f"DELETE FROM {DESTINATIONS} WHERE id = ?", [(id_,) for id_ in ids])  # noqa: S608

    async def commit(self) -> None:
        """See `DestinationTable`."""
        with translated():
            self._connection.execute("COMMIT")


@contextmanager
def open_sqlite_table(path: Path) -> Iterator[SqliteTable]:
    """Open a file for writing, in one transaction; raises `SourceRefused`."""
    with connected(path, "rw", "PRAGMA foreign_keys = ON", "BEGIN IMMEDIATE") as connection:
        yield SqliteTable(connection)
