"""The Python source of a compiled operation: one expression for each key, a dict display for an object.

What a client wrote enters it as names of keys, and nothing else; everything it calls is a constant beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import strawberry
from graphql import FragmentDefinitionNode, OperationDefinitionNode, SelectionSetNode, get_named_type

from schema.compiler.field_expressions import KIND, require_known
from schema.compiler.row_source import RowSource, Sets, function
from schema.compiler.selections import NotCompilable, Selected
from schema.compiler.variables import Arguments, Variables
from schema.resolvers.load import (
    count_destinations,
    load_destination,
    load_node,
    load_nodes,
    load_viewer,
    load_wanted,
    wanted_destinations,
)
from schema.types.connections import destination_cursor

_LOADERS: dict[str, Callable[..., Awaitable[Any]]] = {
    "viewer": load_viewer,
    "node": load_node,
    "nodes": load_nodes,
    "backupDestination": load_destination,
    "backupDestinations": load_wanted,
}


class OperationSource(RowSource):
    """Writes the source of one operation. What the client wrote enters it as names of keys, and nothing else."""

    def __init__(
        self,
        schema: strawberry.Schema,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
    ) -> None:
        super().__init__(schema, fragments)
        self.variables = Variables(self._core, operation.variable_definitions or ())
        self.constants |= {
            "gather": asyncio.gather,
            "count": count_destinations,
            "cursor": destination_cursor,
            "nothing": _nothing,
            "require_known": require_known,
            "wanted": wanted_destinations,
        }
        self._checks: list[str] = []
        self._given: list[str] = []
        self._loads: list[str] = []
        self._shown: set[int] = set()

    def source(self, selection_set: SelectionSetNode) -> str:
        """A function `given(values)`, and a coroutine function `run(context, *given)` that returns the data."""
        data = self._object("Query", [selection_set], self._root)
        tested = [f"v[{name!r}]" for name in sorted(self._selections.tested)]
        check = [f"if None in ({', '.join(tested)},): raise Surprise"] if tested else []
        # All arguments before the first load: one that is refused leaves no coroutine behind that nobody awaits.
        names = ", ".join(["v", *(f"a{number}" for number in range(len(self._loads)))])
        given = ["v = values.coerced", *check, *self._given, f"return ({names},)"]
        # What depends on no variable is made once.
        outside, inside = ([], self._lines) if tested else (self._lines, [])
        body = [*self._loading(), *inside, *self._checks, f"return {data}"]
        return "\n".join(
            [*outside, *function("def given(values)", given), *function(f"async def run(context, {names})", body), ""]
        )

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
        self._loads.append(load)
        found = f"r{number}"
        match selected.name:
            case "backupDestinations":
                self._in_full = False
                shown = self._connection(number, selected.below)
                given, load = f"wanted(**{given})", f"load{number}(context, a{number}, in_full={self._in_full})"
            case "nodes":
                shown = f"[{self._node('Node', selected.below)}(x) for x in {found}]"
            case _:
                shown = f"{self._node(get_named_type(type_.type).name, selected.below)}({found})"
        if selected.condition:
            given = f"{given} if {self._test(selected.condition)} else None"
            load = f"(nothing() if a{number} is None else {load})"
        self._given.append(f"a{number} = {given}")
        self._loads[number] = load
        return shown

    def _connection(self, number: int, sets: Sets) -> str:
        """A page; the count is asked for once the rows are there. Rows need not be shown to be surprising."""
        rows = f"r{number}.rows"

        def write(field: Selected) -> str:
            match field.name:
                case "edges":
                    return f"[{self._edge(number, field)} for x in {rows}]"
                case "pageInfo":
                    return self._page_info(number, field.below)
                case _:
                    return f"await count(context, a{number}.chosen)"

        data = self._object("BackupDestinationConnection", sets, write)
        if number not in self._shown:
            self._checks.append(f"if r{number}: require_known({rows})")
        return data

    def _edge(self, number: int, edges: Selected) -> str:
        def write(field: Selected) -> str:
            if field.name == "cursor":
                return f"cursor(x, a{number}.order)"
            if not (edges.condition or field.condition):
                self._shown.add(number)
            return f"{self._node('BackupDestination', field.below)}_of[{KIND}](x)"  # a row for sure

        return self._object("BackupDestinationEdge", edges.below, write)

    def _page_info(self, number: int, sets: Sets) -> str:
        rows, order = f"r{number}.rows", f"a{number}.order"
        sources = {
            "hasNextPage": f"r{number}.has_next",
            "hasPreviousPage": f"r{number}.has_previous",
            "startCursor": f"(cursor({rows}[0], {order}) if {rows} else None)",
            "endCursor": f"(cursor({rows}[-1], {order}) if {rows} else None)",
        }
        return self._object("PageInfo", sets, lambda field: sources[field.name])


async def _nothing() -> None:
    """A field that is not asked for this time."""
