"""Tokens read by regular expressions are those of graphql-core's lexer, and reading any text takes linear time."""

from __future__ import annotations

import gc
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    Lexer,
    Node,
    Source,
    Token,
    TokenKind,
    parse,
)

from schema.documents.document_limits import LimitExceeded
from schema.documents.lexer import TokenLexer
from schema.documents.parser import MAX_TOKENS_OF_TYPES
from schema.documents.tokens import parse_document, scan
from schema.execution.engine import Engine
from schema.limits import Limits
from schema.resolvers.definition import make_schema
from tests.hostile.operations import OPERATIONS
from tests.hostile.operations.worst import DOCUMENTS
from tests.schema.documents.test_document_limits import TOOLS
from tests.support.fuzz.random_operations import OperationWriter
from tests.support.fuzz.random_values import Facts

UNUSUAL = (
    '# é\r\n{ a(b: 1.5e3, c: -0, d: "", e: "x\\n\\u0041\\ud83d\\ude00") }\r',
    '{ a(b: """one\n  two \\""" three""", c: "\\u{1F600}") }',
    '\ufeff,,{a,b}#x\n\r\n\r#y\n{"" "a" """"""}',
    '{ a(b: "x"y) "a"""b" }',
    "{ a(b: 01) }",
    "{ a(b: 1.) }",
    "{ a(b: 1a) }",
    "{ .. }",
    "{ a ' }",
    '{ a(b: "x\n") }',
    '{ a(b: "\\ud83d") }',
    '{ a(b: "\\x") }',
    "{ é }",
    "query { a } !$&()...:=@[]{|}",
    '"about it" query Q("of it" $a: [Int!]! = [1, -2e3] @b(c: {d: E, f: null, g: true}), $h: I = {}) @j { a @k }',
    '"of the fragment" fragment F on T @a { ...G @b ... @c { d } ... on U { e: f(g: $h, i: [], j: "") { k } } }',
    '"no shorthand has it" { a }',
    '"no word has it" extend type T { a: Int }',
    '"of a type" type T { a: Int }',
    "query($a: Int = $b) { a }",
    "query($a: Int = [$) { a }",
    "query($a: ) { a }",
    "query() { a }",
    "{ a() }",
    "{ a(b) }",
    "{ a(b: ]) }",
    "{ a: }",
    "{ ...on }",
    "{ ... @ }",
    "fragment on on T { a }",
    "fragment F T { a }",
    "fragment F on { a }",
    "subscription S",
    "mutation M { a } what",
    "{ a(b: -) }",
    "{ a(b: 1-2) }",
    "{ a(b: ٣) }",
    "{ a }}",
    "#",
    "",
)
FRAGMENT = "fragment F on User { id }"
OF_TYPES = re.compile(r"\b(schema|scalar|type|interface|union|enum|input|directive|extend)\b")
QUADRATIC = (
    '\\"""\n' * 12_000,
    '"""' * 20_000 + '"',
    '"\n' * 30_000,
    "#\r" * 30_000,
    "%" * 60_000,
    '{ a(b: """' + '\\"""' * 15_000,
    "-" * 60_000,
    "." * 60_000,
    "1e" * 30_000,
    " \n,\t" * 15_000 + "!",
)


def tokens(lexer: Lexer) -> list[tuple[Any, ...]] | str:
    """What a lexer reads, with the places, comments left out; the error's sentence and place if there is one."""
    found: list[tuple[Any, ...]] = []
    token: Token = lexer.token
    try:
        while token.kind is not TokenKind.EOF:
            token = lexer.advance()
            found.append((token.kind, token.start, token.end, token.line, token.column, token.value))
    except GraphQLError as error:
        return f"{error.message} {error.locations}"
    return found


def read(text: str) -> None:
    """What is done with the text of a document before it is validated."""
    scan(text, Limits())
    parse_document(text)


