"""Spans of statements: OpenTelemetry's conventions for database clients, with the statement's text without a value.

Parameters are never part of a span. The text of a statement has them as placeholders, and its own literals, which are
constants of this program, are replaced too: a statement that is built wrongly must not show what it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from models.short_memo import memo_of_short
from models.tracing.spans import Attributes, Span, Value, current_span, ending

MAX_TEXT = 2_000
"""Characters of a statement that a span has."""
_LITERAL = re.compile(r"'(?:[^']|'')*'|(?<![\w$?.\"])\d+(?:\.\d+)?(?!\w)")
_TABLE = re.compile(r'\b(?:FROM|INTO|UPDATE|JOIN)\s+"?([a-z_][a-z0-9_]*)"?(?![\w(])', re.IGNORECASE)
_WRITTEN = re.compile(r'\b(INSERT|DELETE|UPDATE)\s+(?:INTO\s+|FROM\s+)?"?([a-z_][a-z0-9_]*)', re.IGNORECASE)
"""What a statement that begins with `WITH` writes."""
_NO_TABLES = frozenset({"select", "of", "set", "skip", "lateral", "unnest", "held", "written", "event", "w"})


@contextmanager
def statement_span(sql: str, database: Attributes) -> Iterator[Span | None]:
    """Run in the span of a statement, where a request is traced; `database` has the attributes of the connection."""
    parent = current_span()
    if parent is None:
        yield None
        return
    name, attributes = _described(sql)
    span = parent.child(name, {**database, **attributes}, kind="client")
    with ending(span):
        try:
            yield span
        except Exception as error:
            code = _sqlstate(error)
            if code is not None:
                span.set({"db.response.status_code": code})
            raise


@memo_of_short(256, 4_096)
def _described(sql: str) -> tuple[str, Attributes]:
    """The name of a statement's span (`db.query.summary`), and what is known of it by its text."""
    text = " ".join(_LITERAL.sub("?", sql).split())[:MAX_TEXT]
    operation = text.partition(" ")[0].upper()
    tables = [each.lower() for each in _TABLE.findall(text) if each.lower() not in _NO_TABLES]
    if operation == "WITH":
        written = [(verb.upper(), each.lower()) for verb, each in _WRITTEN.findall(text) if each.lower() != "of"]
        operation = written[0][0] if written else "SELECT"
        tables = [each for _, each in written] + tables
    table = tables[0] if tables else None
    attributes: dict[str, Value] = {"db.operation.name": operation, "db.query.text": text}
    if table is not None:
        attributes["db.collection.name"] = table
    summary = operation if table is None else f"{operation} {table}"
    attributes["db.query.summary"] = summary
    return summary, attributes


def _sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's code, or SQLite's name, of the error that stands at the beginning."""
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    code = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None)
    return code if isinstance(code, str) else None
