"""What is projected of the schema is, byte for byte, what graphql-core makes of it field by field."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from inspect import signature
from random import Random
from typing import Any

import orjson
import pytest
from graphql import (
    ExecutionResult,
    GraphQLObjectType,
    NoUnusedVariablesRule,
    execute,
    get_introspection_query,
    get_named_type,
    parse,
    specified_rules,
    validate,
)
from graphql.type.introspection import introspection_types
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema.execution.engine import Engine, NotExecuted
from schema.execution.executor import Executor
from schema.limits import Limits
from schema.resolvers.definition import make_schema
from tests.hostile.operations import OPERATIONS
from tests.hostile.test_event_loop import ACCEPTED

IS_FULL = os.environ.get("MOORINGS_FULL") == "1"
SCHEMA = make_schema()._schema
RANDOM_DOCUMENTS = 500 if IS_FULL else 60
OPTIONS = [
    name for name, option in signature(get_introspection_query).parameters.items() if option.default in {True, False}
]
TOOLS = {
    "with every option": get_introspection_query(**dict.fromkeys(OPTIONS, True), type_depth=9),
    "with none": get_introspection_query(**dict.fromkeys(OPTIONS, False)),
    **{f"with {option}": get_introspection_query(**{option: True}) for option in OPTIONS if IS_FULL},
}
"""What GraphiQL, Apollo's tools, Relay's and the code generators ask, who differ in the options."""
_ARGUED = 'query Q($yes: Boolean = true, $no: Boolean = false, $name: String = "User") '
PARTICULAR = {
    "a leaf": '{ __type(name: "User") { name } }',
    "a type that is none": '{ __type(name: "Nothing") { name } other: __type(name: "String") { kind } }',
    "what has no type": "{ __typename }",
    "one key, two selections": '{ __type(name: "User") { fields { name } fields { type { name } } } '
    '__type(name: "User") { kind fields { type { kind } } } }',
    "keys in the order of the document": '{ b: __typename a: __type(name: "ID") { kind b: name a: name kind } }',
    "fragments of fragments": "{ ...A } fragment A on Query { __schema { ...B } } "
    "fragment B on __Schema { __typename ... on __Schema { queryType { ...C ...C } } ... { mutationType { ...C } } } "
    "fragment C on __Type { __typename name fields(includeDeprecated: true) { ...D } } "
    "fragment D on __Field { __typename args { __typename name defaultValue } }",
    "conditions": _ARGUED + "{ __schema @include(if: $yes) { types @skip(if: $no) { name @skip(if: $yes) kind } "
    "directives { ... @include(if: $no) { name } ...D @skip(if: $no) } } } "
    "fragment D on __Directive { isRepeatable locations args { type { name ofType { name } } } }",
    "no keys at all": _ARGUED + "{ __schema { types { name @skip(if: $yes) } } }",
    "what is deprecated, and without": _ARGUED
    + "{ __schema { types { name a: fields(includeDeprecated: $yes) { name } "
    "b: fields(includeDeprecated: $no) { name isDeprecated deprecationReason } c: fields { name } "
    "enumValues(includeDeprecated: true) { name } inputFields(includeDeprecated: $yes) { name } } } }",
    "a type by a variable": _ARGUED + "{ __type(name: $name) { name fields { name } } }",
    "scalars and one-of inputs": "{ __schema { types { name specifiedByURL isOneOf } } }",
    "interfaces": '{ __type(name: "BackupDestination") { possibleTypes { name interfaces { name } } } }',
}
NULLS = {
    "the name of a type": 'query Q($x: String = "User") { __type(name: $x) { name } __typename }',
    "a list of a type": 'query Q($x: Boolean = true) { __type(name: "User") { name fields(includeDeprecated: $x) '
    "{ name } } __typename }",
    "each item of a list": 'query Q($x: Boolean = true) { __type(name: "User") { fields { name '
    "type { name ofType { name @include(if: $x) } } } } }",
    "what may not be null": 'query Q($x: Boolean = true) { __type(name: "User") { fields { args(includeDeprecated: $x) '
    "{ name } } } }",
    "a condition of what may not be null": "query Q($x: Boolean = true) { __schema { types { name @skip(if: $x) } } }",
    "what is merged": 'query Q($x: Boolean = true) { a: __type(name: "User") { ...F } b: __type(name: "User") '
    "{ ...F } } fragment F on __Type { name enumValues { name } fields(includeDeprecated: $x) { name } }",
}
"""Variables that may be null, in places that may not: an error of the field, at its path."""


RULES = [rule for rule in specified_rules if rule is not NoUnusedVariablesRule]


def answered(executor: type[Any], text: str, variables: dict[str, Any]) -> tuple[bytes, list[Any]]:
    """The data in JSON, and the errors."""
    result = execute(SCHEMA, parse(text), executor_class=executor, variable_values=variables)
    assert isinstance(result, ExecutionResult)
    return orjson.dumps({"data": result.data}), [error.formatted for error in result.errors or ()]


def difference(text: str, variables: dict[str, Any]) -> str | None:
    """What differs between graphql-core's answer and the projection's; None if nothing does."""
    assert validate(SCHEMA, parse(text), RULES) == [], text
    expected = answered(StrawberryGraphQLCoreExecutionContext, text, variables)
    found = answered(Executor, text, variables)
    return None if found == expected else f"{text}: {found!r:.300} is not {expected!r:.300}"


@pytest.mark.parametrize("name", TOOLS)
def test_the_queries_of_the_usual_tools(name: str) -> None:
    assert difference(TOOLS[name], {}) is None


@pytest.mark.parametrize("name", PARTICULAR)
def test_every_part_of_the_language(name: str) -> None:
    variables = [{}, {"yes": False, "no": True, "name": "ID"}] if PARTICULAR[name].startswith(_ARGUED) else [{}]

    assert [difference(PARTICULAR[name], each) for each in variables] == [None] * len(variables)


@pytest.mark.parametrize("name", NULLS)
def test_a_variable_that_is_null_where_it_may_not_be(name: str) -> None:
    assert answered(Executor, NULLS[name], {"x": None})[1]
    assert difference(NULLS[name], {"x": None}) is None


def test_the_documents_that_attack_the_gateway() -> None:
    texts = [case.query for cases in OPERATIONS.values() for case in cases] + [text for text, _ in ACCEPTED.values()]
    introspecting = [text for text in texts if text.startswith("{ __") or "query Q0 { __" in text]
    valid = [text for text in introspecting if validate(SCHEMA, parse(text, no_location=True)) == []]

    assert len(valid) >= 3
    assert {difference(text, {}) for text in valid[:: 1 if IS_FULL else 4]} == {None}


def test_what_fails_in_more_places_than_is_told_is_null_as_a_whole() -> None:
    """graphql-core has an error for each of them, which nobody reads."""
    text = "query Q($x: Boolean = true) { __typename __schema { types { fields(includeDeprecated: $x) { name } } } }"

    data, errors = answered(Executor, text, {"x": None})

    assert data == b'{"data":null}'
    assert len(errors) == 11


class Writer:
    """Writes random documents that only introspect; one key means one field with one set of arguments."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def document(self) -> str:
        """One document, with the variables `$yes` and `$no`."""
        self._left = self._random.choice((5, 20, 60))
        self._fragments: dict[str, str] = {}
        self._names: dict[str, list[str]] = {}
        roots = []
        for number in range(self._random.choice((1, 1, 2, 3))):
            root = self._random.choice(("__schema", '__type(name: "BackupDestination")', '__type(name: "User")'))
            name = "__Schema" if root == "__schema" else "__Type"
            roots.append(f"r{number}: {root}{self._condition()} {self._selections(name, 0)}")
        uses = " @include(if: $yes) @skip(if: $no)"
        return " ".join(
            [
                f"{_ARGUED}{{ __typename{uses} t: __type(name: $name) {{ name }} {' '.join(roots)} }}",
                *self._fragments.values(),
            ]
        )

    def _condition(self) -> str:
        return self._random.choice(("",) * 9 + (" @include(if: $yes)", " @skip(if: $no)", " @include(if: $no)"))

    def _selections(self, type_: str, level: int) -> str:
        parts = [self._part(type_, level) for _ in range(self._random.choice((1, 2, 3, 6)))]
        return "{ " + " ".join(parts) + " }"

    def _part(self, type_: str, level: int) -> str:
        chance = self._random.random()
        if chance < 0.15 and level < 8:
            return f"... on {type_}{self._condition()} {self._selections(type_, level)}"
        if chance < 0.3 and level < 8:
            return f"...{self._fragment(type_, level)}{self._condition()}"
        return self._field(type_, level)

    def _fragment(self, type_: str, level: int) -> str:
        known = self._names.setdefault(f"{type_} {level}", [])
        if not known or self._random.random() < 0.4:
            name = f"F{len(self._fragments)}"
            self._fragments[name] = ""
            self._fragments[name] = f"fragment {name} on {type_} {self._selections(type_, level)}"
            known.append(name)
        return self._random.choice(known)

    def _field(self, type_: str, level: int) -> str:
        self._left -= 1
        type_definition = introspection_types[type_]
        assert isinstance(type_definition, GraphQLObjectType)
        fields = type_definition.fields
        is_over = self._left <= 0 or level >= 4
        leaves = [
            name for name, field in fields.items() if not isinstance(get_named_type(field.type), GraphQLObjectType)
        ]
        name = self._random.choice([*(leaves if is_over else fields), "__typename"])
        argument = (
            self._random.choice(("", "true", "false", "$yes", "$no")) if name in fields and fields[name].args else ""
        )
        key = f"{name}{argument.strip('$')}" if argument or self._random.random() < 0.3 else ""
        alias = f"{key}: " if key else ""
        arguments = f"(includeDeprecated: {argument})" if argument else ""
        inner = get_named_type(fields[name].type).name if name in fields else ""
        below = f" {self._selections(inner, level + 1)}" if inner in introspection_types and name not in leaves else ""
        return f"{alias}{name}{arguments}{self._condition()}{below}"


