"""The statements of the hot reads for each engine; names of tables and columns are the models' own.

PostgreSQL takes all keys of a batch as arrays, and `n` says which key a row belongs to. An offset is found in the index
alone before a row is fetched. Values that are no columns of a row follow its columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from models.accounts.token import Token
from models.accounts.user import User
from models.destinations.row import COLUMNS, LIST_COLUMNS
from models.destinations.table import BackupDestination

_DESTINATIONS, _TOKENS, _USERS = (model._meta.db_table for model in (BackupDestination, Token, User))
_ROW = ", ".join(COLUMNS)
_TOKEN = (
    "t.id, t.digest, t.name, t.abilities, t.expires_at, t.revoked_at, u.id AS user_id, u.name AS user_name, u.email,"
    f" u.revision, u.destination_count, u.disabled_at, t.networks, t.imported_id, u.checks_revision"
    f" FROM {_TOKENS} t JOIN {_USERS} u ON u.id = t.user_id"
)
_ORDERS = {False: "user_id, id", True: "user_id DESC, id DESC"}


@cache
def tokens_by(column: str, *, is_sqlite: bool) -> str:
    """Tokens with their users by `id` or `digest`; one on SQLite, an array of them on PostgreSQL."""
    return f"SELECT {_TOKEN} WHERE t.{column} = {'?' if is_sqlite else 'any($1)'}"


def any_imported_token() -> str:
    """Whether there is a token of the field, as one row or none; by the index, which holds nothing else of interest."""
    return f"SELECT id FROM {_TOKENS} WHERE imported_id > 0 LIMIT 1"  # noqa: S608


@cache
def destinations(*, is_sqlite: bool) -> str:
    """Destinations by id."""
    return f"SELECT {_ROW} FROM {_DESTINATIONS} WHERE id = {'?' if is_sqlite else 'any($1)'}"  # noqa: S608


@cache
def key_range(*, from_end: bool, all_columns: bool, of_kinds: bool, is_sqlite: bool) -> str:
    """Key ranges: user, after, before, size, and `of_kinds` as a text such as `,local,custom_s3,`.

    Rows have the `LIST_COLUMNS`; all with `all_columns`, and on SQLite.
    """
    order, columns = _ORDERS[from_end], COLUMNS if all_columns else LIST_COLUMNS
    if is_sqlite:
        among = "AND instr(?5, ',' || kind || ',') > 0 " if of_kinds else ""
        return (
            f"SELECT {_ROW} FROM {_DESTINATIONS} WHERE user_id = ?1 AND id > ?2 AND id < ?3 {among}"  # noqa: S608
            f"ORDER BY {order} LIMIT ?4"
        )
    among = "AND strpos(q.kinds, ',' || kind || ',') > 0 " if of_kinds else ""
    arrays, names = (", $5::text[]", ", kinds") if of_kinds else ("", "")
    return (
        f"SELECT {_of_d(columns)}, q.n FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[]{arrays}) "  # noqa: S608
        f"WITH ORDINALITY AS q(user_id, after_id, before_id, size{names}, n) CROSS JOIN LATERAL ("
        f"SELECT {', '.join(columns)} FROM {_DESTINATIONS} WHERE {_between('q.user_id', 'q.after_id', 'q.before_id')} "
        f"{among}ORDER BY {order} LIMIT q.size) AS d"
    )


@cache
def first_pages() -> str:
    """First pages on PostgreSQL: user, size; each user once. Rows have the `LIST_COLUMNS`, with the user among them."""
    return (
        f"SELECT {_of_d(LIST_COLUMNS)} FROM unnest($1::int4[], $2::int4[]) AS q(user_id, size) CROSS JOIN LATERAL ("  # noqa: S608
        f"SELECT {', '.join(LIST_COLUMNS)} FROM {_DESTINATIONS} WHERE {_between('q.user_id', '0', str(2**31))} "
        f"ORDER BY {_ORDERS[False]} LIMIT q.size) AS d"
    )


@cache
def numbered_page(*, from_end: bool, is_sqlite: bool) -> str:
    """Numbered pages with the user's count: user, skip, size. One statement, so that rows and count agree.

    Rows have the `LIST_COLUMNS`, or all columns on SQLite.
    """
    user, skip, size = ("?1", "?2", "?3") if is_sqlite else ("q.user_id", "q.skip", "q.size")
    least, greatest = ("min", "max") if is_sqlite else ("least", "greatest")
    count = f"(SELECT destination_count FROM {_USERS} WHERE id = {user})"  # noqa: S608
    behind = f"({count} - {skip})"
    offset = f"{greatest}({behind} - {size}, 0)" if from_end else skip
    limit = f"{greatest}({least}({size}, {behind}), 0)" if from_end else size
    order, everything = _ORDERS[from_end], _between(user, "0", str(2**31))
    first = f"(SELECT id FROM {_DESTINATIONS} WHERE {everything} ORDER BY {order} LIMIT 1 OFFSET {offset})"  # noqa: S608
    rest = f"(user_id, id) <= ({user}, {first}) AND (user_id, id) > ({user}, 0)"
    if not from_end:
        rest = f"(user_id, id) >= ({user}, {first}) AND (user_id, id) < ({user}, {2**31})"
    columns = COLUMNS if is_sqlite else LIST_COLUMNS
    rows = f"SELECT {', '.join(columns)} FROM {_DESTINATIONS} WHERE {rest} ORDER BY {order} LIMIT {limit}"  # noqa: S608
    if is_sqlite:
        return f"SELECT {_of_d(columns)}, {count} FROM ({rows}) AS d"  # noqa: S608
    return (
        f"SELECT {_of_d(columns)}, q.n, {count} FROM unnest($1::int8[], $2::int8[], $3::int8[]) "  # noqa: S608
        f"WITH ORDINALITY AS q(user_id, skip, size, n) CROSS JOIN LATERAL ({rows}) AS d"
    )


def _of_d(columns: Sequence[str]) -> str:
    return ", ".join(f"d.{column}" for column in columns)


def _between(user: str, after: str, before: str) -> str:
    """One user's rows between two ids, in a form that only the index of both columns can answer in order.

    With `user_id = … AND id > …`, PostgreSQL may walk the ids of all users where one user has most of them.
    """
    return f"(user_id, id) > ({user}, {after}) AND (user_id, id) < ({user}, {before})"
