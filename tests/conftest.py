"""The two databases and the two gateways on them, real ones, once per test process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from uuid import uuid4

import pytest

from tests.support import figures
from tests.support.browser import explorer
from tests.support.browser.browser import Browser
from tests.support.browser.page import Page
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway
from tests.support.stores.moto_store import MotoStore

ENGINES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of this test process's own."""
    server = PostgresServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def moto_store() -> Iterator[MotoStore]:
    """An S3-speaking server of this test process's own; tests make buckets and keys of their own."""
    store = MotoStore()
    try:
        yield store.start()
    finally:
        store.stop()


@pytest.fixture(scope="session")
def gateways(postgres: PostgresServer) -> Iterator[Mapping[str, Gateway]]:
    """A gateway on each database, shared by the tests that make users of their own."""
    running: dict[str, Gateway] = {}
    for engine in ENGINES:
        running[engine] = Gateway(_database_url(engine, postgres), s3_allow="127.0.0.1").start()
    yield running
    for gateway in running.values():
        gateway.close()


@pytest.fixture(params=ENGINES)
def gateway(request: pytest.FixtureRequest, gateways: Mapping[str, Gateway]) -> Gateway:
    """Each of the shared gateways in turn."""
    return gateways[request.param]


@pytest.fixture(scope="session")
def site() -> Iterator[Gateway]:
    """A gateway that found the explorer built, on an embedded database."""
    explorer.build()
    gateway = Gateway().start()
    yield gateway
    gateway.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium of this test process's own."""
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page that in the end went nowhere but to this machine and had no fault but those a test expected."""
    async with browser.page() as page:
        yield page
        assert page.faults == []
        assert {host.partition(":")[0] for host in page.hosts()} <= {"127.0.0.1"}


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Takes what a test measured, with its unit and load; the report of a run in full shows it."""
    return lambda text: record_property(figures.PROPERTY, text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures after a run in full."""
    rows = [*figures.lines(terminalreporter.getreports("passed"))] if figures.FULL else []
    if rows:
        terminalreporter.write_line("\n".join(["", "| test | figure |", "|---|---|", *rows]))


@pytest.fixture(params=ENGINES)
def fresh_database_url(request: pytest.FixtureRequest, postgres: PostgresServer) -> str | None:
    """An empty database of each engine for a test alone, as `Gateway` takes it."""
    return _database_url(request.param, postgres)


def _database_url(engine: str, postgres: PostgresServer) -> str | None:
    if engine == "sqlite":
        return None
    name = f"moorings_{uuid4().hex}"
    postgres.create_database(name)
    return postgres.url(name)
