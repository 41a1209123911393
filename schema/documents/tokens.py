"""The tokens of a document, read by regular expressions: what is refused for its size costs no syntax tree.

graphql-core's lexer looks at one character at a time: 25 ms for a document of 64 KiB, before its parser can refuse it.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed leaves it out

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    InlineFragmentNode,
    Lexer,
    Location,
    NamedTypeNode,
    NameNode,
    SelectionNode,
    SelectionSetNode,
    Source,
    SourceLocation,
    Token,
    TokenKind,
)
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
    r'|"([^"\\\x00-\x08\x0a-\x1f\ud800-\udfff]*+)"(?!")|(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+)(?![0-9._A-Za-z])'
)
_PLAIN_NEXT = re.compile(r"[ \t,\n]*+(?:([_A-Za-z][_0-9A-Za-z]*+)|(\.\.\.|[!$&()\[\]{}:=|@]))")
"""A name or punctuation behind what is ignored most often."""
_SIMPLE = re.compile(r'"[^"\\\x00-\x08\x0a-\x1f\ud800-\udfff]*+"')
"""A string without escapes."""
_PLAIN = re.compile(
    r'"(?:[^"\\\x00-\x08\x0a-\x1f\ud800-\udfff]++|\\["\\/bfnrt]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}'
    r'|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+"(?!")'
)
"""A string that is one of JSON, too."""
_ENDED = re.compile(r'"""(?:[^"\\]++|\\"""|\\|"(?!""))*+"""|"(?:[^"\\\n\r]++|\\.)*+"')
_KINDS = {kind.value: kind for kind in TokenKind}
_NAME, _STRING, _INT, _FLOAT = TokenKind.NAME, TokenKind.STRING, TokenKind.INT, TokenKind.FLOAT


def scan(text: str, limits: Limits) -> Counter[str]:
    """How often each token is in a document, strings and numbers left out.

    Raises `GraphQLSyntaxError` for more tokens than allowed, and `LimitExceeded` where they alone show that a limit of
    `document_limits` is exceeded. A text that is no document may have any tokens.
    """
    matches = list(islice(TOKEN.finditer(text), limits.tokens + 1))
    if len(matches) > limits.tokens:
        message = f"Document contains more than {limits.tokens} tokens. Parsing aborted."
        raise GraphQLSyntaxError(_Source(text), matches[-1].start(1), message)
    _check_strings(text, [match for match in matches if match[1][0] == '"'])
    tokens = [match[1] for match in matches]
    counts = Counter(tokens)
    for token in [token for token in counts if token[0] in '"#-0123456789']:
        del counts[token]
    require_at_most(counts["@"], limits.directives, "directives")
    _check_fewest(tokens)
    return counts


def is_simple_string(token: str) -> bool:
    """Whether a token is a string that stands for the characters in it."""
    return _SIMPLE.fullmatch(token) is not None


def parse_document(text: str) -> DocumentNode:
    """The syntax tree of a document that was scanned; raises `GraphQLError`.

    Its tokens do not know each other any more: a tree that is dropped is freed then, and waits for no collector.
    """
    document = _Parser(_Source(text)).parse()
    token = None if document.loc is None else document.loc.start_token
    while token is not None:
        following, token.prev, token.next = token.next, None, None
        token = following
    return document


def _check_strings(text: str, strings: list[re.Match[str]]) -> None:
    strange = 0
    for found in strings:
        if _PLAIN.fullmatch(found[1]) is None:
            if _ENDED.fullmatch(found[1]) is None:
                raise GraphQLSyntaxError(_Source(text), found.start(1), "Unterminated string.")
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
        kind = _STRING if group == 3 else _INT if text.lstrip("-").isdigit() else _FLOAT
        return self.create_token(kind, position, found.end(), text)

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


