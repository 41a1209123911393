"""Compares the vault's keys with the data: at start each proves itself and none may be missing; rotation re-seals."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

from tortoise.transactions import in_transaction

from models.destinations.attributes import KINDS, SECRET_ATTRIBUTES, Attribute
from models.destinations.guards import key_id, secret_groups
from models.destinations.table import BackupDestination
from models.errors import KeyRefused, SecretUnreadable
from models.vault.vault import Vault, key_id_of
from models.vault.vault_key import VaultKey

ROTATION_BATCH = 100


async def key_ids() -> set[str]:
    """The ids of the keys that the data was sealed with, found in steps along an index, however many rows there are."""
    connection = BackupDestination._meta.db
    is_sqlite = connection.capabilities.dialect == "sqlite"
    found: set[str] = set()
    for group in secret_groups():
        keys = [key_id(column, is_sqlite=is_sqlite) for column in group]
        columns, selected = ", ".join(keys), ", ".join(f"{key} AS key{n}" for n, key in enumerate(keys))
        place = ", ".join("?" if is_sqlite else f"${n}" for n, _ in enumerate(keys, start=1))
        last: list[str] = []
        while True:
            beyond = f" AND ({columns}) > ({place})" if last else ""
            rows: Sequence[Any] = await connection.execute_query_dict(
                f"SELECT {selected} FROM backup_destinations "  # noqa: S608 - no value in it
                f"WHERE {group[0]} IS NOT NULL{beyond} ORDER BY {columns} LIMIT 1",
                last,
            )
            if not rows:
                break
            last = [rows[0][f"key{n}"] for n, _ in enumerate(keys)]
            found.update(last)
    return found


async def key_usage() -> dict[str, int]:
    """How many sealed values each key id found in the data has; an empty mapping when nothing is sealed."""
    usage: Counter[str] = Counter()
    connection = BackupDestination._meta.db
    for column in SECRET_ATTRIBUTES:
        key = key_id(column, is_sqlite=connection.capabilities.dialect == "sqlite")
        rows = await connection.execute_query_dict(
            f"SELECT {key} AS key_id, count(*) AS n FROM backup_destinations "  # noqa: S608 - no value in it
            f"WHERE {column} IS NOT NULL GROUP BY 1"
        )
        usage.update({row["key_id"]: row["n"] for row in rows})
    return dict(usage)


async def prove(vault: Vault) -> None:
    """Compare the keys with the data; raises `KeyRefused` naming the key id, having changed nothing.

    A new key stores its proof, after all others were verified.
    """
    async with in_transaction():
        for unproven in await verify(vault):
            await VaultKey.get_or_create(key_id=unproven, defaults={"proof": vault.prove(unproven)})


async def verify(vault: Vault) -> list[str]:
    """Compare the keys with the data, and store nothing; returns the ids of keys that have no proof yet.

    Raises `KeyRefused` naming the key id.
    """
    return compare(vault, await key_ids(), {row.key_id: row.proof for row in await VaultKey.all()})


def compare(vault: Vault, used: Collection[str], proofs: Mapping[str, str]) -> list[str]:
    """As `verify`, for data that was sealed with the keys of the ids in `used`, and has these proofs by id."""
    missing = sorted(set(used) - set(vault.key_ids))
    if missing:
        raise KeyRefused(f"MOORINGS_SECRET_KEYS lacks the key {', '.join(missing)}, which the stored credentials need.")
    for each in vault.key_ids:
        if each in proofs and not vault.proves(each, proofs[each]):
            raise KeyRefused(f"The key {each} of MOORINGS_SECRET_KEYS does not open what it once sealed.")
    return [each for each in vault.key_ids if each not in proofs]


async def rotate(vault: Vault) -> AsyncIterator[tuple[int, int]]:
    """Re-seal everything with the newest key, online; yields (rows looked at, values that could not be opened).

    Row by row with compare-and-swap on the old envelope, so a concurrent change wins; a run that was killed is
    resumed by running again.
    """
    done = unreadable = last_id = 0
    while True:
        rows = (
            await BackupDestination.filter(id__gt=last_id, credentials_set_at__isnull=False)
            .order_by("id")
            .limit(ROTATION_BATCH)
        )
        if not rows:
            return
        for row in rows:
            for attribute in SECRET_ATTRIBUTES & KINDS[row.kind].applicable:
                unreadable += not await _reseal(row, attribute, vault)
        last_id = rows[-1].id
        done += len(rows)
        yield done, unreadable


async def _reseal(row: BackupDestination, attribute: Attribute, vault: Vault) -> bool:
    """Seal one value anew unless the newest key sealed it; says whether it is readable."""
    envelope = getattr(row, attribute.value)
    try:
        if key_id_of(envelope) == vault.sealing_key_id:
            return True
        secret = vault.open(envelope, row.place(attribute))
    except SecretUnreadable:
        return False
    renewed = vault.seal(secret, row.place(attribute))
    unchanged = {"id": row.id, attribute.value: envelope}
    await BackupDestination.filter(**unchanged).update(**{attribute.value: renewed})
    return True


async def sealed_rows() -> int:
    """How many destinations have sealed credentials."""
    return await BackupDestination.filter(credentials_set_at__isnull=False).count()
