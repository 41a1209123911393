"""The documented statements make a folder of a real MariaDB, which is taken over; what changes goes back there."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.destinations.attributes import Attribute
from models.destinations.table import BackupDestination
from models.vault.vault import Vault
from tests.support.gateway.gateway import MOORINGS, Gateway, environment
from tests.support.paths import ROOT
from tests.support.vanguard.mariadb_server import MariaDbServer
from tests.support.vanguard.mariadb_tables import into_mariadb
from tests.support.vanguard.takeover import PLAIN_ROWS, Takeover
from tests.support.vanguard.vanguard_database import KEY, LATER, PREVIOUS_KEY, Rows, destination, sealed, token, user

BLOCK = re.compile(r"^```sh\n(set -eu.*?)^```$", re.MULTILINE | re.DOTALL)
ODD = "q\"uo'te\\ 🪣 é ☂ % \\n \u2028 ]}"
PRINTED = ODD.replace("\u2028", "")
LABELS = (ODD, "two\nlines", "tab\tand\rreturn", "日本語", "NULL", "{}", '"')
ROWS: Rows = {
    "users": [
        user(1, name=ODD),
        user(2, email="Ada@Example.com", name="Ada “Łukasz”"),
        user(3, created_at=None),
        user(4),
        user(5),
        user(6),
    ],
    "user_suspensions": [
        {"id": 1, "user_id": 4, "suspended_at": LATER, "suspended_until": None, "lifted_at": None},
        {"id": 2, "user_id": 4, "suspended_at": LATER, "suspended_until": "2024-09-01 00:00:00", "lifted_at": None},
        {"id": 3, "user_id": 5, "suspended_at": LATER, "suspended_until": None, "lifted_at": LATER},
        {"id": 4, "user_id": 6, "suspended_at": LATER, "suspended_until": "2024-09-01 00:00:00", "lifted_at": None},
    ],
    "personal_access_tokens": [
        token(5, 1, "a" * 40, name=ODD),
        token(6, 2, "b" * 48, expires_at="2030-01-01 00:00:00", last_used_at="2024-08-07 12:00:00"),
        token(7, 2, "c" * 40, abilities='["view-backup-destinations","create-backup-destinations"]'),
        token(8, 2, "d" * 40, abilities=None),
    ],
    "backup_destinations": [
        *(destination(10 + number, 1, "local", label=label) for number, label in enumerate(LABELS)),
        destination(20, 2, "custom_s3", path_style_endpoint=True, custom_s3_region=None, s3_secret_key=sealed(ODD)),
        destination(21, 2, s3_bucket_name="plain-bucket", created_at=None),
        destination(22, 2, s3_access_key=sealed("AKIAOLD", PREVIOUS_KEY), updated_at=None),
    ],
}


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDbServer]:
    """A MariaDB of this module's own."""
    server = MariaDbServer()
    try:
        yield server.start()
    finally:
        server.stop()


