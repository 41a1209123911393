"""All that `moorings doctor` looks at, in its order."""

from __future__ import annotations

from pathlib import Path

from app.database import open_database
from app.doctor import surroundings
from app.doctor.databases import look_at_database
from app.doctor.finding import Finding, State, failure, ok, warning
from app.embedded_file import KEY_FILE_NAME
from app.file_permissions import FilesOpenToOthers, check_permissions
from app.secret_keys import verified_vault
from app.settings import Settings, secret_files
from models.database.faults import explain
from models.errors import DatabaseUnavailable, KeyRefused, KeysUnavailable


async def examine(settings: Settings, *, workers: int) -> list[Finding]:
    """Look at everything; changes nothing, and makes no database and no key."""
    findings = [*surroundings.look_at_settings()]
    database = await look_at_database(
        settings.address,
        listen_url=settings.listen_database_url,
        has_own_keys=settings.secret_keys is not None,
        workers=workers,
    )
    findings += database
    if any(finding.check == "migrations" and finding.state is State.OK for finding in database) and _is_there(settings):
        findings.append(await _keys(settings))
    else:
        findings.append(warning("keys", "They were not held against the data.", "Put the database in order first."))
    findings += _files(settings)
    findings.append(await surroundings.look_at_redis(settings, workers=workers))
    findings += surroundings.look_at_names(settings)
    findings += surroundings.look_at_disks(settings)
    findings += surroundings.look_at_limits(settings, workers=workers)
    findings += surroundings.look_at_proxies(settings)
    return findings


def _is_there(settings: Settings) -> bool:
    """Whether there are a database and keys, so that looking at them makes none."""
    path = settings.address.path
    has_keys = settings.secret_keys is not None or (path is not None and path.with_name(KEY_FILE_NAME).exists())
    return has_keys and (path is None or path.exists())


async def _keys(settings: Settings) -> Finding:
    try:
        async with open_database(settings.address):
            vault = await verified_vault(settings)
    except KeyRefused as refused:
        return failure("keys", str(refused), "Put the key back that the data was sealed with.")
    except KeysUnavailable:
        return failure(
            "keys", "The key service does not answer.", "Look at MOORINGS_KEY_SERVICE and the rights of this machine."
        )
    except DatabaseUnavailable as error:
        return failure("keys", explain(error, path=settings.address.path, url=settings.address.url), "See above.")
    return ok("keys", f"{vault.sealing_key_id} seals, {len(tuple(vault.key_ids))} can open, and they fit the data.")


def _files(settings: Settings) -> list[Finding]:
    path = settings.address.path
    files = [*secret_files()] if path is None else [path, path.with_name(KEY_FILE_NAME), *secret_files()]
    try:
        check_permissions([Path(file) for file in files], "refuse")
    except FilesOpenToOthers as refused:
        return [warning("file permissions", str(refused), "chmod 600 them.")]
    return [ok("file permissions", "No file of keys or data can be read by every user of this machine.")]
