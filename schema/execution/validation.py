"""The validation rules: those of the specification, two of them replaced by versions that are safe for any client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    SKIP,
    ArgumentNode,
    ASTValidationRule,
    DeferStreamDirectiveLabel,
    DeferStreamDirectiveOnRootField,
    DeferStreamDirectiveOnValidOperationsRule,
    DocumentNode,
    FragmentsOnCompositeTypesRule,
    GraphQLError,
    GraphQLInputType,
    GraphQLSchema,
    KnownArgumentNamesRule,
    KnownDirectivesRule,
    KnownFragmentNamesRule,
    KnownTypeNamesRule,
    MaxIntrospectionDepthRule,
    Node,
    NoFragmentCyclesRule,
    NoUndefinedVariablesRule,
    NoUnusedFragmentsRule,
    NoUnusedVariablesRule,
    OverlappingFieldsCanBeMergedRule,
    ParallelVisitor,
    PossibleFragmentSpreadsRule,
    SingleFieldSubscriptionsRule,
    StreamDirectiveOnListField,
    TypeInfo,
    TypeInfoVisitor,
    UniqueArgumentNamesRule,
    UniqueDirectivesPerLocationRule,
    UniqueFragmentNamesRule,
    UniqueInputFieldNamesRule,
    UniqueVariableNamesRule,
    ValidationContext,
    ValueNode,
    ValuesOfCorrectTypeRule,
    VariableDefinitionNode,
    VariablesAreInputTypesRule,
    VariablesInAllowedPositionRule,
    VisitorAction,
    specified_rules,
    visit,
)
from graphql.language.visitor import EnterLeaveVisitor
from graphql.pyutils import RefMap
from graphql.utilities.validate_input_value import validate_input_literal
from graphql.validation.validate import ValidationAbortedError, query_document_keys_to_validate

from schema.errors import Code, formatted, refusal
from schema.execution.coercion import MAX_NAME_LENGTH, sentence

MAX_ERRORS = 10
MAX_SUGGESTED = 1
"""Errors with names that may have been meant: to find them takes up to 10 ms, longer than all the rest."""
MAX_FRAGMENT_WORK = 1_500
"""The number of fragments and variables that all operations use, each time one of them uses it."""
MAX_COMPARISONS = 2_000
"""The number of comparisons of two fields or fragments: all pairs of one response key are compared, at each level."""
_TOO_ENTANGLED = "The document is too entangled: it repeats fields, or spreads fragments, more often than one may."


class _Enough(Exception):
    """Ends the validation when there are `MAX_ERRORS` errors."""


class _Wrong(Exception):
    """Ends the validation of a literal at its first error."""


class _NamedValues(ValuesOfCorrectTypeRule):
    """Reports a literal as `coercion` reports a variable: with the field, and without the value.

    One sentence for each literal: the original prints the whole of it for every field that is wrong.
    """

    _place = ""

    def enter_argument(self, node: ArgumentNode, *_args: Any) -> None:
        """Store the argument of the values that follow."""
        self._place = f"Argument '{node.name.value[:MAX_NAME_LENGTH]}'"

    def enter_variable_definition(self, node: VariableDefinitionNode, *_args: Any) -> None:
        """Store the variable of the default that follows."""
        self._place = f"The default of variable '${node.variable.name.value[:MAX_NAME_LENGTH]}'"

    def is_valid_value_node(self, node: ValueNode, input_type: GraphQLInputType | None) -> VisitorAction:
        """Report the first error in a literal, and skip the values inside it."""

        def complain(error: GraphQLError, path: list[str | int]) -> None:
            message = sentence(self._place, error.message, input_type, path)
            self.report_error(GraphQLError(message, error.nodes if error.locations else node))
            raise _Wrong

        try:
            if input_type is not None:
                validate_input_literal(node, input_type, complain, hide_suggestions=True)
        except _Wrong:
            pass
        return self.SKIP


class _BoundedOverlap(OverlappingFieldsCanBeMergedRule):
    """Ends after `MAX_COMPARISONS`; graphql-core's own limit, half a million, takes a second to reach."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = MAX_COMPARISONS