def documents() -> list[str]:
    """What people write, what the hostile corpus has, random operations, and all of it cut off and mixed up."""
    random, schema = Random(14), make_schema()._schema  # noqa: S311 - to repeat it
    ids: dict[str, list[str]] = defaultdict(lambda: ["BackupDestination:1"])
    cursors: dict[str, list[str]] = defaultdict(lambda: ["eDE6MQ"])
    facts = Facts(ids=ids, cursors=cursors)
    texts = [*TOOLS.values(), *UNUSUAL, *DOCUMENTS.values()]
    texts += [case.query for cases in OPERATIONS.values() for case in cases]
    texts += [OperationWriter(random, schema, facts).operation().text for _ in range(100)]
    texts = [text for text in texts if len(text) < 10_000]
    texts += [text[: random.randrange(len(text) + 1)] for text in texts]
    return texts + ["".join(random.sample(text, len(text))) for text in texts if len(text) < 300]


def test_the_tokens_are_those_of_graphql_core() -> None:
    """Each with its line and column, and each error with its own."""
    for text in documents():
        assert tokens(TokenLexer(Source(text))) == tokens(Lexer(Source(text))), text


def parsed(text: str, parser: Callable[[str], DocumentNode]) -> object:
    """The syntax tree with its places; the error's sentence and places if there is one."""
    try:
        document = parser(text)
    except GraphQLError as error:
        return f"{error.message.removesuffix(' Parsing aborted.')} {error.locations}"
    return list(flat(document))


def flat(document: DocumentNode) -> Iterator[object]:
    """What is in each node, the nodes themselves by their kind and place; without recursion, however deep they are."""
    waiting: list[Any] = [document]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Node):
            yield type(node), str(node.loc)
            waiting += [getattr(node, key) for key in node.keys if key != "loc"]
        elif isinstance(node, tuple):
            yield len(node)
            waiting += node
        else:
            yield node


def test_the_syntax_trees_are_those_of_graphql_core() -> None:
    """With the same places, and the same errors; a long document that defines types is refused for its length."""
    long = 0
    for text in documents():
        try:
            found = parsed(text, parse_document)
        except LimitExceeded:
            assert len(tokens(TokenLexer(Source(text)))) > MAX_TOKENS_OF_TYPES
            assert OF_TYPES.search(text)
            long += 1
        else:
            assert found == parsed(text, parse), text

    assert long > 0


def test_a_document_that_is_dropped_is_freed_without_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes that knew each other would keep it until all generations are collected, after some twenty thousand."""
    for memory in ("MAX_DOCUMENT_BYTES", "MAX_OUTLINES_BYTES"):
        monkeypatch.setattr(f"schema.execution.engine.{memory}", 1)
    engine = Engine(Limits())
    gc.collect()
    gc.disable()
    try:
        before = nodes_in_memory()
        held = [engine.prepare(f"{{ viewer {{ a{number}: name ...F }} }} {FRAGMENT}", None) for number in range(20)]
        gc.collect()  # what validation leaves is young
        assert nodes_in_memory() - before >= 80

        held.clear()
        assert nodes_in_memory() == before
    finally:
        gc.enable()


def nodes_in_memory() -> int:
    """How many nodes of documents there are that the collector knows of."""
    return sum(isinstance(each, FieldNode | FragmentSpreadNode) for each in gc.get_objects())


def test_the_scan_counts_the_tokens_of_a_document() -> None:
    """Rules of the validation are left out for tokens that it does not find."""
    seen = 0
    for text in documents():
        try:
            parse(text)
            counts = scan(text, Limits()).counts
        except (GraphQLError, LimitExceeded):
            continue
        seen += 1
        all_ = tokens(Lexer(Source(text)))
        assert isinstance(all_, list)
        named = {kind.value if value is None else value for kind, *_, value in all_[:-1]}
        plain = {name for name in named if name[:1].isidentifier() or name in ("$", "@", "...", "(", "{")}
        strings = {value for kind, *_, value in all_ if kind in (TokenKind.STRING, TokenKind.BLOCK_STRING)}
        assert plain - strings <= set(counts), text

    assert seen > 100


@pytest.mark.parametrize("text", QUADRATIC)
def test_reading_takes_linear_time(text: str) -> None:
    """Of texts that make a careless regular expression go back again and again."""
    assert len(text) < Limits().document_bytes
    best = 1.0
    for _ in range(5):
        began = time.thread_time()
        with pytest.raises((GraphQLError, LimitExceeded)):
            read(text)
        best = min(best, time.thread_time() - began)
    assert best < 0.03
