"""Holds the vault's keys against the data: at start each proves itself and none may be missing; rotation re-seals."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

from tortoise.transactions import in_transaction

from models.destinations.attributes import SECRET_ATTRIBUTES, Attribute
from models.destinations.table import BackupDestination
from models.errors import KeyRefused, SecretUnreadable
from models.vault.vault import Vault, key_id_of
from models.vault.vault_key import VaultKey

ROTATION_BATCH = 100
_COLUMNS = tuple(sorted(SECRET_ATTRIBUTES))


async def key_ids() -> set[str]:
    """The ids of the keys that the data was sealed with, found by steps along an index: however many rows there are."""
    connection = BackupDestination._meta.db
    is_sqlite = connection.capabilities.dialect == "sqlite"
    first, second = (_key_id(column, is_sqlite=is_sqlite) for column in _COLUMNS)
    behind = "(?, ?)" if is_sqlite else "($1, $2)"
    found: list[str] = []
    while True:
        beyond = f" AND ({first}, {second}) > {behind}" if found else ""
        rows: Sequence[Any] = await connection.execute_query_dict(
            f"SELECT {first} AS first, {second} AS second FROM backup_destinations "  # noqa: S608 - no value in it
            f"WHERE access_key IS NOT NULL{beyond} ORDER BY {first}, {second} LIMIT 1",
            found[-2:],
        )
        if not rows:
            return set(found)
        found += [rows[0]["first"], rows[0]["second"]]


def _key_id(column: str, *, is_sqlite: bool) -> str:
    """The part of an envelope between the first two colons; spelled as in the index `destinations_sealed`."""
    position = "instr" if is_sqlite else "strpos"
    return f"substr({column}, 4, {position}(substr({column}, 4), ':') - 1)"


async def key_usage() -> dict[str, int]:
    """How many sealed values each key id found in the data has; an empty mapping when nothing is sealed."""
    usage: Counter[str] = Counter()
    connection = BackupDestination._meta.db
    for column in _COLUMNS:
        key_id = _key_id(column, is_sqlite=connection.capabilities.dialect == "sqlite")
        rows = await connection.execute_query_dict(
            f"SELECT {key_id} AS key_id, count(*) AS n FROM backup_destinations "  # noqa: S608 - no value in it
            f"WHERE {column} IS NOT NULL GROUP BY 1"
        )
        usage.update({row["key_id"]: row["n"] for row in rows})
    return dict(usage)


async def prove(vault: Vault) -> None:
    """Hold the ring against the data; raises `KeyRefused` naming the key id, having changed nothing.

    A key seen for the first time leaves its proof, after every other one has been found right.
    """
    missing = sorted(await key_ids() - set(vault.key_ids))
    if missing:
        raise KeyRefused(f"MOORINGS_SECRET_KEYS lacks the key {', '.join(missing)}, which the stored credentials need.")
    async with in_transaction():
        proofs = {row.key_id: row.proof for row in await VaultKey.all()}
        for key_id in vault.key_ids:
            if key_id in proofs and not vault.proves(key_id, proofs[key_id]):
                raise KeyRefused(f"The key {key_id} of MOORINGS_SECRET_KEYS does not open what it once sealed.")
        for key_id in vault.key_ids:
            if key_id not in proofs:
                await VaultKey.get_or_create(key_id=key_id, defaults={"proof": vault.prove(key_id)})


async def rotate(vault: Vault) -> AsyncIterator[tuple[int, int]]:
    """Re-seal everything with the newest key, online; yields (rows looked at, values that could not be opened).

    Row by row with compare-and-swap on the old envelope, so a concurrent change wins; a run that was killed is
    resumed by running again.
    """
    done = unreadable = last_id = 0
    while True:
        rows = (
            await BackupDestination.filter(id__gt=last_id, access_key__isnull=False)
            .order_by("id")
            .limit(ROTATION_BATCH)
        )
        if not rows:
            return
        for row in rows:
            for attribute in SECRET_ATTRIBUTES:
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
    return await BackupDestination.filter(access_key__isnull=False).count()
