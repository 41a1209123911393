"""The validation finds what graphql-core's own finds, though it asks only the rules that a document can break."""

from __future__ import annotations

from random import Random

from graphql import GraphQLError, parse, specified_rules, validate
from graphql.validation.validate import ValidationAbortedError

from schema.documents.document_limits import LimitExceeded
from schema.documents.tokens import scan
from schema.errors import Code, formatted
from schema.execution.validation import _OURS, MAX_ERRORS, errors_in
from schema.limits import Limits
from schema.resolvers.definition import make_schema
from tests.schema.documents.test_tokens import documents

BROKEN = (
    "query A { viewer { id } } query A { viewer { id } }",
    "{ viewer { id } } query A { viewer { id } }",
    "subscription { backupDestinationEvents { id } a: backupDestinationEvents { id } }",
    "{ ...F } fragment F on Nothing { id }",
    "query ($a: Nothing) { viewer { id } }",
    "query ($a: User) { node(id: $a) { id } }",
    "{ viewer { id { x } } node(id: 1) }",
    "{ viewer { nothing } }",
    "{ ...F } fragment F on Query { viewer { id } } fragment F on Query { viewer { id } }",
    "{ ...F }",
    "{ viewer { id } } fragment F on Query { viewer { id } }",
    "{ viewer { ... on LocalDestination { id } } }",
    "{ ...F } fragment F on Query { ...G } fragment G on Query { ...F }",
    "query ($a: ID!, $a: ID!) { node(id: $a) { id } }",
    "{ node(id: $a) { id } }",
    "query ($a: ID!) { viewer { id } }",
    "query ($a: String) { node(id: $a) { id } }",
    "{ viewer { id @nothing } }",
    "{ viewer { id @skip(if: true) @skip(if: true) } }",
    "{ viewer { id @skip } }",
    "{ node(nothing: 1) { id } }",
    "{ node(id: 1, id: 1) { id } }",
    '{ backupDestinations(first: "x") { totalCount } }',
    "{ node { id } }",
    "{ viewer { a: id a: name } }",
    "{ backupDestinations(filter: {labelContains: 1, labelContains: 1}) { totalCount } }",
    "{ __type(name: 1) { fields { type { fields { type { fields { type { fields { name } } } } } } } } }",
    '"described" query A { viewer { id } }',
    "type A { a: Int }",
    "mutation { nothing }",
    "query ($v: ID!) { nodes(ids: [" + "$v " * 200 + "]) { id } viewer { a: id a: name nothing b: id b: name } }",
    "query ($v: ID!) { nodes(ids: [" + "$v " * 200 + "]) { ...F ...G } } fragment F on User { a: id b: id nothing } "
    "fragment G on User { a: name ... on User { b: name } }",
)


def test_the_errors_are_those_of_all_rules() -> None:
    """In the same order; of random operations, of ones that are broken somewhere, and of one for each rule."""
    random, schema = Random(14), make_schema()._schema  # noqa: S311 - to repeat it
    rules = [_OURS.get(rule, rule) for rule in specified_rules]
    texts = [text for text in documents() if len(text) < 5_000]
    texts += [text.replace(word, "x", 1) for text in texts for word in random.sample(text.split() or ["x"], 1)]
    refused = 0
    for text in [*BROKEN, *texts]:
        try:
            tokens, document = scan(text, Limits()).counts, parse(text)
        except (GraphQLError, LimitExceeded):
            continue
        expected = validate(schema, document, rules, max_errors=MAX_ERRORS, hide_suggestions=True)[:MAX_ERRORS]
        found = errors_in(schema, document, tokens)
        if any(isinstance(error, ValidationAbortedError) for error in expected):
            assert [error["extensions"]["code"] for error in found] == [Code.LIMIT], text
        elif [error["extensions"]["code"] for error in found] != [Code.LIMIT]:  # by bounds lower than graphql-core's
            assert found == [formatted(error, Code.VALIDATION_FAILED) for error in expected], text
        refused += bool(found)

    assert refused > len(BROKEN)


def test_each_broken_document_is_refused() -> None:
    schema = make_schema()._schema

    accepted = [text for text in BROKEN if not errors_in(schema, parse(text), scan(text, Limits()).counts)]

    assert accepted == ['"described" query A { viewer { id } }']
