"""Tokens in operation: where a new one goes, how one is rotated, and what the settings allow."""

from __future__ import annotations

import asyncio
import re
import stat
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.databases.databases import ENGINES, migrated
from tests.support.databases.migrating import until
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.configured import configured
from tests.support.gateway.gateway import MOORINGS, Gateway, environment

EMAIL = "ada@example.com"
TOKEN = re.compile(r"([1-9][0-9]*)\|mrg_[0-9A-Za-z]{46}")


@pytest.fixture(scope="module", params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A database of each engine with a user, which no gateway serves."""
    with migrated(request.param, postgres) as gateway:
        assert gateway.command("user", "create", "--email", EMAIL, "--name", "Ada").returncode == 0
        yield gateway


def made(database: Gateway, *arguments: str, **settings: str) -> str:
    """The token that a command prints."""
    done = database.command("token", *arguments, **settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert TOKEN.fullmatch(done.stdout.strip())
    return done.stdout.strip()


async def row_of(database: Gateway, token: str) -> dict[str, Any]:
    """What is stored of a token; its times without a zone."""
    (row,) = await database.rows(f"SELECT * FROM tokens WHERE id = {int(token.partition('|')[0])}")  # noqa: S608 - an integer
    return row | {name: _time(row[name]) for name in ("created_at", "expires_at")}


def _time(value: Any) -> datetime | None:
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    return None if time is None else time.replace(tzinfo=None)


def test_a_token_may_go_to_a_file_for_its_owner_alone(database: Gateway) -> None:
    done = database.command("token", "create", "--email", EMAIL, "--token-file", "a.token")

    path = database.directory.resolve() / "a.token"
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"moorings: the token is in {path}, for its owner alone.\n"
    assert TOKEN.fullmatch(path.read_text().removesuffix("\n"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_token_is_printed_or_goes_to_a_file(database: Gateway) -> None:
    both = database.command("token", "create", "--email", EMAIL, "--token-file", "c.token", "--print-token")

    assert (both.returncode, both.stdout) == (2, "")
    assert "--print-token and --token-file exclude each other." in both.stderr


async def test_a_refused_token_leaves_no_file(database: Gateway) -> None:
    before = sorted(database.directory.iterdir())

    assert (
        database.command("token", "create", "--email", "nobody@example.com", "--token-file", "b.token").returncode == 1
    )

    assert sorted(database.directory.iterdir()) == before


async def test_a_token_that_cannot_be_kept_is_not_made(database: Gateway) -> None:
    count = "SELECT count(*) AS n FROM tokens"
    before = await database.rows(count)
    done = await asyncio.to_thread(
        subprocess.run,
        [MOORINGS, "token", "create", "--email", EMAIL, "--token-file", "/proc/a.token"],  # where root cannot either
        env=environment(**database.settings),
        cwd=database.directory,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("moorings: ")
    assert "print the token" in done.stderr
    assert done.stderr.count("\n") == 1
    assert await database.rows(count) == before


async def test_a_rotated_token_is_like_the_old_one_which_ends_after_the_overlap(database: Gateway) -> None:
    ability = "view-backup-destinations"
    old = made(database, "create", "--email", EMAIL, "--name", "laptop", "--ability", ability, "--expires-in", "90d")
    new = made(database, "rotate", old.partition("|")[0], "--overlap", "12h")
    before, after = await row_of(database, old), await row_of(database, new)

    assert old.partition("|")[2] != new.partition("|")[2]
    assert [after[name] for name in ("user_id", "name", "abilities")] == [before["user_id"], "laptop", ability]
    assert after["expires_at"] - after["created_at"] == timedelta(days=90)
    assert before["expires_at"] - after["created_at"] == timedelta(hours=12)
    assert after["revoked_at"] is None


async def test_a_token_without_end_is_rotated_to_one_without_end(database: Gateway) -> None:
    """And a token that ends before the overlap does keeps its end."""
    endless = made(database, "create", "--email", EMAIL)
    brief = made(database, "create", "--email", EMAIL, "--expires-in", "60s")
    end = (await row_of(database, brief))["expires_at"]

    assert (await row_of(database, made(database, "rotate", endless.partition("|")[0])))["expires_at"] is None
    made(database, "rotate", brief.partition("|")[0])
    assert (await row_of(database, brief))["expires_at"] == end


def _rotate_into_a_full_disk(database: Gateway, token_id: int) -> subprocess.CompletedProcess[str]:
    """Rotate a token without an overlap, where its successor cannot be written."""
    with Path("/dev/full").open("w") as full:
        return subprocess.run(
            [MOORINGS, "token", "rotate", str(token_id), "--overlap", "0"],
            env=environment(**database.settings),
            cwd=database.directory,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )


async def test_a_rotation_whose_token_cannot_be_written_ends_nothing(database: Gateway) -> None:
    """Without an overlap the user would have no token at all."""
    old = made(database, "create", "--email", EMAIL, "--expires-in", "90d")
    before = await row_of(database, old)
    done = await asyncio.to_thread(_rotate_into_a_full_disk, database, before["id"])

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.endswith(f"is revoked; token {before['id']} goes on as before.\n")
    assert await row_of(database, old) == before
    new = await row_of(database, re.findall(r"token ([0-9]+) was made", done.stderr)[0])
    assert new["revoked_at"] is not None


def test_a_token_that_ended_cannot_be_rotated(database: Gateway) -> None:
    """Revoked, or rotated without an overlap."""
    revoked, rotated = (made(database, "create", "--email", EMAIL, "--print-token") for _ in range(2))
    assert database.command("token", "revoke", revoked.partition("|")[0]).returncode == 0
    made(database, "rotate", rotated.partition("|")[0], "--overlap", "0s")

    for token in (revoked, rotated):
        refused = database.command("token", "rotate", token.partition("|")[0])
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr == f"moorings: There is no valid token with the id {token.partition('|')[0]}.\n"


async def test_the_longest_life_is_that_of_a_token_without_one_and_more_is_refused(database: Gateway) -> None:
    plain = await row_of(database, made(database, "create", "--email", EMAIL, token_max_lifetime="30d"))
    short = await row_of(
        database, made(database, "create", "--email", EMAIL, "--expires-in", "1d", token_max_lifetime="30d")
    )
    endless = made(database, "create", "--email", EMAIL)
    new = await row_of(database, made(database, "rotate", endless.partition("|")[0], token_max_lifetime="30d"))
    refused = database.command("token", "create", "--email", EMAIL, "--expires-in", "31d", token_max_lifetime="30d")

    lives = [(row["expires_at"] - row["created_at"]).days for row in (plain, short, new)]
    assert lives == [30, 1, 30]
    assert refused.returncode == 1
    assert "MOORINGS_TOKEN_MAX_LIFETIME" in refused.stderr


async def test_the_default_abilities_are_those_of_a_token_without_any(database: Gateway) -> None:
    settings = {"token_default_abilities": "view-backup-destinations,create-backup-destinations"}
    plain = await row_of(database, made(database, "create", "--email", EMAIL, **settings))
    named = await row_of(database, made(database, "create", "--email", EMAIL, "--ability", "*", **settings))

    assert plain["abilities"] == "create-backup-destinations view-backup-destinations"
    assert named["abilities"] == "*"


@pytest.fixture(params=ENGINES)
def own(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A gateway of a test's own: the audit counts refusals beyond a rate, without entries of their own."""
    with configured(request.param, postgres) as gateway:
        yield gateway


async def test_a_token_of_a_network_is_refused_from_elsewhere_and_the_audit_says_so(own: Gateway) -> None:
    """Again and again, and after uses from within it, which the fast path replays."""
    account = await own.new_user()
    options = ("token", "create", "--email", account.email)
    here = await asyncio.to_thread(own.command, *options, "--network", "127.0.0.0/8", "--network", "::1")
    elsewhere = await asyncio.to_thread(own.command, *options, "--network", "192.0.2.0/24")
    async with httpx.AsyncClient(base_url=own.url) as client:
        statuses = {
            token: [
                (await client.get(path, headers={"Authorization": f"Bearer {token.strip()}"})).status_code
                for path in ("/api/backup-destinations", "/graphql?query={viewer{id}}") * 3
            ]
            for token in (here.stdout, elsewhere.stdout)
        }
    assert statuses == {here.stdout: [200] * 6, elsewhere.stdout: [401] * 6}

    id_ = elsewhere.stdout.partition("|")[0]
    refused = f"SELECT detail FROM audit WHERE kind = 'sign_in_refused' AND token_id = {id_}"  # noqa: S608 - our own

    async def is_written() -> bool:
        return any('"network"' in row["detail"] for row in await own.rows(refused))

    await until(is_written)
    listed = await asyncio.to_thread(own.command, "token", "list", "--email", account.email)
    assert "192.0.2.0/24" in listed.stdout


def test_a_network_with_bits_of_a_host_and_a_token_without_a_required_end_are_refused(database: Gateway) -> None:
    wrong = database.command("token", "create", "--email", EMAIL, "--network", "10.0.0.1/8")
    endless = database.command("token", "create", "--email", EMAIL, token_expiry_required="true")

    assert (wrong.returncode, endless.returncode) == (1, 1)
    assert "is not a network" in wrong.stderr
    assert "MOORINGS_TOKEN_EXPIRY_REQUIRED" in endless.stderr
    assert made(database, "create", "--email", EMAIL, "--expires-in", "1d", token_expiry_required="true")
