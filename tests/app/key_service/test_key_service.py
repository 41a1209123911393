"""Keys wrapped by a key service: they open what they sealed, for a bounded time without it, and are never shown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import httpx
import pytest

from app.key_service.ring import has_wrapped_keys, new_key, unwrapped, wrapped
from app.key_service.service import open_key_service
from models.errors import KeyRefused, KeysUnavailable
from models.vault.vault import Vault, generate_key
from tests.support.databases.databases import unserved
from tests.support.gateway.gateway import EXAMPLES, Account, Gateway
from tests.support.gateway.promptness import serve
from tests.support.ports import free_port
from tests.support.stores.moto_kms import MotoKms, key_service

DESTINATIONS = "/api/backup-destinations"
WITHIN_S = 20.0


@pytest.fixture(scope="module")
def running() -> Iterator[MotoKms]:
    """One key service for the tests that do not break it."""
    with key_service() as service:
        yield service


@pytest.fixture
def kms(running: MotoKms, monkeypatch: pytest.MonkeyPatch) -> MotoKms:
    """The key service, where botocore of this process and its children finds it."""
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    return running


async def create(account: Account, label: str) -> httpx.Response:
    """Ask for a destination with credentials."""
    async with account.client() as client:
        return await client.post(DESTINATIONS, json={"label": label, "type": "s3", **EXAMPLES["s3"]})


async def test_a_wrapped_key_is_the_key_it_was_and_is_not_in_its_text(kms: MotoKms) -> None:
    service = open_key_service(f"aws-kms:{kms.key_id}")
    assert service is not None
    plain = generate_key()

    ring = await wrapped(plain, service)

    assert has_wrapped_keys(ring)
    assert plain.partition(":")[2][:16] not in ring
    assert await unwrapped(ring, service) == plain


async def test_keys_keep_their_order_and_plain_ones_stay_beside_wrapped_ones(kms: MotoKms) -> None:
    service = open_key_service(f"aws-kms:{kms.key_id}")
    assert service is not None
    old, new = generate_key(), await new_key(service)

    ring = await unwrapped(f"{new},\n{old}\n", service)

    assert Vault(ring).key_ids == (new.partition(":")[0], old.partition(":")[0])


async def test_a_wrapped_key_with_the_id_of_another_is_refused(kms: MotoKms) -> None:
    service = open_key_service(f"aws-kms:{kms.key_id}")
    assert service is not None
    first, second = await new_key(service), await new_key(service)
    swapped = f"{first.partition(':')[0]}:{second.partition(':')[2]}"

    with pytest.raises(KeyRefused):
        await unwrapped(swapped, service)


async def test_an_altered_wrapped_key_and_one_without_its_service_are_refused(kms: MotoKms) -> None:
    service = open_key_service(f"aws-kms:{kms.key_id}")
    assert service is not None
    ring = await new_key(service)
    altered = ring[:-9] + ("A" if ring[-9] != "A" else "B") + ring[-8:]

    for text, used in ((altered, service), (f"{ring}%", service), (ring, None)):
        with pytest.raises(KeyRefused):
            await unwrapped(text, used)


async def test_a_service_that_does_not_answer_is_an_outage_and_not_a_refusal(
    kms: MotoKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = await new_key(open_key_service(f"aws-kms:{kms.key_id}"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{free_port()}")

    with pytest.raises(KeysUnavailable):
        await unwrapped(ring, open_key_service(f"aws-kms:{kms.key_id}"))
    with unserved(None) as gateway:
        refused = serve(gateway, secret_keys=ring, key_service=f"aws-kms:{kms.key_id}")
    assert refused.stderr == "moorings: The key service that MOORINGS_KEY_SERVICE names does not answer.\n"


def test_keys_are_made_wrapped_and_existing_ones_wrapped_by_command(kms: MotoKms) -> None:
    with unserved(None) as gateway:
        used = {"key_service": f"aws-kms:{kms.key_id}"}
        made = gateway.command("keys", "generate", **used).stdout
        plain = generate_key()
        once = gateway.command("keys", "wrap", secret_keys=plain, **used).stdout
        again = gateway.command("keys", "wrap", secret_keys=once, **used).stdout

        for ring, key_id in ((made, made.partition(":")[0]), (again, plain.partition(":")[0])):
            assert ring.startswith(f"{key_id}:aws-kms:")
            status = gateway.command("keys", "status", secret_keys=ring, **used)
            assert (status.returncode, key_id in status.stdout) == (0, True)
    assert once != again


def test_an_embedded_key_file_holds_a_wrapped_key(kms: MotoKms) -> None:
    with unserved(None) as gateway:
        gateway.settings |= {"secret_keys": "", "key_service": f"aws-kms:{kms.key_id}"}

        assert gateway.command("keys", "status").returncode == 0
        assert ":aws-kms:" in (gateway.directory / "moorings.key").read_text()
        assert gateway.command("keys", "status").returncode == 0


async def test_keys_are_used_for_a_bounded_time_without_the_service_and_are_back_with_it(kms: MotoKms) -> None:
    used = f"aws-kms:{kms.key_id}"
    ring = await new_key(open_key_service(used))
    gateway = Gateway(workers=2, secret_keys=ring, key_service=used, key_service_cache="2s", log_level="DEBUG")
    try:
        account = await gateway.start().new_user()
        assert (await create(account, "before")).status_code == httpx.codes.CREATED

        kms.freeze()
        refused = await until(account, httpx.codes.SERVICE_UNAVAILABLE)
        async with account.client() as client:
            listed = await client.get(DESTINATIONS)
            local = await client.post(DESTINATIONS, json={"label": "needs no key", "type": "local"})
        kms.thaw()
        await until(account, httpx.codes.CREATED)
        await until_logged(gateway, "unwraps the keys again")
        log = gateway.log_text()
    finally:
        kms.thaw()
        gateway.close()

    assert refused.headers["retry-after"].isdecimal()
    assert refused.json() == {
        "error": "Service Unavailable",
        "message": "The key service is not available just now; try again in a moment.",
    }
    assert (listed.status_code, local.status_code) == (httpx.codes.OK, httpx.codes.CREATED)
    # Once, though each of two workers unwraps them.
    assert log.count("cannot be unwrapped") == log.count("unwraps the keys again") == 1
    assert "Traceback" not in log
    plain = (await unwrapped(ring, open_key_service(used))).partition(":")[2]
    assert plain not in log
    assert "Plaintext" not in log


async def until_logged(gateway: Gateway, line: str) -> None:
    """Wait for the supervisor, which logs what its workers report."""
    deadline = time.monotonic() + WITHIN_S
    while line not in gateway.log_text():
        assert time.monotonic() < deadline, gateway.log_text()
        await asyncio.sleep(0.05)


async def until(account: Account, status: int) -> httpx.Response:
    """The first answer with this status."""
    deadline = time.monotonic() + WITHIN_S
    while (response := await create(account, f"until {status}")).status_code != status:
        assert time.monotonic() < deadline, response.text
        await asyncio.sleep(0.1)
    return response
