"""The validation rules: those of the specification, two of them replaced by versions that are safe for any client."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from graphql import (
    SKIP,
    ArgumentNode,
    ASTValidationRule,
    DeferStreamDirectiveLabel,
    DeferStreamDirectiveOnRootField,
    DeferStreamDirectiveOnValidOperationsRule,
    DocumentNode,
    FragmentDefinitionNode,
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
    OperationDefinitionNode,
    OverlappingFieldsCanBeMergedRule,
    PossibleFragmentSpreadsRule,
    SelectionSetNode,
    SingleFieldSubscriptionsRule,
    StreamDirectiveOnListField,
    TypeInfo,
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
)
from graphql.pyutils import RefMap
from graphql.utilities.validate_input_value import validate_input_literal
from graphql.validation.validate import ValidationAbortedError, query_document_keys_to_validate

from schema.errors import Code, formatted, refusal
from schema.execution.coercion import MAX_NAME_LENGTH, sentence

MAX_ERRORS = 10
MAX_SUGGESTED = 1
"""Errors with names that may have been meant: to find them takes up to 10 ms, longer than all the rest."""
MAX_FRAGMENT_WORK = 800
"""The number of fragments and variables that all operations use, each time one of them uses it."""
MAX_COMPARISONS = 1_200
"""The number of comparisons of two fields or fragments: all pairs of one response key are compared, at each level."""
MANY_TOKENS = 300
"""Of a document that is compared before it is visited."""
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
    """Ends after `MAX_COMPARISONS`; graphql-core's own limit, half a million, takes a second to reach.

    What is long is compared before any rule visits it: it is entangled far more often than it is wrong.
    """

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self.rule_context.remaining_complexity_budget = MAX_COMPARISONS
        self._found: dict[int, list[GraphQLError]] | None = None
        self._selected = 0

    def compare(self, document: DocumentNode, types: TypeInfo) -> None:
        """Compare all of a document, for `enter_selection_set` to report; raises `ValidationAbortedError`."""
        self._found = {}
        types.enter(document)
        with suppress(_Enough):
            for node in document.definitions:
                if isinstance(node, OperationDefinitionNode | FragmentDefinitionNode):
                    self._compare(node, node.selection_set, types)

    def enter_selection_set(self, selection_set: SelectionSetNode, *args: Any) -> None:
        """Report what conflicts in these selections."""
        if self._found is None:
            super().enter_selection_set(selection_set, *args)
            return
        for error in self._found.get(id(selection_set), ()):
            super().report_error(error)

    def report_error(self, error: GraphQLError) -> None:
        """Store an error of what is compared first, or report it."""
        if self._found is None:
            super().report_error(error)
            return
        self._found.setdefault(self._selected, []).append(error)
        if sum(map(len, self._found.values())) >= MAX_ERRORS:
            raise _Enough

    def _compare(self, node: Any, selections: SelectionSetNode, types: TypeInfo) -> None:
        types.enter(node)
        types.enter(selections)
        self._selected = id(selections)
        if isinstance(node, FragmentDefinitionNode):
            self.enter_fragment_definition(node)
        super().enter_selection_set(selections, None, node)
        for each in selections.selections:
            below = getattr(each, "selection_set", None)
            if below is not None:
                self._compare(each, below, types)
        if isinstance(node, FragmentDefinitionNode):
            self.leave_fragment_definition(node)
        types.leave(selections)
        types.leave(node)


_OURS: dict[type[ASTValidationRule], type[ASTValidationRule]] = {
    ValuesOfCorrectTypeRule: _NamedValues,
    OverlappingFieldsCanBeMergedRule: _BoundedOverlap,
}
_ONLY_WITH: Mapping[type[ASTValidationRule], frozenset[str]] = {
    rule: frozenset(tokens.split())
    for tokens, rules in (
        ("subscription", (SingleFieldSubscriptionsRule,)),
        ("fragment ... $ type input interface union directive extend schema", (KnownTypeNamesRule,)),
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
_METHODS: Mapping[type[ASTValidationRule], frozenset[str]] = {
    rule: frozenset(dir(rule)) for rule in (_OURS.get(each, each) for each in specified_rules)
}
"""The names in each rule: most have none for nodes of a kind, and to ask the rule itself takes longer."""


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


class _Handlers(NamedTuple):
    """What is called for the nodes of one kind: of the types in scope, and of the rules that have a method for it."""

    enter_types: Callable[[Any], None] | None
    enters: Sequence[tuple[int, Callable[..., Any]]]
    leaves: Sequence[tuple[int, Callable[..., Any] | None]]
    leave_types: Callable[[], None] | None
    keys: Sequence[str]
    """Of the nodes below; no rule looks at names by themselves."""


class _Walk:
    """Has rules visit a document together, as graphql-core's `visit` does with a `TypeInfoVisitor`, in half the time.

    A rule goes on, or skips what is below a node.
    """

    def __init__(self, types: TypeInfo, rules: Sequence[ASTValidationRule]) -> None:
        self._types = types
        self._rules = rules
        self._skipping: list[Node | None] = [None] * len(rules)
        self._handlers: dict[str, _Handlers] = {}
        self._path: list[str | int] = []
        self._ancestors: list[Any] = []

    def walk(self, node: Node, key: str | int | None, parent: Any) -> None:
        """Visit a node that is `parent[key]`, or its attribute of that name, and what is below it."""
        enter_types, enters, leaves, leave_types, keys = self._handlers.get(node.kind) or self._handlers_of(node.kind)
        path, ancestors, skipping = self._path, self._ancestors, self._skipping
        if enter_types is not None:
            enter_types(node)
        for at, enter in enters:
            if skipping[at] is None and enter(node, key, parent, path, ancestors) is SKIP:
                skipping[at] = node
        if keys:
            self._walk_below(node, parent, keys)
        for at, leave in leaves:
            if skipping[at] is None:
                if leave is not None:
                    leave(node, key, parent, path, ancestors)
            elif skipping[at] is node:
                skipping[at] = None
        if leave_types is not None:
            leave_types()

    def _walk_below(self, node: Node, parent: Any, keys: Sequence[str]) -> None:
        path, ancestors = self._path, self._ancestors
        if parent is not None:
            ancestors.append(parent)
        for key in keys:
            below = getattr(node, key)
            if not below:
                continue
            path.append(key)
            if isinstance(below, tuple):
                ancestors.append(node)
                for number, each in enumerate(below):
                    path.append(number)
                    self.walk(each, number, below)
                    path.pop()
                ancestors.pop()
            else:
                self.walk(below, key, node)
            path.pop()
        if parent is not None:
            ancestors.pop()

    def _handlers_of(self, kind: str) -> _Handlers:
        enters: list[tuple[int, Callable[..., Any]]] = []
        leaves: list[tuple[int, Callable[..., Any] | None]] = []
        names = ("enter", "leave", f"enter_{kind}", f"leave_{kind}")
        for at, rule in enumerate(self._rules):
            if not _METHODS[type(rule)].isdisjoint(names):
                enter, leave = rule.get_enter_leave_for_kind(kind)
                enters += () if enter is None else ((at, enter),)
                leaves.append((at, leave))
        self._handlers[kind] = handlers = _Handlers(
            enter_types=getattr(self._types, f"enter_{kind}", None),
            enters=enters,
            leaves=leaves,
            leave_types=getattr(self._types, f"leave_{kind}", None),
            keys=[key for key in query_document_keys_to_validate.get(kind, ()) if key not in {"name", "alias"}],
        )
        return handlers


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
        if sum(tokens.values()) > MANY_TOKENS:
            for rule in rules:
                if isinstance(rule, _BoundedOverlap):
                    rule.compare(document, types)
        _Walk(types, rules).walk(document, None, None)
    except _Enough:
        pass
    except (ValidationAbortedError, RecursionError):
        return [refusal(_TOO_ENTANGLED, Code.LIMIT)]
    return [formatted(error, Code.VALIDATION_FAILED) for error in errors]


def _can_break(rule: type[ASTValidationRule], tokens: Mapping[str, int]) -> bool:
    only_with = _ONLY_WITH.get(rule)
    return only_with is None or any(token in tokens for token in only_with)
