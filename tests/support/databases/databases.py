"""A migrated database of each engine for tests that use the models of their own process, and statements on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from models.accounts.abilities import Ability
from models.accounts.user import User
from models.accounts.viewer import Protocol, Viewer
from tests.support.databases.postgres import PostgresServer
from tests.support.databases.templates import plant, planted
from tests.support.gateway.gateway import Gateway

ENGINES = ("sqlite", "postgresql")
TIMESTAMP = "'2024-08-07 00:00:00+00:00'"

Literals = dict[str, str]
"""Columns and what a statement writes into them, as SQL."""


def database_url(engine: str, postgres: PostgresServer) -> str | None:
    """An empty database of the engine, as `Gateway` takes it."""
    if engine == "sqlite":
        return None
    name = f"moorings_{uuid4().hex}"
    postgres.create_database(name)
    return postgres.url(name)


@contextmanager
def unserved(url: str | None) -> Iterator[Gateway]:
    """A gateway that does not serve, for its database, its commands and its models."""
    gateway = Gateway(url)
    try:
        yield gateway
    finally:
        shutil.rmtree(gateway.directory)


@contextmanager
def migrated(engine: str, postgres: PostgresServer) -> Iterator[Gateway]:
    """A gateway that does not serve, on a migrated database of its own."""
    with unserved(planted(postgres) if engine == "postgresql" else None) as gateway:
        if gateway.address.path is not None:
            plant(gateway.address.path)
        yield gateway


def insert(table: str, row: Literals, verb: str = "INSERT") -> str:
    """The statement that stores a row."""
    return f"{verb} INTO {table} ({', '.join(row)}) VALUES ({', '.join(row.values())})"


def update(table: str, changes: Literals, where: str) -> str:
    """The statement that changes the rows of a condition."""
    settings = ", ".join(f"{column} = {value}" for column, value in changes.items())
    return f"UPDATE {table} SET {settings} WHERE {where}"  # noqa: S608 - our own values


def user(name: str) -> Literals:
    """A good row of `users`."""
    return {"email": f"'{name}@example.com'", "name": f"'{name}'", "created_at": TIMESTAMP}


def viewer_of(row: User) -> Viewer:
    """The user as somebody who may do everything."""
    return Viewer(
        user_id=row.id,
        name=row.name,
        email=row.email,
        abilities=frozenset({Ability.ALL}),
        protocol=Protocol.REST,
        revision=row.revision,
        destination_count=row.destination_count,
    )
