"""A gateway with settings of its own on either engine, for the tests of those settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway


@contextmanager
def configured(engine: str, postgres: PostgresServer, **settings: str) -> Iterator[Gateway]:
    """A running gateway on an empty database; `settings` are MOORINGS_ names in lower case."""
    database_url = None
    if engine == "postgresql":
        name = f"configured_{uuid4().hex}"
        postgres.create_database(name)
        database_url = postgres.url(name)
    gateway = Gateway(database_url, workers=1, **settings).start()
    try:
        yield gateway
    finally:
        gateway.close()
