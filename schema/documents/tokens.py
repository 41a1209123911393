"""The tokens of a document, read by regular expressions: what is refused for its size costs no syntax tree.

graphql-core's lexer looks at one character at a time: 25 ms for a document of 64 KiB, before its parser can refuse it.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed leaves it out

from graphql import DocumentNode, GraphQLSyntaxError, Lexer, Source, Token, TokenKind
from graphql.language.parser import Parser

from schema.documents.document_limits import (
    MAX_FRAGMENTS,
    MAX_OPERATIONS,
    MAX_SELECTIONS,
    MAX_VALUES,
    MAX_VARIABLES,
    require_at_most,
)
from schema.limits import Limits

MAX_STRANGE = 4_096
"""Characters in block strings, and in strings with escapes that JSON has not: graphql-core reads them one by one."""

TOKEN = re.compile(
    r"(?:[ \t,\ufeff\n\r]++)?+"
    r'([{}()\[\]$@:!=|&]|\.\.\.|[_A-Za-z][_0-9A-Za-z]*+|"""(?:[^"\\]++|\\"""|\\|"(?!""))*+(?:""")?'
    r'|"(?:[^"\\\n\r]++|\\.)*+"?|-?\d[0-9.eE+\-]*+|#[^\n\r]*+|[^ \t,\ufeff\n\r])'
)
"""Every character that is not ignored belongs to one, of a text that is no document too, so that reading is linear."""
_IGNORED = re.compile(r"(?:[ \t,\ufeff\n\r]++|#[^\n\r]*+)*+")
_NEXT = re.compile(
    r"([_A-Za-z][_0-9A-Za-z]*+)|(\.\.\.|[!$&()\[\]{}:=|@])"
    r'|"([^"\\\x00-\x08\x0a-\x1f\ud800-\udfff]*+)"(?!")|(-?(?:0|[1-9][0-9]*+))(?![0-9.eE_A-Za-z])'
)
_SIMPLE = re.compile(r'"[^"\\\x00-\x08\x0a-\x1f\ud800-\udfff]*+"')
"""A string without escapes."""
_PLAIN = re.compile(
    r'"(?:[^"\\\x00-\x08\x0a-\x1f\ud800-\udfff]++|\\["\\/bfnrt]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}'
    r'|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+"(?!")'
)
"""A string that is one of JSON, too."""
_ENDED = re.compile(r'"""(?:[^"\\]++|\\"""|\\|"(?!""))*+"""|"(?:[^"\\\n\r]++|\\.)*+"')
_KINDS = {kind.value: kind for kind in TokenKind}
_NAME, _STRING, _INT = TokenKind.NAME, TokenKind.STRING, TokenKind.INT


def scan(text: str, limits: Limits) -> Counter[str]:
    """How often each token is in a document, strings and numbers left out.

    Raises `GraphQLSyntaxError` for more tokens than allowed, and `LimitExceeded` where they alone show that a limit of
    `document_limits` is exceeded. A text that is no document may have any tokens.
    """
    matches = list(islice(TOKEN.finditer(text), limits.tokens + 1))
    if len(matches) > limits.tokens:
        message = f"Document contains more than {limits.tokens} tokens. Parsing aborted."
        raise GraphQLSyntaxError(Source(text), matches[-1].start(1), message)
    _check_strings(text, [match for match in matches if match[1][0] == '"'])
    tokens = [match[1] for match in matches]
    counts = Counter(name for name in tokens if name[0] not in '"#-0123456789')
    require_at_most(counts["@"], limits.directives, "directives")
    _check_fewest(tokens)
    return counts


def is_simple_string(token: str) -> bool:
    """Whether a token is a string that stands for the characters in it."""
    return _SIMPLE.fullmatch(token) is not None


def parse_document(text: str) -> DocumentNode:
    """The syntax tree of a document that was scanned; raises `GraphQLError`."""
    return _Parser(Source(text)).parse()


def _check_strings(text: str, strings: list[re.Match[str]]) -> None:
    strange = 0
    for found in strings:
        if _PLAIN.fullmatch(found[1]) is None:
            if _ENDED.fullmatch(found[1]) is None:
                raise GraphQLSyntaxError(Source(text), found.start(1), "Unterminated string.")
            strange += len(found[1])
    require_at_most(strange, MAX_STRANGE, "characters in block strings and strings with rare escapes; use variables")


