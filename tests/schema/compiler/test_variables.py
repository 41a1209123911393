"""Variables and arguments coerced for a compiled operation are those that graphql-core coerces, value by value."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from graphql import (
    GraphQLNonNull,
    OperationDefinitionNode,
    Undefined,
    build_schema,
    get_argument_values,
    get_variable_values,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
    parse,
    type_from_ast,
    validate,
)
from graphql.utilities import coerce_input_value
from strawberry.types.arguments import convert_argument

from schema.compiler.arguments import Arguments
from schema.compiler.selections import NotCompilable
from schema.compiler.variables import Unfit, Variables, coercer_of
from schema.resolvers.definition import make_schema
from tests.support.fuzz.random_mutations import MutationWriter
from tests.support.fuzz.random_values import Facts

SCHEMA = make_schema()
CORE = SCHEMA._schema
TYPES = (
    *("Int", "Int!", "String", "ID!", "Boolean", "DateTime"),
    *("[ID!]!", "[DestinationKind!]", "[[Int]]", "[Int]!", "[[Int]!]"),
    *("BackupDestinationFilter", "BackupDestinationOrder!", "[BackupDestinationOrder!]"),
    *("CreateBackupDestinationInput!", "UpdateBackupDestinationInput"),
)
INPUTS = ("CreateBackupDestinationInput", "UpdateBackupDestinationInput")
WRONG: tuple[Any, ...] = (None, 7, 2**31, 1.5, True, "x", [], {}, {"x": 1}, {"label": 1}, {"local": None})
STRANGE: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**31,
    -(2**31),
    1.0,
    1.5,
    "",
    "text",
    "LOCAL",
    "2024-08-07T00:00:00Z",
    [],
    {},
    [[]],
)


@pytest.mark.parametrize("default", ["", " = null", " = 7", ' = "text"'])
@pytest.mark.parametrize("type_", TYPES)
def test_what_is_coerced_is_what_graphql_core_coerces(type_: str, default: str) -> None:
    """Conveniences such as `1.0` for an integer too; what does not fit is left to it."""
    document = f"query ($v: {type_}{default}) {{ viewer {{ id }} }}"
    operation = parse(document).definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    definitions, random = operation.variable_definitions or (), Random(7)  # noqa: S311 - to be repeated
    given: list[dict[str, Any]] = [{}, *({"v": value} for value in STRANGE)]
    given += [{"v": value_of(definitions[0].type, random)} for _ in range(150)]
    try:
        variables = Variables(CORE, definitions)
    except NotCompilable:
        assert isinstance(get_variable_values(CORE, definitions, {}), list), "its default does not fit"
        return

    for values in given:
        wanted = get_variable_values(CORE, definitions, dict(values))
        if isinstance(wanted, list):
            with pytest.raises(Unfit):
                variables.of(values)
        else:
            assert variables.of(values) == wanted.coerced, values


@pytest.mark.parametrize(
    "arguments",
    [
        "filter: $a",
        "filter: {kinds: $b}",
        "filter: {kinds: [$c, LOCAL]}",
        "filter: {kinds: LOCAL, labelContains: $d}",
        'filter: {labelContains: "x", bucketName: $d}',
        "orderBy: {field: $e, direction: $f}",
        "orderBy: {field: LABEL, direction: $f}",
        "orderBy: {field: LABEL}",
        "first: 3, after: $d",
        "first: $g, filter: null",
    ],
)
def test_arguments_are_those_that_graphql_core_and_strawberry_make(arguments: str) -> None:
    """Of literals with variables inside them, given, null and left out."""
    variables: dict[str, tuple[str, list[Any]]] = {
        "a": ("BackupDestinationFilter", [{}, None, {"kinds": ["LOCAL"]}, {"kinds": [], "labelContains": "x"}]),
        "b": ("[DestinationKind!]", [None, [], ["LOCAL", "CUSTOM_S3"]]),
        "c": ("DestinationKind!", ["LOCAL"]),
        "d": ("String", [None, "", "text"]),
        "e": ("BackupDestinationOrderField!", ["LABEL"]),
        "f": ("OrderDirection! = DESC", ["ASC"]),
        "g": ("Int", [None, 3]),
    }
    used = {name: of for name, of in variables.items() if f"${name}" in arguments}
    declared = ", ".join(f"${name}: {type_}" for name, (type_, _) in used.items())
    text = f"query{f' ({declared})' if declared else ''} {{ backupDestinations({arguments}) {{ totalCount }} }}"
    document = parse(text)
    assert not validate(CORE, document)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    node: Any = operation.selection_set.selections[0]
    definitions = operation.variable_definitions or ()
    field = CORE.query_type.fields["backupDestinations"]  # type: ignore[union-attr] # ours has one
    ours, made = Variables(CORE, definitions), Arguments(SCHEMA, field, node)
    known = {one.graphql_name or one.python_name: one for one in field.extensions["strawberry-definition"].arguments}
    naming, registry = SCHEMA.config.name_converter.from_argument, SCHEMA.schema_converter.scalar_registry

    sets: list[dict[str, Any]] = [{}]
    for name, (_, values) in used.items():
        sets += [{**one, name: value} for one in sets for value in values]
    compared = 0
    for given in sets:
        coerced = get_variable_values(CORE, definitions, dict(given))
        if isinstance(coerced, list):
            with pytest.raises(Unfit):
                ours.of(given)
            continue
        wanted = {
            one.python_name: convert_argument(value, one.type, registry, SCHEMA.config)
            for one in known.values()
            for name, value in get_argument_values(field, node, coerced).items()
            if naming(one) == name
        }
        assert made.of(ours.of(given)) == wanted
        compared += 1
    assert compared


def test_a_null_where_none_fits_is_left_to_graphql_core() -> None:
    """A nullable variable with a default may stand where null may not, and be null all the same."""
    document = parse(
        "query ($f: OrderDirection = ASC) { backupDestinations(orderBy: {field: LABEL, direction: $f}) { totalCount } }"
    )
    operation: Any = document.definitions[0]
    field = CORE.query_type.fields["backupDestinations"]  # type: ignore[union-attr] # ours has one
    made = Arguments(SCHEMA, field, operation.selection_set.selections[0])
    variables = Variables(CORE, operation.variable_definitions)

    with pytest.raises(Unfit):
        made.of(variables.of({"f": None}))


def changed(value: dict[str, Any], random: Random) -> dict[str, Any]:
    """The object with another value somewhere in it, one more field, or one less."""
    copy = {name: changed(each, random) if isinstance(each, dict) else each for name, each in value.items()}
    name = random.choice([*copy, "local", "credentials", "unknown"])
    if random.random() < 0.2:
        copy.pop(name, None)
    else:
        copy[name] = random.choice(WRONG)
    return copy


@pytest.mark.parametrize("name", INPUTS)
def test_what_fits_is_coerced_as_graphql_core_does(name: str) -> None:
    """Given, null, left out and defaulted; what graphql-core refuses is Unfit."""
    type_: Any = GraphQLNonNull(CORE.type_map[name])
    coerce, random = coercer_of(type_), Random(1)  # noqa: S311 - to be repeated
    writer = MutationWriter(random, CORE, Facts(ids={}, cursors={}))

    refused = 0
    for _ in range(300):
        right: Any = writer._object(name)
        assert coerce(right) == coerce_input_value(right, type_)
        assert list(coerce(right)) == list(coerce_input_value(right, type_))
        other: Any = random.choice(WRONG) if random.random() < 0.1 else changed(right, random)
        wanted = coerce_input_value(other, type_)
        if wanted is Undefined:
            refused += 1
            with pytest.raises(Unfit):
                coerce(other)
        else:
            assert coerce(other) == wanted

    assert 30 < refused < 300


def test_an_input_that_contains_itself_is_left_to_graphql_core() -> None:
    nested = build_schema("input Nested { a: Nested } type Query { a: Int }").type_map["Nested"]

    with pytest.raises(NotCompilable):
        coercer_of(nested)  # type: ignore[arg-type] # it is an input


def value_of(type_: Any, random: Random) -> Any:
    """A value for a type as a document has it, seldom one that does not fit."""
    return _value_of(type_from_ast(CORE, type_), random)


def _value_of(type_: Any, random: Random) -> Any:
    if random.random() < 0.01:
        return random.choice(STRANGE)
    if is_non_null_type(type_):
        return _value_of(type_.of_type, random)
    if random.random() < 0.1:
        return None
    if is_list_type(type_):
        return [_value_of(type_.of_type, random) for _ in range(random.randrange(3))]
    if is_enum_type(type_):
        return random.choice(list(type_.values))
    if is_input_object_type(type_):
        given = {
            name: _value_of(field.type, random)
            for name, field in type_.fields.items()
            if random.random() < (0.95 if is_non_null_type(field.type) else 0.4)
        }
        return given if random.random() < 0.98 else given | {"unknown": 1}
    values: dict[str, list[Any]] = {
        "Boolean": [True, False],
        "Int": [0, 7, -(2**31)],
        "DateTime": ["2024-08-07T00:00:00Z"],
    }
    return random.choice(values.get(type_.name, ["", "text"]))
