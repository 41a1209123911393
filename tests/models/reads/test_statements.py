"""What the statements of the hot reads ask for: no secret ever, and what may be long only where it is wanted."""

from __future__ import annotations

from itertools import product

import pytest

from models.destinations.row import COLUMNS, LIST_COLUMNS
from models.reads import statements

BOTH = (False, True)


def all_statements(*, is_sqlite: bool) -> list[str]:
    """Every statement, in the way of one engine."""
    return [
        *(statements.tokens_by(column, is_sqlite=is_sqlite) for column in ("id", "digest")),
        statements.destinations(is_sqlite=is_sqlite),
        *(statements.numbered_page(from_end=end, is_sqlite=is_sqlite) for end in BOTH),
        *([] if is_sqlite else [statements.first_pages()]),
        *(
            statements.key_range(from_end=end, all_columns=full, of_kinds=kinds, is_sqlite=is_sqlite)
            for end, full, kinds in product(BOTH, BOTH, BOTH)
        ),
    ]


def words_of(sql: str) -> set[str]:
    """The names in a statement, among others."""
    return set(sql.replace(",", " ").replace(".", " ").split())


@pytest.mark.parametrize("is_sqlite", BOTH)
def test_no_statement_names_a_secret(is_sqlite: bool) -> None:
    """Nor a star, which would be all columns."""
    for sql in all_statements(is_sqlite=is_sqlite):
        assert not {"access_key", "secret_key", "uid"} & words_of(sql), sql
        assert "*" not in sql, sql
    assert not {"access_key", "secret_key"} & set(COLUMNS)


def test_a_list_leaves_out_what_it_does_not_show() -> None:
    """A stored report is longer than the rest of a row; on SQLite a row is read as one piece anyway."""
    for sql in (
        *(statements.numbered_page(from_end=end, is_sqlite=False) for end in BOTH),
        *(
            statements.key_range(from_end=end, all_columns=False, of_kinds=kinds, is_sqlite=False)
            for end, kinds in product(BOTH, BOTH)
        ),
        statements.first_pages(),
    ):
        assert not (set(COLUMNS) - set(LIST_COLUMNS)) & words_of(sql), sql
        assert set(LIST_COLUMNS) <= words_of(sql), sql
