"""What a compiled operation writes each field from: an expression on a row `x`, or on the viewer `x`.

Beside `types.present` this is the one place that looks at the kind of a destination; the fuzz of the compiler holds the
two against each other, field by field.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import strawberry
from graphql import GraphQLObjectType, is_non_null_type

from models.destinations.attributes import KINDS, DestinationKind
from models.destinations.attributes import Reachability as Found
from models.destinations.row import BRIEF, FIELDS, DestinationRow
from schema.compiler.selections import NotCompilable
from schema.types.destinations import AmazonS3Destination, BackupDestination, CustomS3Destination, LocalDestination
from schema.types.enums import Reachability
from schema.types.ids import NodeType


class Surprise(Exception):
    """Something a compiled operation does not write; graphql-core knows what to say of it."""


KIND = f"x[{FIELDS.index('stored_kind')}]"
"""The stored name of a row's kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowField:
    """An expression, and what it needs."""

    source: str
    never_null: tuple[str, str] | None = None
    """A name in the expression and what it stands for, without which the answer would be an error."""
    in_full: bool = False
    """Whether brief rows do not have it."""


ROW_TYPES: dict[DestinationKind, type[BackupDestination]] = {
    DestinationKind.AMAZON_S3: AmazonS3Destination,
    DestinationKind.CUSTOM_S3: CustomS3Destination,
    DestinationKind.LOCAL: LocalDestination,
}

REACHABILITIES = {found.value: Reachability(found.value).name for found in Found}
"""What the enum is called on the wire, by what is stored; `reachabilities` in the source."""

REACHABILITY = f"reachabilities[x[{FIELDS.index('stored_reachability')}]]"
"""What a row's is called; `types.present` looks at it whether it is asked for or not."""

USER_FIELDS = {
    "id": f"f'{NodeType.USER}:{{x.user_id}}'",
    "databaseId": "x.user_id",
    "name": "x.name",
    "email": "x.email",
}

REPORT_FIELDS = {"checkedAt": "written[x.checked_at]", "reachable": "x.reachable"}
STEP_FIELDS = {
    "name": "s.name",
    "outcome": "s.outcome",
    "code": "s.code",
    "remedy": "s.remedy",
    "durationMs": "s.duration_ms",
}
SUGGESTION_FIELDS = {
    "region": "x.suggestion.region",
    "endpoint": "x.suggestion.endpoint",
    "pathStyleEndpoint": "x.suggestion.path_style_endpoint",
}


def require_known(rows: Iterable[DestinationRow]) -> None:
    """Raise KeyError for a row that `types.present` would not take: it looks at all, whether they are shown or not."""
    for row in rows:
        if KINDS[row.kind].is_checkable:
            _ = row.reachability


def row_field(schema: strawberry.Schema, kind: DestinationKind, name: str) -> RowField:
    """How a field of a destination of that kind is written; raises `NotCompilable`."""
    definition = ROW_TYPES[kind].__strawberry_definition__  # type: ignore[attr-defined] # strawberry puts it there
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
        case "created_at" | "updated_at" | "credentials_set_at" as moment:
            return RowField(source=f"written[{_column(moment)}]", in_full=moment not in BRIEF)
        case column if column not in FIELDS:
            raise NotCompilable("a field that no column holds")
        case column if not _is_required(schema, definition.name, name):
            return RowField(source=_column(column))
        case "region" | "endpoint":
            return RowField(source=f"({_column(python_name)} or '')")
        case column:
            return RowField(source=column, never_null=(column, _column(column)))


def _is_required(schema: strawberry.Schema, type_name: str, field: str) -> bool:
    type_ = schema._schema.type_map[type_name]
    return isinstance(type_, GraphQLObjectType) and is_non_null_type(type_.fields[field].type)


def _column(name: str) -> str:
    return f"x[{FIELDS.index(name)}]"
