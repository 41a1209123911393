"""The same beneath PostgreSQL, on a small disk; left out where this process may mount none (see `conftest.py`)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from tests.reliability.test_full_disk import expect_refusals_and_reads, under_writers
from tests.support.databases.small_disk import filled, small_disk, temporary_folders_in
from tests.support.databases.stoppable_postgres import own_postgres
from tests.support.gateway.gateway import Gateway

DISK_MIB = 250


async def test_a_full_disk_beneath_postgresql_loses_nothing(figure: Callable[[str], None]) -> None:
    """Its tables cannot grow, and in the end its log neither."""
    with small_disk(DISK_MIB) as folder, ExitStack() as stack:
        with temporary_folders_in(folder):
            server = stack.enter_context(own_postgres())
        server.create_database("full")
        gateway = Gateway(server.url("full")).start()
        stack.callback(gateway.close)
        async with under_writers(gateway, figure) as (reader, written):
            with filled(folder):
                await expect_refusals_and_reads(reader, written)
