"""Where the vault's keys come from: MOORINGS_SECRET_KEYS, or a file beside the embedded database, made once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from app.embedded_file import KEY_FILE_NAME
from app.key_service.ring import has_wrapped_keys, keep_unwrapped, new_key, unwrapped
from app.key_service.service import KeyService, open_key_service
from app.settings import Settings
from models.background import in_background
from models.destinations.key_rotation import key_ids, prove, verify
from models.errors import KeyRefused
from models.vault.vault import Vault


async def open_vault(settings: Settings) -> Vault:
    """The vault, held against the data of the open database; raises `KeyRefused` when the two do not fit.

    Raises `KeysUnavailable` when a key service has to be asked and does not answer.
    """
    vault, _, _ = await _opened(settings)
    return vault


async def verified_vault(settings: Settings) -> Vault:
    """As `open_vault`, and stores no proof of a key that is new; for keys that are there."""
    vault = await vault_of(settings)
    await verify(vault)
    return vault


async def vault_of(settings: Settings) -> Vault:
    """The vault of the keys, held against nothing; needs no database where they are in a setting."""
    service = open_key_service(settings.key_service)
    return Vault(await unwrapped(await _ring(settings, service), service))


@asynccontextmanager
async def vault_in_use(settings: Settings) -> AsyncIterator[Vault]:
    """As `open_vault`, and while it is used, keys that a key service wraps are unwrapped again and again."""
    vault, ring, service = await _opened(settings)
    if service is None or not has_wrapped_keys(ring):
        yield vault
        return
    kept = keep_unwrapped(vault, ring, service, settings.keys_used_for.total_seconds())
    async with in_background(kept, name="key service"):
        yield vault


async def _opened(settings: Settings) -> tuple[Vault, str, KeyService | None]:
    """The vault, its keys as they are kept, and the service that unwraps them."""
    service = open_key_service(settings.key_service)
    ring = await _ring(settings, service)
    vault = Vault(await unwrapped(ring, service))
    await prove(vault)
    return vault, ring, service


async def _ring(settings: Settings, service: KeyService | None) -> str:
    """The keys as they are kept, some or all of them wrapped."""
    if settings.secret_keys is not None:
        return settings.secret_keys.reveal()
    path = _key_file(settings)
    if _is_missing(path, await key_ids()):
        _create(path, await new_key(service) + "\n")
    return _read(path)


def _key_file(settings: Settings) -> Path:
    path = settings.address.path
    if path is None:
        raise KeyRefused("MOORINGS_SECRET_KEYS is required with PostgreSQL.")
    return path.with_name(KEY_FILE_NAME)


def _is_missing(path: Path, used: Collection[str]) -> bool:
    """Whether a key file is still to be made; raises `KeyRefused` when there was one, for something was sealed."""
    if path.exists():
        return False
    if used:
        raise KeyRefused(
            f"{path} is missing, and the stored credentials need its key {', '.join(sorted(used))}; put the file back."
        )
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeError) as error:
        raise KeyRefused(f"{path} cannot be read as a file of keys.") from error


def _create(path: Path, text: str) -> None:
    """Write a file of mode 0600, whole and on disk before it has its name; the first of several processes wins."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink()
