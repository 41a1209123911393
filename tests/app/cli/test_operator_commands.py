"""The operator's commands about users, tokens, destinations and settings, for terminals, pipes and full disks."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import httpx
import pytest

from app.cli.program import program
from tests.support.databases.databases import insert, unserved
from tests.support.gateway.gateway import Gateway, environment

LONG = "A label of many words, " * 10
PASSWORD = "hunter22"


@pytest.fixture(scope="module")
def store() -> Iterator[Gateway]:
    """An embedded database with two users, a token and a destination; no gateway serves it."""
    with unserved(None) as gateway:
        gateway.command("user", "create", "--email", "ada@example.com", "--name", "Ada Zoë")
        gateway.command("user", "create", "--email", "eve@example.com", "--name", "Eve")
        gateway.command("token", "create", "--email", "ada@example.com", "--name", LONG)
        now = "'2026-01-02 03:04:05+00:00'"
        row = {"uid": f"'{uuid4()}'", "user_id": "1", "label": "'Attic'", "kind": "'local'"}
        asyncio.run(gateway.rows(insert("backup_destinations", row | {"created_at": now, "updated_at": now})))
        yield gateway


def printed(gateway: Gateway, *arguments: str, **settings: str) -> Any:
    """The JSON that a command prints."""
    done = gateway.command(*arguments, "--json", **settings)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def on_terminal(gateway: Gateway, columns: int, *arguments: str, encoding: str = "utf-8") -> str:
    """What a command shows on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    env = environment(**gateway.settings) | {"COLUMNS": str(columns), "PYTHONIOENCODING": encoding, "TERM": "dumb"}
    process = subprocess.Popen([gateway.program, *arguments], cwd=gateway.directory, env=env, stdout=theirs)
    os.close(theirs)
    shown = bytearray()
    try:
        while chunk := os.read(ours, 4_096):
            shown += chunk
    except OSError:  # the terminal's other side is closed, as Linux says it
        pass
    os.close(ours)
    assert process.wait(60) == 0
    return shown.decode(encoding).replace("\r\n", "\n")