_OURS: dict[type[ASTValidationRule], type[ASTValidationRule]] = {
    ValuesOfCorrectTypeRule: _NamedValues,
    OverlappingFieldsCanBeMergedRule: _BoundedOverlap,
}
_ONLY_WITH: Mapping[type[ASTValidationRule], frozenset[str]] = {
    rule: frozenset(tokens.split())
    for tokens, rules in (
        ("subscription", (SingleFieldSubscriptionsRule,)),
        ("fragment ... $", (KnownTypeNamesRule,)),
        ("fragment", (UniqueFragmentNamesRule, NoUnusedFragmentsRule, NoFragmentCyclesRule)),
        ("fragment ...", (FragmentsOnCompositeTypesRule,)),
        ("...", (KnownFragmentNamesRule, PossibleFragmentSpreadsRule)),
        ("$", (UniqueVariableNamesRule, NoUndefinedVariablesRule, NoUnusedVariablesRule, VariablesAreInputTypesRule)),
        ("$", (VariablesInAllowedPositionRule,)),
        ("@", (KnownDirectivesRule, UniqueDirectivesPerLocationRule, DeferStreamDirectiveOnRootField)),
        ("@", (DeferStreamDirectiveOnValidOperationsRule, DeferStreamDirectiveLabel, StreamDirectiveOnListField)),
        ("(", (KnownArgumentNamesRule, UniqueArgumentNamesRule, ValuesOfCorrectTypeRule, UniqueInputFieldNamesRule)),
        ("__schema __type", (MaxIntrospectionDepthRule,)),
    )
    for rule in rules
}
"""The tokens without which a document cannot break a rule: only rules that it can break visit it."""


class _Context(ValidationContext):
    """Finds what it knows of a node by the node's identity: graphql-core hashes, and compares, all that is in it."""

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, types: TypeInfo, errors: _Errors, *, suggests: bool
    ) -> None:
        def report(error: GraphQLError) -> None:
            self._hide_suggestions = not suggests or len(errors) + 1 >= MAX_SUGGESTED
            errors.add(error)

        super().__init__(schema, document, types, report, hide_suggestions=not suggests)
        self._variable_usages, self._recursive_variable_usages, self._fragment_spreads = RefMap(), RefMap(), RefMap()  # type: ignore[assignment]  # it has what is asked of a dict
        self._remaining_fragment_work = MAX_FRAGMENT_WORK


class _Errors(list[GraphQLError]):
    def add(self, error: GraphQLError) -> None:
        """Append an error, or end the validation when there are enough."""
        self.append(error)
        if len(self) >= MAX_ERRORS:
            raise _Enough


class _Visitors(ParallelVisitor):
    """Asks those rules alone that have a method for a node, of thirty that there are; rules go on, or skip a node."""

    def get_enter_leave_for_kind(self, kind: str) -> EnterLeaveVisitor:
        """What enters and leaves a node of this kind in all rules."""
        known = self.enter_leave_map.get(kind)
        if known is not None:
            return known
        methods = [(at, *rule.get_enter_leave_for_kind(kind)) for at, rule in enumerate(self.visitors)]
        enters = tuple((at, enter) for at, enter, _ in methods if enter is not None)
        leaves = tuple((at, leave) for at, enter, leave in methods if (enter or leave) is not None)
        skipping = self.skipping

        def enter_all(node: Node, *args: Any) -> None:
            for at, enter in enters:
                if skipping[at] is None and enter(node, *args) is SKIP:
                    skipping[at] = node

        def leave_all(node: Node, *args: Any) -> None:
            for at, leave in leaves:
                if skipping[at] is None:
                    if leave is not None:
                        leave(node, *args)
                elif skipping[at] is node:
                    skipping[at] = None

        both = EnterLeaveVisitor(enter_all if enters else None, leave_all if leaves else None)
        self.enter_leave_map[kind] = both
        return both


def errors_in(
    schema: GraphQLSchema, document: DocumentNode, tokens: Mapping[str, int], *, suggests: bool = False
) -> list[dict[str, Any]]:
    """The formatted validation errors of a document with these tokens, at most ten.

    With `suggests`, the first one says which names may have been meant, which tells names of the schema.
    """
    errors, types = _Errors(), TypeInfo(schema)
    context = _Context(schema, document, types, errors, suggests=suggests)
    rules = [_OURS.get(rule, rule)(context) for rule in specified_rules if _can_break(rule, tokens)]
    try:
        visit(document, TypeInfoVisitor(types, _Visitors(rules)), query_document_keys_to_validate)
    except _Enough:
        pass
    except (ValidationAbortedError, RecursionError):
        return [refusal(_TOO_ENTANGLED, Code.LIMIT)]
    return [formatted(error, Code.VALIDATION_FAILED) for error in errors]


def _can_break(rule: type[ASTValidationRule], tokens: Mapping[str, int]) -> bool:
    only_with = _ONLY_WITH.get(rule)
    return only_with is None or any(token in tokens for token in only_with)
