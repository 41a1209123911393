"""Which migrations are missing is told by the names of their files, in the order in which the library applies them."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from tortoise.migrations.executor import MigrationExecutor

from app.database import migrate, migration_names, missing_migrations, open_database, orm_config
from models.accounts.user import User
from tests.support.databases.databases import unserved

LOADED = """
import asyncio, sys
from app.database import migrate, parse_address
asyncio.run(migrate(parse_address(sys.argv[1])))
print([name for name in sys.modules if name.startswith("models.migrations.")])
"""


def run(program: str, argument: str) -> str:
    """What a program of Python writes."""
    command = [sys.executable, "-c", program, argument]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


async def test_the_names_are_those_of_the_librarys_plan() -> None:
    with unserved(None) as gateway:
        async with open_database(gateway.address, migrating=True):
            executor = MigrationExecutor(User._meta.db, orm_config(gateway.address)["apps"])
            await executor.loader.build_graph()
            plan = executor._migration_plan(None, set(), executor.loader.graph)

        assert [step.migration.name for step in plan] == migration_names() == await missing_migrations(gateway.address)
        await migrate(gateway.address)
        assert await missing_migrations(gateway.address) == []


async def test_a_start_on_a_migrated_database_loads_no_migration() -> None:
    """They take 20 MB that no process gives back."""
    with unserved(None) as gateway:
        await migrate(gateway.address)
        url = f"sqlite:///{gateway.address.path}"
        done = await asyncio.to_thread(run, LOADED, url)

    assert done == "[]\n"