def leaves(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something."""
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from leaves(each, f"{path} {name}".strip())
    else:
        yield path, command


def test_every_result_can_be_had_as_json() -> None:
    without = {
        path for path, command in leaves(program) if not any("--json" in option.opts for option in command.params)
    }

    assert without == {"serve", "schema", "openapi", "credentials"}, "what serves, and what has a form of its own"


def test_users_are_listed_shown_and_renamed(store: Gateway) -> None:
    assert [user["email"] for user in printed(store, "user", "list")] == ["ada@example.com", "eve@example.com"]
    assert printed(store, "user", "show", "--email", "ada@example.com")["validTokens"] == 1
    assert "Ada Zoë" in store.command("user", "list").stdout

    renamed = printed(store, "user", "rename", "--email", "eve@example.com", "--new-email", "Eva@example.com")
    assert renamed["email"] == "eva@example.com"
    taken = store.command("user", "rename", "--email", "eva@example.com", "--new-email", "ada@example.com")
    assert (taken.returncode, taken.stderr) == (
        1,
        "moorings: There is a user with the email ada@example.com already.\n",
    )
    printed(store, "user", "rename", "--email", "eva@example.com", "--new-email", "eve@example.com")


def test_tokens_of_all_users_are_listed_and_piped_output_is_not_cut(store: Gateway) -> None:
    (token,) = printed(store, "token", "list")

    assert (token["email"], token["state"], token["name"]) == ("ada@example.com", "valid", LONG.strip())
    assert LONG.strip() in store.command("token", "list").stdout


def test_destinations_of_all_users_are_shown_without_credentials(store: Gateway) -> None:
    (listed,) = printed(store, "destination", "list")

    assert (listed["label"], listed["email"], listed["reachability"]) == ("Attic", "ada@example.com", "unknown")
    assert not {"accessKey", "secretKey", "access_key", "secret_key"} & listed.keys()
    assert printed(store, "destination", "show", str(listed["id"])) == listed
    assert printed(store, "destination", "list", "--email", "eve@example.com") == []
    missing = store.command("destination", "show", "99")
    assert (missing.returncode, missing.stderr) == (1, "moorings: Backup destination not found\n")


async def test_a_deleted_user_is_gone_with_tokens_and_destinations(gateway: Gateway) -> None:
    account = await gateway.new_user()
    await account.create("s3")
    await account.create("local")

    refused = await asyncio.to_thread(gateway.command, "user", "delete", "--email", account.email)
    assert (refused.returncode, "has 2 destinations" in refused.stderr) == (1, True)
    deleted = await asyncio.to_thread(
        gateway.command, "user", "delete", "--email", account.email, "--with-destinations"
    )
    assert (deleted.returncode, deleted.stderr) == (0, f"moorings: {account.email} is deleted.\n")

    async with account.client() as client:
        assert (await client.get("/api/backup-destinations")).status_code == httpx.codes.UNAUTHORIZED
    for table in (
        "users WHERE id",
        "tokens WHERE user_id",
        "events WHERE user_id",
        "backup_destinations WHERE user_id",
    ):
        assert await gateway.rows(f"SELECT 1 FROM {table} = {account.user_id}") == []  # noqa: S608 - our own
    (entry,) = await gateway.rows(
        f"SELECT detail FROM audit WHERE kind = 'user_deleted' AND user_id = {account.user_id}"  # noqa: S608 - our own
    )
    assert json.loads(entry["detail"]) == {"email": account.email, "destinations": "2"}


def test_a_narrow_terminal_gets_each_row_in_lines_of_its_own(store: Gateway) -> None:
    shown = on_terminal(store, 30, "token", "list")

    assert "ID: 1\n" in shown
    assert f"Name: {LONG.strip()}\n" in shown
    assert "…" not in shown


def test_a_terminal_without_utf_8_gets_ascii(store: Gateway) -> None:
    shown = on_terminal(store, 120, "user", "list", encoding="ascii")

    assert shown.isascii()
    assert "Ada Zo\\xeb" in shown


@pytest.mark.parametrize("command", ["user list --json", "config show", "schema"])
def test_a_reader_that_goes_away_causes_no_traceback(command: str, store: Gateway) -> None:
    """The other side is closed before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stdout:
        done = subprocess.run(
            [store.program, *command.split()],
            cwd=store.directory,
            env=environment(**store.settings),
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )

    assert (done.returncode, done.stderr) == (141, b"")


def test_on_a_full_disk_nothing_is_lost_silently(store: Gateway) -> None:
    def on_full(*arguments: str) -> str:
        with Path("/dev/full").open("wb") as stdout:
            done = subprocess.run(
                [store.program, *arguments],
                cwd=store.directory,
                env=environment(**store.settings),
                stdout=stdout,
                stderr=subprocess.PIPE,
                text=True,
                timeout=60,
                check=False,
            )
        assert done.returncode == 1
        return done.stderr

    assert on_full("user", "list") == "moorings: The output cannot be written: No space left on device.\n"
    lost = on_full("token", "create", "--email", "eve@example.com")
    found = re.fullmatch(
        r"moorings: The token (\d+) was made, could not be written \(No space left on device\), and is revoked\.\n",
        lost,
    )
    assert found is not None, lost
    (token,) = printed(store, "token", "list", "--email", "eve@example.com")
    assert (str(token["id"]), token["state"]) == (found[1], "revoked")


@pytest.mark.parametrize("redirected", ["1>&-", "1>&- 2>&-"], ids=["stdout", "both"])
def test_without_a_stdout_nothing_is_lost_silently(redirected: str, store: Gateway) -> None:
    """A program that was started with stdout closed says so on stderr, and a token that it made is revoked."""

    def closed(arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", f'exec "$0" {arguments} {redirected}', store.program],
            cwd=store.directory,
            env=environment(**store.settings),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    says = "2" not in redirected
    listed = closed("user list")
    assert listed.returncode == 1
    assert listed.stderr == ("moorings: The output cannot be written: Bad file descriptor.\n" if says else "")
    assert closed("token create --email eve@example.com").returncode == 1
    states = [token["state"] for token in printed(store, "token", "list", "--email", "eve@example.com")]
    assert states[-1] == "revoked"


def test_a_token_is_never_put_in_the_place_of_a_pipe_or_a_device(store: Gateway) -> None:
    """Its file replaces what has its name, which a device of the machine would not survive."""
    pipe = store.directory / "pipe"
    os.mkfifo(pipe)
    before = printed(store, "token", "list", "--email", "eve@example.com")
    refused = store.command("token", "create", "--email", "eve@example.com", "--token-file", str(pipe))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == f"moorings: {pipe} is no file: name another place, or print the token.\n"
    assert pipe.is_fifo()
    assert printed(store, "token", "list", "--email", "eve@example.com") == before


def test_settings_are_shown_with_their_sources_and_secrets_hidden(store: Gateway, tmp_path: Path) -> None:
    file = tmp_path / "moorings.toml"
    file.write_text(
        f'log_level = "WARNING"\nallowed_hosts = ["a.example.com", "b.example.com"]\nexplorer = false\n'
        f'max_body_bytes = 2048\nrate_limit_storage = "redis://:{PASSWORD}@127.0.0.1:1"\nlog_format = "json"\n'
    )
    shown = printed(store, "config", "show", config_file=str(file), log_format="console")
    found = {each["name"].removeprefix("MOORINGS_").lower(): (each["value"], each["source"]) for each in shown}

    assert found["allowed_hosts"] == ("a.example.com,b.example.com", str(file))
    assert found["explorer"] == ("false", str(file))
    assert found["max_body_bytes"] == ("2048", str(file))
    assert found["rate_limit_storage"] == ("(hidden)", str(file))
    assert found["secret_keys"] == ("(hidden)", "environment")
    assert found["log_format"] == ("console", "environment")
    assert found["check_history"] == ("50", "default")
    assert PASSWORD not in json.dumps(shown)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            'log_levle = "INFO"\nMOORINGS_LOG_LEVEL = "INFO"',
            "{file} has keys that are no settings: MOORINGS_LOG_LEVEL, log_levle.",
        ),
        ("\ufefflog_levle = 1", "{file} has keys that are no settings: log_levle."),
        ("[log]\nlevel = 1", "{file} has keys that are no settings: log."),
        (
            "log_level = {a = 1}",
            "log_level in {file} is not right: it wants text, a number, true, false, or a list of texts.",
        ),
        ('log_level = "hunter22"', "MOORINGS_LOG_LEVEL is not right: it wants DEBUG, INFO, WARNING or ERROR."),
        ("log_level = hunter22", "MOORINGS_CONFIG_FILE: {file} is not TOML."),
        (None, "MOORINGS_CONFIG_FILE: {file} cannot be read (FileNotFoundError)."),
    ],
)
def test_a_configuration_file_that_is_wrong_is_refused_by_name(
    content: str | None, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.settings import SettingsRefused, load_settings

    file = tmp_path / "moorings.toml"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    monkeypatch.setenv("MOORINGS_CONFIG_FILE", str(file))

    with pytest.raises(SettingsRefused) as refused:
        load_settings()

    assert str(refused.value) == sentence.format(file=file)
    assert PASSWORD not in str(refused.value)


def test_a_shell_completes_commands(store: Gateway) -> None:
    env = environment() | {"_MOORINGS_COMPLETE": "bash_complete", "COMP_WORDS": "moorings dest", "COMP_CWORD": "1"}
    done = subprocess.run([store.program], env=env, capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout == "plain,destination\n"


def test_a_message_that_cannot_be_written_changes_no_exit_status(store: Gateway) -> None:
    def status(*arguments: str) -> int:
        with Path("/dev/full").open("wb") as stderr:
            return subprocess.run(
                [store.program, *arguments],
                cwd=store.directory,
                env=environment(**store.settings),
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                timeout=60,
                check=False,
            ).returncode

    assert status("migrate") == 0
    assert status("no-such-command") == 2
    assert status("token", "revoke", "999999") == 1
