"""Tokens read by regular expressions are those of graphql-core's lexer, and reading any text takes linear time."""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from graphql import DocumentNode, GraphQLError, Lexer, Node, Source, Token, TokenKind, parse

from schema.documents.document_limits import LimitExceeded
from schema.documents.tokens import _Lexer, parse_document, scan
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
)
FRAGMENT = "fragment F on User { id }"
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
        assert tokens(_Lexer(Source(text))) == tokens(Lexer(Source(text))), text


def parsed(text: str, parser: Callable[[str], DocumentNode]) -> object:
    """The syntax tree with its places and tokens; the error's sentence and places if there is one."""
    try:
        document = parser(text)
    except GraphQLError as error:
        return f"{error.message.removesuffix(' Parsing aborted.')} {error.locations}"
    return list(flat(document))


def of_token(token: Token) -> tuple[object, ...]:
    """What is known of a token, but for its neighbours."""
    return token.kind, token.start, token.end, token.line, token.column, token.value


def flat(document: DocumentNode) -> Iterator[object]:
    """What is in each node, the nodes themselves by their kind and place; without recursion, however deep they are."""
    waiting: list[Any] = [document]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Node):
            yield (
                node.kind,
                str(node.loc),
                *map(of_token, [node.loc.start_token, node.loc.end_token] if node.loc else []),
            )
            waiting += [getattr(node, key) for key in node.keys if key != "loc"]
        elif isinstance(node, tuple):
            yield len(node)
            waiting += node
        else:
            yield node


def test_the_syntax_trees_are_those_of_graphql_core() -> None:
    """With the same places and tokens, and the same errors."""
    for text in documents():
        assert parsed(text, parse_document) == parsed(text, parse), text


def test_a_document_that_is_dropped_is_freed_without_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that know each other would keep it until all generations are collected, after some twenty thousand."""
    for memory in ("MAX_DOCUMENT_BYTES", "MAX_OUTLINES_BYTES"):
        monkeypatch.setattr(f"schema.execution.engine.{memory}", 1)
    engine = Engine(Limits())
    gc.collect()
    gc.disable()
    try:
        before = tokens_in_memory()
        held = [engine.prepare(f"{{ viewer {{ a{number}: name ...F }} }} {FRAGMENT}", None) for number in range(20)]
        gc.collect()  # what validation leaves is young
        assert tokens_in_memory() - before >= 200

        held.clear()
        assert tokens_in_memory() == before
    finally:
        gc.enable()


def tokens_in_memory() -> int:
    """How many tokens there are that the collector knows of."""
    return sum(isinstance(each, Token) for each in gc.get_objects())


def test_the_scan_counts_the_tokens_of_a_document() -> None:
    """Rules of the validation are left out for tokens that it does not find."""
    seen = 0
    for text in documents():
        try:
            parse(text)
            counts = scan(text, Limits())
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
