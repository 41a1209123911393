"""The first start on an empty embedded database: a user, and its token shown once with a request to paste."""

from __future__ import annotations

import asyncio
import logging
import shlex
import time
from pathlib import Path

from app.database import may_come, migrate, open_database, require_migrated
from app.embedded_file import KEY_FILE_NAME, check_embedded_file
from app.file_permissions import check_permissions
from app.secret_keys import open_vault
from app.settings import Settings, secret_files, unknown_variables
from models.accounts.accounts import create_first_user
from models.accounts.user import User
from models.audit.entry import AuditEntry, AuditKind
from models.audit.operator import operator
from models.audit.recording import entry_of, log, without_stored
from models.database.faults import explain
from models.errors import DatabaseUnavailable

FIRST_EMAIL = "admin@localhost"
RETRY_S = 0.25
logger = logging.getLogger("moorings")


async def prepare(settings: Settings, *, start_anew: bool = False, may_migrate: bool = True) -> str | None:
    """Migrate, hold the keys against the data, and make the first user; returns its token if one was made.

    Waits for a database that is still starting, or does not answer in time, for as long as the settings allow.
    Without `may_migrate` nothing is migrated, and a database that lacks migrations is refused. Raises
    `DatabaseUnavailable`, `EncodingRefused`, `MigrationsMissing`, `KeyRefused`, `KeysUnavailable`,
    `FilesOpenToOthers`, `EmbeddedFileRefused`.
    """
    for name in unknown_variables():
        logger.warning("%s is not a setting; is it misspelt?", name)
    check_embedded_file(settings.address, has_own_keys=settings.secret_keys is not None, start_anew=start_anew)
    deadline = time.monotonic() + settings.database_wait_seconds
    is_waiting = False
    start = entry_of(operator(), AuditKind.COMMAND_RUN, "moorings serve")
    while True:
        try:
            return await _prepare(settings, start, is_again=is_waiting, may_migrate=may_migrate)
        except DatabaseUnavailable as error:
            if time.monotonic() + RETRY_S > deadline or not may_come(error):
                raise
            why = explain(error, path=settings.address.path, url=settings.address.url)
        if not is_waiting:
            is_waiting = True
            logger.warning("%s Waiting for up to %d s.", why, settings.database_wait_seconds)
        await asyncio.sleep(RETRY_S)


async def _prepare(settings: Settings, start: AuditEntry, *, is_again: bool, may_migrate: bool) -> str | None:
    """See `prepare`; `start` is the audit's entry. What was done before the database went away is not done twice."""
    await (migrate if may_migrate else require_migrated)(settings.address)
    async with open_database(settings.address):
        await open_vault(settings)
        check_permissions([*_own_files(settings), *secret_files()], settings.file_permissions)
        if not is_again or await without_stored([start]):
            await start.save(force_create=True)
            log(start)
        if settings.address.engine == "postgresql":
            if not await User.exists():
                logger.info("There is no user yet: `moorings user create`, then `moorings token create`, make one.")
            return None
        return await create_first_user(
            email=FIRST_EMAIL, name="Admin", called="first start", expires_in=settings.longest_token_lifetime
        )


def _own_files(settings: Settings) -> list[Path]:
    """The embedded database and its key file."""
    path = settings.address.path
    return [] if path is None else [path, path.with_name(KEY_FILE_NAME)]


def welcome(url: str, token: str) -> str:
    """What a person sees once on a terminal, at the first start."""
    return f"""
  Welcome to Moorings. This database was empty, so there is a user now, {FIRST_EMAIL}, with this token.
  It is shown this once:

    {token}

  Open {url} in a browser, or try it here:

    curl -H 'Authorization: Bearer {token}' {url}/api/backup-destinations
"""


def welcome_without_token(url: str, path: Path) -> str:
    """What a log has of the first start; `path` is the file of the token."""
    return f"""
  Welcome to Moorings. This database was empty, so there is a user now, {FIRST_EMAIL}.
  Its token is in {path}, for the owner of the file alone, and not in this log.

  Open {url} in a browser, or try it here:

    curl -H "Authorization: Bearer $(cat {shlex.quote(str(path))})" {url}/api/backup-destinations
"""
