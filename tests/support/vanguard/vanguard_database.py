"""A Vanguard database of a test's own: the four tables that matter, as version 1.13 makes them, and rows for them."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg

from models.takeover.laravel import LaravelKeys
from models.vault.secret import Secret

KEY = "base64:" + base64.b64encode(bytes(range(32))).decode()
PREVIOUS_KEY = "base64:" + base64.b64encode(bytes(range(255, 223, -1))).decode()
OTHER_KEY = "base64:" + base64.b64encode(b"\x07" * 32).decode()
TIME = "2024-08-07 00:00:00"
LATER = "2024-08-07 02:00:00"

TABLES: Mapping[str, tuple[str, ...]] = {
    "users": ("id", "name", "email", "password", "created_at", "updated_at"),
    "user_suspensions": ("id", "user_id", "suspended_at", "suspended_until", "lifted_at"),
    "personal_access_tokens": (
        *("id", "tokenable_type", "tokenable_id", "name", "token", "abilities"),
        *("last_used_at", "expires_at", "created_at", "updated_at"),
    ),
    "backup_destinations": (
        *("id", "user_id", "label", "type", "s3_access_key", "s3_secret_key", "s3_bucket_name"),
        *("custom_s3_endpoint", "custom_s3_region", "path_style_endpoint", "status", "created_at", "updated_at"),
    ),
}
_LONG = ("s3_access_key", "s3_secret_key", "s3_bucket_name", "custom_s3_endpoint", "abilities")
_BIG = ("user_id", "tokenable_id")

Rows = dict[str, list[dict[str, Any]]]
"""The rows of each table, columns that are left out being null."""


def _ddl(table: str, *, is_sqlite: bool) -> str:
    columns = []
    for name in TABLES[table]:
        if name == "id":
            columns.append("id integer primary key autoincrement not null" if is_sqlite else "id bigserial primary key")
        elif name in _BIG:
            columns.append(f"{name} {'integer' if is_sqlite else 'bigint'} not null")
        elif name == "path_style_endpoint":
            columns.append(f"{name} {'tinyint(1)' if is_sqlite else 'boolean'} not null default false")
        elif name.endswith(("_at", "_until")):
            columns.append(f"{name} {'datetime' if is_sqlite else 'timestamp(0) without time zone'}")
        else:
            columns.append(f"{name} {'text' if name in _LONG else 'varchar(255)'}")
    return f"create table {table} ({', '.join(columns)})"


def sealed(text: str, key: str = KEY) -> str:
    """A text as the application's cast encrypts it."""
    return LaravelKeys(key).seal(Secret(text))


def user(id_: int, **columns: Any) -> dict[str, Any]:
    """A row of `users`."""
    return {"id": id_, "name": f"User {id_}", "email": f"user{id_}@example.com", "created_at": TIME, **columns}


def token(id_: int, user_id: int, secret: str, **columns: Any) -> dict[str, Any]:
    """A row of `personal_access_tokens`."""
    return {
        "id": id_,
        "tokenable_type": "App\\Models\\User",
        "tokenable_id": user_id,
        "name": f"token {id_}",
        "token": hashlib.sha256(secret.encode()).hexdigest(),
        "abilities": '["*"]',
        "created_at": TIME,
        "updated_at": TIME,
        **columns,
    }


def destination(id_: int, user_id: int, type_: str = "s3", **columns: Any) -> dict[str, Any]:
    """A row of `backup_destinations`, encrypted as the application does."""
    row: dict[str, Any] = {"id": id_, "user_id": user_id, "label": f"Destination {id_}", "type": type_}
    if type_ != "local":
        row |= {
            "s3_access_key": sealed(f"AKIA{id_}"),
            "s3_secret_key": sealed(f"secret-{id_}"),
            "s3_bucket_name": sealed(f"bucket-{id_}"),
            "custom_s3_endpoint": None if type_ == "s3" else sealed("https://s3.example.com"),
            "custom_s3_region": "us-west-2",
        }
    return {
        **row,
        "path_style_endpoint": False,
        "status": "reachable",
        "created_at": TIME,
        "updated_at": LATER,
        **columns,
    }


def into_sqlite(path: Path, rows: Rows, *, highest: Mapping[str, int] = {}) -> str:
    """Make the tables in a file; returns its URL. `highest` are ids that were given and are gone again."""
    with closing(sqlite3.connect(path)) as database, database:
        for table, names in TABLES.items():
            database.execute(_ddl(table, is_sqlite=True))
            values = ([each.get(name) for name in names] for each in rows.get(table, ()))
            statement = f"insert into {table} values ({', '.join('?' * len(names))})"  # noqa: S608 - our own names
            database.executemany(statement, values)
        for table, id_ in highest.items():
            database.execute("update sqlite_sequence set seq = ? where name = ?", (id_, table))
    return f"sqlite:///{path}"


async def into_postgresql(url: str, rows: Rows, *, highest: Mapping[str, int] = {}) -> str:
    """Make the tables in an empty database; returns its URL."""
    connection = await asyncpg.connect(url)
    try:
        for table, names in TABLES.items():
            await connection.execute(_ddl(table, is_sqlite=False))
            values = [{name: each.get(name) for name in names} for each in rows.get(table, ())]
            await connection.execute(
                f"insert into {table} select * from json_populate_recordset(null::{table}, $1::json)",  # noqa: S608
                json.dumps(values),
            )
            greatest = max([each["id"] for each in rows.get(table, ())] + [highest.get(table, 0)])
            if greatest:
                await connection.execute(f"select setval('{table}_id_seq', {greatest})")
    finally:
        await connection.close()
    return url


def into_folder(folder: Path, rows: Rows, *, highest: Mapping[str, int] = {}) -> str:
    """Write the folder as the documented statements do: suspensions in the rows of users, the next id in every row."""
    folder.mkdir(exist_ok=True)
    suspended = {each["user_id"]: each for each in rows.get("user_suspensions", ()) if each.get("lifted_at") is None}
    for table in ("users", "personal_access_tokens", "backup_destinations"):
        found = rows.get(table, [])
        next_id = max([each["id"] for each in found] + [highest.get(table, 0)]) + 1
        with (folder / f"{table}.jsonl").open("w") as file:
            for each in found:
                more: dict[str, Any] = {"next_id": next_id}
                if table == "users":
                    suspension = suspended.get(each["id"], {})
                    more |= {name: suspension.get(name) for name in ("suspended_at", "suspended_until")}
                file.write(json.dumps(_as_mysql({**each, **more})) + "\n")
            if not found:
                file.write(json.dumps({"id": None, "next_id": str(next_id)}) + "\n")
    return str(folder)


def _as_mysql(row: dict[str, Any]) -> dict[str, Any]:
    """As JSON_OBJECT has it: booleans as numbers, timestamps with microseconds."""
    shown = {name: int(value) if isinstance(value, bool) else value for name, value in row.items()}
    times = (name for name in shown if name.endswith("_at") and isinstance(shown[name], str))
    return shown | {name: f"{shown[name]}.000000" for name in times}


def without(rows: Rows, table: str, *ids: int) -> Rows:
    """The rows without some of a table."""
    return {**rows, table: [each for each in rows[table] if each["id"] not in ids]}


def changed(rows: Rows, table: str, id_: int, **columns: Any) -> Rows:
    """The rows with other columns in one of them."""
    return {**rows, table: [{**each, **(columns if each["id"] == id_ else {})} for each in rows[table]]}


def ids_of(rows: Iterable[Mapping[str, Any]]) -> list[int]:
    """The ids of some rows."""
    return [int(row["id"]) for row in rows]
