"""`moorings audit` shows who did what, filtered, as a table or as JSON, and says who ran commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from models.audit.operator import os_user
from tests.support.databases.databases import ENGINES, migrated
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway

EMAIL = "ada@example.com"


@pytest.fixture(scope="module", params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A database with a user, made by commands, and two tokens."""
    with migrated(request.param, postgres) as gateway:
        assert gateway.command("user", "create", "--email", EMAIL, "--name", "Ada").returncode == 0
        assert gateway.command("token", "create", "--email", EMAIL).returncode == 0
        assert gateway.command("token", "create", "--email", EMAIL, "--name", "\x9b31mred").returncode == 1
        assert gateway.command("token", "create", "--email", EMAIL, "--name", "second").returncode == 0
        yield gateway


def shown(database: Gateway, *arguments: str) -> list[dict[str, Any]]:
    """The entries that the command prints as JSON."""
    done = database.command("audit", "--json", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_entries_come_newest_first_with_everything_that_is_known(database: Gateway) -> None:
    newest, *_, oldest = shown(database)

    assert (newest["kind"], newest["subject"], newest["tokenId"]) == ("token_created", "token 2", 2)
    assert (newest["actor"], newest["osUser"], newest["userId"]) == ("operator", os_user(), 1)
    assert newest["detail"]["name"] == "second"
    assert newest["occurredAt"].endswith("Z")
    assert (oldest["kind"], oldest["subject"]) == ("command_run", "moorings user create")


def test_every_command_on_the_database_is_named_and_looking_at_the_audit_is_not(database: Gateway) -> None:
    """The refused one too, and none with its arguments."""
    run = [entry["subject"] for entry in shown(database, "--kind", "command_run")]

    assert run == ["moorings token create"] * 3 + ["moorings user create"]


@pytest.mark.parametrize(
    ("arguments", "subjects"),
    [
        (("--user", EMAIL), ["token 2", "token 1", "user 1"]),
        (("--user", "1", "--limit", "2"), ["token 2", "token 1"]),
        (("--token", "1"), ["token 1"]),
        (("--kind", "user_created", "--kind", "token_created", "--limit", "2"), ["token 2", "token 1"]),
        (("--kind", "user_created", "--since", "1h"), ["user 1"]),
        (("--kind", "user_created", "--since", "2000-01-01", "--until", "2100-01-01T00:00+02:00"), ["user 1"]),
        (("--until", "2000-01-01T12:30Z"), []),
        (("--since", "2100-01-01"), []),
        (("--address", "192.0.2.1"), []),
    ],
)
def test_the_filters_choose(database: Gateway, arguments: tuple[str, ...], subjects: list[str]) -> None:
    assert [entry["subject"] for entry in shown(database, *arguments)] == subjects


def test_the_table_has_a_line_for_each_entry(database: Gateway) -> None:
    done = database.command("audit", "--user", EMAIL)

    lines = [line for line in done.stdout.splitlines() if "token_created" in line or "user_created" in line]
    assert (done.returncode, len(lines)) == (0, 3)
    assert all(f"operator {os_user()}" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("--since", "yesterday"), 2, "--since wants a time"),
        (("--kind", "sleep"), 2, "--kind"),
        (("--user", "nobody@example.com"), 1, "There is no user"),
        (("--limit", "0"), 2, "--limit"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(
    database: Gateway, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    done = database.command("audit", *arguments)

    assert (done.returncode, done.stdout) == (status, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
