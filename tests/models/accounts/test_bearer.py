"""A token is well-formed or refused without a question, valid or refused at once, and kept only as a digest."""

from __future__ import annotations

import asyncio
import hashlib
import re
import string
import subprocess
import sys
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import httpx
import pytest

from models.accounts import accounts, token_usage
from models.accounts.bearer import digest_of, new_secret, parse_bearer
from models.accounts.token import Token
from models.accounts.token_usage import TokenUsage
from models.accounts.user import User
from models.accounts.viewer import Protocol
from models.audit.trail import AuditTrail
from models.clock import current_second
from models.errors import Unauthenticated
from tests.support.gateway.gateway import Account, Gateway
from tests.support.paths import ROOT

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
DEADLINE_S = 60
LIST = "/api/backup-destinations"

ASK_WITHOUT_DATABASE = """
import asyncio, sys
from tests.support.databases.services import viewer_of_token
from models.accounts.viewer import Protocol
try:
    asyncio.run(viewer_of_token(sys.argv[1], Protocol.REST))
except Exception as error:
    print(type(error).__name__)
"""


async def status_with(gateway: Gateway, authorization: str) -> int:
    """How a request with this Authorization header is answered."""
    async with httpx.AsyncClient(timeout=60, base_url=gateway.url) as client:
        return (await client.get(LIST, headers={"Authorization": authorization})).status_code


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the condition holds, or fail at the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not await condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.1)


def test_a_secret_is_a_prefix_forty_characters_and_their_checksum() -> None:
    secret = new_secret()
    checksum = 0
    for character in secret[-6:]:
        checksum = checksum * 62 + BASE62.index(character)

    assert re.fullmatch(r"mrg_[0-9A-Za-z]{40}[0-9A-Za-z]{6}", secret)
    assert checksum == zlib.crc32(secret[:-6].encode())


def test_no_secret_comes_twice() -> None:
    assert len({new_secret() for _ in range(2_000)}) == 2_000


def test_a_token_is_read_with_and_without_its_id() -> None:
    secret = new_secret()

    assert parse_bearer(f"7|{secret}").token_id == 7
    assert parse_bearer(secret).token_id is None
    assert (
        parse_bearer(f"7|{secret}").digest == parse_bearer(secret).digest == hashlib.sha256(secret.encode()).hexdigest()
    )


def test_a_secret_with_one_character_changed_is_refused() -> None:
    secret = new_secret()

    for at, character in enumerate(secret):
        for other in ("a", "B", "0", "é", " "):
            if other != character:
                with pytest.raises(Unauthenticated):
                    parse_bearer(secret[:at] + other + secret[at + 1 :])


@pytest.mark.parametrize(
    "form",
    [
        *("", "|", "7|", "|{}", "0|{}", "07|{}", "-7|{}", "+7|{}", "7 |{}", "7||{}", "7|7|{}", "7:{}", "7|{}|", "{}{}"),
        *(" {}", "{} ", "{}\n", "Bearer {}", "٧|{}", "12345678901|{}"),
    ],
)
def test_a_token_in_any_other_form_is_refused(form: str) -> None:
    with pytest.raises(Unauthenticated):
        parse_bearer(form.replace("{}", new_secret()))


def test_junk_is_refused_without_asking_the_database() -> None:
    """There is no database in these processes: what asks it fails otherwise than by a refusal."""

    def outcome(token: str) -> str:
        command = [sys.executable, "-c", ASK_WITHOUT_DATABASE, token]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()

    assert outcome("7|mrg_" + "a" * 46) == "Unauthenticated"
    assert outcome(f"4294967296|{new_secret()}") == "Unauthenticated"
    assert outcome(f"7|{new_secret()}") != "Unauthenticated"


async def test_a_token_authenticates_with_and_without_its_id_and_with_no_other(gateway: Gateway) -> None:
    account, stranger = await gateway.new_user(), await gateway.new_user()
    token_id, _, secret = account.token.partition("|")
    strangers_id = stranger.token.partition("|")[0]

    assert await status_with(gateway, f"Bearer {token_id}|{secret}") == httpx.codes.OK
    assert await status_with(gateway, f"Bearer {secret}") == httpx.codes.OK
    assert await status_with(gateway, f"bearer {secret}") == httpx.codes.OK
    assert await status_with(gateway, f"Bearer {strangers_id}|{secret}") == httpx.codes.UNAUTHORIZED
    assert await status_with(gateway, f"Bearer 2147483647|{secret}") == httpx.codes.UNAUTHORIZED
    assert await status_with(gateway, f"Bearer {new_secret()}") == httpx.codes.UNAUTHORIZED
    assert await status_with(gateway, f"Bearer {digest_of(secret)}") == httpx.codes.UNAUTHORIZED


async def test_a_token_in_a_query_string_or_a_cookie_is_not_looked_at(gateway: Gateway) -> None:
    account = await gateway.new_user()

    async with httpx.AsyncClient(timeout=60, base_url=gateway.url, cookies={"token": account.token}) as client:
        for name in ("token", "access_token", "api_token", "bearer", "Authorization"):
            answer = await client.get(LIST, params={name: account.token})
            assert answer.status_code == httpx.codes.UNAUTHORIZED


