"""Destinations with sealed credentials, put into a database by raw SQL, and what is sealed in them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from models.vault.secret import Secret
from models.vault.vault import Place, Vault, key_id_of
from tests.support.gateway.gateway import Gateway

COLUMNS = ("access_key", "secret_key")
LONG_AGO = "2020-01-02 03:04:05+00:00"


def place(user_id: int, uid: UUID, column: str) -> Place:
    """Where the secret of a destination lives."""
    return Place(table="backup_destinations", column=column, user_id=user_id, row=uid)


def text_of(uid: object, column: str) -> str:
    """The secret that `insert` seals into a row."""
    return f"{column} of {uid}"


async def insert(gateway: Gateway, keys: str, user_id: int, count: int) -> None:
    """Add destinations of long ago whose credentials the first of `keys` sealed."""
    vault, values = Vault(keys), []
    for _ in range(count):
        uid = uuid4()
        sealed = [vault.seal(Secret(text_of(uid, column)), place(user_id, uid, column)) for column in COLUMNS]
        texts = [str(uid), "Old", "amazon_s3", "nightly", "eu-west-1", *sealed, LONG_AGO, LONG_AGO, LONG_AGO]
        values.append(f"({user_id}, false, {', '.join(map(repr, texts))})")
    columns = (
        "uid, label, kind, bucket_name, region, access_key, secret_key, credentials_set_at, created_at, updated_at"
    )
    await gateway.rows(
        f"INSERT INTO backup_destinations (user_id, path_style_endpoint, {columns}) "  # noqa: S608 - our own values
        f"VALUES {', '.join(values)}"
    )


async def rows(gateway: Gateway) -> dict[int, Mapping[str, Any]]:
    """Every destination by its id."""
    return {row["id"]: row for row in await gateway.rows("SELECT * FROM backup_destinations ORDER BY id")}


def opened(row: Mapping[str, Any], keys: str) -> list[str]:
    """The credentials of a row; raises `SecretUnreadable`."""
    vault, uid = Vault(keys), UUID(str(row["uid"]))
    return [vault.open(row[column], place(row["user_id"], uid, column)).reveal() for column in COLUMNS]


def key_ids(row: Mapping[str, Any]) -> set[str]:
    """The keys that sealed the credentials of a row."""
    return {key_id_of(row[column]) for column in COLUMNS}


def is_old(timestamp: object) -> bool:
    """Whether a moment of a row is the one that `insert` wrote."""
    read = timestamp if isinstance(timestamp, datetime) else datetime.fromisoformat(str(timestamp))
    return read == datetime.fromisoformat(LONG_AGO)
