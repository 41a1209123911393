"""Every attribute and kind of the table has its column, its names in both APIs, and its place in each type."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import TypeVar

import pytest
from tortoise import fields

from models.destinations.attributes import (
    ATTRIBUTES,
    KINDS,
    SECRET_ATTRIBUTES,
    TEXTS,
    Attribute,
    DestinationKind,
    ValueType,
)
from models.destinations.row import FIELDS as ROW_FIELDS
from models.destinations.row import PlainRow
from models.destinations.table import BackupDestination
from rest.wire import FIELDS, TYPES, represent
from schema.types import enums, inputs
from schema.types.destinations import DESTINATION_TYPES
from schema.types.names import PATHS

Key = TypeVar("Key")
Value = TypeVar("Value")
COLUMN_TYPES: Mapping[ValueType, tuple[type, ...]] = {
    ValueType.TEXT: (fields.CharField,),
    ValueType.URL: (fields.CharField,),
    ValueType.OBJECT_PREFIX: (fields.CharField,),
    ValueType.CERTIFICATES: (fields.CharField,),
    ValueType.BOOLEAN: (fields.BooleanField,),
    ValueType.KIND: (type(BackupDestination._meta.fields_map["kind"]),),
}


def missing() -> Iterator[str]:
    """A sentence for everything that an attribute or a kind lacks."""
    columns = BackupDestination._meta.fields_map
    for attribute in ATTRIBUTES:
        yield from _lacks_column(attribute, columns)
        if attribute.rules.is_documented is not (attribute in FIELDS):
            yield f"rest.wire.FIELDS has no name for {attribute}"
        if attribute not in SECRET_ATTRIBUTES and attribute is not Attribute.KIND and attribute not in ROW_FIELDS:
            yield f"models.destinations.row.DestinationRow has no column {attribute}"
        if attribute is not Attribute.KIND and not _reaches(inputs.UpdateBackupDestinationInput, attribute):
            yield f"schema.types.inputs.UpdateBackupDestinationInput has no field for {attribute}"
    for kind in DestinationKind:
        yield from _lacks_of_kind(kind)


def _lacks_column(attribute: Attribute, columns: Mapping[str, object]) -> Iterator[str]:
    column: object = columns.get(attribute.value)
    rules = attribute.rules
    if column is None:
        yield f"models.destinations.table.BackupDestination has no column {attribute}"
    elif type(column) not in ((fields.TextField,) if rules.is_secret else COLUMN_TYPES[rules.type]):
        yield f"models.destinations.table.BackupDestination.{attribute} is no {rules.type}"
    elif not rules.is_secret and rules.type in TEXTS:
        length = getattr(column, "max_length", None)
        if length != rules.column_length:
            yield f"models.destinations.table.BackupDestination.{attribute} takes {length} characters"


def _lacks_of_kind(kind: DestinationKind) -> Iterator[str]:
    if kind not in TYPES:
        yield f"rest.wire.TYPES has no name for {kind}"
    if kind not in DESTINATION_TYPES:
        yield f"schema.types.destinations.DESTINATION_TYPES has no type for {kind}"
        return
    if kind.name not in enums.DestinationKind.__members__:
        yield f"schema.types.enums.DestinationKind has no value {kind.name}"
    given = getattr(inputs.CreateBackupDestinationInput, "__annotations__", {}).get(kind.value)
    if given is None:
        yield f"schema.types.inputs.CreateBackupDestinationInput has no field {kind}"
        return
    input_name = f"{DESTINATION_TYPES[kind].__name__}Input"
    for attribute in sorted(KINDS[kind].applicable - {Attribute.KIND}):
        if not _reaches(getattr(inputs, input_name), attribute):
            yield f"schema.types.inputs.{input_name} has no field for {attribute}"
        if attribute not in SECRET_ATTRIBUTES and attribute not in _annotations(DESTINATION_TYPES[kind]):
            yield f"schema.types.destinations.{DESTINATION_TYPES[kind].__name__} has no field {attribute}"
    try:
        represent(PlainRow.of(stored_kind=kind.value))
    except KeyError:
        yield f"rest.wire.represent does not know {kind}"


def _annotations(class_: type) -> set[str]:
    return {name for each in class_.__mro__ for name in getattr(each, "__annotations__", {})}


def _reaches(input_: type, attribute: Attribute) -> bool:
    """Whether an input has the path of an attribute: a field of its own, or one of the credentials."""
    path = PATHS[attribute]
    name = attribute.value if len(path) == 1 else path[0]
    return name in _annotations(input_)


def without(table: Mapping[Key, Value], key: Key) -> dict[Key, Value]:
    return {each: value for each, value in table.items() if each != key}


def test_nothing_is_missing_for_any_attribute_or_kind() -> None:
    assert list(missing()) == []


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence for each place that was forgotten. Copies replace the tables, whose rows have an order."""
    here, meta, update = sys.modules[__name__], BackupDestination._meta, inputs.UpdateBackupDestinationInput
    monkeypatch.setattr(here, "FIELDS", without(FIELDS, Attribute.REGION))
    monkeypatch.setattr(here, "TYPES", without(TYPES, DestinationKind.LOCAL))
    monkeypatch.setattr(meta, "fields_map", without(meta.fields_map, "endpoint"))
    monkeypatch.setattr(update, "__annotations__", without(update.__annotations__, "bucket_name"))

    assert list(missing()) == [
        "schema.types.inputs.UpdateBackupDestinationInput has no field for bucket_name",
        "rest.wire.FIELDS has no name for region",
        "models.destinations.table.BackupDestination has no column endpoint",
        "rest.wire.TYPES has no name for local",
    ]
