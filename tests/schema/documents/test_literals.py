"""Documents that differ in their literals alone are prepared once, and answered as each is by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import pytest

from schema.documents.literals import MAX_CHARACTERS, MAX_LITERALS, outline_of
from schema.execution.engine import Engine, NotExecuted
from schema.limits import Limits
from tests.support.fuzz.fuzz_stage import WATCHED, Stage, staged

LIST = "{ backupDestinations(first: %s) { edges { cursor node { label } } } }"
NODE = '{ node(id: "%s") { id ... on BackupDestination { label } } }'


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage


async def answer(engine: Engine, stage: Stage, text: str, variables: Mapping[str, Any] | None = None) -> Any:
    """The response of an engine to one document, as `/graphql` asks it; and whether the document was prepared."""
    context = stage.context(WATCHED, None)
    bound = engine.bind_outline(text, None, variables or {})
    written = None if bound is None else await bound.answer(context)
    if written is not None:
        return orjson.loads(written), False
    try:
        prepared = engine.prepare(text, None)
        response = await engine.write(engine.bind(prepared, variables or {}), prepared, variables or {}, context)
    except NotExecuted as refused:
        return refused.answer, True
    return orjson.loads(response.text), True


@pytest.mark.parametrize(
    ("text", "outline", "literals"),
    [
        (LIST % 2, LIST % "$literal__0", (2,)),
        (LIST % -7, LIST % "$literal__0", (-7,)),
        (NODE % "User:1", NODE.replace('"%s"', "$literal__0"), ("User:1",)),
        ('{ a(b: {c: ["", "é"], d: 0}) }', "{ a(b: {c: [$literal__0, $literal__1], d: $literal__2}) }", ("", "é", 0)),
        ("query ($n: Int = 3) { a(b: $n, c: 4) }", "query ($n: Int = 3) { a(b: $n, c: $literal__0) }", (4,)),
        ('{ a # first: 1 "\n(b: 1) }', '{ a # first: 1 "\n(b: $literal__0) }', (1,)),
    ],
)  # fmt: skip
def test_strings_and_integers_in_arguments_are_taken_out(text: str, outline: str, literals: tuple[Any, ...]) -> None:
    found = outline_of(text)

    assert found is not None
    assert (found.text, found.literals) == (outline, literals)


@pytest.mark.parametrize(
    "text",
    [
        "{ viewer { id } }",
        "query ($n: Int = 3) { a(first: $n) }",
        "{ a(b: 1.5) }",
        "{ a(b: 01) }",
        "{ a(b: 2147483648) }",
        f"{{ a(b: {'9' * 5_000}) }}",
        '{ a(b: "\\n") }',
        '{ a(b: """text""") }',
        '{ a(b: "text) }',
        '{ a(b: "\x00") }',
        '{ a(b: 1) { literal__0 } }',
        "{ a(b: [" + "1 " * (MAX_LITERALS + 1) + "]) }",
        f'{{ a(b: "{"x" * MAX_CHARACTERS}") }}',
    ],
)  # fmt: skip
def test_what_is_not_plainly_a_value_stays(text: str) -> None:
    assert outline_of(text) is None


async def test_from_the_third_on_documents_of_one_outline_are_not_prepared(stage: Stage) -> None:
    engine = Engine(Limits())
    found = [await answer(engine, stage, LIST % number) for number in range(1, 8)]

    assert [len(response["data"]["backupDestinations"]["edges"]) for response, _ in found] == list(range(1, 8))
    assert [was_prepared for _, was_prepared in found] == [True, True, False, False, False, False, False]


@pytest.mark.parametrize(
    ("template", "values"),
    [
        (LIST, ["1", "0", "101", "-1", "2147483647", "2147483648", "1.0", '"1"', "null", "true", "01", "$n"]),
        (NODE, ["User:1", "BackupDestination:1", "BackupDestination:0", "x", "", "\\n", "\\u00e9", "a\tb", "😀"]),
        (
            "{ backupDestinations(first: 2, filter: {labelContains: %s, kinds: [LOCAL]}) { totalCount } }",
            ['"a"', '""', '"' + "x" * 300 + '"', "1", "null", '"""a"""'],
        ),
        ("{ backupDestinations(filter: {createdSince: %s}) { totalCount } }", ['"2024-08-07T00:00:00Z"', '"x"', "1"]),
        ("query { backupDestinations(last: %s, orderBy: {field: LABEL}) { nodes { label } } }", ["1", "2", "x", '"']),
        (
            '{ a: node(id: "User:1") { id } a: node(id: "%s") { id } }',
            ["User:1", "User:1", "User:1", "User:2", "User:1"],
        ),
        ("{ backupDestinations(first: %s) { nothing } }", ["1", "2", "3"]),
        ("query ($n: Int) { backupDestinations(first: $n, after: %s) { totalCount } }", ['""', '"x"', "null", "1"]),
    ],
)  # fmt: skip
async def test_each_document_is_answered_as_it_is_by_itself(stage: Stage, template: str, values: list[str]) -> None:
    """Errors and their positions, too, whatever was prepared before."""
    engine = Engine(Limits())
    for value in [*values[:1] * 3, *values, *reversed(values)]:
        text = template % value
        found, _ = await answer(engine, stage, text)
        alone, _ = await answer(Engine(Limits()), stage, text)
        assert found == alone, text


async def test_outlines_are_bounded_by_bytes(stage: Stage) -> None:
    engine = Engine(Limits())
    for number in range(400):
        for value in range(2):
            await answer(
                engine, stage, f"{{ a{number}: backupDestinations(first: {value}) {{ totalCount }} # {'x' * 500}\n}}"
            )

    assert engine._outlines.bytes <= 8 * 2**20
