"""What a token may allow. Deny by default: an operation names the ability it needs, the viewer has it or not."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache


class Ability(StrEnum):
    """One thing a token may allow; `ALL` allows every one of them but `USE`, which has to be named.

    A token that may use destinations can read and delete backups: a token that was made to manage destinations, or
    brought along from another service, must not be able to by surprise.
    """

    VIEW = "view-backup-destinations"
    CREATE = "create-backup-destinations"
    UPDATE = "update-backup-destinations"
    DELETE = "delete-backup-destinations"
    USE = "use-backup-destinations"
    ALL = "*"


@lru_cache(maxsize=64)
def parse_abilities(stored: str) -> frozenset[Ability]:
    """Read the stored form, names separated by spaces; a name nobody knows allows nothing."""
    known = {ability.value: ability for ability in Ability}
    return frozenset(known[name] for name in stored.split() if name in known)


def store_abilities(abilities: frozenset[Ability]) -> str:
    """Write the stored form, sorted, so that equal sets are equal texts."""
    return " ".join(sorted(abilities))
