"""The Python source of a compiled operation: one expression for each key, a dict display for an object.

What a client wrote enters it as names of keys, and nothing else; everything it calls is a constant beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Any

import strawberry
from graphql import FragmentDefinitionNode, OperationDefinitionNode, SelectionSetNode, get_named_type, is_object_type

from models.check import CheckReport
from models.destination_row import DestinationRow
from models.kinds import KINDS, DestinationKind
from models.viewer import Viewer
from schema.connection import destination_cursor
from schema.loading import (
    count_destinations,
    load_destination,
    load_destinations,
    load_node,
    load_nodes,
    load_viewer,
)
from schema.operands import Arguments, Variables
from schema.selections import Condition, NotCompilable, Selected, Selections
from schema.shapes import (
    REACHABILITIES,
    REACHABILITY,
    REPORT_FIELDS,
    ROW_TYPES,
    STEP_FIELDS,
    SUGGESTION_FIELDS,
    USER_FIELDS,
    Surprise,
    require_known,
    row_field,
)

_LOADERS: dict[str, Callable[..., Awaitable[Any]]] = {
    "viewer": load_viewer,
    "node": load_node,
    "nodes": load_nodes,
    "backupDestination": load_destination,
    "backupDestinations": load_destinations,
}
Sets = list[SelectionSetNode]


class OperationSource:
    """Writes the source of one operation. What the client wrote enters it as names of keys, and nothing else."""

    def __init__(
        self,
        schema: strawberry.Schema,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
    ) -> None:
        self._schema = schema
        self._core = schema._schema
        self._selections = Selections(self._core, fragments)
        self.variables = Variables(self._core, operation.variable_definitions or ())
        self.constants: dict[str, Any] = {
            "gather": asyncio.gather,
            "count": count_destinations,
            "cursor": destination_cursor,
            "nothing": _nothing,
            "reachabilities": REACHABILITIES,
            "Row": DestinationRow,
            "Viewer": Viewer,
            "Surprise": Surprise,
            "read_report": CheckReport.from_json,
            "require_known": require_known,
        }
        self._lines: list[str] = []
        self._given: list[str] = []
        self._loads: list[str] = []
        self._numbers = count()
        self._shown: set[str] = set()

    def source(self, selection_set: SelectionSetNode) -> str:
        """A coroutine function `run(context, values)` that returns the data."""
        data = self._object("Query", [selection_set], self._root)
        tested = [f"v[{name!r}]" for name in sorted(self._selections.tested)]
        check = [f"if None in ({', '.join(tested)},): raise Surprise"] if tested else []
        # All arguments before the first load: one that is refused leaves no coroutine behind that nobody awaits.
        body = ["v = values.coerced", *check, *self._given, *self._loading(), *self._lines, f"return {data}"]
        return "\n".join(["async def run(context, values):", *(f"    {line}" for line in body), ""])

    def _loading(self) -> list[str]:
        """Loads everything at once, so that what is looked up is looked up together."""
        match self._loads:
            case []:
                return []
            case [only]:
                return [f"r0 = await {only}"]
            case several:
                names = ", ".join(f"r{number}" for number in range(len(several)))
                return [f"{names} = await gather({', '.join(several)})"]

    def _root(self, selected: Selected) -> str:
        loader = _LOADERS.get(selected.name)
        if loader is None:
            raise NotCompilable("a field at the root that is not compiled")
        number = len(self._loads)
        type_ = self._core.query_type.fields[selected.name]  # type: ignore[union-attr] # ours has one
        self.constants[f"load{number}"] = loader
        self.constants[f"arguments{number}"] = Arguments(self._schema, type_, selected.node, self.variables).of
        given, load = f"arguments{number}(values)", f"load{number}(context, **a{number})"
        if selected.condition:
            given = f"{given} if {self._test(selected.condition)} else None"
            load = f"(nothing() if a{number} is None else {load})"
        self._given.append(f"a{number} = {given}")
        self._loads.append(load)
        found = f"r{number}"
        match selected.name:
            case "backupDestinations":
                return self._connection(found, selected.below)
            case "nodes":
                return f"[{self._node('Node', selected.below)}(x) for x in {found}]"
            case _:
                return f"{self._node(get_named_type(type_.type).name, selected.below)}({found})"

    def _connection(self, found: str, sets: Sets) -> str:
        """A page; the count is asked for once the rows are there. Rows need not be shown to be surprising."""

        def write(field: Selected) -> str:
            match field.name:
                case "edges":
                    return f"[{self._edge(found, field)} for x in {found}.slice.rows]"
                case "pageInfo":
                    return self._page_info(found, field.below)
                case _:
                    return f"await count(context, {found}.chosen)"

        data = self._object("BackupDestinationConnection", sets, write)
        if found not in self._shown:
            self._lines.append(f"if {found}: require_known({found}.slice.rows)")
        return data

    def _edge(self, found: str, edges: Selected) -> str:
        def write(field: Selected) -> str:
            if field.name == "cursor":
                return f"cursor(x, {found}.order)"
            if not (edges.condition or field.condition):
                self._shown.add(found)
            return f"{self._node('BackupDestination', field.below)}(x)"

        return self._object("BackupDestinationEdge", edges.below, write)

    def _page_info(self, found: str, sets: Sets) -> str:
        rows = f"{found}.slice.rows"
        sources = {
            "hasNextPage": f"{found}.slice.has_next",
            "hasPreviousPage": f"{found}.slice.has_previous",
            "startCursor": f"(cursor({rows}[0], {found}.order) if {rows} else None)",
            "endCursor": f"(cursor({rows}[-1], {found}.order) if {rows} else None)",
        }
        return self._object("PageInfo", sets, lambda field: sources[field.name])

    def _node(self, type_name: str, sets: Sets) -> str:
        """The name of a function that writes a row or the viewer; anything else surprises it."""
        name = f"w{next(self._numbers)}"
        lines = [f"def {name}(x):"]
        if type_name != "User":
            for kind in DestinationKind:
                self._lines += self._row(f"{name}_{kind.value}", kind, sets)
            self._lines.append(
                f"{name}_of = {{{', '.join(f'{k.value!r}: {name}_{k.value}' for k in DestinationKind)}}}"
            )
            lines += [f"    if isinstance(x, Row): return {name}_of[x.stored_kind](x)", "    if x is None: return None"]
        if type_name != "BackupDestination":
            user = self._object("User", sets, lambda field: USER_FIELDS[field.name])
            lines.append(f"    if type(x) is Viewer: return {user}")
        self._lines += [*lines, "    raise Surprise"]
        return name

    def _row(self, function: str, kind: DestinationKind, sets: Sets) -> list[str]:
        """A function that writes a row of one kind."""
        never_null: dict[str, None] = {}

        def write(field: Selected) -> str:
            if field.name == "lastCheck":
                return f"{self._report(field.below)}(x.last_check)"
            written = row_field(self._schema, kind, field.name)
            never_null.update(dict.fromkeys(written.never_null))
            return written.source

        shown = self._object(ROW_TYPES[kind].__name__, sets, write)
        check = [f"    if None in ({', '.join(never_null)},): raise Surprise"] if never_null else []
        if KINDS[kind].is_checkable:
            check.append(f"    {REACHABILITY}")  # one that nobody knows raises
        return [f"def {function}(x):", *check, f"    return {shown}"]

    def _report(self, sets: Sets) -> str:
        """The name of a function that writes a stored report."""
        name = f"w{next(self._numbers)}"

        def write(field: Selected) -> str:
            match field.name:
                case "steps":
                    return f"[{self._object('CheckStep', field.below, lambda f: STEP_FIELDS[f.name])} for s in x.steps]"
                case "suggestion":
                    told = self._object("CheckSuggestion", field.below, lambda f: SUGGESTION_FIELDS[f.name])
                    return f"(None if x.suggestion is None else {told})"
                case plain:
                    return REPORT_FIELDS[plain]

        self._lines += [f"def {name}(x):", "    if x is None: return None", "    x = read_report(x)"]
        self._lines.append(f"    return {self._object('CheckReport', sets, write)}")
        return name

    def _object(self, type_name: str, sets: Sets, write: Callable[[Selected], str]) -> str:
        """A dict display; a key that depends on variables is put in by them."""
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


async def _nothing() -> None:
    """A field that is not asked for this time."""
