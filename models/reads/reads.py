"""The hot reads: a token, a destination, a part of a list. Their statements are fixed, and requests share them.

On PostgreSQL one statement answers for all keys of a batch; the embedded database answers key by key, in one call to
its thread. Both use the ORM's own connections.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from asyncpg import Record

from models.accounts.bearer import Bearer
from models.accounts.token_row import TokenRow
from models.accounts.user import User
from models.batcher import Batcher
from models.database.sqlite import MooringsSqliteClient
from models.destinations.attributes import DestinationKind
from models.destinations.row import COLUMNS, LIST_COLUMNS, DestinationRow, ListRow, RecordRow, from_sqlite
from models.errors import DatabaseUnavailable, Unauthenticated
from models.reads import statements

ID_LIMIT = 2**31
"""Greater than every id."""
IMPORTED_TOKENS_LOOK_S = 0.5
"""How long a process may not know yet that the first tokens of another application were imported.

It looks when a token of their form is presented, and not again before this time: junk costs no more than that.
"""
_ID = itemgetter(COLUMNS.index("id"))
_USER_ID = COLUMNS.index("user_id")


_token_from_postgresql: Callable[[Iterable[Any]], TokenRow] = partial(tuple.__new__, TokenRow)


OwnedId = tuple[int, int]
"""The id of a destination, and the user whose it has to be; 0 for any."""


class KeyRange(NamedTuple):
    """One user's destinations between two ids, neither included: at most `size` from its start, or from its end.

    Only those of some kinds, if `kinds` says so: the rows of the other kinds are looked at too, and requests that share
    the statement wait for that. Without `all_columns` its rows may have the `LIST_COLUMNS` only.
    """

    user_id: int
    after_id: int
    before_id: int
    size: int
    from_end: bool
    all_columns: bool = True
    kinds: str = ""
    """All of them, or as `kinds_text` writes them."""


def kinds_text(kinds: Iterable[DestinationKind]) -> str:
    """The `kinds` of a `KeyRange`; never empty."""
    return f",{','.join(sorted(kinds))},"


FirstPage = tuple[int, int]
"""A user's id and a size: the start of the list, the most frequent read. Its rows may have the `LIST_COLUMNS` only."""


class NumberedPage(NamedTuple):
    """A page of one user's destinations with `skip` rows before it, and at most `size` rows on it.

    Its rows may have the `LIST_COLUMNS` only.
    """

    user_id: int
    skip: int
    size: int
    from_end: bool
    """Whether to search it from the end of the list, because that is nearer."""


class CountedRows(NamedTuple):
    """A page's rows and how many destinations the user has, both from one statement."""

    rows: Sequence[DestinationRow]
    total: int


