"""A migrated database of each engine, made once for a test process and copied then: migrating takes a second."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from uuid import uuid4

from tests.support.databases.postgres import PostgresServer

MIGRATE = """
import asyncio, sys
from app.database import migrate, parse_address
asyncio.run(migrate(parse_address(sys.argv[1])))
"""
"""In a process of its own: a test that needs a copy may be within a running loop."""


def plant(path: Path) -> None:
    """Put a migrated database of SQLite at `path`, which only its owner may read, as the gateway makes it."""
    shutil.copyfile(_file(), path)
    path.chmod(0o600)


def planted(postgres: PostgresServer) -> str:
    """The URL of a new database on a server, migrated."""
    name = f"moorings_{uuid4().hex}"
    postgres.create_database(name, _database(postgres))
    return postgres.url(name)


@cache
def _file() -> Path:
    directory = tempfile.mkdtemp(prefix="moorings-template-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    path = Path(directory) / "moorings.db"
    _migrate(f"sqlite:///{path}")
    return path


@cache
def _database(postgres: PostgresServer) -> str:
    name = f"template_{uuid4().hex}"
    postgres.create_database(name)
    _migrate(postgres.url(name))
    return name


def _migrate(url: str) -> None:
    subprocess.run([sys.executable, "-c", MIGRATE, url], check=True)
