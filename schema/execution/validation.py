"""The validation rules: those of the specification, two of them replaced by versions that are safe for any client."""

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
"""The number of comparisons of two fields or fragments: all pairs of one response key are compared, at each level."""
_TOO_ENTANGLED = "The document is too entangled: it repeats fields, or spreads fragments, more often than one may."


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
_RULES = tuple(_OURS.get(rule, rule) for rule in specified_rules)


def errors_in(schema: GraphQLSchema, document: DocumentNode) -> list[dict[str, Any]]:
    """The formatted validation errors of a document, at most ten."""
    errors = validate(schema, document, _RULES, max_errors=MAX_ERRORS, hide_suggestions=True)[:MAX_ERRORS]
    if errors and isinstance(errors[-1], ValidationAbortedError):
        return [refusal(_TOO_ENTANGLED, Code.LIMIT)]
    return [formatted(error, Code.VALIDATION_FAILED) for error in errors]
