"""Where the vault's keys come from: MOORINGS_SECRET_KEYS, or a file beside the embedded database, made once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from app.settings import Settings
from models.destinations.key_rotation import key_ids, prove
from models.errors import KeyRefused
from models.vault.vault import Vault, generate_key

KEY_FILE_NAME = "moorings.key"


async def open_vault(settings: Settings) -> Vault:
    """The vault, held against the data of the open database; raises `KeyRefused` when the two do not fit."""
    if settings.secret_keys is not None:
        vault = Vault(settings.secret_keys.reveal())
    else:
        path = _key_file(settings)
        vault = Vault(_embedded_keys(path, await key_ids()))
    await prove(vault)
    return vault


def _key_file(settings: Settings) -> Path:
    path = settings.address.path
    if path is None:
        raise KeyRefused("MOORINGS_SECRET_KEYS is required with PostgreSQL.")
    return path.with_name(KEY_FILE_NAME)


def _embedded_keys(path: Path, used: Collection[str]) -> str:
    """Read the key file; make it when there is none and nothing has been sealed yet."""
    if not path.exists():
        if used:
            raise KeyRefused(
                f"{path} is missing, and the stored credentials need its key {', '.join(sorted(used))}; "
                "put the file back."
            )
        _create(path, generate_key() + "\n")
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
