"""What a page costs: the statements that reach the database, counted there."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from models.accounts.viewer import Protocol
from models.checks.checks import Checks
from models.events.event_stream import EventStreams
from models.reads.reads import Reads
from models.vault.vault import Vault, generate_key
from s3.address_policy import AddressPolicy
from s3.prober import system_prober
from schema.context import Context
from schema.execution.engine import Engine
from schema.limits import Limits
from tests.support.databases.postgres import DATABASE_URL_VARIABLE, PostgresServer
from tests.support.databases.services import service_of, viewer_of_token
from tests.support.fuzz.fuzz_stage import grants_of
from tests.support.gateway.gateway import Gateway
from tests.support.graphql.graphql_client import data_of
from tests.support.graphql.graphql_documents import DESTINATION, EVENT
from tests.support.stores.checking import uncounted

PLAIN = "{ backupDestinations { totalCount edges { cursor node { ...Destination } } } }" + DESTINATION
FILTERED = (
    """{ backupDestinations(
  first: 100, filter: {labelContains: "a"}, orderBy: {field: LABEL}
) { totalCount pageInfo { hasNextPage } edges { node { ...Destination } } } }"""
    + DESTINATION
)
EVENTS = "{ events(last: 50) { edges { node { ...Event } } } }" + EVENT
HISTORIES = "{ backupDestinations { nodes { events(first: 3) { nodes { id } } } } }"
SEVERAL = """query ($a: ID!, $b: ID!) {
  one: backupDestination(id: $a) { label } two: node(id: $b) { id } nodes(ids: [$a, $b]) { id }
}"""

COSTS = {
    "a page": (PLAIN, 1),
    "a page with a filter and the count": (FILTERED, 2),
    "a page of events with their destinations": (EVENTS, 2),
    "a page of destinations with their events": (HISTORIES, 2),
    "several destinations by id": (SEVERAL, 1),
    "a page of which only the count is asked, without a filter": ("{ backupDestinations(first: 0) { totalCount } }", 1),
    "the viewer": ("{ viewer { id name } }", 0),
}
"""Statements beside the one that looks up the token."""
REPEATS = 5


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Gateway, PostgresServer]]:
    """A gateway on a PostgreSQL that writes down every statement."""
    monkeypatch.delenv(DATABASE_URL_VARIABLE, raising=False)
    server = PostgresServer({"log_statement": "all"})
    server.start()
    server.create_database("talkative")
    gateway = Gateway(server.url("talkative"), response_cache_bytes="0").start()
    yield gateway, server
    gateway.close()
    server.stop()


async def variables_of(gateway: Gateway) -> tuple[Any, dict[str, str]]:
    """A user with two destinations, and their ids as variables."""
    account = await gateway.new_user()
    ids = [await account.create(type_) for type_ in ("custom_s3", "local")]
    return account, {"a": f"BackupDestination:{ids[0]}", "b": f"BackupDestination:{ids[1]}"}


async def test_a_page_costs_at_most_two_statements(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    """Counted where the models hand them over, on both databases."""
    account, ids = await variables_of(gateway)
    streams, engine = EventStreams(Reads()), Engine(Limits())
    vault = Vault(generate_key())
    service, prober = service_of(vault, streams=streams), system_prober(AddressPolicy(), None)
    checks = Checks(vault, prober, streams, count=uncounted, outcomes=Counter())

    async with gateway.models():
        viewer = await viewer_of_token(account.token, Protocol.GRAPHQL)
        for name, (query, cost) in COSTS.items():
            prepared = engine.prepare(query, None)
            context = Context(
                service=service, checks=checks, grants=grants_of(vault, streams), streams=streams, current_viewer=viewer
            )
            with caplog.at_level(logging.DEBUG, logger="tortoise.db_client"):
                caplog.clear()
                answer = await engine.run(prepared, ids if "$a" in query else {}, context)
            assert "errors" not in answer
            statements = [record.getMessage() for record in caplog.records if record.name == "tortoise.db_client"]
            assert len(statements) == cost, (name, statements)


async def test_a_page_costs_no_statement_that_only_the_database_sees(
    talkative: tuple[Gateway, PostgresServer],
) -> None:
    """Counted in PostgreSQL's own log: one statement for the token, and those of the page."""
    gateway, server = talkative
    account, ids = await variables_of(gateway)

    for name, (query, cost) in COSTS.items():
        # The first time the driver looks at the types of a statement it prepares; another, something else may be read.
        for _ in range(REPEATS):
            start = server.log_path.stat().st_size
            await data_of(account, query, ids if "$a" in query else {})
            counted = tally(server.log_path.read_bytes()[start:].decode())
            if counted == {"tokens": 1, "page": cost}:
                break
        assert counted == {"tokens": 1, "page": cost}, name


def tally(log: str) -> Mapping[str, int]:
    """How many statements look up a token, and how many ask for anything else of ours.

    Neither the driver's look at types, which it takes once over each connection, nor the watch for imported tokens is
    of a page.
    """
    statements = re.findall(r"LOG:  (?:execute [^:]*|statement): ((?:.|\n\t)*)", log)
    asked = [
        statement for statement in statements if not re.search(r"\btypeinfo_tree\b|\bimported_id > 0\b", statement)
    ]
    selects = [statement for statement in asked if re.search(r"\bFROM\b", statement)]
    tokens = sum(bool(re.search(r"\btokens\b", statement)) for statement in selects)
    return {"tokens": tokens, "page": len(selects) - tokens}