class Reads:
    """The hot reads of one process."""

    def __init__(self) -> None:
        self._tokens = Batcher[int | str, TokenRow](_fetch_tokens)
        self._destinations = Batcher[OwnedId, DestinationRow](_fetch_destinations)
        self._first_pages = Batcher[FirstPage, Sequence[DestinationRow]](_fetch_first_pages)
        self._key_ranges = Batcher[KeyRange, Sequence[DestinationRow]](_fetch_key_ranges)
        self._kind_ranges = Batcher[KeyRange, Sequence[DestinationRow]](_fetch_key_ranges)
        self._pages = Batcher[NumberedPage, CountedRows](_fetch_numbered_pages)
        self.has_imported_tokens = False
        """Whether tokens of another application are looked up; without any, what looks like one is junk."""
        self._look: asyncio.Task[None] | None = None
        self._next_look = 0.0

    def token(self, id_or_digest: int | str) -> asyncio.Future[TokenRow | None]:
        """A token by its id, of 31 bits, or by its digest."""
        return self._tokens.load(id_or_digest)

    async def tokens(self, ids: Collection[int]) -> Mapping[int, TokenRow]:
        """Those of these tokens that there are, by id, by a statement of their own: no request waits for it.

        Raises `DatabaseUnavailable`.
        """
        return {token.id: token for token in (await _fetch_tokens(ids)).values()}

    def token_of(self, bearer: Bearer) -> asyncio.Future[TokenRow | None]:
        """The token that a client presented; raises `Unauthenticated` for an id that no token can have.

        An imported one is found by its digest, whether its id was sent or not: `refusal_of` compares the id. While
        none is known it may be the first one, and the future raises `Unauthenticated` when there is none still.
        """
        if bearer.token_id is not None and bearer.token_id >= ID_LIMIT:
            raise Unauthenticated
        if not bearer.is_foreign:
            return self.token(bearer.digest if bearer.token_id is None else bearer.token_id)
        if self.has_imported_tokens:
            return self.token(bearer.digest)
        return asyncio.get_running_loop().create_task(self._first_imported(bearer.digest), name="imported tokens")

    def may_be_imported(self) -> bool:
        """Whether to look a token of another application up: some were imported, or it is time to look whether."""
        return self.has_imported_tokens or self._look is not None or time.monotonic() >= self._next_look

    async def find_imported_tokens(self) -> None:
        """Ask whether there are imported tokens; raises `DatabaseUnavailable`."""
        self._next_look = time.monotonic() + IMPORTED_TOKENS_LOOK_S
        database, sql = _database(), statements.any_imported_token()
        if isinstance(database, MooringsSqliteClient):
            (rows,) = await database.fetch_each(sql, [()])
        else:
            rows = list(await database.fetch(sql))
        self.has_imported_tokens = bool(rows)

    async def _first_imported(self, digest: str) -> TokenRow | None:
        """Look whether tokens were imported meanwhile, once for all who ask, and if so for the token."""
        if self._look is None:
            self._look = asyncio.get_running_loop().create_task(self._look_again(), name="imported tokens")
        await asyncio.shield(self._look)
        if not self.has_imported_tokens:
            raise Unauthenticated
        return await self.token(digest)

    async def _look_again(self) -> None:
        """A database that is away has no tokens that this process does not know."""
        try:
            with suppress(DatabaseUnavailable):
                await self.find_imported_tokens()
        finally:
            self._look = None

    def destination(self, destination_id: int, user_id: int = 0) -> Awaitable[DestinationRow | None]:
        """A destination by its id, of 31 bits; None unless it is this user's. 0 stands for any user. A future."""
        return self._destinations.load((destination_id, user_id))

    def first_page(self, user_id: int, size: int) -> Awaitable[Sequence[DestinationRow] | None]:
        """The first rows of a list; None when it is empty."""
        return self._first_pages.load((user_id, size))

    def key_range(self, key_range: KeyRange) -> Awaitable[Sequence[DestinationRow] | None]:
        """A key range; read from its end, the last row comes first. None when it is empty."""
        return (self._kind_ranges if key_range.kinds else self._key_ranges).load(key_range)

    def numbered_page(self, page: NumberedPage) -> Awaitable[CountedRows | None]:
        """A numbered page; None when there is nothing on it."""
        return self._pages.load(page)

    def counts(self) -> Mapping[str, tuple[int, int]]:
        """For each read, how many requests it had and how many statements answered them."""
        named: dict[str, tuple[Batcher[Any, Any], ...]] = {
            "token": (self._tokens,),
            "destination": (self._destinations,),
            "slice": (self._first_pages, self._key_ranges, self._kind_ranges),
            "page": (self._pages,),
        }
        return {
            name: (sum(each.requests for each in batched), sum(each.statements for each in batched))
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
    timestamps: dict[str, Any] = {
        name: datetime.fromisoformat(text)
        for name in ("expires_at", "revoked_at", "disabled_at")
        if (text := getattr(token, name)) is not None
    }
    return token._replace(**timestamps) if timestamps else token


async def _fetch_destinations(keys: Collection[OwnedId]) -> dict[OwnedId, DestinationRow]:
    database = _database()
    sql = statements.destinations(is_sqlite=isinstance(database, MooringsSqliteClient))
    ids = list(dict.fromkeys(id_ for id_, _ in keys))
    rows = {row.id: row for row in _made(database, await _rows_by(database, sql, ids, RecordRow))}
    return {key: row for key in keys if (row := rows.get(key[0])) is not None and key[1] in (0, row.user_id)}


async def _fetch_first_pages(keys: Collection[FirstPage]) -> dict[FirstPage, Sequence[DestinationRow]]:
    """Each user's rows once, as many as the largest size asked of that user."""
    database = _database()
    if isinstance(database, MooringsSqliteClient):
        ranges = {key: KeyRange(key[0], 0, ID_LIMIT, key[1], from_end=False) for key in keys}
        found = await _fetch_key_ranges(ranges.values())
        return {key: found[key_range] for key, key_range in ranges.items()}
    sizes: dict[int, int] = {}
    for user_id, size in keys:
        sizes[user_id] = max(size, sizes.get(user_id, 0))
    rows: dict[int, list[DestinationRow]] = {user_id: [] for user_id in sizes}
    users = list(sizes), list(sizes.values())
    for record in await database.fetch(statements.first_pages(), *users, record_class=ListRow):
        rows[record[_USER_ID]].append(record)
    return {key: _in_order(rows[key[0]], from_end=False)[: key[1]] for key in keys}


async def _fetch_key_ranges(ranges: Collection[KeyRange]) -> dict[KeyRange, list[DestinationRow]]:
    """All columns of all ranges when one of them wants all. Either all of them are of some kinds, or none is."""
    database = _database()
    is_sqlite = isinstance(database, MooringsSqliteClient)
    all_columns = is_sqlite or any(key_range.all_columns for key_range in ranges)
    of_kinds = any(key_range.kinds for key_range in ranges)
    found: dict[KeyRange, list[DestinationRow]] = {}
    for from_end in (False, True):
        wanted = [key_range for key_range in ranges if key_range.from_end is from_end]
        if wanted:
            sql = statements.key_range(
                from_end=from_end, all_columns=all_columns, of_kinds=of_kinds, is_sqlite=is_sqlite
            )
            keys = [(*each[:4], each.kinds) if of_kinds else each[:4] for each in wanted]
            by_range = await _rows_of(database, sql, keys, all_columns=all_columns)
            for key_range, rows in zip(wanted, by_range, strict=True):
                found[key_range] = _in_order(_made(database, rows), from_end=from_end)
    return found


async def _fetch_numbered_pages(pages: Collection[NumberedPage]) -> dict[NumberedPage, CountedRows]:
    database = _database()
    found: dict[NumberedPage, CountedRows] = {}
    for from_end in (False, True):
        wanted = [page for page in pages if page.from_end is from_end]
        if wanted:
            sql = statements.numbered_page(from_end=from_end, is_sqlite=isinstance(database, MooringsSqliteClient))
            by_page = await _rows_of(database, sql, [page[:3] for page in wanted], all_columns=False)
            for page, rows in zip(wanted, by_page, strict=True):
                if rows:
                    total = rows[0][-1]
                    found[page] = CountedRows(rows=_in_order(_made(database, rows), from_end=False), total=total)
    return found


def _database() -> Any:
    """The ORM's client, looked up once for each statement."""
    return User._meta.db


def _made(database: Any, rows: list[Any]) -> list[DestinationRow]:
    """The rows as `DestinationRow`s, which those of PostgreSQL already are."""
    if isinstance(database, MooringsSqliteClient):
        return [from_sqlite(row[: len(COLUMNS)]) for row in rows]
    return rows


async def _rows_by(database: Any, sql: str, keys: Sequence[Any], class_: type[Record] | None = None) -> list[Any]:
    """The rows of all keys together, in no order."""
    if isinstance(database, MooringsSqliteClient):
        found = await database.fetch_each(sql, [(key,) for key in keys])
        return [row for rows in found for row in rows]
    return list(await database.fetch(sql, keys, record_class=class_))


async def _rows_of(
    database: Any, sql: str, keys: Sequence[tuple[int | str, ...]], *, all_columns: bool
) -> list[list[Any]]:
    """The rows of each key; on PostgreSQL the number of the key follows their columns."""
    if isinstance(database, MooringsSqliteClient):
        return await database.fetch_each(sql, keys)
    found: list[list[Any]] = [[] for _ in keys]
    columns = [list(column) for column in zip(*keys, strict=True)]
    class_, width = (RecordRow, len(COLUMNS)) if all_columns else (ListRow, len(LIST_COLUMNS))
    for record in await database.fetch(sql, *columns, record_class=class_):
        found[record[width] - 1].append(record)
    return found


def _in_order(rows: list[DestinationRow], *, from_end: bool) -> list[DestinationRow]:
    """The rows by id: a join promises no order, though rows of one key usually come in order already."""
    rows.sort(key=_ID, reverse=from_end)
    return rows
