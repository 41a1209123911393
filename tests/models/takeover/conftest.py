"""A migrated database of each engine for a test alone, copied from one that was migrated once."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from app.database import DatabaseAddress, migrate
from tests.support.databases.databases import unserved
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway
from tests.support.vanguard import laravel_encrypter, mariadb_server, php_client
from tests.support.vanguard.takeover import Takeover

collect_ignore = [
    *([] if laravel_encrypter.is_installed() else ["test_laravel_encrypter.py"]),
    *([] if mariadb_server.is_installed() else ["test_mariadb.py"]),
    *([] if php_client.is_installed() else ["test_php_client.py"]),
]
"""`make takeover` brings the encrypter, MariaDB, and the PHP client where Composer has it."""


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database of SQLite that is copied for each test."""
    path = tmp_path_factory.mktemp("migrated") / "moorings.db"
    asyncio.run(migrate(DatabaseAddress(path=path)))
    return path


@pytest.fixture(scope="session")
def migrated_template(postgres: PostgresServer) -> str:
    """The name of a migrated database of PostgreSQL that is copied for each test."""
    name = f"moorings_{uuid4().hex}"
    postgres.create_database(name)
    asyncio.run(migrate(DatabaseAddress(url=postgres.url(name))))
    return name


@contextmanager
def _prepared(engine: str, postgres: PostgresServer, file: Path, template: str) -> Iterator[Gateway]:
    """A gateway that does not serve, on a copy of a migrated database."""
    url = None
    if engine == "postgresql":
        name = f"moorings_{uuid4().hex}"
        postgres.create_database(name, template)
        url = postgres.url(name)
    with unserved(url) as gateway:
        if gateway.address.path is not None:
            shutil.copy(file, gateway.address.path)
        yield gateway


@pytest.fixture(params=[("sqlite", "sqlite"), ("postgresql", "postgresql"), ("sqlite", "json")], ids="-from-".join)
def here(
    request: pytest.FixtureRequest, postgres: PostgresServer, migrated_file: Path, migrated_template: str
) -> Iterator[Takeover]:
    """Each engine, and each kind of source."""
    engine, source = request.param
    with _prepared(engine, postgres, migrated_file, migrated_template) as gateway:
        yield Takeover(gateway, postgres, source)


@pytest.fixture(params=["sqlite", "postgresql"])
def stored(
    request: pytest.FixtureRequest, postgres: PostgresServer, migrated_file: Path, migrated_template: str
) -> Iterator[Takeover]:
    """Each engine, with sources on the same."""
    with _prepared(request.param, postgres, migrated_file, migrated_template) as gateway:
        yield Takeover(gateway, postgres, request.param)