def _documents() -> Iterator[str]:
    writer = Writer(Random(7))  # noqa: S311 - to repeat it
    for _ in range(RANDOM_DOCUMENTS):
        text = writer.document()
        if not validate(SCHEMA, parse(text), RULES):
            yield text


def test_random_documents() -> None:
    """Those that the limits allow are no larger than foreseen, either."""
    engine = Engine(Limits(depth=50))
    texts, margins = list(_documents()), []
    for text in texts:
        assert difference(text, {}) is None
        with suppress(NotExecuted):
            margins.append(engine.prepare(text, None).size.of({}) - len(answered(Executor, text, {})[0]))

    assert len(margins) > RANDOM_DOCUMENTS / 5
    assert min(margins) >= 0


@pytest.mark.parametrize("name", TOOLS)
def test_the_size_of_what_the_usual_tools_ask_is_known(name: str) -> None:
    """But for a comma in each object."""
    actual = len(answered(Executor, TOOLS[name], {})[0])

    foreseen = Engine(Limits()).prepare(TOOLS[name], "IntrospectionQuery").size.of({})

    assert actual <= foreseen <= actual * 1.1


def test_the_size_of_a_type_by_its_name() -> None:
    text = "query($name: String!) { __type(name: $name) { name fields { name type { name } } } }"
    size = Engine(Limits()).prepare(text, None).size

    sizes = [size.of({"name": name}) for name in ("S3CompatibleDestination", "User", "Nothing")]

    answers = [answered(Executor, text, {"name": name})[0] for name in ("S3CompatibleDestination", "User", "Nothing")]
    assert [len(answer) <= foreseen <= 1.4 * len(answer) for answer, foreseen in zip(answers, sizes, strict=True)] == [
        True
    ] * 3
    assert size.of({"name": ["none"]}) == size.of({}) == sizes[2]


def test_copies_of_the_schema_are_refused_before_they_are_made() -> None:
    copies = " ".join(f"a{n}: enumValues {{ name description }}" for n in range(30))
    text = f"{{ __schema {{ types {{ {copies} }} }} }}"
    engine = Engine(Limits(cost=10_000))

    assert engine.prepare(text, None).size.of({}) > Limits().answer_bytes
