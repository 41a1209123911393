"""What a change of the schema means for clients that are already out there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from graphql import (
    GraphQLSchema,
    build_schema,
    find_breaking_changes,
    find_dangerous_changes,
    is_abstract_type,
    is_interface_type,
)


class Severity(StrEnum):
    """Breaking: a query that worked does not any more. Dangerous: it works, and may answer what it never did."""

    BREAKING = "breaking"
    DANGEROUS = "dangerous"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One change that clients may feel."""

    severity: Severity
    sentence: str


_TOLD_AS_NEW_MEMBERS = frozenset({"TYPE_ADDED_TO_UNION", "IMPLEMENTED_INTERFACE_ADDED"})


def changes(old_sdl: str, new_sdl: str) -> list[Change]:
    """Every change from one schema to another that clients may feel; what they cannot feel is none."""
    old, new = build_schema(old_sdl), build_schema(new_sdl)
    found = [Change(severity=Severity.BREAKING, sentence=c.description) for c in find_breaking_changes(old, new)]
    dangerous = (c for c in find_dangerous_changes(old, new) if c.type.name not in _TOLD_AS_NEW_MEMBERS)
    found += [Change(severity=Severity.DANGEROUS, sentence=c.description) for c in dangerous]
    return found + [Change(severity=Severity.DANGEROUS, sentence=sentence) for sentence in _new_members(old, new)]


def breaking(old_sdl: str, new_sdl: str) -> set[str]:
    """The sentences of the breaking changes alone."""
    return {change.sentence for change in changes(old_sdl, new_sdl) if change.severity is Severity.BREAKING}


def _new_members(old: GraphQLSchema, new: GraphQLSchema) -> Iterator[str]:
    """New object types behind an interface or a union: a client that lists the types it knows misses them."""
    for name, old_type in old.type_map.items():
        new_type = new.type_map.get(name)
        if not is_abstract_type(old_type) or not is_abstract_type(new_type):
            continue
        before = {type_.name for type_ in old.get_possible_types(old_type)}
        for type_ in new.get_possible_types(new_type):
            if type_.name not in before:
                family = "interface" if is_interface_type(new_type) else "union"
                yield f"{type_.name} was added to {family} type {name}."
