"""A gateway with settings of its own on either engine, for the tests of those settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.databases.postgres import PostgresServer
from tests.support.databases.templates import planted
from tests.support.gateway.gateway import Gateway


@contextmanager
def configured(engine: str, postgres: PostgresServer, **settings: str) -> Iterator[Gateway]:
    """A running gateway on a database without users; `settings` are MOORINGS_ names in lower case."""
    database_url = planted(postgres) if engine == "postgresql" else None
    gateway = Gateway(database_url, workers=1, **settings).start()
    try:
        yield gateway
    finally:
        gateway.close()
