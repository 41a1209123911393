"""The keys of a gateway fit its data or it does not start; an embedded key is made once and never made up anew."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest

from app.database import migrate
from models.accounts import accounts
from models.vault.vault import Vault, generate_key
from tests.support.databases import sealed
from tests.support.databases.databases import unserved
from tests.support.gateway.gateway import Gateway
from tests.support.gateway.promptness import serve

TABLES = ("users", "tokens", "backup_destinations", "events", "vault_keys")
KEY, OTHER_KEY = generate_key(), generate_key()
KEY_ID, OTHER_ID = KEY.partition(":")[0], OTHER_KEY.partition(":")[0]


@pytest.fixture
def store(fresh_database_url: str | None) -> Iterator[Gateway]:
    """An empty database of each engine and its commands; no gateway serves it."""
    with unserved(fresh_database_url) as gateway:
        yield gateway


@pytest.fixture
def embedded() -> Iterator[Gateway]:
    """An embedded database that is to make its key itself."""
    with unserved(None) as gateway:
        gateway.settings["secret_keys"] = ""
        yield gateway


async def fill(gateway: Gateway, keys: str, count: int) -> None:
    """Migrate, and add a user with destinations sealed by the first of `keys`."""
    await migrate(gateway.address)
    async with gateway.models():
        user = await accounts.create_user(email="keys@example.com", name="Keys")
    await sealed.insert(gateway, keys, user.id, count)


async def everything(gateway: Gateway) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables."""
    return {table: await gateway.rows(f"SELECT * FROM {table} ORDER BY 1") for table in TABLES}  # noqa: S608


def shows_a_key(text: str, *keys: str) -> bool:
    """Whether four characters in a row of a key can be read."""
    encoded = [key.strip().partition(":")[2] for key in keys]
    return any(key[at : at + 4] in text for key in encoded for at in range(len(key) - 3))


def test_an_embedded_key_is_made_once_for_its_owner_alone(embedded: Gateway) -> None:
    path = embedded.directory / "moorings.key"

    first = embedded.command("keys", "status")
    key, made = path.read_text(), path.stat()
    second = embedded.command("keys", "status")

    assert (first.returncode, second.returncode) == (0, 0)
    assert key.partition(":")[0] in second.stdout
    assert made.st_mode & 0o777 == 0o600
    assert (path.read_text(), path.stat().st_ino, path.stat().st_mtime_ns) == (key, made.st_ino, made.st_mtime_ns)
    assert sorted(file.name for file in embedded.directory.glob("*key*")) == ["moorings.key"]
    assert sorted(file.name for file in embedded.directory.glob(".*")) == []


async def test_several_processes_that_start_at_once_make_one_key(embedded: Gateway) -> None:
    status = [asyncio.to_thread(embedded.command, "keys", "status") for _ in range(3)]
    outcomes = await asyncio.gather(*status)

    key_id = (embedded.directory / "moorings.key").read_text().partition(":")[0]
    assert [(outcome.returncode, key_id in outcome.stdout) for outcome in outcomes] == [(0, True)] * 3
    assert [row["key_id"] for row in await embedded.rows("SELECT key_id FROM vault_keys")] == [key_id]


async def test_a_lost_key_file_is_asked_for_by_name_and_nothing_is_made_in_its_place(embedded: Gateway) -> None:
    path = embedded.directory / "moorings.key"
    assert embedded.command("keys", "status").returncode == 0
    key = path.read_text()
    await fill(embedded, key, 2)
    path.unlink()
    before = await everything(embedded)

    refused = serve(embedded)

    assert re.fullmatch(rf"moorings: {re.escape(str(path))} is missing, .*{key[:12]}.*\n", refused.stderr)
    assert await everything(embedded) == before
    assert not list(embedded.directory.glob("*key*"))

    path.write_text(key)
    assert embedded.command("keys", "status").returncode == 0


async def test_a_key_file_that_holds_no_key_is_refused_by_its_name(embedded: Gateway) -> None:
    path = embedded.directory / "moorings.key"
    for content in (b"\xff\xfe", f"{KEY[:-5]}\n".encode()):
        path.write_bytes(content)

        refused = embedded.command("keys", "status")

        assert (refused.returncode, refused.stdout) == (1, "")
        assert re.fullmatch(r"moorings: .*(SECRET_KEYS|moorings\.key).*\n", refused.stderr)
        assert not shows_a_key(refused.stderr, KEY)
        assert path.read_bytes() == content


async def test_a_gateway_without_the_key_of_its_data_names_it_and_changes_nothing(store: Gateway) -> None:
    store.settings["secret_keys"] = KEY
    await fill(store, KEY, 2)
    before = await everything(store)

    refused = serve(store, secret_keys=OTHER_KEY)

    assert re.fullmatch(rf"moorings: MOORINGS_SECRET_KEYS lacks the key {KEY_ID}, .*\n", refused.stderr)
    assert not shows_a_key(refused.stderr, KEY, OTHER_KEY)
    assert await everything(store) == before


async def test_a_key_that_does_not_open_its_own_proof_is_named_and_nothing_changes(store: Gateway) -> None:
    store.settings["secret_keys"] = KEY
    await fill(store, KEY, 1)
    forged = Vault(OTHER_KEY).prove(OTHER_ID).replace(OTHER_ID, KEY_ID)
    await store.rows(f"INSERT INTO vault_keys VALUES ('{KEY_ID}', '{forged}')")  # noqa: S608 - our own values
    before = await everything(store)

    refused = serve(store, secret_keys=f"{OTHER_KEY},{KEY}")

    assert re.fullmatch(rf"moorings: The key {KEY_ID} of MOORINGS_SECRET_KEYS .*\n", refused.stderr)
    assert not shows_a_key(refused.stderr, KEY, OTHER_KEY)
    assert await everything(store) == before


def test_a_malformed_key_stops_the_start_without_being_shown() -> None:
    with unserved(None) as gateway:
        refused = serve(gateway, secret_keys=f"{OTHER_KEY},{KEY[:-5]}")

    assert refused.stderr.startswith("moorings: Key 2 of MOORINGS_SECRET_KEYS is not ")
    assert not shows_a_key(refused.stderr, KEY, OTHER_KEY)


async def test_the_status_tells_which_keys_there_are_and_how_much_each_has_sealed(store: Gateway) -> None:
    store.settings["secret_keys"] = f"{OTHER_KEY},{KEY}"
    await fill(store, KEY, 3)

    status = store.command("keys", "status")

    assert (status.returncode, status.stderr) == (0, "")
    lines = {
        line.split()[1]: line.split()[3::2] for line in status.stdout.splitlines() if "seals" in line or "opens" in line
    }
    assert lines == {OTHER_ID: ["0", "seals"], KEY_ID: ["6", "opens"]}
    assert not shows_a_key(status.stdout, KEY, OTHER_KEY)