def _check_fewest(tokens: list[str]) -> None:
    """Refuse a document that has more definitions, fields or values than allowed, whatever its tokens stand for."""
    outside: list[str] = []
    inside: list[str] = []
    part = outside  # of parentheses, which never hold others
    for symbol in tokens:
        if symbol == "(":
            part = inside
        part.append(symbol)
        if symbol == ")":
            part = outside
    definitions, fields = _fewest_fields(outside)
    require_at_most(definitions, MAX_OPERATIONS + MAX_FRAGMENTS, "operations and fragments")
    require_at_most(fields, MAX_SELECTIONS, "fields")
    require_at_most(_fewest_values(inside), MAX_VALUES, "values; use variables")


def _fewest_fields(symbols: list[str]) -> tuple[int, int]:
    """The number of definitions and of fields, spreads among them."""
    definitions = fields = level = 0
    before = ""
    for symbol in symbols:
        if symbol[0] in _LETTERS:
            fields += before not in _NOT_BEFORE_FIELDS and symbol not in _KEYWORDS
        elif symbol == "{":
            definitions += level == 0
            level += 1
        elif symbol == "}":
            level -= 1
        else:
            fields += (symbol == "...") - (symbol == ":")  # the name before a colon was an alias
        before = symbol
    return definitions, fields


def _fewest_values(symbols: list[str]) -> int:
    """The number of literals, and of names and variables that cannot all be of the definitions of variables."""
    values = uncertain = lists = 0
    before = ""
    for symbol in symbols:
        if symbol[0] in _LETTERS:
            uncertain += (lists > 0 and before != "$") or before == ":"
        elif symbol == "$":
            uncertain += 1
        elif symbol == ":":
            uncertain -= lists > 0  # the name before it was that of a field
        else:
            lists += (symbol == "[") - (symbol in "])")
            values += symbol[0] in _VALUES
        before = symbol
    return values + max(0, uncertain - 2 * MAX_VARIABLES)


_LETTERS = frozenset("_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_VALUES = frozenset('"-0123456789{')
_KEYWORDS = frozenset({"query", "mutation", "subscription", "fragment", "on"})
_NOT_BEFORE_FIELDS = _KEYWORDS | {"@", "..."}


class _Lexer(Lexer):
    """graphql-core's, for the tokens of nearly all documents by one match; it skips comments, which nothing reads."""

    def read_next_token(self, start: int) -> Token:
        """The token behind `start`, and what is ignored before it."""
        body = self.source.body
        position = _IGNORED.match(body, start).end()  # type: ignore[union-attr]  # it matches nothing, too
        if position > start:
            self._count_lines(body, start, position)
        found = _NEXT.match(body, position)
        if found is None:
            return self._read_other(body, position)
        group = found.lastindex
        text = found[group]  # type: ignore[index]  # one of them matched
        if group == 1:
            return self.create_token(_NAME, position, found.end(), text)
        if group == 2:
            return self.create_token(_KINDS[text], position, found.end())
        return self.create_token(_STRING if group == 3 else _INT, position, found.end(), text)

    def _read_other(self, body: str, position: int) -> Token:
        if _PLAIN.match(body, position) is None:
            return super().read_next_token(position)
        value, end = scanstring(body, position + 1)
        return self.create_token(_STRING, position, end, value)

    def _count_lines(self, body: str, start: int, end: int) -> None:
        lines = body.count("\n", start, end)
        last = body.rfind("\n", start, end)
        if "\r" in body:
            lines += body.count("\r", start, end) - body.count("\r\n", start, end)
            last = max(last, body.rfind("\r", start, end))
        if lines:
            self.line += lines
            self.line_start = last + 1


class _Parser(Parser):
    def __init__(self, source: Source) -> None:
        super().__init__(source, lexer=_Lexer(source))

    def parse(self) -> DocumentNode:
        """The document; one that is nested too deeply is no document."""
        try:
            return self.parse_document()
        except RecursionError:
            raise GraphQLSyntaxError(
                self._lexer.source, self._lexer.token.start, "Document is nested too deeply."
            ) from None
