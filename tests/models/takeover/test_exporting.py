"""What changes here after a takeover goes back into the table that the application's jobs still read."""

from __future__ import annotations

import io
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.cli.vanguard.exporting import opened_table
from app.cli.vanguard.sources import open_source
from models.accounts.viewer import Protocol, on_behalf_of
from models.destinations.attributes import Attribute, DestinationKind
from models.destinations.table import BackupDestination
from models.takeover.exporting import ExportReport, KeyOfAnother, export_all, require_imported_key
from models.takeover.laravel import LaravelKeys
from models.takeover.source_rows import COLUMNS, ENCRYPTED
from models.takeover.sources.mysql_statements import MysqlStatements
from tests.support.databases.services import service_of
from tests.support.vanguard.takeover import PLAIN_ROWS, VAULT, Takeover
from tests.support.vanguard.vanguard_database import KEY, OTHER_KEY, PREVIOUS_KEY, destination, sealed

NEW_KEYS = {Attribute.ACCESS_KEY: "AKIANEW", Attribute.SECRET_KEY: "new-secret"}


async def change_here(here: Takeover) -> int:
    """Change a destination, remove one and make one by the service; the id of the new one."""
    service = service_of(VAULT)
    ada, first = on_behalf_of(2, Protocol.COMMAND_LINE), on_behalf_of(1, Protocol.COMMAND_LINE)
    await service.update(first, 3, {Attribute.LABEL: "Dépôt ☂", **NEW_KEYS})
    await service.delete(ada, 8)
    made = await service.create(
        ada,
        {
            Attribute.LABEL: "Made here",
            Attribute.KIND: DestinationKind.CUSTOM_S3,
            Attribute.BUCKET_NAME: "made",
            Attribute.ENDPOINT: "https://made.example.com",
            Attribute.PATH_STYLE_ENDPOINT: True,
            **NEW_KEYS,
        },
    )
    return made.id


async def exported(
    source: str, *, is_dry: bool = False, everything: bool = False, keys: tuple[str, str] = (KEY, "")
) -> ExportReport:
    """Run an export into the database that an import came from."""
    zone = ZoneInfo("Europe/Berlin")
    async with opened_table(source, None) as table:
        return await export_all(table, LaravelKeys(*keys), VAULT, zone, everything=everything, is_dry=is_dry)


async def rows_there(source: str) -> dict[int, dict[str, Any]]:
    """The destinations of the source with their texts opened."""
    keys, found = LaravelKeys(KEY), dict[int, dict[str, Any]]()
    async with open_source(source) as opened:
        async for batch in opened.rows("backup_destinations"):
            for values in batch:
                row: dict[str, Any] = dict(zip(COLUMNS["backup_destinations"], values, strict=True))
                for name in ENCRYPTED:
                    row[name] = None if row[name] is None else keys.open(row[name]).secret.reveal()
                found[row["id"]] = row
    return found


async def test_what_changed_here_is_written_there_and_nothing_else(stored: Takeover) -> None:
    source = await stored.source(PLAIN_ROWS, backup_destinations=20)
    await stored.run(source, zone="Europe/Berlin")
    before = await rows_there(source)
    async with stored.gateway.models():
        assert (await exported(source)).written == []
        new_id = await change_here(stored)
        dry = await exported(source, is_dry=True)
        assert await rows_there(source) == before
        report = await exported(source)
        assert (dry.written, dry.removed) == (report.written, report.removed) == ([3, new_id], [8])
        again = await exported(source)
        row = await BackupDestination.get(id=3)

    there = await rows_there(source)
    assert (new_id, sorted(there)) == (21, [3, 4, 21])
    assert there[4] == before[4]
    assert there[3] | {"updated_at": None} == before[3] | {
        "label": "Dépôt ☂",
        "s3_access_key": "AKIANEW",
        "s3_secret_key": "new-secret",
        "status": "unknown",
        "updated_at": None,
    }
    assert there[3]["updated_at"] == row.updated_at.astimezone(ZoneInfo("Europe/Berlin")).strftime("%Y-%m-%d %H:%M:%S")
    assert [there[21][name] for name in ("user_id", "type", "custom_s3_endpoint", "path_style_endpoint")] == [
        *(2, "custom_s3", "https://made.example.com", 1)
    ]
    assert (again.written, again.removed, again.refused) == ([], [], {})
    synced = await stored.run(source, zone="Europe/Berlin", is_sync=True, is_pruning=True)
    counts = synced.counts["backup_destinations"]
    assert (counts.unchanged, counts.changed, counts.added, counts.removed) == (3, 0, 0, 0)


