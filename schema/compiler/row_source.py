"""The Python source of objects and rows in a compiled operation: a dict display per object, a function per kind of row.

The function of a row reads each column once, and first those of non-null fields, for which null ends the operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

import strawberry
from graphql import FragmentDefinitionNode, SelectionSetNode, is_object_type

from models.accounts.viewer import Viewer
from models.checks.report import CheckReport
from models.destinations.attributes import KINDS, DestinationKind
from models.destinations.row import DestinationRow
from schema.compiler.field_expressions import (
    ABILITIES,
    KIND,
    REACHABILITIES,
    REACHABILITY,
    REPORT_FIELDS,
    STEP_FIELDS,
    SUGGESTION_FIELDS,
    Fallback,
    row_field,
    user_field,
)
from schema.compiler.selections import Condition, Selected, Selections
from schema.types.destinations import DESTINATION_TYPES
from schema.types.ids import check_id

Sets = list[SelectionSetNode]


class RowSource:
    """Writes the functions of rows and of the viewer."""

    def __init__(self, schema: strawberry.Schema, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._schema = schema
        self._core = schema._schema
        self._selections = Selections(self._core, fragments)
        self.constants: dict[str, Any] = {
            "abilities": ABILITIES,
            "reachabilities": REACHABILITIES,
            "Row": DestinationRow,
            "Viewer": Viewer,
            "Fallback": Fallback,
            "read_report": CheckReport.from_json,
            "check_id": check_id,
        }
        self._lines: list[str] = []
        self._numbers = count()
        self._all_columns = False  # whether a field was written that needs all columns of a row

    def _node(self, type_name: str, sets: Sets) -> str:
        """The name of a function that writes a row or the viewer, and raises `Fallback` for anything else."""
        name = f"w{next(self._numbers)}"
        lines = [f"def {name}(x):"]
        if type_name != "User":
            for kind in DestinationKind:
                self._lines += self._row(f"{name}_{kind.value}", kind, sets)
            self._lines.append(
                f"{name}_of = {{{', '.join(f'{k.value!r}: {name}_{k.value}' for k in DestinationKind)}}}"
            )
            lines += [f"    if isinstance(x, Row): return {name}_of[{KIND}](x)", "    if x is None: return None"]
        if type_name != "BackupDestination":
            user = self._object("User", sets, lambda field: user_field(field.name))
            lines.append(f"    if type(x) is Viewer: return {user}")
        self._lines += [*lines, "    raise Fallback"]
        return name

    def _row(self, row_function: str, kind: DestinationKind, sets: Sets) -> list[str]:
        """The lines of a function that writes a row of one kind."""
        never_null: dict[str, str] = {}
        fields: set[str] = set()

        def write(field: Selected) -> str:
            if field.name == "lastCheck":
                self._all_columns = True
                return f"{self._report(field.below)}(x.last_check, x.id)"
            written = row_field(self._schema, kind, field.name)
            self._all_columns |= written.all_columns
            if written.never_null is not None:
                never_null.update([written.never_null])
            if not field.condition:
                fields.add(written.source)
            return written.source

        shown = self._object(DESTINATION_TYPES[kind].__name__, sets, write)
        body = [f"{name} = {column}" for name, column in never_null.items()]
        if never_null:
            body.append(f"if {' or '.join(f'{name} is None' for name in never_null)}: raise Fallback")
        if KINDS[kind].is_checkable and REACHABILITY not in fields:
            body.append(REACHABILITY)  # an unknown one raises KeyError
        return function(f"def {row_function}(x)", [*body, f"return {shown}"])

    def _report(self, sets: Sets) -> str:
        """The name of a function that writes a stored report."""
        name = f"w{next(self._numbers)}"

        def write(field: Selected) -> str:
            match field.name:
                case "steps":
                    return f"[{self._object('CheckStep', field.below, lambda f: STEP_FIELDS[f.name])} for s in x.steps]"
                case "suggestion":
                    suggestion = self._object("CheckSuggestion", field.below, lambda f: SUGGESTION_FIELDS[f.name])
                    return f"(None if x.suggestion is None else {suggestion})"
                case plain:
                    return REPORT_FIELDS[plain]

        self._lines += [f"def {name}(x, d):", "    if x is None: return None", "    x = read_report(x)"]
        self._lines.append(f"    return {self._object('CheckReport', sets, write)}")
        return name

    def _object(self, type_name: str, sets: Sets, write: Callable[[Selected], str]) -> str:
        """A dict display; a key under `@skip` or `@include` is added by a conditional expression."""
        type_ = self._core.type_map[type_name]
        assert is_object_type(type_)  # noqa: S101 - named here, never by a client
        items = []
        for key, selected in self._selections.of(type_, sets).items():
            item = f"{key!r}: {repr(type_name) if selected.name == '__typename' else write(selected)}"
            items.append(
                f"**({{{item}}} if {self._test(selected.condition)} else {{}})" if selected.condition else item
            )
        return f"{{{', '.join(items)}}}"

    @staticmethod
    def _test(condition: Condition) -> str:
        return " and ".join(f"v[{name!r}] is {wanted}" for name, wanted in sorted(condition))


def function(head: str, body: list[str]) -> list[str]:
    """A function's lines."""
    return [f"{head}:", *(f"    {line}" for line in body)]