async def test_a_revoked_token_is_refused_at_once_and_the_others_are_not(gateway: Gateway) -> None:
    account = await gateway.new_user()
    assert await status_with(gateway, f"Bearer {account.token}") == httpx.codes.OK

    async with gateway.models():
        await accounts.revoke_token(int(account.token.partition("|")[0]))

    assert await status_with(gateway, f"Bearer {account.token}") == httpx.codes.UNAUTHORIZED
    assert await status_with(gateway, f"Bearer {account.full_token}") == httpx.codes.OK


async def test_a_disabled_users_tokens_are_refused_at_once_and_work_again_when_enabled(gateway: Gateway) -> None:
    account = await gateway.new_user()
    assert await status_with(gateway, f"Bearer {account.token}") == httpx.codes.OK

    async with gateway.models():
        await accounts.disable_user(account.email, disabled=True)
    assert await status_with(gateway, f"Bearer {account.token}") == httpx.codes.UNAUTHORIZED
    assert await status_with(gateway, f"Bearer {account.full_token}") == httpx.codes.UNAUTHORIZED

    async with gateway.models():
        await accounts.disable_user(account.email, disabled=False)
    assert await status_with(gateway, f"Bearer {account.token}") == httpx.codes.OK


async def test_a_token_is_refused_from_the_second_at_which_it_expires(gateway: Gateway) -> None:
    account = await gateway.new_user()
    async with gateway.models():
        user = await accounts.find_user(account.email)
        token = await accounts.issue_token(user, name="brief", expires_in=timedelta(seconds=2))
        expires_at = (await accounts.tokens_of(user))[-1].expires_at
    assert expires_at is not None
    assert await status_with(gateway, f"Bearer {token}") == httpx.codes.OK

    async def is_refused() -> bool:
        return await status_with(gateway, f"Bearer {token}") == httpx.codes.UNAUTHORIZED

    await eventually(is_refused)
    assert expires_at <= current_second() <= expires_at + timedelta(seconds=2)


async def test_the_database_keeps_the_digest_of_a_secret_and_nothing_else_of_it(gateway: Gateway) -> None:
    account = await gateway.new_user()
    token_id, _, secret = account.token.partition("|")

    (row,) = await gateway.rows(f"SELECT * FROM tokens WHERE id = {int(token_id)}")  # noqa: S608 - our own integer

    assert row["digest"] == hashlib.sha256(secret.encode()).hexdigest()
    others = " ".join(str(value) for name, value in row.items() if name != "digest")
    assert [secret[at : at + 6] for at in range(4, len(secret) - 5) if secret[at : at + 6] in others] == []


async def last_use(account: Account) -> object:
    """What the token's row says of its last use."""
    token_id = int(account.token.partition("|")[0])
    (row,) = await account.gateway.rows(f"SELECT last_used_at FROM tokens WHERE id = {token_id}")  # noqa: S608
    return row["last_used_at"]


async def test_the_last_use_of_a_token_is_written_behind_the_request(gateways: Mapping[str, Gateway]) -> None:
    used = [await gateway.new_user() for gateway in gateways.values()]
    idle = [await gateway.new_user() for gateway in gateways.values()]
    for account in used:
        assert await last_use(account) is None
        assert await status_with(account.gateway, f"Bearer {account.token}") == httpx.codes.OK

    async def are_written() -> bool:
        return all([await last_use(account) is not None for account in used])

    await eventually(are_written)
    assert [await last_use(account) for account in idle] == [None, None]


async def test_the_last_use_of_a_token_is_written_at_most_once_a_minute_and_at_the_end(gateway: Gateway) -> None:
    account, usage = await gateway.new_user(), TokenUsage(AuditTrail())
    token_id = int(account.token.partition("|")[0])
    erase = f"UPDATE tokens SET last_used_at = NULL WHERE id = {token_id}"  # noqa: S608 - our own integer

    async with gateway.models():
        usage.note(token_id, "192.0.2.7", account.user_id, Protocol.REST, b"an-id")
        await usage.flush()
        assert await last_use(account) is not None

        await gateway.rows(erase)
        usage.note(token_id, "192.0.2.7", account.user_id, Protocol.REST, b"an-id")
        await usage.flush()
        assert await last_use(account) is None

        await usage.flush(everything=True)
        assert await last_use(account) is not None


async def test_each_token_has_its_own_last_address_however_many_are_written_together(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not due is written when its minute is over, with the address that it was used from last."""
    monkeypatch.setattr(token_usage, "TOKENS_AT_ONCE", 2)
    account, usage = await gateway.new_user(), TokenUsage(AuditTrail())
    async with gateway.models():
        user = await User.get(id=account.user_id)
        texts = [await accounts.issue_token(user, name=f"Backups {number}") for number in range(5)]
        token_ids = [int(text.partition("|")[0]) for text in texts]

        async def use_all(network: str) -> list[str | None]:
            for token_id in reversed(token_ids):
                usage.note(token_id, f"{network}.{token_id % 250}", account.user_id, Protocol.REST, b"an-id")
            await usage.flush()
            return [token.last_address for token in await Token.filter(id__in=token_ids).order_by("id")]

        first = [f"192.0.2.{token_id % 250}" for token_id in token_ids]
        assert await use_all("192.0.2") == first
        assert await use_all("198.51.100") == first
        monkeypatch.setattr(token_usage, "WRITE_EVERY_S", 0.0)
        assert await use_all("203.0.113") == [f"203.0.113.{token_id % 250}" for token_id in token_ids]
        written = await Token.filter(id__in=token_ids)
        assert all(
            token.last_used_at and current_second() - token.last_used_at < timedelta(minutes=5) for token in written
        )
