"""The rules a document is held against: those of the specification, two of them in a form fit for strangers."""

from __future__ import annotations

from typing import Any

from graphql import (
    ArgumentNode,
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    GraphQLInputType,
    GraphQLSchema,
    OverlappingFieldsCanBeMergedRule,
    ValidationContext,
    ValueNode,
    ValuesOfCorrectTypeRule,
    VariableDefinitionNode,
    VisitorAction,
    specified_rules,
    validate,
)
from graphql.utilities.validate_input_value import validate_input_literal
from graphql.validation.validate import ValidationAbortedError

from schema.errors import Code, formatted, refusal
from schema.execution.coercion import MAX_NAME_LENGTH, sentence

MAX_ERRORS = 10
MAX_COMPARISONS = 3_000
"""How often two fields or fragments are held against each other; every pair of equal names is, and so on below them."""
_TOO_ENTANGLED = "The document is too entangled: it repeats fields, or spreads fragments, more often than one may."


class _Wrong(Exception):
    """The first thing that is wrong with a literal."""


class _NamedValues(ValuesOfCorrectTypeRule):
    """Says what is wrong with a literal as it is said of a variable: with the field, and without the value.

    One sentence for each literal: the original prints the whole of it for every field that is wrong.
    """

    _place = ""

    def enter_argument(self, node: ArgumentNode, *_args: Any) -> None:
        """Remember which argument the values that follow are for."""
        self._place = f"Argument '{node.name.value[:MAX_NAME_LENGTH]}'"

    def enter_variable_definition(self, node: VariableDefinitionNode, *_args: Any) -> None:
        """Remember which variable the default that follows is for."""
        self._place = f"The default of variable '${node.variable.name.value[:MAX_NAME_LENGTH]}'"

    def is_valid_value_node(self, node: ValueNode, input_type: GraphQLInputType | None) -> VisitorAction:
        """Report what is wrong with a literal, and do not look inside it again."""

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
    """Gives up after so many comparisons; the original's own bound, half a million, takes a second to reach."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = MAX_COMPARISONS


_OURS: dict[type[ASTValidationRule], type[ASTValidationRule]] = {
    ValuesOfCorrectTypeRule: _NamedValues,
    OverlappingFieldsCanBeMergedRule: _BoundedOverlap,
}
_RULES = tuple(_OURS.get(rule, rule) for rule in specified_rules)


def errors_in(schema: GraphQLSchema, document: DocumentNode) -> list[dict[str, Any]]:
    """What is wrong with a document, formatted; at most ten errors, none when it is valid."""
    errors = validate(schema, document, _RULES, max_errors=MAX_ERRORS, hide_suggestions=True)[:MAX_ERRORS]
    if errors and isinstance(errors[-1], ValidationAbortedError):
        return [refusal(_TOO_ENTANGLED, Code.LIMIT)]
    return [formatted(error, Code.VALIDATION_FAILED) for error in errors]
