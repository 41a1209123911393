"""Reads what matters of a dump of PostgreSQL before anything is replaced by it: migrations, and the keys it needs.

`pg_restore` prints the rows of a table as COPY writes them (PostgreSQL, "COPY", "Text Format"), and needs no server.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.destinations.attributes import SECRET_ATTRIBUTES
from models.errors import SecretUnreadable
from models.vault.vault import key_id_of

TABLES = ("tortoise_migrations", "vault_keys", "backup_destinations")
_NULL = "\\N"


@dataclass(frozen=True, kw_only=True, slots=True)
class DumpContents:
    """What a dump says of itself."""

    migrations: frozenset[str]
    """The names of those that its database had; none where it is of something else."""
    key_ids: frozenset[str]
    """The ids of the keys that its credentials are sealed with."""
    proofs: Mapping[str, str]
    """What a key proves itself by, of each id."""


def contents_of(lines: Iterable[str]) -> DumpContents:
    """Read the rows of `TABLES`, as `pg_restore --data-only` prints them."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    table, columns = "", list[str]()
    key_ids = set[str]()
    for each in lines:
        line = each.rstrip("\n")
        if not table:
            if line.startswith("COPY "):
                head, _, names = line.removesuffix(") FROM stdin;").partition(" (")
                table, columns = head.rpartition(".")[2].strip('"'), names.replace('"', "").split(", ")
            continue
        if line == "\\.":
            table = ""
            continue
        row = dict(zip(columns, line.split("\t"), strict=True))
        if table == "backup_destinations":
            key_ids |= _key_ids(row)
        else:
            found[table].append(row)
    return DumpContents(
        migrations=frozenset(row["name"] for row in found["tortoise_migrations"] if row["app"] == "models"),
        key_ids=frozenset(key_ids),
        proofs={row["key_id"]: row["proof"] for row in found["vault_keys"]},
    )


def _key_ids(row: Mapping[str, str]) -> set[str]:
    found = set()
    for attribute in SECRET_ATTRIBUTES:
        envelope = row.get(attribute.value, _NULL)
        if envelope != _NULL:
            try:
                found.add(key_id_of(envelope))
            except SecretUnreadable:  # the server's constraint refuses it
                continue
    return found
