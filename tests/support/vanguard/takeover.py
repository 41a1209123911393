"""A database of the gateway, and imports into it in the test's own process."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.cli.vanguard.sources import open_source
from models.destinations.attributes import Attribute
from models.destinations.table import BackupDestination
from models.takeover.decisions import Options
from models.takeover.importing import Mode, import_all
from models.takeover.laravel import LaravelKeys
from models.takeover.report import Report
from models.vault.vault import Vault, generate_key
from tests.support.databases.databases import database_url
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway
from tests.support.vanguard import vanguard_database as vanguard
from tests.support.vanguard.vanguard_database import KEY, PREVIOUS_KEY, Rows, destination, token, user

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
VAULT = Vault(generate_key())
PLAIN_ROWS: Rows = {
    "users": [user(1), user(2, email="Ada@Example.com"), user(9, created_at=None)],
    "user_suspensions": [],
    "personal_access_tokens": [token(5, 1, "a" * 40), token(70, 2, "b" * 48, expires_at="2030-01-01 00:00:00")],
    "backup_destinations": [
        destination(3, 1),
        destination(4, 2, "custom_s3", path_style_endpoint=True, custom_s3_region=None),
        destination(8, 2, "local", status="unknown"),
    ],
}


class Takeover:
    """A database of the gateway, and imports into it."""

    def __init__(self, gateway: Gateway, postgres: PostgresServer, source: str) -> None:
        self.gateway = gateway
        self._postgres = postgres
        self._kind = source
        self._number = 0

    async def source(self, rows: Rows, **highest: int) -> str:
        """A source of these rows."""
        self._number += 1
        path = self.gateway.directory / f"source-{self._number}"
        if self._kind == "sqlite":
            return vanguard.into_sqlite(path, rows, highest=highest)
        if self._kind == "json":
            return vanguard.into_folder(path, rows, highest=highest)
        url = database_url("postgresql", self._postgres)
        assert url is not None
        return await vanguard.into_postgresql(url, rows, highest=highest)

    async def run(
        self, source: str | Rows, *, keys: tuple[str, str] = (KEY, PREVIOUS_KEY), zone: str = "UTC", **how: bool
    ) -> Report:
        """Import; `how` has what is other than usual of the mode and the options."""
        if not isinstance(source, str):
            source = await self.source(source)
        options = Options(
            zone=ZoneInfo(zone),
            now=NOW,
            assume_https=how.pop("assume_https", False),
            disable_suspended=how.pop("disable_suspended", True),
        )
        mode = Mode(first_user="admin@localhost", **how)
        async with self.gateway.models(), open_source(source) as opened:
            return await import_all(
                opened, LaravelKeys(*keys), VAULT, options, mode, advance=lambda _table, _count: None
            )

    async def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of a table by id, times as texts in UTC."""
        rows = await self.gateway.rows(f"SELECT * FROM {table} ORDER BY id")  # noqa: S608 - our own names
        return [{name: _text(value) for name, value in row.items()} for row in rows]

    async def everything(self) -> dict[str, list[dict[str, Any]]]:
        """All rows that an import may write."""
        tables = ("users", "tokens", "backup_destinations", "imported_rows", "events", "audit")
        return {table: await self.rows(table) for table in tables}

    async def secrets(self, id_: int) -> tuple[str, str]:
        """The keys of a destination, opened."""
        async with self.gateway.models():
            row = await BackupDestination.get(id=id_)
        opened = [
            VAULT.open(str(getattr(row, attribute)), row.place(attribute)).reveal()
            for attribute in (Attribute.ACCESS_KEY, Attribute.SECRET_KEY)
        ]
        return opened[0], opened[1]


def _text(value: object) -> object:
    return value.astimezone(UTC).isoformat(sep=" ") if isinstance(value, datetime) else value
