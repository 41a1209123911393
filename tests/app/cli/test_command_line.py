"""Every command says its result on stdout and everything else on stderr, and knows a mistake from a failure."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.cli.program import program
from models.vault.vault import Vault
from tests.support.gateway import forked
from tests.support.gateway.gateway import MOORINGS, Gateway, environment


def commands(command: Any, path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Every command and group of the program with the names of what it takes."""
    subcommands: Mapping[str, Any] = getattr(command, "commands", {})
    options = [option for parameter in command.params for option in parameter.opts if option.startswith("--")]
    yield path, [*options, *subcommands]
    for name, subcommand in subcommands.items():
        yield from commands(subcommand, f"{path} {name}".strip())


COMMANDS = dict(commands(program))

BAD_USAGE = [
    "serve --port 65536",
    "serve --port http",
    "migrate now",
    "check",
    "check --all 1",
    "user create --email a@example.com",
    "token revoke",
    "token revoke seven",
]

ASKED_OF_THE_DATABASE = [
    ("user create --email {taken} --name Twice", "There is a user with the email {taken} already."),
    ("user disable --email {unknown}", "There is no user with the email {unknown}."),
    ("token create --email {unknown}", "There is no user with the email {unknown}."),
    ("token revoke 2000000000", "There is no token with the id 2000000000."),
    ("token revoke 99999999999999999999", "There is no token with the id 99999999999999999999."),
]

MISTAKEN = [
    ("user create --email nobody --name A", "'nobody' is not an email address."),
    ("user create --email a@example.com --name=", "The name must be printable text of 1 to 255 characters."),
    ("token create --email {taken} --ability fly", "There is no ability fly; there are view-backup-destinations, "),
    ("token rotate 2000000000", "There is no valid token with the id 2000000000."),
    ("token create --email {taken} --expires-in 3x", "'3x' is not a duration; write 90d, 12h, 30m or 45s."),
    ("check --stale 3x", "'3x' is not a duration; write 90d, 12h, 30m or 45s."),
    ("token create --email {taken} --expires-in 99999d", "'99999d' is not a duration; write 90d, 12h, 30m or 45s."),
]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A directory in which a command that needs no database leaves nothing."""
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


def moorings(directory: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command away from any gateway."""
    return forked.run([MOORINGS, *arguments], env=environment(**settings), cwd=directory, timeout=20)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command or "moorings")
def test_every_command_has_help_that_names_what_it_takes(command: str, elsewhere: Path) -> None:
    helped = moorings(elsewhere, *command.split(), "--help")

    assert (helped.returncode, helped.stderr) == (0, "")
    assert helped.stdout.strip().startswith(f"Usage: {f'moorings {command}'.strip()} ")
    assert [name for name in COMMANDS[command] if name not in helped.stdout] == []


def test_the_program_has_the_commands_that_are_documented() -> None:
    documented = {"serve", "migrate", "schema", "check", "user create", "user disable", "user enable"}
    documented |= {
        "token create",
        "token rotate",
        "token list",
        "token revoke",
        "keys generate",
        "keys status",
        "keys rotate",
    }

    assert documented <= COMMANDS.keys()


@pytest.mark.parametrize("arguments", BAD_USAGE)
def test_bad_usage_is_told_on_stderr_with_status_2(arguments: str, elsewhere: Path) -> None:
    refused = moorings(elsewhere, *arguments.split(), database_url="sqlite:///never-made.db")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert "Usage: moorings" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_bad_setting_is_told_in_one_sentence_with_status_1(elsewhere: Path) -> None:
    refused = moorings(elsewhere, "user", "create", "--email", "a@example.com", "--name", "A", log_level="loud")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert re.fullmatch(r"moorings: MOORINGS_LOG_LEVEL is not right: .+\n", refused.stderr)


async def test_a_mistake_is_told_in_one_sentence_on_stderr_with_status_1(gateway: Gateway) -> None:
    names = {"taken": (await gateway.new_user()).email, "unknown": f"{uuid4().hex}@example.com"}
    counts = "SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM tokens) AS tokens"
    before = await gateway.rows(counts)

    async def refuse(command: str, sentence: str) -> None:
        refused = await asyncio.to_thread(gateway.command, *command.format(**names).split())
        assert (refused.returncode, refused.stdout) == (1, ""), command
        assert re.fullmatch(r"moorings: .+\n", refused.stderr), refused.stderr
        assert refused.stderr.startswith(f"moorings: {sentence.format(**names)}"), refused.stderr

    # What the database has no part in is asked once.
    mistakes = ASKED_OF_THE_DATABASE + (MISTAKEN if gateway.engine == "sqlite" else [])
    await asyncio.gather(*(refuse(command, sentence) for command, sentence in mistakes))

    assert await gateway.rows(counts) == before


