"""The statements that bring the table of a Vanguard application on MySQL or MariaDB up to date, for its own client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from models.takeover.exporting import ChangedRow
from models.takeover.source_rows import COLUMNS, DESTINATIONS, digest_of_row

_NAMES = COLUMNS[DESTINATIONS]


class MysqlStatements:
    """See `DestinationTable`. One transaction; texts are in hex, which needs no escapes in any SQL mode."""

    is_applied = False

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._file.write("SET NAMES utf8mb4;\nSTART TRANSACTION;\n")

    async def sample(self, limit: int) -> Sequence[str]:
        """See `DestinationTable`; `require_imported_key` is for statements."""
        return []

    async def taken(self, ids: Sequence[int]) -> set[int]:
        """See `DestinationTable`."""
        return set()

    async def store(self, changes: Sequence[ChangedRow]) -> dict[int, str | None]:
        """See `DestinationTable`; a row that was made here fails there when another has its id."""
        for row, is_known in changes:
            values = ", ".join(_literal(getattr(row, name)) for name in _NAMES)
            update = ", ".join(
                "type = IF(type = 'digitalocean_spaces' AND VALUES(type) = 'custom_s3', type, VALUES(type))"
                if name == "type"
                else f"{name} = VALUES({name})"
                for name in _NAMES[1:]
            )
            known = f" ON DUPLICATE KEY UPDATE {update}" if is_known else ""
            self._file.write(f"INSERT INTO {DESTINATIONS} ({', '.join(_NAMES)}) VALUES ({values}){known};\n")  # noqa: S608
        return {row.id: digest_of_row(DESTINATIONS, row) for row, _ in changes}

    async def remove(self, ids: Sequence[int]) -> None:
        """See `DestinationTable`."""
        for id_ in ids:
            self._file.write(f"DELETE FROM {DESTINATIONS} WHERE id = {id_};\n")  # noqa: S608 - our own number

    async def commit(self) -> None:
        """See `DestinationTable`."""
        self._file.write("COMMIT;\n")
        self._file.flush()


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    return f"CONVERT(X'{str(value).encode().hex()}' USING utf8mb4)" if value else "''"
