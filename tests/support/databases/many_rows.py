"""Destinations and events by the thousand, written past the gateway in one statement each."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from tests.support.databases.databases import TIMESTAMP
from tests.support.gateway.gateway import Account, Gateway

_COLUMNS = "uid, user_id, label, kind, created_at, updated_at"


def quoted(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def timestamp(second: int) -> str:
    """A timestamp as SQL: that second of an hour long ago."""
    return f"'2024-08-07 00:{second // 60:02}:{second % 60:02}+00:00'"


async def plant_destinations(
    gateway: Gateway, user_id: int, labels: Sequence[str], timestamps: Sequence[tuple[str, str]] = ()
) -> list[int]:
    """Local destinations with these labels, created and updated at these timestamps; their ids, in that order."""
    pairs = timestamps or [(TIMESTAMP, TIMESTAMP)] * len(labels)
    values = (
        f"('{uuid4()}', {user_id}, {quoted(label)}, 'local', {created}, {updated})"
        for label, (created, updated) in zip(labels, pairs, strict=True)
    )
    await gateway.rows(f"INSERT INTO backup_destinations ({_COLUMNS}) VALUES {', '.join(values)}")  # noqa: S608 - our own values
    rows = await gateway.rows(f"SELECT id FROM backup_destinations WHERE user_id = {user_id} ORDER BY id")  # noqa: S608 - our own integer
    return [row["id"] for row in rows[-len(labels) :]]


async def plant_events(gateway: Gateway, user_id: int, labels: Sequence[str]) -> None:
    """Events of a deletion each, with these labels."""
    values = (f"({user_id}, 'deleted', 1, {quoted(label)}, 'command_line', {TIMESTAMP})" for label in labels)
    columns = "user_id, kind, destination_id, label, protocol, occurred_at"
    await gateway.rows(f"INSERT INTO events ({columns}) VALUES {', '.join(values)}")  # noqa: S608 - our own values


async def plant_copies(account: Account, count: int) -> list[int]:
    """So many destinations at one store, with labels that are as long as they may be; returns all ids of the user's."""
    made = await account.create("custom_s3", label="\U0001f5c4" * 255, s3_bucket_name="b" * 255)
    columns = "user_id, label, kind, created_at, updated_at, bucket_name, region, endpoint, path_style_endpoint, "
    columns += "reachability, access_key, secret_key, credentials_set_at"
    for _ in range(count - 1):
        await account.gateway.rows(
            f"INSERT INTO backup_destinations (uid, {columns}) "  # noqa: S608 - our own values
            f"SELECT '{uuid4()}', {columns} FROM backup_destinations WHERE id = {made}"
        )
    rows = await account.gateway.rows(
        f"SELECT id FROM backup_destinations WHERE user_id = {account.user_id} ORDER BY id"  # noqa: S608 - our own integer
    )
    return [row["id"] for row in rows]