class _Parser(Parser):
    """graphql-core's, for names, punctuation, fields and their selections in half the time."""

    def __init__(self, source: Source) -> None:
        super().__init__(source, lexer=_Lexer(source))

    def advance_lexer(self) -> None:
        """Read the next token; nothing is counted, since the document was scanned."""
        lexer = self._lexer
        before = lexer.token
        body = lexer.source.body
        found = None if before.next is not None else _PLAIN_NEXT.match(body, before.end)
        if found is None:
            super().advance_lexer()
            return
        group: int = found.lastindex  # type: ignore[assignment]  # one of them matched
        text, start = found[group], found.start(group)
        if start > before.end and (last := body.rfind("\n", before.end, start)) >= 0:
            lexer.line += body.count("\n", before.end, start)
            lexer.line_start = last + 1
        kind, value = (_NAME, text) if group == 1 else (_KINDS[text], None)
        token = Token(kind, start, found.end(), lexer.line, 1 + start - lexer.line_start, value)
        token.prev, before.next = before, token
        lexer.last_token, lexer.token = before, token

    def parse_name(self) -> NameNode:
        """A name."""
        token = self._lexer.token
        if token.kind is not _NAME:
            return super().parse_name()
        self.advance_lexer()
        return NameNode(value=token.value or "", loc=Location(token, token, self._lexer.source))

    def parse_field(self) -> FieldNode:
        """A field with what follows it."""
        lexer = self._lexer
        start = lexer.token
        alias, name = None, self.parse_name()
        kind = lexer.token.kind
        if kind is TokenKind.COLON:
            self.advance_lexer()
            alias, name = name, self.parse_name()
            kind = lexer.token.kind
        if kind is _NAME or kind is TokenKind.BRACE_R:
            return FieldNode(alias=alias, name=name, loc=Location(start, lexer.last_token, lexer.source))
        return FieldNode(
            alias=alias,
            name=name,
            arguments=self.parse_arguments(False) if kind is TokenKind.PAREN_L else None,
            directives=self.parse_directives(False),
            selection_set=self.parse_selection_set() if lexer.token.kind is TokenKind.BRACE_L else None,
            loc=Location(start, lexer.last_token, lexer.source),
        )

    def parse_fragment(self) -> FragmentSpreadNode | InlineFragmentNode:
        """Three dots with what follows them."""
        lexer = self._lexer
        start = lexer.token
        self.advance_lexer()
        token = lexer.token
        condition = None
        if token.kind is _NAME:
            if token.value != "on":
                name = self.parse_name()
                directives = self.parse_directives(False) if lexer.token.kind is TokenKind.AT else None
                loc = Location(start, lexer.last_token, lexer.source)
                return FragmentSpreadNode(name=name, directives=directives, loc=loc)
            self.advance_lexer()
            name = self.parse_name()
            condition = NamedTypeNode(name=name, loc=name.loc)
        return InlineFragmentNode(
            type_condition=condition,
            directives=self.parse_directives(False) if lexer.token.kind is TokenKind.AT else None,
            selection_set=self.parse_selection_set(),
            loc=Location(start, lexer.last_token, lexer.source),
        )

    def parse_selection_set(self) -> SelectionSetNode:
        """The selections between braces, which begin here; there may be none."""
        self._enter_nesting()
        lexer = self._lexer
        start = lexer.token
        if start.kind is not TokenKind.BRACE_L:
            self.expect_token(TokenKind.BRACE_L)
        self.advance_lexer()
        selections: list[SelectionNode] = []
        while (kind := lexer.token.kind) is not TokenKind.BRACE_R:
            selections.append(self.parse_fragment() if kind is TokenKind.SPREAD else self.parse_field())
        self.advance_lexer()
        self._nesting_depth -= 1
        return SelectionSetNode(selections=tuple(selections), loc=Location(start, lexer.last_token, lexer.source))

    def parse(self) -> DocumentNode:
        """The document; one that is nested too deeply is no document."""
        try:
            return self.parse_document()
        except RecursionError:
            raise GraphQLSyntaxError(
                self._lexer.source, self._lexer.token.start, "Document is nested too deeply."
            ) from None
