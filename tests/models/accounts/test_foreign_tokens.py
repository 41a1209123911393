"""Tokens that another application gave out work as they are, where they were imported, and cost nothing elsewhere."""

from __future__ import annotations

import asyncio
import string
import time
import zlib
from collections.abc import Iterator
from secrets import choice

import httpx
import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from models.accounts.bearer import digest_of, new_secret, parse_bearer
from models.errors import Unauthenticated
from tests.support.databases.databases import ENGINES, database_url
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway

LETTERS = string.ascii_letters + string.digits
LIST = "/api/backup-destinations"
DEADLINE_S = 30
IMPORTED_ID = 4711


def sanctum_secret(length: int = 40, *, prefix: str = "", has_checksum: bool = True) -> str:
    """A secret as Sanctum makes it: 40 letters and digits with their CRC32, or more of them without."""
    entropy = "".join(choice(LETTERS) for _ in range(length))
    return f"{prefix}{entropy}{zlib.crc32(entropy.encode()):08x}" if has_checksum else prefix + entropy


FORMS = {
    "with a checksum": sanctum_secret(),
    "with a prefix": sanctum_secret(prefix="vanguard_"),
    "of 40 characters": sanctum_secret(has_checksum=False),
    "of 80 characters": sanctum_secret(80, has_checksum=False),
    "with our prefix": sanctum_secret(prefix="mrg_"),
}


@pytest.fixture(scope="module", params=ENGINES)
def served(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A gateway of two workers on each engine, that ran before anything was imported."""
    gateway = Gateway(database_url(request.param, postgres), workers=2).start()
    yield gateway
    gateway.close()


async def stored(gateway: Gateway, secret: str, *, imported_id: int | None, user_id: int) -> None:
    """Store a token as an import does."""
    await gateway.rows(
        "INSERT INTO tokens (user_id, name, digest, abilities, created_at, networks, imported_id) VALUES "  # noqa: S608
        f"({user_id}, 'phone', '{digest_of(secret)}', '*', '2024-08-07 00:00:00+00:00', '', {imported_id or 'NULL'})"
    )


async def statuses(gateway: Gateway, *tokens: str, repeat: int = 1) -> list[set[int]]:
    """How requests with each token are answered, over connections of their own, so that each worker is asked."""
    found = []
    for token in tokens:
        seen = set()
        for _ in range(repeat):
            async with httpx.AsyncClient(timeout=60, base_url=gateway.url) as client:
                seen.add((await client.get(LIST, headers={"Authorization": f"Bearer {token}"})).status_code)
        found.append(seen)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_of_the_field_is_read_with_and_without_its_id(form: str) -> None:
    secret = FORMS[form]

    for text, token_id in ((secret, None), (f"7|{secret}", 7)):
        bearer = parse_bearer(text, or_foreign=True)
        assert (bearer.token_id, bearer.digest, bearer.is_foreign) == (token_id, digest_of(secret), True)
        with pytest.raises(Unauthenticated):
            parse_bearer(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "7|", "a" * 39, "a" * 145, "7|7|" + "a" * 40, "0|" + "a" * 40, "a" * 40 + "|", "a" * 39 + "é"),
        *(" " + "a" * 40, "a" * 20 + " " + "a" * 40, "12345678901|" + "a" * 40, "a" * 40 + "\n", "a" * 20 + "-" * 30),
    ],
)
def test_junk_has_no_form_of_the_field_either(text: str) -> None:
    with pytest.raises(Unauthenticated):
        parse_bearer(text, or_foreign=True)


def test_our_own_tokens_stay_ours_where_others_were_imported() -> None:
    assert not parse_bearer(f"7|{new_secret()}", or_foreign=True).is_foreign


async def test_imported_tokens_work_on_every_worker_and_transport_of_a_running_gateway(served: Gateway) -> None:
    """With the id and the secret, or the secret alone; with another id, or a changed secret, they do not."""
    account, secret = await served.new_user(), sanctum_secret()
    token = f"{IMPORTED_ID}|{secret}"
    altered = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    assert await statuses(served, token, repeat=4) == [{httpx.codes.UNAUTHORIZED}]

    await stored(served, secret, imported_id=IMPORTED_ID, user_id=account.user_id)

    deadline = time.monotonic() + DEADLINE_S
    while (await statuses(served, token, repeat=6))[0] != {httpx.codes.OK}:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    wrong = (f"{IMPORTED_ID + 1}|{secret}", altered, f"{IMPORTED_ID}|{altered}", digest_of(secret), "a" * 40)
    assert await statuses(served, secret, account.token) == [{httpx.codes.OK}] * 2
    assert await statuses(served, *wrong) == [{httpx.codes.UNAUTHORIZED}] * len(wrong)
    async with httpx.AsyncClient(timeout=60, base_url=served.url) as client:
        headers = {"Authorization": f"Bearer {token}"}
        for _ in range(3):  # the standard path, then the fast one
            answer = await client.post("/graphql", json={"query": "{ viewer { email } }"}, headers=headers)
            assert answer.json() == {"data": {"viewer": {"email": account.email}}}
            assert (await client.get(LIST, headers=headers)).status_code == httpx.codes.OK
    url = served.url.replace("http", "ws", 1) + "/graphql"
    async with asyncio.timeout(DEADLINE_S), connect(url, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
        await socket.send(orjson.dumps({"type": "connection_init", "payload": {"token": token}}).decode())
        assert orjson.loads(await socket.recv()) == {"type": "connection_ack"}
        query = {"query": "{ viewer { email } }"}
        await socket.send(orjson.dumps({"type": "subscribe", "id": "1", "payload": query}).decode())
        assert orjson.loads(await socket.recv())["payload"] == {"data": {"viewer": {"email": account.email}}}


async def test_an_imported_token_is_listed_revoked_and_rotated_like_our_own(served: Gateway) -> None:
    account, revoked, rotated = await served.new_user(), sanctum_secret(), sanctum_secret()
    for number, secret in enumerate((revoked, rotated)):
        await stored(served, secret, imported_id=IMPORTED_ID + 10 + number, user_id=account.user_id)
    rows = await served.rows(f"SELECT id, imported_id FROM tokens WHERE imported_id >= {IMPORTED_ID + 10} ORDER BY id")  # noqa: S608
    first, second = (row["id"] for row in rows)

    listed = served.command("token", "list", "--email", account.email)
    assert f"{first} ({IMPORTED_ID + 10}|…)" in listed.stdout
    assert served.command("token", "revoke", str(first)).returncode == 0
    made = served.command("token", "rotate", str(second), "--overlap", "0")

    assert made.returncode == 0
    deadline = time.monotonic() + DEADLINE_S  # the first test may not have run here
    while (await statuses(served, made.stdout.strip(), repeat=4))[0] != {httpx.codes.OK}:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    assert await statuses(served, revoked, rotated) == [{httpx.codes.UNAUTHORIZED}] * 2
