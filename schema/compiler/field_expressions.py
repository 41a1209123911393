"""The Python expression of each field in a compiled operation, on a row `x` or on the viewer `x`.

Besides `types.destinations.present` this is the only place that depends on the kind of a destination; the fuzz of
compiled operations compares the two, field by field.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import strawberry
from graphql import GraphQLObjectType, is_non_null_type

from models.accounts.abilities import Ability
from models.destinations.attributes import KINDS, DestinationKind
from models.destinations.attributes import Reachability as Found
from models.destinations.row import FIELDS, LIST_COLUMNS, DestinationRow
from schema.compiler.selections import NotCompilable
from schema.types.accounts import TokenAbility
from schema.types.destinations import DESTINATION_TYPES
from schema.types.enums import Reachability
from schema.types.ids import NodeType


class Fallback(Exception):
    """Ends a compiled operation that met a value it does not write; graphql-core executes the operation instead."""


KIND = f"x[{FIELDS.index('stored_kind')}]"
"""The expression of a row's stored kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowField:
    """The expression of one field, and what must hold for it."""

    source: str
    never_null: tuple[str, str] | None = None
    """A name in the expression and the column it stands for, of a non-null field: null ends the operation."""
    all_columns: bool = False
    """Whether rows with the list columns alone lack it."""


REACHABILITIES = {found.value: Reachability(found.value).name for found in Found}
"""The GraphQL enum name of each stored reachability; `reachabilities` in the source."""

ABILITIES = {ability.name: Ability(str(ability.value)) for ability in TokenAbility}
"""The ability that each name of the GraphQL enum stands for; `abilities` in the source."""

REACHABILITY = f"reachabilities[x[{FIELDS.index('stored_reachability')}]]"
"""The expression of a row's reachability; `types.destinations.present` reads it even where it is not selected."""

USER_FIELDS = {
    "id": f"f'{NodeType.USER}:{{x.user_id}}'",
    "databaseId": "x.user_id",
    "name": "x.name",
    "email": "x.email",
    "abilities": "[a for a, allowed in abilities.items() if x.allows(allowed)]",
}

REPORT_FIELDS = {
    "id": "check_id(d, x.checked_at)",
    "checkedAt": "x.checked_at",
    "reachable": "x.reachable",
    "failedStep": "(None if x.failed_step is None else x.failed_step.name)",
    "code": "(None if x.failed_step is None else x.failed_step.code)",
    "documentation": "(None if x.failed_step is None else x.failed_step.documentation)",
    "durationMs": "x.duration_ms",
    "takesBackups": "x.takes_backups",
    "canDelete": "x.facts.can_delete",
    "locksObjects": "x.facts.locks_objects",
    "keepsVersions": "x.facts.keeps_versions",
    "encrypts": "x.facts.encrypts",
    "unreachableSince": "x.unreachable_since",
}
STEP_FIELDS = {
    "name": "s.name",
    "outcome": "s.outcome",
    "code": "s.code",
    "remedy": "s.remedy",
    "field": "s.field",
    "storeCode": "s.store_code",
    "durationMs": "s.duration_ms",
}
SUGGESTION_FIELDS = {
    "region": "x.suggestion.region",
    "endpoint": "x.suggestion.endpoint",
    "pathStyleEndpoint": "x.suggestion.path_style_endpoint",
}


def require_known(rows: Iterable[DestinationRow]) -> None:
    """Raise KeyError for a row with an unknown kind or reachability, an error even where it is not selected."""
    for row in rows:
        if KINDS[row.kind].is_checkable:
            _ = row.reachability


def user_field(name: str) -> str:
    """The expression of a field of the viewer; raises `NotCompilable`."""
    if name not in USER_FIELDS:
        raise NotCompilable("a field of the viewer that is read from the database")
    return USER_FIELDS[name]


@lru_cache(maxsize=256)
def row_field(schema: strawberry.Schema, kind: DestinationKind, name: str) -> RowField:
    """The expression of a field of a destination of that kind; raises `NotCompilable`."""
    definition = DESTINATION_TYPES[kind].__strawberry_definition__  # type: ignore[attr-defined] # strawberry puts it there
    naming = schema.config.name_converter.from_field
    python_name = next(field.python_name for field in definition.fields if naming(field) == name)
    match python_name:
        case "id":
            return RowField(source=f"f'{NodeType.DESTINATION}:{{{_column('id')}}}'")
        case "database_id":
            return RowField(source=_column("id"))
        case "kind_name":
            return RowField(source=repr(KINDS[kind].human_name))
        case "reachability":
            return RowField(source=REACHABILITY)
        case column if column not in FIELDS:
            raise NotCompilable("a field that no column holds")
        case column if not _is_required(schema, definition.name, name):
            return RowField(source=_column(column), all_columns=column not in LIST_COLUMNS)
        case "endpoint":
            return RowField(source=f"({_column(python_name)} or '')")
        case column:
            never_null = (column, _column(column))
            return RowField(source=column, never_null=never_null, all_columns=column not in LIST_COLUMNS)


def _is_required(schema: strawberry.Schema, type_name: str, field: str) -> bool:
    type_ = schema._schema.type_map[type_name]
    return isinstance(type_, GraphQLObjectType) and is_non_null_type(type_.fields[field].type)


def _column(name: str) -> str:
    return f"x[{FIELDS.index(name)}]"
