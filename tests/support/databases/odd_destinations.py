"""Destinations as odd as the database takes them, and rows that it would not take, for readers that print them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import uuid4

from models.accounts.abilities import Ability
from models.destinations.row import FIELDS, DestinationRow, PlainRow
from models.errors import AbilityMissing, DatabaseUnavailable
from models.reads.reads import ID_LIMIT, CountedRows, KeyRange, NumberedPage, Reads
from schema.errors import BadInput
from tests.support.databases.many_rows import quoted, timestamp
from tests.support.gateway.gateway import Gateway

LABELS = (
    *(
        "plain",
        "é",
        "e\u0301",
        "日本語",
        "🗄" * 255,
        'a "quoted" one',
        "back\\slash",
        "</script>",
        "\u2028\u2029",
        "tab\there",
    ),
    *("x" * 255, "\x7f\x1b[0m", "\ufeffbom", "null", "a'b", "%_", "{}", "\r\n", "\U0010ffff", " "),
)
SHAPES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("local", {}),
    ("amazon_s3", {"region": "us-west-2", "path_style_endpoint": False}),
    ("custom_s3", {"region": None, "endpoint": "https://s3.example.com/é?a=b&c", "path_style_endpoint": True}),
    ("custom_s3", {"region": 'ß"', "endpoint": "HTTP://[::1]:9000", "path_style_endpoint": False}),
)
"""A kind, and the columns that it needs beside the bucket and the credentials."""
REACHABILITIES = ("unknown", "checking", "reachable", "unreachable")
MOMENTS = (
    timestamp(0),
    timestamp(59),
    "'0001-01-01 00:00:00+00:00'",
    "'9999-12-31 23:59:59+00:00'",
    "'1969-12-31 23:59:59+00:00'",
)
SEAL = "s1:none:none"
"""What stands where sealed credentials do."""
_COLUMNS = (
    *("uid", "user_id", "label", "kind", "created_at", "updated_at", "reachability", "bucket_name", "region"),
    *("endpoint", "path_style_endpoint", "credentials_set_at", "access_key", "secret_key"),
)


async def plant_odd(gateway: Gateway, user_id: int, count: int) -> list[int]:
    """So many destinations of every kind; returns their ids."""
    rows = ", ".join(f"({', '.join(_values(user_id, number))})" for number in range(count))
    await gateway.rows(f"INSERT INTO backup_destinations ({', '.join(_COLUMNS)}) VALUES {rows}")  # noqa: S608 - our own
    found = await gateway.rows(f"SELECT id FROM backup_destinations WHERE user_id = {user_id} ORDER BY id")  # noqa: S608 - our own
    return [row["id"] for row in found]


def _values(user_id: int, number: int) -> list[str]:
    kind, columns = SHAPES[number % len(SHAPES)]
    first, second = MOMENTS[number % len(MOMENTS)], MOMENTS[number // 2 % len(MOMENTS)]
    label = quoted(LABELS[number % len(LABELS)])
    values = [f"'{uuid4()}'", str(user_id), label, f"'{kind}'", first, second]
    if kind == "local":
        return [*values, "'unknown'", *["NULL"] * 7]
    reachability = f"'{REACHABILITIES[(number + number // len(SHAPES)) % len(REACHABILITIES)]}'"
    others = [columns["region"], columns.get("endpoint")]
    shown = ["NULL" if text is None else quoted(text) for text in ("ünïcode/bucket", *others)]
    return [*values, reachability, *shown, str(columns["path_style_endpoint"]).lower(), second, *[f"'{SEAL}'"] * 2]


class BrokenReads(Reads):
    """Hands in rows that no database would, and fails now and then: always alike until it is given another seed."""

    def __init__(self, owner_id: int) -> None:
        """`owner_id` owns what is looked up by its id."""
        super().__init__()
        self.seed = 0
        self.handed_in: DestinationRow | None = None
        """The only row there is, unless it is None."""
        self._owner_id = owner_id

    async def destination(self, destination_id: int, user_id: int = 0) -> DestinationRow | None:
        """The row of that id, if there happens to be one, and it is the user's."""
        row = self.handed_in or self._row(destination_id)
        return row if row is not None and user_id in (0, row.user_id) else None

    def _row(self, destination_id: int) -> DestinationRow | None:
        random = Random(f"{self.seed} {destination_id}")  # noqa: S311 - to be repeated
        _fail_now_and_then(random)
        return None if random.random() < 0.2 else broken_row(random, destination_id, self._owner_id)

    async def first_page(self, user_id: int, size: int) -> Sequence[DestinationRow]:
        """The first of them."""
        return await self.key_range(KeyRange(user_id, 0, ID_LIMIT, size, from_end=False))

    async def key_range(self, key_range: KeyRange) -> Sequence[DestinationRow]:
        """Rows between two ids."""
        if self.handed_in is not None:
            return [self.handed_in]
        random = Random(f"{self.seed} {key_range[:5]}")  # noqa: S311 - to be repeated
        _fail_now_and_then(random)
        count = min(key_range.size, random.randrange(5), max(key_range.before_id - key_range.after_id - 1, 0))
        rows = [broken_row(random, key_range.after_id + number, key_range.user_id) for number in range(1, count + 1)]
        return rows[::-1] if key_range.from_end else rows

    async def numbered_page(self, page: NumberedPage) -> CountedRows | None:
        """GraphQL has no numbered pages."""
        raise NotImplementedError


