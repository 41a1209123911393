"""The embedded database as a stage: a SQLite file, filled past the gateway."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.data import FIRST_PAGE, Group, Stage
from benchmarks.dialects import CREATED_LABEL, Caller
from models.accounts.bearer import digest_of, new_secret

_MOMENT = "'2024-08-07 00:00:00+00:00'"
_SECONDS = "(n * 7919 + :user_id * 104729) % 150000000"
_CREATED = f"strftime('%Y-%m-%d %H:%M:%S+00:00', 1551398400 + {_SECONDS}, 'unixepoch')"
_UPDATED = (
    f"strftime('%Y-%m-%d %H:%M:%S+00:00', 1551398400 + {_SECONDS} + (n * 31 + :user_id * 17) % 20000000, 'unixepoch')"
)
_DESTINATIONS = f"""
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count),
chosen AS (SELECT n, CASE WHEN n % 10 = 0 THEN 'local' WHEN n % 3 = 0 THEN 'amazon_s3' ELSE 'custom_s3' END AS kind
    FROM numbers)
INSERT INTO backup_destinations (uid, user_id, label, kind, bucket_name, region, endpoint, path_style_endpoint,
    access_key, secret_key, credentials_set_at, created_at, updated_at)
SELECT lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(2)) || '-'
        || hex(randomblob(2)) || '-' || hex(randomblob(6))),
    :user_id, 'Nightly dumps of ' || :user_id || ', project ' || n, kind,
    CASE WHEN kind <> 'local' THEN 'nightly-dumps-' || :user_id || '-' || n END,
    CASE kind WHEN 'amazon_s3' THEN 'eu-west-1' END,
    CASE kind WHEN 'custom_s3' THEN 'https://s3.example.com' END,
    CASE WHEN kind <> 'local' THEN n % 2 = 0 END,
    CASE WHEN kind <> 'local' THEN :envelope END, CASE WHEN kind <> 'local' THEN :envelope END,
    CASE WHEN kind <> 'local' THEN {_CREATED} END, {_CREATED}, {_UPDATED}
FROM chosen ORDER BY n"""  # noqa: S608 - constants


class EmbeddedStage(Stage):
    """A database file in a directory."""

    def __init__(self, directory: Path, sources: Path | None = None) -> None:
        """`sources` are those of another version of the gateway, which migrates the file and serves it then."""
        self._path = directory / "moorings.db"
        self._sources = sources
        super().__init__(f"sqlite:///{self._path}")

    @property
    def gateway_environment(self) -> Mapping[str, str]:
        other = {} if self._sources is None else {"PYTHONPATH": str(self._sources)}
        return {**super().gateway_environment, **other}

    @property
    def database_pid(self) -> None:
        """SQLite runs in the contender's own process."""
        return

    def version(self) -> str:
        return sqlite3.sqlite_version

    def restore(self, *, tidy: bool = True) -> None:
        with closing(sqlite3.connect(self._path, timeout=30)) as database, database:
            database.execute("PRAGMA foreign_keys = ON")
            database.execute("DELETE FROM events")
            database.execute("DELETE FROM backup_destinations WHERE label = ?", (CREATED_LABEL,))

    def add(self, group: Group) -> None:
        with closing(sqlite3.connect(self._path)) as database, database:
            database.execute("PRAGMA foreign_keys = ON")
            self.callers[group.name] = [_added(database, group, n, self.envelope()) for n in range(group.users)]


@contextmanager
def embedded(groups: Sequence[Group]) -> Iterator[EmbeddedStage]:
    """A SQLite file with these groups, which is removed after the block."""
    with tempfile.TemporaryDirectory(prefix="moorings-benchmarks-") as directory:
        stage = EmbeddedStage(Path(directory))
        stage.migrate()
        for group in groups:
            stage.add(group)
        yield stage


def _added(database: sqlite3.Connection, group: Group, number: int, envelope: str) -> Caller:
    person = (f"{group.name}{number}@example.com", group.name)
    made = database.execute(f"INSERT INTO users (email, name, created_at) VALUES (?, ?, {_MOMENT})", person)  # noqa: S608 - a constant
    user_id, secret = made.lastrowid or 0, new_secret()
    token = database.execute(
        "INSERT INTO tokens (user_id, name, digest, abilities, created_at) "  # noqa: S608 - a constant
        f"VALUES (?, 'load', ?, '*', {_MOMENT})",
        (user_id, digest_of(secret)),
    )
    database.execute(_DESTINATIONS, {"count": group.destinations, "user_id": user_id, "envelope": envelope})
    first = "SELECT id FROM backup_destinations WHERE user_id = ? ORDER BY id LIMIT ?"
    ids = tuple(row[0] for row in database.execute(first, (user_id, FIRST_PAGE)))
    return Caller(user_id=user_id, token=f"{token.lastrowid}|{secret}", total=group.destinations, destination_ids=ids)
