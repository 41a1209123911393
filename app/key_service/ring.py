"""A ring of keys, some of them wrapped: unwrapped at start, used for a bounded time, and unwrapped again meanwhile."""

from __future__ import annotations

import asyncio
import base64
import time

from app.key_service.service import KeyService
from models.errors import KeyRefused, KeysUnavailable
from models.outage import Outage
from models.vault.vault import Vault, generate_key

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 15.0


async def unwrapped(ring: str, service: KeyService | None) -> str:
    """The ring with every wrapped key unwrapped; raises `KeyRefused`, or `KeysUnavailable` when the service is away."""
    entries = []
    for number, entry in enumerate(_entries(ring), start=1):
        key_id, _, key = entry.partition(":")
        if not _is_wrapped(entry):
            entries.append(entry)
        elif service is None or not key.startswith(service.prefix):
            raise KeyRefused(
                f"Key {number} of MOORINGS_SECRET_KEYS is wrapped; set MOORINGS_KEY_SERVICE to what wrapped it."
            )
        else:
            entries.append(f"{key_id}:{base64.b64encode(await service.unwrap(key, key_id)).decode()}")
    return ",".join(entries)


async def wrapped(ring: str, service: KeyService) -> str:
    """The ring with every key wrapped, those anew that are wrapped already, in its order."""
    entries = []
    for entry in _entries(await unwrapped(ring, service)):
        Vault(entry)  # refuses what is no key before it is sent anywhere
        key_id, _, key = entry.partition(":")
        entries.append(f"{key_id}:{await service.wrap(base64.b64decode(key), key_id)}")
    return ",".join(entries)


async def new_key(service: KeyService | None) -> str:
    """A new key in the form of the setting, wrapped if there is a service."""
    return generate_key() if service is None else await wrapped(generate_key(), service)


def has_wrapped_keys(ring: str) -> bool:
    """Whether the ring needs the key service."""
    return any(map(_is_wrapped, _entries(ring)))


async def keep_unwrapped(vault: Vault, ring: str, service: KeyService, lifetime_s: float) -> None:
    """Until cancelled, unwrap the ring again before its keys have been used for `lifetime_s`.

    Where the service does not answer or refuses, the vault forgets its keys at the end of that time and has them again
    when the service does. An outage is one line of the log at its beginning and one at its end, of all workers.
    """
    outage = Outage(begins="The keys cannot be unwrapped", ends="The key service unwraps the keys again")
    used_until, wait_s = time.monotonic() + lifetime_s, lifetime_s / 2
    while True:
        await asyncio.sleep(wait_s)
        left_s = max(used_until - time.monotonic(), 0.0)
        try:
            async with asyncio.timeout(left_s or LONGEST_WAIT_S):
                vault.renew(await unwrapped(ring, service))
        except (KeyRefused, KeysUnavailable, TimeoutError) as error:
            left_s = max(used_until - time.monotonic(), 0.0)
            if not outage.is_on:
                outage.begin(f"{_why(error)}; they are used {left_s:.0f} s more")
                wait_s = FIRST_WAIT_S / 2
            if not left_s:
                vault.forget()
            wait_s = min(2 * wait_s, left_s or LONGEST_WAIT_S)
        else:
            outage.end()
            used_until, wait_s = time.monotonic() + lifetime_s, lifetime_s / 2


def _why(error: Exception) -> str:
    return "the key service does not answer in time" if isinstance(error, TimeoutError) else str(error).rstrip(".")


def _entries(ring: str) -> list[str]:
    return [entry.strip() for entry in ring.replace("\n", ",").split(",") if entry.strip()]


def _is_wrapped(entry: str) -> bool:
    """Whether an entry has three parts, `id:service:wrapped`; base64 has no colon."""
    return entry.count(":") > 1
