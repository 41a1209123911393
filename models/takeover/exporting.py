"""Writes what has changed here since the last run into the table of a Vanguard application that still reads it.

So its jobs never use keys that were replaced here. The source's table is written first, in one transaction of its own,
and then the imported rows note the state that both have: a run that is killed between the two repeats itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import NamedTuple, Protocol

from tortoise.transactions import in_transaction

from models.audit.entry import AuditKind
from models.audit.operator import operator
from models.audit.recording import record
from models.destinations.attributes import Attribute, DestinationKind
from models.destinations.table import BackupDestination
from models.errors import Refusal, SecretUnreadable
from models.imported_row import APP_KEY, UNSEEN, USERS, ImportedRow
from models.takeover.decisions import NAMES
from models.takeover.laravel import LaravelKeys, is_payload
from models.takeover.source_rows import DESTINATIONS, DestinationSourceRow, digest_of_row
from models.takeover.target import Target, Value
from models.vault.secret import Secret
from models.vault.vault import Vault

BATCH = 500
SAMPLE = 100
"""Rows with encrypted values that are tried before anything is written."""
TYPES = {
    DestinationKind.AMAZON_S3: "s3",
    DestinationKind.CUSTOM_S3: "custom_s3",
    DestinationKind.LOCAL: "local",
}


class ChangedRow(NamedTuple):
    """A destination as the table there is to have it; one that is not `is_known` was made here."""

    row: DestinationSourceRow
    is_known: bool


class DestinationTable(Protocol):
    """The table of destinations of a Vanguard application, open for writing; nothing is kept until `commit`."""

    is_applied: bool
    """Whether the rows are there after `commit`; statements have yet to be applied."""

    async def sample(self, limit: int) -> Sequence[str]:
        """Texts of the encrypted columns of at most so many rows that have one; none where nothing can be read."""
        ...

    async def taken(self, ids: Sequence[int]) -> set[int]:
        """Those of the ids that rows there have; none where nothing can be read."""
        ...

    async def store(self, changes: Sequence[ChangedRow]) -> dict[int, str | None]:
        """Write rows; the digest that each has there then, by id, None for one whose id another row has."""
        ...

    async def remove(self, ids: Sequence[int]) -> None:
        """Remove rows that are there."""
        ...

    async def commit(self) -> None:
        """Keep what was written."""
        ...


class KeyOfAnother(Refusal):
    """The key opens nothing of what is encrypted there: the application could not read what it would seal."""

    def __init__(self) -> None:
        super().__init__(
            "APP_KEY opens nothing that Vanguard has encrypted, and neither does a key of APP_PREVIOUS_KEYS: Vanguard "
            "could not read what it seals. Nothing was written."
        )


@dataclass(kw_only=True, slots=True)
class ExportReport:
    """The ids of the destinations that were written, removed and refused there, the last with their reasons."""

    is_dry: bool
    written: list[int] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


async def export_all(
    table: DestinationTable,
    keys: LaravelKeys,
    vault: Vault,
    zone: tzinfo,
    *,
    everything: bool = False,
    is_dry: bool = False,
) -> ExportReport:
    """Write the rows that have changed here since the last run, or all of them; a dry run judges them alike.

    Raises `KeyOfAnother`, and `SourceRefused` as the table does: nothing was written.
    """
    sealed_there = [text for text in await table.sample(SAMPLE) if is_payload(text)]
    if sealed_there and not any(keys.fits(text) for text in sealed_there):
        raise KeyOfAnother
    report = ExportReport(is_dry=is_dry)
    target = Target(ImportedRow._meta.db)
    digests: dict[int, tuple[str, int]] = {}
    async for batch in _changed(target, everything=everything):
        owners = await _owners(target, [row.user_id for row, _ in batch])
        changes: list[ChangedRow] = []
        for row, is_known in batch:
            try:
                if row.user_id not in owners:
                    report.refused[row.id] = f"belongs to user {row.user_id}, which is not of there."
                elif row.kind not in TYPES:
                    report.refused[row.id] = "is of a kind that is not known there."
                else:
                    changes.append(ChangedRow(_sealed(row, keys, vault, zone), is_known))
            except SecretUnreadable as error:
                report.refused[row.id] = str(error)
        found = await _judged(table, changes) if is_dry else await table.store(changes)
        versions = {row.id: row.version for row, _ in batch}
        for id_, digest in found.items():
            if digest is None:
                report.refused[id_] = "was made here, and a row there has its id."
            else:
                report.written.append(id_)
                digests[id_] = digest, versions[id_]
    gone = await target.all(
        "SELECT i.id, i.source_id FROM imported_rows i LEFT JOIN backup_destinations d ON d.id = i.target_id "  # noqa: S608
        f"WHERE i.table_name = '{DESTINATIONS}' AND d.id IS NULL ORDER BY i.source_id"
    )
    report.removed = [each["source_id"] for each in gone]
    if not is_dry:
        await table.remove(report.removed)
        await table.commit()
        state = "unknown" if table.is_applied else UNSEEN
        await _remember(digests, [each["id"] for each in gone], report, state=state)
    return report


async def require_imported_key(keys: LaravelKeys) -> None:
    """Raise `KeyOfAnother` when the last import that opened something did so with none of the keys.

    For statements, whose table cannot be read.
    """
    noted = await ImportedRow.get_or_none(table_name=APP_KEY)
    if noted is not None and noted.digest not in keys.fingerprints:
        raise KeyOfAnother


async def _judged(table: DestinationTable, changes: Sequence[ChangedRow]) -> dict[int, str | None]:
    """What storing the rows would return, with nothing written."""
    taken = await table.taken([each.row.id for each in changes if not each.is_known])
    return {
        each.row.id: None if each.row.id in taken and not each.is_known else digest_of_row(DESTINATIONS, each.row)
        for each in changes
    }


async def _changed(target: Target, *, everything: bool) -> AsyncIterator[list[tuple[BackupDestination, bool]]]:
    """The destinations whose state there is another, some at a time, each with whether it was there before."""
    last, condition = 0, "1 = 1" if everything else "(i.id IS NULL OR i.version <> d.version)"
    while True:
        found = await target.all(
            "SELECT d.id, i.id AS imported FROM backup_destinations d LEFT JOIN imported_rows i "  # noqa: S608 - our own
            f"ON i.table_name = '{DESTINATIONS}' AND i.target_id = d.id "
            f"WHERE d.id > {last} AND {condition} ORDER BY d.id LIMIT {BATCH}"
        )
        if not found:
            return
        last = found[-1]["id"]
        known = {each["id"]: each["imported"] is not None for each in found}
        rows = await BackupDestination.filter(id__in=list(known)).order_by("id")
        yield [(row, known[row.id]) for row in rows]


async def _owners(target: Target, user_ids: Sequence[int]) -> set[int]:
    """Those of the users that were imported."""
    rows = await target.rows(
        f"SELECT target_id FROM imported_rows WHERE table_name = '{USERS}' AND target_id IN {{ids}}",  # noqa: S608
        sorted(set(user_ids)),
    )
    return {row["target_id"] for row in rows}


def _sealed(row: BackupDestination, keys: LaravelKeys, vault: Vault, zone: tzinfo) -> DestinationSourceRow:
    """The row as the application stores it; raises `SecretUnreadable`."""

    def encrypted(attribute: Attribute) -> str | None:
        stored = getattr(row, attribute)
        if stored is None:
            return None
        return keys.seal(vault.open(stored, row.place(attribute)) if attribute.rules.is_secret else Secret(stored))

    columns = {
        NAMES[attribute]: encrypted(attribute)
        for attribute in (Attribute.ACCESS_KEY, Attribute.SECRET_KEY, Attribute.BUCKET_NAME, Attribute.ENDPOINT)
    }
    return DestinationSourceRow(
        id=row.id,
        user_id=row.user_id,
        label=row.label,
        type=TYPES[row.kind],
        **columns,
        custom_s3_region=row.region,
        path_style_endpoint=int(bool(row.path_style_endpoint)),
        created_at=_naive(row.created_at, zone),
        updated_at=_naive(row.updated_at, zone),
        status="unknown",
    )


def _naive(time: datetime, zone: tzinfo) -> str:
    """A timestamp as the application writes it, in its zone and without one."""
    return time.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


async def _remember(
    digests: dict[int, tuple[str, int]], gone: Sequence[int], report: ExportReport, *, state: str
) -> None:
    """Note the state that both tables have now, `state` for the rows that were made here, and the run in the audit."""
    ids = list(digests)
    async with in_transaction() as connection:
        target = Target(connection)
        for start in range(0, len(ids), BATCH):
            some = ids[start : start + BATCH]
            known = {
                each["target_id"]: each["id"]
                for each in await target.rows(
                    f"SELECT id, target_id FROM imported_rows WHERE table_name = '{DESTINATIONS}' "  # noqa: S608
                    "AND target_id IN {ids}",
                    some,
                )
            }
            updates: list[list[Value]] = [[known[id_], *digests[id_]] for id_ in some if id_ in known]
            await target.update("imported_rows", ("id", "digest", "version"), updates)
            columns = ("table_name", "source_id", "target_id", "digest", "version", "status")
            added: list[list[Value]] = [
                [DESTINATIONS, id_, id_, *digests[id_], state] for id_ in some if id_ not in known
            ]
            await target.insert("imported_rows", columns, added)
        await target.delete("imported_rows", gone)
        numbers = {"written": len(report.written), "removed": len(report.removed), "refused": len(report.refused)}
        await record(operator(), AuditKind.SECRETS_OPENED, "moorings export vanguard", **numbers)