def documented(gateway: Gateway, server: MariaDbServer, database: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the documented statements, with another name of the database, and the import behind them, with options."""
    (found,) = BLOCK.findall((ROOT / "docs/takeover.md").read_text())
    assert found.count(" vanguard -e ") == 1
    assert found.rstrip().endswith("moorings import vanguard vanguard")
    script = found.replace(" vanguard -e ", f" {database} -e ").rstrip() + "".join(f" {option}" for option in more)
    variables = environment(**gateway.settings)
    variables |= {**server.environment, "APP_KEY": KEY, "APP_PREVIOUS_KEYS": PREVIOUS_KEY}
    variables["PATH"] = os.pathsep.join([str(Path(MOORINGS).parent), os.environ["PATH"]])
    return subprocess.run(
        ["sh", "-c", script],
        env=variables,
        cwd=gateway.directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


async def test_what_the_documented_statements_write_is_taken_over_and_goes_back(
    stored: Takeover, mariadb: MariaDbServer
) -> None:
    database = f"vanguard_{stored.gateway.engine}"
    into_mariadb(
        mariadb, database, ROWS, highest={"users": 12, "personal_access_tokens": 70, "backup_destinations": 41}
    )

    done = documented(stored.gateway, mariadb, database)

    assert (done.returncode, done.stderr, "REFUSED" in done.stdout) == (0, "", False), done.stdout
    users = {each["id"]: each for each in await stored.rows("users")}
    assert [users[id_]["name"] for id_ in (1, 2)] == [PRINTED, "Ada “Łukasz”"]
    assert users[2]["email"] == "ada@example.com"
    assert users[1]["created_at"] == "2024-08-07 00:00:00+00:00", (
        "as the application reads it, whatever the server's zone"
    )
    assert [id_ for id_, each in users.items() if each["disabled_at"] is not None] == [4]
    tokens = await stored.rows("tokens")
    assert [(each["id"], each["imported_id"], each["name"]) for each in tokens[:2]] == [
        (5, 5, PRINTED),
        (6, 6, "token 6"),
    ]
    assert [each["abilities"] for each in tokens][3:] == [""]
    assert tokens[1]["expires_at"] == "2030-01-01 00:00:00+00:00"
    rows = {each["id"]: each for each in await stored.rows("backup_destinations")}
    assert [rows[10 + number]["label"] for number in range(len(LABELS))] == list(LABELS)
    assert (bool(rows[20]["path_style_endpoint"]), rows[20]["region"], rows[21]["bucket_name"]) == (
        True,
        None,
        "plain-bucket",
    )
    vault = Vault(stored.gateway.settings["secret_keys"])
    async with stored.gateway.models():
        stores = {each.id: each for each in await BackupDestination.filter(id__in=(20, 22))}
    for id_, attribute, expected in ((20, Attribute.SECRET_KEY, ODD), (22, Attribute.ACCESS_KEY, "AKIAOLD")):
        store = stores[id_]
        assert vault.open(str(getattr(store, attribute)), store.place(attribute)).reveal() == expected
    assert (await stored.gateway.new_user()).user_id == 13

    await stored.gateway.rows(
        "UPDATE backup_destinations SET label = '\"☂ 🪣'' \\', version = version + 1 WHERE id = 20"
    )
    env_file = stored.gateway.directory / "laravel.env"
    env_file.write_text(f"APP_KEY={KEY}\nAPP_PREVIOUS_KEYS={PREVIOUS_KEY}\n")
    statements = stored.gateway.directory / "statements.sql"
    exported = stored.gateway.command("export", "vanguard", "--sql", str(statements), "--env-file", str(env_file))
    assert (exported.returncode, exported.stdout) == (0, "1 written: 20\n0 removed\n")
    mariadb.execute(statements.read_text(), database)
    assert mariadb.execute("SELECT label FROM backup_destinations WHERE id = 20", database) == "\"☂ 🪣' \\\n"
    again = documented(stored.gateway, mariadb, database, "--sync", "--prune")
    assert (again.returncode, again.stderr) == (0, "")
    assert await stored.rows("backup_destinations") != []
    assert (await stored.rows("backup_destinations"))[-3]["label"] == "\"☂ 🪣' \\"


async def test_an_empty_table_says_its_next_id_and_a_table_that_is_missing_ends_the_statements(
    stored: Takeover, mariadb: MariaDbServer
) -> None:
    database = f"emptied_{stored.gateway.engine}"
    rows: Rows = {**PLAIN_ROWS, "personal_access_tokens": [], "backup_destinations": []}
    into_mariadb(mariadb, database, rows, highest={"backup_destinations": 41})

    done = documented(stored.gateway, mariadb, database, "--json")

    assert (done.returncode, done.stderr) == (0, "")
    account = await stored.gateway.new_user()
    assert account.user_id == 10
    await stored.gateway.rows(
        "INSERT INTO backup_destinations (uid, user_id, label, kind, created_at, updated_at) VALUES "  # noqa: S608 - our own
        f"('6f2c1b0a-0000-4000-8000-000000000001', {account.user_id}, 'new', 'local', '2024-08-07 00:00:00+00:00', "
        "'2024-08-07 00:00:00+00:00')"
    )
    assert [each["id"] for each in await stored.rows("backup_destinations")] == [42]
    mariadb.execute("DROP TABLE user_suspensions", database)
    failed = documented(stored.gateway, mariadb, database)
    assert failed.returncode == 1
    assert "user_suspensions" in failed.stderr