async def test_a_user_and_a_token_made_beside_a_running_gateway_work_at_once(gateway: Gateway) -> None:
    email = f"{uuid4().hex}@Example.com"

    created = gateway.command("user", "create", "--email", email, "--name", "Zoë")
    assert (created.returncode, created.stderr) == (0, "")
    (row,) = await gateway.rows(f"SELECT id, name FROM users WHERE email = '{email.lower()}'")  # noqa: S608 - our own
    assert (created.stdout, row["name"]) == (f"{row['id']}\n", "Zoë")

    issued = gateway.command("token", "create", "--email", email, "--ability", "view-backup-destinations")
    assert (issued.returncode, issued.stderr) == (0, "")
    assert re.fullmatch(r"[1-9][0-9]*\|mrg_[0-9A-Za-z]{46}\n", issued.stdout)

    async with httpx.AsyncClient(timeout=60, base_url=gateway.url) as client:
        client.headers["Authorization"] = f"Bearer {issued.stdout.strip()}"
        assert (await client.get("/api/backup-destinations")).status_code == httpx.codes.OK
        refused = await client.post("/api/backup-destinations", json={"label": "A", "type": "local"})
        assert refused.status_code == httpx.codes.FORBIDDEN

        revoked = gateway.command("token", "revoke", issued.stdout.partition("|")[0])
        assert (revoked.returncode, revoked.stdout) == (0, "")
        assert "is revoked" in revoked.stderr
        assert (await client.get("/api/backup-destinations")).status_code == httpx.codes.UNAUTHORIZED


async def test_a_user_disabled_beside_a_running_gateway_is_out_until_enabled(gateway: Gateway) -> None:
    account = await gateway.new_user()
    async with account.client() as client:
        for act, status in (("disable", httpx.codes.UNAUTHORIZED), ("enable", httpx.codes.OK)):
            done = gateway.command("user", act, "--email", account.email.upper())
            assert (done.returncode, done.stdout) == (0, "")
            assert f"is {act}d" in done.stderr
            assert (await client.get("/api/backup-destinations")).status_code == status


async def test_the_list_of_tokens_tells_everything_but_the_secret(gateway: Gateway) -> None:
    account = await gateway.new_user(abilities=("create-backup-destinations", "view-backup-destinations"))
    assert gateway.command("token", "revoke", account.full_token.partition("|")[0]).returncode == 0

    listed = gateway.command("token", "list", "--email", account.email, columns="200")

    assert (listed.returncode, listed.stderr) == (0, "")
    words = listed.stdout.split()
    for token in (account.token, account.full_token):
        token_id, _, secret = token.partition("|")
        assert token_id in words
        assert secret[:12] not in listed.stdout
    assert {"valid", "revoked", "test", "full"} <= set(words)
    assert [row["digest"] for row in await gateway.rows("SELECT digest FROM tokens") if row["digest"] in words] == []


def test_a_new_key_is_alone_on_stdout_and_needs_no_database(elsewhere: Path) -> None:
    made = moorings(elsewhere, "keys", "generate", database_url="postgresql://127.0.0.1:1/nowhere")

    assert (made.returncode, made.stderr) == (0, "")
    assert re.fullmatch(r"[0-9a-f]{12}:[A-Za-z0-9+/]{43}=\n", made.stdout)
    assert Vault(made.stdout).key_ids == (made.stdout.partition(":")[0],)


def test_migrating_makes_the_database_for_its_owner_alone_and_a_second_time_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "moorings.db"

    def dump() -> list[str]:
        with closing(sqlite3.connect(file)) as database:
            return list(database.iterdump())

    for _ in range(2):
        migrated = moorings(tmp_path, "migrate")
        assert (migrated.returncode, migrated.stdout) == (0, "")
        assert "is up to date" in migrated.stderr
        before = dump()

    assert dump() == before
    assert any("backup_destinations" in line for line in before)
    assert file.stat().st_mode & 0o777 == 0o600


def test_no_time_zones_of_the_system_are_needed(tmp_path: Path) -> None:
    """A small Debian and many images have none, not even UTC."""
    variables = environment(database_url=f"sqlite:///{tmp_path}/moorings.db") | {"PYTHONTZPATH": ""}
    command = [MOORINGS, "user", "create", "--email", "ada@example.com", "--name", "Ada"]

    ran = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
