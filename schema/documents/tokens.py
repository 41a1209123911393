"""The tokens of a document, read by regular expressions: what is refused for its size costs no syntax tree.

graphql-core's lexer looks at one character at a time: 25 ms for a document of 64 KiB, before its parser can refuse it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from graphql import DocumentNode, GraphQLSyntaxError, Source, SourceLocation

from schema.documents.document_limits import (
    MAX_FRAGMENTS,
    MAX_OPERATIONS,
    MAX_SELECTIONS,
    MAX_VALUES,
    MAX_VARIABLES,
    require_at_most,
)
from schema.documents.lexer import PLAIN, SIMPLE
from schema.documents.parser import parse_tokens
from schema.limits import Limits

MAX_STRANGE = 4_096
"""Characters in block strings, and in strings with escapes that JSON has not: graphql-core reads them one by one."""

TOKEN = re.compile(
    r"(?:[ \t,\ufeff\n\r]++)?+"
    r'([{}()\[\]$@:!=|&]|\.\.\.|[_A-Za-z][_0-9A-Za-z]*+|"""(?:[^"\\]++|\\"""|\\|"(?!""))*+(?:""")?'
    r'|"(?:[^"\\\n\r]++|\\.)*+"?|-?[0-9]++(?:\.[0-9]++)?+(?:[eE][+\-]?+[0-9]++)?+|#[^\n\r]*+|[^ \t,\ufeff\n\r])'
)
"""Every character that is not ignored belongs to one, of a text that is no document too, so that reading is linear."""
_ENDED = re.compile(r'"""(?:[^"\\]++|\\"""|\\|"(?!""))*+"""|"(?:[^"\\\n\r]++|\\.)*+"')


class Scan(NamedTuple):
    """The tokens of a document without its comments."""

    counts: Mapping[str, int]
    """How often each token is there, strings and numbers left out."""
    tokens: Sequence[str]
    starts: Sequence[int]
    """The place of each in the text, in characters."""


def scan(text: str, limits: Limits) -> Scan:
    """The tokens of a document; a text that is no document may have any.

    Raises `GraphQLSyntaxError` for more tokens than allowed, and `LimitExceeded` where they alone show that a limit of
    `document_limits` is exceeded.
    """
    matches = list(islice(TOKEN.finditer(text), limits.tokens + 1))
    if len(matches) > limits.tokens:
        message = f"Document contains more than {limits.tokens} tokens. Parsing aborted."
        raise GraphQLSyntaxError(_Source(text), matches[-1].start(1), message)
    _check_strings(text, [match for match in matches if match[1][0] == '"'])
    tokens, starts = _without_comments(text, matches)
    counts = Counter(tokens)
    for token in [token for token in counts if token[0] in '"-0123456789']:
        del counts[token]
    require_at_most(counts["@"], limits.directives, "directives")
    _check_fewest(tokens)
    return Scan(counts, tokens, starts)


def is_simple_string(token: str) -> bool:
    """Whether a token is a string that stands for the characters in it."""
    return SIMPLE.fullmatch(token) is not None


def parse_document(text: str, scanned: Scan | None = None) -> DocumentNode:
    """The syntax tree of a document, by its scan where there is one; raises `GraphQLError` and `LimitExceeded`."""
    if scanned is None:
        tokens, starts = _without_comments(text, TOKEN.finditer(text))
    else:
        tokens, starts = scanned.tokens, scanned.starts
    return parse_tokens(_Source(text), tokens, starts)


def _without_comments(text: str, matches: Iterable[re.Match[str]]) -> tuple[Sequence[str], Sequence[int]]:
    """The tokens and their places."""
    if "#" in text:
        matches = [match for match in matches if match[1][0] != "#"]
    found = [(match[1], match.start(1)) for match in matches]
    return [token for token, _ in found], [start for _, start in found]


def _check_strings(text: str, strings: list[re.Match[str]]) -> None:
    strange = 0
    for found in strings:
        if PLAIN.fullmatch(found[1]) is None:
            if _ENDED.fullmatch(found[1]) is None:
                raise GraphQLSyntaxError(_Source(text), found.start(1), "Unterminated string.")
            strange += len(found[1])
    require_at_most(strange, MAX_STRANGE, "characters in block strings and strings with rare escapes; use variables")


def _check_fewest(tokens: Sequence[str]) -> None:
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


class _Source(Source):
    """graphql-core's, which finds the place of an error without a match for each line of the text."""

    def get_location(self, position: int) -> SourceLocation:
        """The line and the column of a character, both from 1."""
        before = self.body[: max(position, 0)]
        lines = before.count("\n") + before.count("\r") - before.count("\r\n")
        start = 1 + max(before.rfind("\n"), before.rfind("\r"))
        if before.endswith("\r") and self.body.startswith("\n", position):
            return super().get_location(position)
        return SourceLocation(1 + lines, 1 + position - start)
