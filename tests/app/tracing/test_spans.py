"""What a span of a statement has of its text, and spans that stand for several."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

import pytest

from models.batcher import Batcher
from models.errors import DatabaseUnavailable
from models.tracing.spans import NO_ATTRIBUTES, Attributes, current_span, ending, measured, within
from models.tracing.statements import statement_span


class Recorded:
    """A span that keeps what became of it, and its children."""

    def __init__(self, name: str = "root", attributes: Attributes = NO_ATTRIBUTES) -> None:
        self.name = name
        self.attributes = dict(attributes)
        self.children: list[Recorded] = []
        self.failed: list[str] = []
        self.is_ended = False

    def child(self, name: str, attributes: Attributes = NO_ATTRIBUTES, *, kind: str = "internal") -> Recorded:
        self.children.append(Recorded(name, {**attributes, "kind": kind}))
        return self.children[-1]

    def rename(self, name: str) -> None:
        self.name = name

    def set(self, attributes: Attributes) -> None:
        self.attributes |= attributes

    def fail(self, error_type: str) -> None:
        self.failed.append(error_type)

    def end(self) -> None:
        self.is_ended = True


@pytest.mark.parametrize(
    ("sql", "name", "text"),
    [
        ("SELECT 1", "SELECT", "SELECT ?"),
        ("SELECT id FROM users WHERE email = 'it''s a secret' AND id = 42", "SELECT users", None),
        ('UPDATE "tokens" SET "name"=$1 WHERE "id"=$2', "UPDATE tokens", 'UPDATE "tokens" SET "name"=$1 WHERE "id"=$2'),
        ("INSERT INTO events (a, b) VALUES (?1, -3.5)", "INSERT events", "INSERT INTO events (a, b) VALUES (?1, -?)"),
        ("WITH held AS (SELECT 1 FOR NO KEY UPDATE OF u) INSERT INTO events SELECT 1", "INSERT events", None),
        ("WITH a AS (SELECT id FROM users) SELECT a.id FROM a", "SELECT users", None),
        (
            "SELECT d.id FROM unnest($1::int8[]) AS q CROSS JOIN LATERAL (SELECT id FROM tokens) AS d",
            "SELECT tokens",
            None,
        ),
        ("BEGIN IMMEDIATE", "BEGIN", "BEGIN IMMEDIATE"),
    ],
)
def test_a_statement_is_shown_without_its_literals(sql: str, name: str, text: str | None) -> None:
    """And by its verb and its first table."""
    root = Recorded()
    with within(root), statement_span(sql, {"db.system.name": "sqlite"}):
        pass
    (span,) = root.children
    assert span.name == span.attributes["db.query.summary"] == name
    assert "secret" not in str(span.attributes)
    assert "42" not in str(span.attributes)
    assert text is None or span.attributes["db.query.text"] == text
    assert span.attributes["kind"] == "client"


def test_an_error_is_its_class() -> None:
    """And never its text, which may hold values."""
    root = Recorded()
    with pytest.raises(DatabaseUnavailable), within(root), statement_span("SELECT 1", {}):
        raise DatabaseUnavailable from OSError("a secret")
    (span,) = root.children
    assert (span.failed, span.is_ended) == (["OSError"], True)


def test_nothing_is_begun_in_a_span_that_has_ended() -> None:
    """What runs on behind a request, such as a check, is no part of it."""
    root = Recorded()
    with ending(root):
        assert current_span() is root
    with within(root), measured("late") as span:
        assert span is None
    assert current_span() is None
    assert root.children == []


async def test_a_batch_is_a_span_of_each_of_its_callers_and_of_no_other() -> None:
    """Though one statement answers them, and whichever of them sends the next one."""
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def fetch(keys: Collection[int]) -> Mapping[int, int]:
        with statement_span("SELECT 1", {}):
            entered.set()
            await go_on.wait()
        return {key: key for key in keys}

    batcher = Batcher[int, int](fetch)
    first, second, third = Recorded(), Recorded(), Recorded()

    async def load(span: Recorded | None, key: int) -> int | None:
        with within(span):
            return await batcher.load(key)

    running = [asyncio.create_task(load(first, 1)), asyncio.create_task(load(second, 2))]
    await entered.wait()
    entered.clear()
    running += [asyncio.create_task(load(third, 3)), asyncio.create_task(load(None, 4))]
    await entered.wait()
    go_on.set()
    assert await asyncio.gather(*running) == [1, 2, 3, 4]

    assert [len(span.children) for span in (first, second, third)] == [1, 1, 1]
    assert all(child.is_ended for span in (first, second, third) for child in span.children)
    assert not any(child.children for span in (first, second, third) for child in span.children)
