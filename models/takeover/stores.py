"""The imported destinations with what the source last found of their stores, for a comparison with a check."""

from __future__ import annotations

from typing import NamedTuple

from models.imported_row import UNSEEN, ImportedRow
from models.takeover.source_rows import DESTINATIONS
from models.takeover.target import Target


class ImportedStore(NamedTuple):
    """`status` is the source's: reachable, unreachable, unknown or checking.

    Where `is_path_style`, backups there went to the bucket in the host name all the same.
    """

    id: int
    label: str
    status: str | None
    is_path_style: bool


async def imported_stores() -> dict[int, ImportedStore]:
    """The imported destinations that have a bucket, by id."""
    rows = await Target(ImportedRow._meta.db).all(
        "SELECT d.id, d.label, i.status, d.path_style_endpoint FROM imported_rows i "  # noqa: S608 - our own names
        f"JOIN backup_destinations d ON d.id = i.target_id WHERE i.table_name = '{DESTINATIONS}' "
        "AND d.bucket_name IS NOT NULL ORDER BY d.id"
    )
    return {
        row["id"]: ImportedStore(
            row["id"],
            row["label"],
            None if row["status"] == UNSEEN else row["status"],
            bool(row["path_style_endpoint"]),
        )
        for row in rows
    }
