"""graphql-core's lexer, for the tokens of nearly all documents by one match of a regular expression.

It reads what is wrong with a token, block strings, and documents that define types; what else is parsed was scanned.
"""

from __future__ import annotations

import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed leaves it out

from graphql import Lexer, Token, TokenKind

_IGNORED = re.compile(r"(?:[ \t,\ufeff\n\r]++|#[^\n\r]*+)*+")
_NEXT = re.compile(
    r"([_A-Za-z][_0-9A-Za-z]*+)|(\.\.\.|[!$&()\[\]{}:=|@])"
    r'|"([^"\\\x00-\x08\x0a-\x1f\ud800-\udfff]*+)"(?!")|(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+)(?![0-9._A-Za-z])'
)
SIMPLE = re.compile(r'"[^"\\\x00-\x08\x0a-\x1f\ud800-\udfff]*+"')
"""A string without escapes."""
PLAIN = re.compile(
    r'"(?:[^"\\\x00-\x08\x0a-\x1f\ud800-\udfff]++|\\["\\/bfnrt]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}'
    r'|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+"(?!")'
)
"""A string that is one of JSON, too."""
_KINDS = {kind.value: kind for kind in TokenKind}
_NAME, _STRING, _INT, _FLOAT = TokenKind.NAME, TokenKind.STRING, TokenKind.INT, TokenKind.FLOAT


class TokenLexer(Lexer):
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
        if PLAIN.match(body, position) is None:
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
