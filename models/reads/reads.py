"""The hot reads: a token, a destination, a part of a list - statements written once, shared by the requests that wait.

On PostgreSQL one statement answers for all keys of a batch; the embedded database answers key by key, in one visit to
its thread. Either way they run on the ORM's own connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from asyncpg import Record

from models.accounts.user import User
from models.batcher import Batched
from models.clock import current_second
from models.database.sqlite import MooringsSqliteClient
from models.destinations.row import BRIEF, COLUMNS, BriefRow, DestinationRow, RecordRow, from_sqlite
from models.reads import statements

BEHIND_EVERY_ID = 2**31
_ID = itemgetter(COLUMNS.index("id"))
_USER_ID = COLUMNS.index("user_id")


class TokenRow(NamedTuple):
    """A token and its user, as the lookup that authenticates a request reads them."""

    id: int
    digest: str
    name: str
    abilities: str
    expires_at: datetime | None
    revoked_at: datetime | None
    user_id: int
    user_name: str
    email: str
    revision: int
    destination_count: int
    disabled_at: datetime | None

    def is_valid(self) -> bool:
        """Whether it is neither revoked nor expired now, and its user enabled."""
        if self.revoked_at is not None or self.disabled_at is not None:
            return False
        return self.expires_at is None or self.expires_at > current_second()


_token_from_postgresql: Callable[[Iterable[Any]], TokenRow] = partial(tuple.__new__, TokenRow)


class Span(NamedTuple):
    """A part of one user's destinations between two ids, `size` at most from its start, or from its end.

    Its rows may be brief unless it is wanted `in_full`.
    """

    user_id: int
    after_id: int
    before_id: int
    size: int
    from_end: bool
    in_full: bool = True


Beginning = tuple[int, int]
"""A user, and how many of his first destinations at most: most of what is asked of lists. Its rows may be brief."""


class PageSpan(NamedTuple):
    """A numbered page of one user's destinations: `skip` rows are before it. `size` at most, all from 0.

    Its rows may be brief.
    """

    user_id: int
    skip: int
    size: int
    from_end: bool
    """Whether to look for it from the end of the list, because it is nearer."""


class CountedRows(NamedTuple):
    """A page's rows, and how many the user has in all, from one and the same statement."""

    rows: Sequence[DestinationRow]
    total: int


class Reads:
    """The hot reads of one process."""

    def __init__(self) -> None:
        self._tokens = Batched[int | str, TokenRow](_fetch_tokens)
        self._destinations = Batched[int, DestinationRow](_fetch_destinations)
        self._beginnings = Batched[Beginning, Sequence[DestinationRow]](_fetch_beginnings)
        self._spans = Batched[Span, Sequence[DestinationRow]](_fetch_spans)
        self._pages = Batched[PageSpan, CountedRows](_fetch_pages)

    def token(self, id_or_digest: int | str) -> asyncio.Future[TokenRow | None]:
        """A token by its id, of 31 bits, or by its digest."""
        return self._tokens.ask(id_or_digest)

    def destination(self, destination_id: int) -> Awaitable[DestinationRow | None]:
        """A destination by its id, of 31 bits, whoever owns it."""
        return self._destinations.ask(destination_id)

    def beginning(self, user_id: int, size: int) -> Awaitable[Sequence[DestinationRow] | None]:
        """The first rows of a list; None when there is none."""
        return self._beginnings.ask((user_id, size))

    def span(self, span: Span) -> Awaitable[Sequence[DestinationRow] | None]:
        """A part of a list by key; from its end, the last row comes first. None when there is nothing in it."""
        return self._spans.ask(span)

    def page(self, page: PageSpan) -> Awaitable[CountedRows | None]:
        """A numbered page; None when there is nothing on it."""
        return self._pages.ask(page)

    def counts(self) -> Mapping[str, tuple[int, int]]:
        """For each read, how many asked and how many statements answered them."""
        named: dict[str, tuple[Batched[Any, Any], ...]] = {
            "token": (self._tokens,),
            "destination": (self._destinations,),
            "slice": (self._beginnings, self._spans),
            "page": (self._pages,),
        }
        return {
            name: (sum(each.asked for each in batched), sum(each.statements for each in batched))
            for name, batched in named.items()
        }


async def _fetch_tokens(keys: Collection[int | str]) -> dict[int | str, TokenRow]:
    database = _database()
    is_sqlite = isinstance(database, MooringsSqliteClient)
    make = _token_from_sqlite if is_sqlite else _token_from_postgresql
    found: dict[int | str, TokenRow] = {}
    for column, position, type_ in (("id", 0, int), ("digest", 1, str)):
        wanted = [key for key in keys if type(key) is type_]
        if wanted:
            rows = await _rows_by(database, statements.tokens_by(column, is_sqlite=is_sqlite), wanted)
            found |= {row[position]: make(row) for row in rows}
    return found