async def test_a_type_that_is_not_known_here_stays_there_and_a_row_of_there_is_never_replaced(stored: Takeover) -> None:
    endpoint = sealed("https://fra1.digitaloceanspaces.com")
    spaces = destination(3, 1, "digitalocean_spaces", custom_s3_endpoint=endpoint)
    source = await stored.source({**PLAIN_ROWS, "backup_destinations": [spaces]})
    await stored.run(source)
    async with stored.gateway.models():
        await service_of(VAULT).update(on_behalf_of(1, Protocol.COMMAND_LINE), 3, {Attribute.LABEL: "Changed"})
        made = await service_of(VAULT).create(
            on_behalf_of(1, Protocol.COMMAND_LINE), {Attribute.LABEL: "Made", Attribute.KIND: DestinationKind.LOCAL}
        )
        other = await stored.source(
            {**PLAIN_ROWS, "backup_destinations": [spaces, destination(made.id, 1, "local", label="Theirs")]}
        )
        before = await rows_there(other)
        dry = await exported(other, is_dry=True)
        assert await rows_there(other) == before
        report = await exported(other)

    assert (dry.written, dry.removed, dry.refused) == (report.written, report.removed, report.refused)
    there = await rows_there(other)
    assert (report.written, list(report.refused)) == ([3], [made.id])
    assert (there[3]["type"], there[3]["label"], there[made.id]["label"]) == (
        *("digitalocean_spaces", "Changed", "Theirs"),
    )


async def test_a_key_that_opens_nothing_there_writes_nothing(stored: Takeover) -> None:
    source = await stored.source(PLAIN_ROWS)
    await stored.run(source)
    async with stored.gateway.models():
        await change_here(stored)
        before, ledger = await rows_there(source), await stored.rows("imported_rows")
        for is_dry in (True, False):
            with pytest.raises(KeyOfAnother):
                await exported(source, is_dry=is_dry, everything=True, keys=(OTHER_KEY, PREVIOUS_KEY))
        assert (await rows_there(source), await stored.rows("imported_rows")) == (before, ledger)
        with pytest.raises(KeyOfAnother):
            await require_imported_key(LaravelKeys(OTHER_KEY))
        await require_imported_key(LaravelKeys(OTHER_KEY, KEY))
        report = await exported(source, keys=(PREVIOUS_KEY, KEY))

    assert len(report.written) == 2


async def test_what_was_only_written_as_statements_is_not_pruned_until_it_was_there(stored: Takeover) -> None:
    source = await stored.source(PLAIN_ROWS)
    await stored.run(source)
    async with stored.gateway.models():
        new_id = await change_here(stored)
        await export_all(MysqlStatements(io.StringIO()), LaravelKeys(KEY), VAULT, ZoneInfo("UTC"))

    unapplied = await stored.run(source, is_sync=True, is_pruning=True)
    ids = [each["id"] for each in await stored.rows("backup_destinations")]
    applied = {**PLAIN_ROWS, "backup_destinations": [*PLAIN_ROWS["backup_destinations"], destination(new_id, 2)]}
    await stored.run(applied, is_sync=True, is_pruning=True)
    removed = await stored.run(source, is_sync=True, is_pruning=True)

    found = [(each.id, each.code) for each in unapplied.findings if each.code in ("pruned", "not_there_yet")]
    assert (found, new_id in ids) == ([(new_id, "not_there_yet")], True)
    assert removed.counts["backup_destinations"].removed == 1
    assert new_id not in [each["id"] for each in await stored.rows("backup_destinations")]


async def test_statements_for_mysql_hold_no_text_that_needs_an_escape(stored: Takeover) -> None:
    source = await stored.source(PLAIN_ROWS)
    await stored.run(source)
    file = io.StringIO()
    async with stored.gateway.models():
        await change_here(stored)
        report = await export_all(MysqlStatements(file), LaravelKeys(KEY), VAULT, ZoneInfo("UTC"))

    first, begin, update, insert, delete, end = file.getvalue().splitlines()
    assert (first, begin, end) == ("SET NAMES utf8mb4;", "START TRANSACTION;", "COMMIT;")
    assert "ON DUPLICATE KEY UPDATE" in update
    assert "ON DUPLICATE" not in insert
    assert delete == "DELETE FROM backup_destinations WHERE id = 8;"
    assert f"CONVERT(X'{'Dépôt ☂'.encode().hex()}' USING utf8mb4)" in update
    assert file.getvalue().isascii()
    assert len(report.written) == 2
