"""Which database a SOURCE argument means."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click

from app.database import parse_address
from models.takeover.source_rows import Source
from models.takeover.sources.json_source import open_folder
from models.takeover.sources.postgresql_source import open_postgresql
from models.takeover.sources.sqlite_source import open_sqlite

FORMS = "sqlite:///path, postgresql://user@host/database, or a folder of JSON lines"


def require_source(text: str) -> None:
    """Raise `click.UsageError` for a text that is no source."""
    scheme, separator, _ = text.partition("://")
    if not separator:
        if Path(text).is_file():
            raise click.UsageError(f"{text} is a file; one of SQLite is written sqlite:///{text}.")
        if not Path(text).is_dir():
            raise click.UsageError(f"There is no folder {text}; SOURCE is {FORMS}.")
    elif scheme.startswith(("mysql", "mariadb")):
        raise click.UsageError("MySQL is read as a folder of JSON lines; docs/takeover.md has the statements.")
    else:
        try:
            parse_address(text)
        except ValueError as error:
            raise click.UsageError(f"SOURCE is {FORMS}.") from error


@asynccontextmanager
async def open_source(text: str) -> AsyncIterator[Source]:
    """Open a source that is one; raises `SourceRefused`."""
    if "://" not in text:
        yield open_folder(Path(text))
        return
    address = parse_address(text)
    if address.path is not None:
        with open_sqlite(address.path) as sqlite:
            yield sqlite
    else:
        async with open_postgresql(text) as postgresql:
            yield postgresql