def _token_from_sqlite(values: Sequence[Any]) -> TokenRow:
    token = TokenRow._make(values)
    moments: dict[str, Any] = {
        name: datetime.fromisoformat(text)
        for name in ("expires_at", "revoked_at", "disabled_at")
        if (text := getattr(token, name)) is not None
    }
    return token._replace(**moments) if moments else token


async def _fetch_destinations(ids: Collection[int]) -> dict[int, DestinationRow]:
    database = _database()
    sql = statements.destinations(is_sqlite=isinstance(database, MooringsSqliteClient))
    return {row.id: row for row in _made(database, await _rows_by(database, sql, list(ids), RecordRow))}


async def _fetch_beginnings(keys: Collection[Beginning]) -> dict[Beginning, Sequence[DestinationRow]]:
    """Each user's rows once, as many as are wanted at the most."""
    database = _database()
    if isinstance(database, MooringsSqliteClient):
        spans = {key: Span(key[0], 0, BEHIND_EVERY_ID, key[1], from_end=False) for key in keys}
        found = await _fetch_spans(spans.values())
        return {key: found[span] for key, span in spans.items()}
    sizes: dict[int, int] = {}
    for user_id, size in keys:
        sizes[user_id] = max(size, sizes.get(user_id, 0))
    rows: dict[int, list[DestinationRow]] = {user_id: [] for user_id in sizes}
    users = list(sizes), list(sizes.values())
    for record in await database.fetch(statements.beginnings(), *users, record_class=BriefRow):
        rows[record[_USER_ID]].append(record)
    return {key: _in_order(rows[key[0]], from_end=False)[: key[1]] for key in keys}


async def _fetch_spans(spans: Collection[Span]) -> dict[Span, list[DestinationRow]]:
    """All in full when one of them has to be."""
    database = _database()
    is_sqlite = isinstance(database, MooringsSqliteClient)
    in_full = is_sqlite or any(span.in_full for span in spans)
    found: dict[Span, list[DestinationRow]] = {}
    for from_end in (False, True):
        wanted = [span for span in spans if span.from_end is from_end]
        if wanted:
            sql = statements.span(from_end=from_end, in_full=in_full, is_sqlite=is_sqlite)
            by_span = await _rows_of(database, sql, [span[:4] for span in wanted], in_full=in_full)
            for span, rows in zip(wanted, by_span, strict=True):
                found[span] = _in_order(_made(database, rows), from_end=from_end)
    return found


async def _fetch_pages(pages: Collection[PageSpan]) -> dict[PageSpan, CountedRows]:
    database = _database()
    found: dict[PageSpan, CountedRows] = {}
    for from_end in (False, True):
        wanted = [page for page in pages if page.from_end is from_end]
        if wanted:
            sql = statements.page(from_end=from_end, is_sqlite=isinstance(database, MooringsSqliteClient))
            by_page = await _rows_of(database, sql, [page[:3] for page in wanted], in_full=False)
            for page, rows in zip(wanted, by_page, strict=True):
                if rows:
                    total = rows[0][-1]
                    found[page] = CountedRows(rows=_in_order(_made(database, rows), from_end=False), total=total)
    return found


def _database() -> Any:
    """The ORM's own connections, looked up once for each statement."""
    return User._meta.db


def _made(database: Any, rows: list[Any]) -> list[DestinationRow]:
    """The rows as rows of ours; those of PostgreSQL are."""
    if isinstance(database, MooringsSqliteClient):
        return [from_sqlite(row[: len(COLUMNS)]) for row in rows]
    return rows


async def _rows_by(database: Any, sql: str, keys: Sequence[Any], class_: type[Record] | None = None) -> list[Any]:
    """The rows of all keys together, in no order."""
    if isinstance(database, MooringsSqliteClient):
        found = await database.fetch_each(sql, [(key,) for key in keys])
        return [row for rows in found for row in rows]
    return list(await database.fetch(sql, keys, record_class=class_))


async def _rows_of(database: Any, sql: str, keys: list[tuple[int, ...]], *, in_full: bool) -> list[list[Any]]:
    """The rows of each key, with what stands behind their columns: on PostgreSQL, first of all, whose they are."""
    if isinstance(database, MooringsSqliteClient):
        return await database.fetch_each(sql, keys)
    found: list[list[Any]] = [[] for _ in keys]
    columns = [list(column) for column in zip(*keys, strict=True)]
    class_, width = (RecordRow, len(COLUMNS)) if in_full else (BriefRow, len(BRIEF))
    for record in await database.fetch(sql, *columns, record_class=class_):
        found[record[width] - 1].append(record)
    return found


def _in_order(rows: list[DestinationRow], *, from_end: bool) -> list[DestinationRow]:
    """By id. A join promises no order, though rows of one key come in it: they only need to be looked at."""
    rows.sort(key=_ID, reverse=from_end)
    return rows
