"""The Python source of a compiled mutation: one act, and the response written from its row or its refusal.

Where it cannot write the response it ends with `Fallback`; graphql-core then executes the operation with the result of
the act that is in the context (`schema/act_once.py`), so that nothing is written twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import strawberry
from graphql import (
    FragmentDefinitionNode,
    GraphQLUnionType,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
)

from models.destinations.version_conflict import VersionConflict
from models.errors import DestinationForbidden, DestinationNotFound, IdempotencyKeyReused, ValidationFailed
from models.reads.listing import BY_ID
from schema.act_once import run_only_act
from schema.compiler.arguments import Arguments
from schema.compiler.query_source import OperationSource
from schema.compiler.selections import ALWAYS, NotCompilable, Selected
from schema.resolvers.act import create_destination, delete_destination, update_destination
from schema.types.results import Problem, validation_problem

_DELETE = "deleteBackupDestination"
_ACTS: dict[str, Callable[..., Awaitable[Any]]] = {
    "createBackupDestination": create_destination,
    "updateBackupDestination": update_destination,
    _DELETE: delete_destination,
}
_REFUSALS = {
    "ValidationProblem": ValidationFailed,
    "NotFoundProblem": DestinationNotFound,
    "ForbiddenProblem": DestinationForbidden,
    "ConflictProblem": VersionConflict,
    "IdempotencyKeyProblem": IdempotencyKeyReused,
}
"""The refusal that each problem is made from."""
_VIOLATION_FIELDS = {"path": "b.path", "code": "b.code.name", "message": "b.message"}


class MutationSource(OperationSource):
    """Writes the source of a mutation with one act in it."""

    def __init__(
        self,
        schema: strawberry.Schema,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
    ) -> None:
        super().__init__(schema, operation, fragments)
        self._acts: list[str] = []
        self.constants |= {
            "run_only_act": run_only_act,
            "order": BY_ID,
            "invalid": validation_problem,
            "problem": lambda refusal: Problem(message=str(refusal)),
            **{refusal.__name__: refusal for refusal in _REFUSALS.values()},
        }

    def source(self, selection_set: SelectionSetNode) -> str:
        """The source of the coroutine `run(context, v)`, which returns the data; `v` are the coerced variables.

        Raises `NotCompilable`.
        """
        data = self._object("Mutation", [selection_set], self._act)
        if len(self._acts) != 1:
            raise NotCompilable("a mutation with several acts, or with none")
        tested = [f"v[{name!r}]" for name in sorted(self._selections.tested)]
        check = [f"if None in ({', '.join(tested)},): raise Fallback"] if tested else []
        act = ["arguments = inputs(v)", "x = await run_only_act(context, act, response_name, **arguments)"]
        body = [*check, *act, *self._lines, f"return {data}"]
        return "\n".join(["async def run(context, v):", *(f"    {line}" for line in body), ""])

    def _act(self, selected: Selected) -> str:
        act = _ACTS.get(selected.name)
        if act is None or selected.condition != ALWAYS:
            raise NotCompilable("a mutation field that is not compiled, or that depends on a variable")
        self._acts.append(selected.name)
        mutation = self._core.mutation_type
        assert mutation is not None  # noqa: S101 - ours has one
        type_ = mutation.fields[selected.name]
        response_name = (selected.node.alias or selected.node.name).value
        self.constants |= {
            "act": act,
            "response_name": response_name,
            "inputs": Arguments(self._schema, type_, selected.node).of,
        }
        return f"{self._result(selected, get_named_type(type_.type))}(x)"

    def _result(self, selected: Selected, union: Any) -> str:
        """The name of a function that writes the act's row or refusal, and raises `Fallback` for anything else."""
        assert isinstance(union, GraphQLUnionType)  # noqa: S101 - every act has one
        lines = ["def result(x):"]
        for type_ in union.types:
            refusal = _REFUSALS.get(type_.name)
            if refusal is None:
                is_row = selected.name != _DELETE
                test, prepare = ("isinstance(x, Row)", "require_known((x,))") if is_row else ("type(x) is str", "pass")
                shown = self._object(type_.name, selected.below, self._payload)
            else:
                test = f"type(x) is {refusal.__name__}"
                prepare = f"p = invalid(x, {selected.name!r})" if refusal is ValidationFailed else "p = problem(x)"
                if refusal is VersionConflict:
                    prepare += "; require_known((x.row,))"
                shown = self._object(type_.name, selected.below, self._problem)
            lines += [f"    if {test}:", f"        {prepare}", f"        return {shown}"]
        self._lines += [*lines, "    raise Fallback"]
        return "result"

    def _payload(self, field: Selected) -> str:
        match field.name:
            case "deletedId":
                return "x"
            case "edge":
                return self._object("BackupDestinationEdge", field.below, self._edge_field)
            case _:
                return f"{self._node('BackupDestination', field.below)}(x)"

    def _edge_field(self, field: Selected) -> str:
        return "cursor(x, order)" if field.name == "cursor" else f"{self._node('BackupDestination', field.below)}(x)"

    def _problem(self, field: Selected) -> str:
        if field.name == "message":
            return "p.message"
        if field.name == "backupDestination":
            return f"{self._node('BackupDestination', field.below)}(x.row)"
        shown = self._object("Violation", field.below, lambda each: _VIOLATION_FIELDS[each.name])
        return f"[{shown} for b in p.violations]"
