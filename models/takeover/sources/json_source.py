"""A folder of JSON lines, which the documented statements make of a Vanguard database on MySQL or MariaDB.

One file for each table, `users.jsonl`, `personal_access_tokens.jsonl` and `backup_destinations.jsonl`, one object for
each row, by id. `user_suspensions.jsonl` may be there, or its columns in the rows of `users`. `next_id` in any row is
the table's AUTO_INCREMENT; an object with that and no id is of a table without rows.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.imported_row import USERS
from models.takeover.source_rows import COLUMNS, SUSPENSIONS, TABLES, SourceRefused, SuspensionRow, suspension_of

BATCH = 500
SUFFIXES = (".jsonl", ".ndjson", ".json")
_LIFTED_AT, _NEXT_ID = "lifted_at", ("next_id", "auto_increment")


class JsonSource:
    """The files of one folder."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files

    async def suspensions(self) -> Sequence[SuspensionRow]:
        """See `Source`."""
        found = self._objects(SUSPENSIONS) if SUSPENSIONS in self._files else self._suspended_users()
        return [suspension_of([each.get(name) for name in COLUMNS[SUSPENSIONS]]) for each in found if _in_force(each)]

    async def rows(self, table: str) -> AsyncGenerator[Sequence[Sequence[object]], None]:
        """See `Source`; columns that a file leaves out are null, but an id has to be there."""
        batch: list[Sequence[object]] = []
        for each in self._rows(table):
            batch.append([_flat(each.get(name)) for name in COLUMNS[table]])
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    async def count(self, table: str) -> int:
        """See `Source`."""
        return sum(1 for _ in self._rows(table))

    async def highest_id(self, table: str) -> int:
        """See `Source`: the greater one of the highest row and the AUTO_INCREMENT less one."""
        highest = 0
        for each in self._objects(table):
            id_ = each.get("id")
            highest = max(highest, id_ if isinstance(id_, int) else 0)
            if (next_id := _next_id(each)) is not None:
                highest = max(highest, next_id - 1)
        return highest

    def _suspended_users(self) -> Iterator[dict[str, Any]]:
        return ({**each, "user_id": each.get("id")} for each in self._objects(USERS) if each.get("suspended_at"))

    def _rows(self, table: str) -> Iterator[dict[str, Any]]:
        return (each for each in self._objects(table) if each.get("id") is not None or _next_id(each) is None)

    def _objects(self, table: str) -> Iterator[dict[str, Any]]:
        path = self._files[table]
        try:
            with path.open(encoding="utf-8-sig") as lines:
                for number, line in enumerate(lines, start=1):
                    if line.strip():
                        yield _object(line, f"line {number} of {path}")
        except (OSError, UnicodeDecodeError) as error:
            raise SourceRefused(f"{path} cannot be read as UTF-8.") from error


def open_folder(folder: Path) -> JsonSource:
    """The files of a folder; raises `SourceRefused` when one is missing."""
    files: dict[str, Path] = {}
    for table in (*TABLES, SUSPENSIONS):
        found = [path for path in (folder / f"{table}{suffix}" for suffix in SUFFIXES) if path.is_file()]
        if found:
            files[table] = found[0]
        elif table in TABLES:
            raise SourceRefused(f"The folder {folder} has no file {table}.jsonl.")
    return JsonSource(files)


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise SourceRefused(f"{where} is no JSON; was it written with --raw?") from error
    if not isinstance(value, dict):
        raise SourceRefused(f"{where} is no object of JSON.")
    return value


def _in_force(row: Mapping[str, Any]) -> bool:
    return row.get(_LIFTED_AT) is None


def _next_id(row: Mapping[str, Any]) -> int | None:
    """What a row says of its table's next id, as a number or as the digits of one."""
    return next((int(row[name]) for name in _NEXT_ID if str(row.get(name)).isdecimal()), None)


def _flat(value: object) -> object:
    """A JSON column, such as the abilities, as its text."""
    return json.dumps(value) if isinstance(value, list | dict) else value