_FAILURES: tuple[Callable[[], Exception], ...] = (
    lambda: BadInput("This is bad."),
    lambda: AbilityMissing(Ability.VIEW),
    DatabaseUnavailable,
    lambda: RuntimeError("never shown"),
    lambda: ValueError("never shown"),
)
CHECKS = (
    None,
    '{"at":1700000000,"steps":[["RESOLVE","PASSED",null,3],["CONNECT","FAILED","TIMEOUT",9]],"suggestion":null}',
    '{"at":1700000001,"steps":[["LIST","PASSED",null,0]],"suggestion":["eu-west-1",null,true]}',
    '{"at":1700000002,"steps":[["WRITE","PASSED",null,1],["DELETE","FAILED","ACCESS_DENIED",2,"FileImmutable","RETENTION"]],'
    '"suggestion":null,"facts":[false,true,true,null,true],"since":1700000000}',
)
BREAKS: tuple[dict[str, Any], ...] = (
    *({column: None} for column in FIELDS if column not in ("id", "user_id")),
    *({"stored_kind": "glacier"}, {"stored_reachability": "odd"}, {"stored_kind": "local"}, {"stored_kind": ""}),
    *({"last_check": text} for text in ("nonsense", "{}", '{"at":1e20,"steps":[],"suggestion":null}', "[1]")),
    {"last_check": '{"at":1,"steps":[["LIST","FAILED","OF LATER",1],["LATER","PASSED",null,1]],"suggestion":null}'},
)
"""What may be wrong with a row."""


def _fail_now_and_then(random: Random) -> None:
    if random.random() < 0.15:
        failure = random.choice(_FAILURES)()
        raise failure


def broken_row(random: Random, id_: int, user_id: int) -> PlainRow:
    """A row of every kind, half of them with something in it that nothing may be shown from."""
    row = whole_row(random, id_, user_id)
    return row.replaced(**random.choice(BREAKS)) if random.random() < 0.5 else row


def whole_row(random: Random, id_: int, user_id: int) -> PlainRow:
    """A row of every kind; its columns may be another kind's."""
    then = datetime(2024, 8, 7, 1, 2, 3, random.choice((0, 1, 999_999)), tzinfo=UTC)
    return PlainRow.of(
        id=id_,
        user_id=user_id,
        label=random.choice(LABELS),
        stored_kind=random.choice(("local", "amazon_s3", "custom_s3")),
        bucket_name="bucket",
        region=random.choice((None, "", "eu-west-1")),
        endpoint=random.choice((None, "", "https://s3.example.com")),
        path_style_endpoint=random.choice((True, False)),
        credentials_set_at=then,
        stored_reachability=random.choice(REACHABILITIES),
        created_at=then + timedelta(seconds=random.randrange(100)),
        updated_at=then,
        version=random.randrange(2**31),
        last_check=random.choice(CHECKS),
    )
