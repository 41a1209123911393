"""The Python source of a compiled query: one expression per response key, a dict display for an object.

Of the client's text only response keys and variable names enter the source, as string literals; everything that the
source calls is a constant of its namespace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import strawberry
from graphql import FragmentDefinitionNode, OperationDefinitionNode, SelectionSetNode, get_named_type

from schema.compiler.arguments import Arguments
from schema.compiler.field_expressions import KIND, require_known
from schema.compiler.row_source import RowSource, Sets, function
from schema.compiler.selections import NotCompilable, Selected
from schema.compiler.variables import Variables
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
    """Writes the source of one query."""

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
        self._binding: list[str] = []
        self._loads: list[str] = []
        self._shown: set[int] = set()

    def source(self, selection_set: SelectionSetNode) -> str:
        """The source of `bind(v)` and of the coroutine `run(context, *arguments)`, which returns the data.

        `v` are the coerced variables.
        """
        data = self._object("Query", [selection_set], self._root)
        tested = [f"v[{name!r}]" for name in sorted(self._selections.tested)]
        check = [f"if None in ({', '.join(tested)},): raise Fallback"] if tested else []
        # All arguments are made before the first load, so that a refused one leaves no coroutine that is never awaited.
        names = ", ".join(["v", *(f"a{number}" for number in range(len(self._loads)))])
        binding = [*check, *self._binding, f"return ({names},)"]
        # Functions that depend on no variable are defined once, outside of `run`.
        outside, inside = ([], self._lines) if tested else (self._lines, [])
        body = [*self._load_lines(), *inside, *self._checks, f"return {data}"]
        return "\n".join(
            [*outside, *function("def bind(v)", binding), *function(f"async def run(context, {names})", body), ""]
        )

    def _load_lines(self) -> list[str]:
        """The lines that run all loads concurrently, so that lookups share statements."""
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
            raise NotCompilable("a root field that is not compiled")
        number = len(self._loads)
        type_ = self._core.query_type.fields[selected.name]  # type: ignore[union-attr] # ours has one
        self.constants[f"load{number}"] = loader
        self.constants[f"arguments{number}"] = Arguments(self._schema, type_, selected.node).of
        bound, load = f"arguments{number}(v)", f"load{number}(context, **a{number})"
        self._loads.append(load)
        found = f"r{number}"
        match selected.name:
            case "backupDestinations":
                self._all_columns = False
                shown = self._connection(number, selected.below)
                bound, load = f"wanted(**{bound})", f"load{number}(context, a{number}, all_columns={self._all_columns})"
            case "nodes":
                shown = f"[{self._node('Node', selected.below)}(x) for x in {found}]"
            case _:
                shown = f"{self._node(get_named_type(type_.type).name, selected.below)}({found})"
        if selected.condition:
            bound = f"{bound} if {self._test(selected.condition)} else None"
            load = f"(nothing() if a{number} is None else {load})"
        self._binding.append(f"a{number} = {bound}")
        self._loads[number] = load
        return shown

    def _connection(self, number: int, sets: Sets) -> str:
        """The expression of a page. The count is read after the rows; rows are checked even where none is selected."""
        rows = f"r{number}.rows"

        def write(field: Selected) -> str:
            match field.name:
                case "edges":
                    return f"[{self._edge(number, field)} for x in {rows}]"
                case "nodes":
                    if not field.condition:
                        self._shown.add(number)
                    return f"[{self._node('BackupDestination', field.below)}_of[{KIND}](x) for x in {rows}]"
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
            return f"{self._node('BackupDestination', field.below)}_of[{KIND}](x)"  # always a row

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
    """The load of a field that `@skip` or `@include` leaves out."""
