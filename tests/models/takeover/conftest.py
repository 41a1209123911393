"""A migrated database of each engine for a test alone, into which a source is taken over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.databases.databases import migrated
from tests.support.databases.postgres import PostgresServer
from tests.support.vanguard import laravel_encrypter, mariadb_server, php_client
from tests.support.vanguard.takeover import Takeover

collect_ignore = [
    *([] if laravel_encrypter.is_installed() else ["test_laravel_encrypter.py"]),
    *([] if mariadb_server.is_installed() else ["test_mariadb.py"]),
    *([] if php_client.is_installed() else ["test_php_client.py"]),
]
"""`make takeover` brings the encrypter, MariaDB, and the PHP client where Composer has it."""


@pytest.fixture(params=[("sqlite", "sqlite"), ("postgresql", "postgresql"), ("sqlite", "json")], ids="-from-".join)
def here(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Takeover]:
    """Each engine, and each kind of source."""
    engine, source = request.param
    with migrated(engine, postgres) as gateway:
        yield Takeover(gateway, postgres, source)


@pytest.fixture(params=["sqlite", "postgresql"])
def stored(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Takeover]:
    """Each engine, with sources on the same."""
    with migrated(request.param, postgres) as gateway:
        yield Takeover(gateway, postgres, request.param)
