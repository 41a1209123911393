"""Random valid mutations for the fuzz of the compiler: an act, its input in every way it can be given, any answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from graphql import GraphQLSchema, get_named_type

from tests.support.fuzz.random_operations import ALWAYS, Condition, Operation, OperationWriter
from tests.support.fuzz.random_values import Facts

ACTS = ("createBackupDestination", "updateBackupDestination", "deleteBackupDestination")
_INPUTS = {
    "createBackupDestination": "CreateBackupDestinationInput",
    "updateBackupDestination": "UpdateBackupDestinationInput",
}
_BUCKET = {
    "label": "String!",
    "bucketName": "String!",
    "credentials": "S3CredentialsInput!",
    "pathStyleEndpoint": "Boolean",
    "checkPrefix": "String",
    "certificateAuthorities": "String",
}
FIELDS: Mapping[str, Mapping[str, str]] = {
    "CreateBackupDestinationInput": {
        "amazonS3": "AmazonS3DestinationInput!",
        "customS3": "CustomS3DestinationInput!",
        "local": "LocalDestinationInput!",
    },
    "AmazonS3DestinationInput": {**_BUCKET, "region": "String!"},
    "CustomS3DestinationInput": {**_BUCKET, "endpoint": "String!", "region": "String"},
    "LocalDestinationInput": {"label": "String!"},
    "S3CredentialsInput": {"accessKey": "String!", "secretKey": "String!"},
    "UpdateBackupDestinationInput": {
        **dict.fromkeys(("label", "bucketName", "region", "endpoint"), "String"),
        **dict.fromkeys(("checkPrefix", "certificateAuthorities"), "String"),
        "pathStyleEndpoint": "Boolean",
        "credentials": "S3CredentialsInput",
    },
}
"""The fields of the inputs, each with the type that a variable may have there."""
_TEXTS: Mapping[str, tuple[Any, ...]] = {
    "label": (*["Nightly"] * 8, 'é "\\', "🗄", " x ", "", "x" * 256, "a\0b"),
    "endpoint": (*["https://s3.example.com"] * 8, "http://a.b:9", "ftp://a.b", "", "x" * 256),
    "other": (*["abc"] * 8, "é", " ", "x" * 256),
}
_WRONG: tuple[Any, ...] = (
    *(None, 7, 1.5, True, "x", [], ["x"], {}),
    *({"label": "x"}, {"local": None}, {"local": {"label": 1}}, {"x": 1}),
)


class MutationWriter(OperationWriter):
    """Writes one document with one act, or now and then with what only graphql-core does."""

    def __init__(self, random: Random, schema: GraphQLSchema, facts: Facts) -> None:
        super().__init__(random, schema, facts)
        self._facts = facts
        self._declared: dict[str, str] = {}
        self._draws: dict[str, Callable[[], Any]] = {}

    def operation(self) -> Operation:
        """The document; `given` draws what a client sends with it."""
        acts = self._random.sample(ACTS, 2 if self._is_troubled and self._random.random() < 0.3 else 1)
        parts = [self._act(f"act{number}" if number else None, name) for number, name in enumerate(acts)]
        parts += ["__typename"] if self._random.random() < 0.2 else []
        self._random.shuffle(parts)
        for variable in self._arguments.variables:
            self._declared[variable.name] = variable.definition.partition(": ")[2]
            self._draws[variable.name] = lambda: self._random.random() < 0.5
        variables = ", ".join(f"${name}: {type_}" for name, type_ in self._declared.items())
        definitions = [f"fragment {each.name} on {each.type_} {each.text}" for each in self._fragments]
        definitions.append(f"mutation Fuzz{f'({variables})' if variables else ''} {{ {' '.join(parts)} }}")
        return Operation(
            text="\n".join(definitions),
            name=None,
            variables=self._arguments.variables,
            features=frozenset(self._features),
            is_troubled=self._is_troubled,
        )

    def given(self) -> tuple[dict[str, Any], bool]:
        """Variables for the document, and whether one of them is not of its type."""
        sent, is_wrong = {name: draw() for name, draw in self._draws.items()}, False
        for name in list(sent):
            if " = " in self._declared[name] and self._random.random() < 0.4:
                del sent[name]
            elif self._random.random() < 0.08:
                sent[name], is_wrong = self._random.choice(_WRONG), True
        return sent, is_wrong

    def _act(self, alias: str | None, name: str) -> str:
        mutation = self._core.mutation_type
        assert mutation is not None
        self._features.add(name)
        arguments = []
        if name != "createBackupDestination":
            arguments.append(f"id: {self._argument('ID!', self._id)}")
        if name in _INPUTS:
            arguments.append(f"input: {self._argument(f'{_INPUTS[name]}!', lambda: self._object(_INPUTS[name]))}")
        self._random.shuffle(arguments)
        directive = ""
        if self._is_troubled and self._random.random() < 0.2:
            directive = f" @include(if: {self._random.choice(('true', 'false'))})"
        union = get_named_type(mutation.fields[name].type).name
        shown = self._selections(union, ALWAYS)
        if self._random.random() < 0.5:
            shown = f"{{ {self._key('__typename', union, 'String!', ALWAYS)} {shown.removeprefix('{')}"
        return f"{f'{alias}: ' if alias else ''}{name}({', '.join(arguments)}){directive} {shown}"

    def _part(self, type_: str, condition: Condition) -> str:
        """Of a union nothing but fragments can be selected."""
        if hasattr(self._core.type_map[type_], "fields") or self._left < 0:
            return super()._part(type_, condition)
        self._left -= 1
        return self._inline(type_, condition) if self._random.random() < 0.7 else self._spread(type_, condition)

    def _argument(self, type_: str, draw: Callable[[], Any]) -> str:
        """A variable, a literal, or a literal with variables inside."""
        if self._random.random() < 0.6:
            return self._variable(type_, draw)
        return self._literal(type_.rstrip("!"), draw())

    def _variable(self, type_: str, draw: Callable[[], Any]) -> str:
        name = f"g{len(self._declared)}"
        default = f" = {self._literal(type_.rstrip('!'), draw(), inside=0)}" if self._random.random() < 0.2 else ""
        self._declared[name] = type_ + default
        self._draws[name] = draw
        self._features.add(f"a variable of type {type_}")
        return f"${name}"

    def _literal(self, type_: str, value: Any, *, inside: float = 0.4) -> str:
        if not isinstance(value, dict):
            return json.dumps(value, ensure_ascii=False)
        pieces = []
        for name, each in value.items():
            inner = FIELDS[type_][name]
            drawn = each is not None and self._random.random() < inside
            text = (
                self._variable(inner, lambda name=name, inner=inner: self._value(name, inner))  # type: ignore[misc] # bound here
                if drawn
                else self._literal(inner.rstrip("!"), each, inside=inside)
            )
            pieces.append(f"{name}: {text}")
        return f"{{{', '.join(pieces)}}}"

    def _object(self, type_: str) -> dict[str, Any]:
        """An input object that fits its type, though not always the rules."""
        fields = FIELDS[type_]
        if type_ == "CreateBackupDestinationInput":
            name = self._random.choice(list(fields))
            return {name: self._value(name, fields[name])}
        likely = self._random.choice((0.0, 0.1, 0.5))
        chosen = [name for name in fields if fields[name].endswith("!") or self._random.random() < likely]
        return {name: self._value(name, fields[name]) for name in chosen}

    def _value(self, name: str, type_: str) -> Any:
        if not type_.endswith("!") and type_ != "Boolean" and self._random.random() < 0.15:
            return None
        if type_.rstrip("!") in FIELDS:
            return self._object(type_.rstrip("!"))
        if type_ == "Boolean":
            return self._random.random() < 0.5
        return self._random.choice(_TEXTS.get(name, _TEXTS["other"]))

    def _id(self) -> Any:
        whose = [*["one of the viewer's"] * 6, "nothing's", "somebody else's", "the user's", "nobody's, malformed"]
        return self._random.choice(self._facts.ids[self._random.choice(whose)])
