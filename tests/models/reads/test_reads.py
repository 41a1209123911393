"""The hot reads against the lists they are read from, on both databases: every page, every key_range, every token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator
from datetime import timedelta
from itertools import islice
from random import Random
from typing import TypeVar
from uuid import uuid4

import pytest

from models.accounts import accounts
from models.accounts.bearer import parse_bearer
from models.accounts.token import Token
from models.accounts.user import User
from models.accounts.viewer import Protocol, Viewer
from models.destinations.attributes import DestinationKind
from models.destinations.row import DestinationRow
from models.errors import DestinationForbidden, DestinationNotFound, Unauthenticated
from models.pagination import Bounds
from models.reads.listing import BY_ID, DestinationFilter, DestinationPosition
from models.reads.reads import ID_LIMIT, CountedRows, KeyRange, NumberedPage, Reads, kinds_text
from models.service import MAX_SHARED_SEARCH, DestinationService
from models.vault.vault import Vault, generate_key
from tests.support.databases import databases
from tests.support.databases.databases import ENGINES, TIMESTAMP, migrated
from tests.support.databases.odd_destinations import SEAL, plant_odd
from tests.support.databases.postgres import PostgresServer
from tests.support.databases.services import service_of, viewer_of_token
from tests.support.gateway.gateway import Gateway

SIZES = (1, 7, 15, 100)
COUNTS = (0, 1, 14, 15, 16, 113)
SEED = 7
USERS = 200
AT_ONCE = 100

Found = TypeVar("Found")


@pytest.fixture(scope="module", params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A migrated database of each engine, which nobody serves."""
    with migrated(request.param, postgres) as gateway:
        yield gateway


@pytest.fixture
async def reads(database: Gateway) -> AsyncIterator[Reads]:
    """The reads of this process, on the database."""
    async with database.models():
        yield Reads()


def service_with(reads: Reads) -> DestinationService:
    """The service above these reads."""
    return service_of(Vault(generate_key()), reads=reads)


async def new_users(database: Gateway, count: int) -> list[int]:
    """The ids of users nobody else knows."""
    names = [uuid4().hex for _ in range(count)]
    values = ", ".join(f"('{name}@example.com', '{name}', {TIMESTAMP})" for name in names)
    await database.rows(f"INSERT INTO users (email, name, created_at) VALUES {values}")  # noqa: S608 - our own values
    return [user.id for user in await User.filter(name__in=names)]


async def viewer(user_id: int) -> Viewer:
    """Who may do everything, with the count as it is now."""
    return databases.viewer_of(await User.get(id=user_id))


async def ids_of(database: Gateway, user_id: int) -> list[int]:
    """What the list is, told by the database itself."""
    rows = await database.rows(f"SELECT id FROM backup_destinations WHERE user_id = {user_id} ORDER BY id")  # noqa: S608 - our own
    return [row["id"] for row in rows]


async def interleaved(database: Gateway, random: Random, count: int) -> list[int]:
    """Two users with so many destinations each, in turns of random length and with gaps between the ids."""
    users = await new_users(database, 2)
    missing = dict.fromkeys(users, count)
    while any(missing.values()):
        user = random.choice([user for user in users if missing[user]])
        added = min(random.randrange(1, 40), 2 * missing[user])
        planted = (await plant_odd(database, user, added))[-added:]
        deleted = random.sample(planted, max(added // 3, added - missing[user]))
        await _delete(database, deleted)
        missing[user] -= added - len(deleted)
    return users


async def in_groups(reads: Iterable[Awaitable[Found]]) -> list[Found]:
    """The results of reads that are pending some at a time: a thousand at once outlast their time on a busy machine."""
    waiting, results = iter(reads), list[Found]()
    while group := list(islice(waiting, AT_ONCE)):
        results += await asyncio.gather(*group)
    return results


@pytest.mark.parametrize("count", COUNTS)
async def test_every_numbered_page_is_that_part_of_the_list(database: Gateway, reads: Reads, count: int) -> None:
    """Whatever its size, whichever end it is looked for from, and also beyond the last one."""
    service = service_with(reads)
    for user_id in await interleaved(database, Random(SEED + count), count):  # noqa: S311 - to be repeated
        ids, who = await ids_of(database, user_id), await viewer(user_id)
        assert (len(ids), who.destination_count) == (count, count)
        numbered = [(number, size) for size in SIZES for number in range(1, count // size + 4)]
        pages = await in_groups(service.page(who, number=number, size=size) for number, size in numbered)
        for (number, size), page in zip(numbered, pages, strict=True):
            assert [row.id for row in page.rows] == ids[(number - 1) * size : number * size]
            assert {row.user_id for row in page.rows} <= {user_id}
            assert (page.total, page.number, page.size) == (count, number, size)

        ranges = [
            NumberedPage(user_id, skip, size, end)
            for size in SIZES
            for skip in range(count + 3)
            for end in (False, True)
        ]
        for key_range, found in zip(ranges, await in_groups(map(reads.numbered_page, ranges)), strict=True):
            wanted = ids[key_range.skip : key_range.skip + key_range.size]
            assert _shown(found) == ((wanted, count) if wanted else None), key_range


async def test_every_span_is_what_lies_between_two_ids(database: Gateway, reads: Reads) -> None:
    """From its start, or from its end and then backwards; also where nothing is between them."""
    random = Random(SEED)  # noqa: S311 - to be repeated
    users = await interleaved(database, random, 60)
    ids = {user_id: await ids_of(database, user_id) for user_id in users}
    every = sorted(id_ for of_user in ids.values() for id_ in of_user)
    edges = [0, ID_LIMIT, ID_LIMIT - 1, *every, every[0] - 1, every[-1] + 1]
    kinds = {row["id"]: row["kind"] for row in await database.rows("SELECT id, kind FROM backup_destinations")}
    some = ["", *(kinds_text(kind for kind in DestinationKind if random.random() < 0.5) for _ in range(4))]
    ranges = [
        KeyRange(
            user_id=random.choice(users),
            after_id=random.choice(edges),
            before_id=random.choice(edges),
            size=random.choice((0, *SIZES, 16)),
            from_end=end,
            all_columns=full,
            kinds=random.choice(some),
        )
        for _ in range(200)
        for end in (False, True)
        for full in (False, True)
    ]

    for key_range, rows in zip(ranges, await in_groups(map(reads.key_range, ranges)), strict=True):
        between = [
            id_
            for id_ in ids[key_range.user_id]
            if key_range.after_id < id_ < key_range.before_id
            and (not key_range.kinds or f",{kinds[id_]}," in key_range.kinds)
        ]
        assert [row.id for row in rows or ()] == (between[::-1] if key_range.from_end else between)[: key_range.size], (
            key_range
        )


async def test_only_a_short_list_is_searched_for_kinds_beside_others(database: Gateway, reads: Reads) -> None:
    """To search a long one may take long, and everybody whose request shares the statement would wait."""
    user_id = (await new_users(database, 1))[0]
    await plant_odd(database, user_id, 8)
    service, short = service_with(reads), await viewer(user_id)
    long = short._replace(destination_count=MAX_SHARED_SEARCH + 1)
    bounds: Bounds[DestinationPosition] = Bounds(size=5)
    chosen = DestinationFilter(kinds=frozenset({DestinationKind.LOCAL, DestinationKind.CUSTOM_S3}))

    found = []
    for each, shared in ((short, 1), (long, 0)):
        before = reads.counts()["slice"][0]
        found.append(await service.slice(each, bounds, chosen=chosen, order=BY_ID))
        assert reads.counts()["slice"][0] - before == shared

    assert [row.id for row in found[0].rows] == [row.id for row in found[1].rows] != []
    assert found[0].has_next == found[1].has_next
    nothing = await service.slice(short, bounds, chosen=DestinationFilter(kinds=frozenset()), order=BY_ID)
    assert not nothing.rows


async def test_a_destination_is_found_by_its_id_and_refused_to_anybody_else(database: Gateway, reads: Reads) -> None:
    """The read does not ask whose it is; the service does."""
    own, other = await new_users(database, 2)
    mine, theirs = await plant_odd(database, own, 8), await plant_odd(database, other, 8)
    service, who = service_with(reads), await viewer(own)
    asked = [*mine, *theirs, *mine, 2**31 - 1]

    rows = await asyncio.gather(*map(reads.destination, asked))
    assert [row and (row.id, row.user_id) for row in rows] == [
        *((id_, own) for id_ in mine), *((id_, other) for id_ in theirs), *((id_, own) for id_ in mine), None
    ]  # fmt: skip
    got = await asyncio.gather(
        *(service.get(who, id_) for id_ in (*asked, 0, -1, 2**31, 2**63)), return_exceptions=True
    )
    kinds = [DestinationRow] * 8 + [DestinationForbidden] * 8 + [DestinationRow] * 8 + [DestinationNotFound] * 5
    assert all(isinstance(each, kind) for each, kind in zip(got, kinds, strict=True))
    assert [await service.find(who, id_) for id_ in (*theirs, 0, -1, 2**31)] == [None] * 11
    together = await asyncio.gather(*(service.find(who, id_) for id_ in asked), *map(reads.destination, theirs))
    assert [row and row.user_id for row in together] == [*[own] * 8, *[None] * 8, *[own] * 8, None, *[other] * 8]


async def test_a_token_is_found_by_its_id_and_by_its_digest(database: Gateway, reads: Reads) -> None:
    """Together in one batch, with its user; what is unknown is None."""
    texts = {}
    for user_id in await new_users(database, 3):
        user = await User.get(id=user_id)
        texts[await accounts.issue_token(user, name="a", abilities=["view-backup-destinations"])] = user
        texts[await accounts.issue_token(user, name="é", expires_in=timedelta(hours=1))] = user
    bearers = [parse_bearer(text) for text in texts]
    await accounts.revoke_token(bearers[0].token_id or 0)
    disabled = await accounts.disable_user(next(iter(texts.values())).email, disabled=True)

    keys = [key for bearer in bearers for key in (bearer.token_id, bearer.digest)]
    found = await asyncio.gather(*(reads.token(key) for key in keys if key is not None))
    unknown = await asyncio.gather(reads.token(2**31 - 1), reads.token("0" * 64), reads.token(""))
    at_once = await reads.tokens([2**31 - 1, *(token.id for token in found[::2] if token is not None)])

    assert at_once == {token.id: token for token in found[::2] if token is not None}
    assert list(unknown) == [None, None, None]
    for bearer, user, by_id, by_digest in zip(bearers, texts.values(), found[::2], found[1::2], strict=True):
        token = await Token.get(id=bearer.token_id)
        assert by_id is not None
        assert by_id == by_digest
        assert (by_id.id, by_id.digest, by_id.abilities) == (bearer.token_id, bearer.digest, token.abilities)
        assert (by_id.user_id, by_id.user_name, by_id.email) == (user.id, user.name, user.email)
        assert (by_id.name, by_id.expires_at, by_id.revoked_at) == (token.name, token.expires_at, token.revoked_at)
        assert by_id.disabled_at == (disabled.disabled_at if user.id == disabled.id else None)


async def test_two_hundred_users_who_ask_at_once_are_each_shown_their_own(database: Gateway, reads: Reads) -> None:
    """By token, by page, by key_range and by id, unknown ones in between; in a few statements."""
    users = await new_users(database, USERS)
    rows = ", ".join(
        f"('{uuid4()}', {user}, 'of {user}', 'local', {TIMESTAMP}, {TIMESTAMP})" for _ in range(3) for user in users
    )
    columns = "uid, user_id, label, kind, created_at, updated_at"
    await database.rows(f"INSERT INTO backup_destinations ({columns}) VALUES {rows}")  # noqa: S608 - our own values
    texts = {user: await accounts.issue_token(await User.get(id=user), name=f"of {user}") for user in users}
    firsts = await database.rows("SELECT user_id, min(id) AS id FROM backup_destinations GROUP BY user_id")
    first_ids = {row["user_id"]: row["id"] for row in firsts}
    before = reads.counts()

    async def ask(user: int) -> None:
        who = await viewer_of_token(texts[user], Protocol.REST, reads)
        assert (who.user_id, who.token_name, who.destination_count) == (user, f"of {user}", 3)
        service = service_with(reads)
        shown = [*(await service.page(who, number=1, size=2)).rows, *(await service.page(who, number=2, size=2)).rows]
        shown.append(await service.get(who, first_ids[user]))
        assert [(row.user_id, row.label) for row in shown] == [(user, f"of {user}")] * 4
        somebody = first_ids[users[users.index(user) - 1]]
        assert await service.find(who, somebody) is None
        with pytest.raises(DestinationForbidden):
            await service.get(who, somebody)

    async def ask_for_nothing(number: int) -> None:
        with pytest.raises(Unauthenticated):
            await viewer_of_token(texts[users[number]].replace("|", "0|"), Protocol.REST, reads)
        with pytest.raises(DestinationNotFound):
            await service_with(reads).get(await viewer(users[number]), 2**31 - 1 - number)

    await asyncio.gather(*map(ask, users), *map(ask_for_nothing, range(20)))

    asked = {name: reads.counts()[name][0] - before[name][0] for name in before}
    assert asked == {"token": USERS + 20, "destination": 3 * USERS + 20, "slice": USERS, "page": USERS}
    assert all(sent - before[name][1] < asked[name] / 2 for name, (_, sent) in reads.counts().items())


async def test_no_secret_is_read(database: Gateway, reads: Reads) -> None:
    """Whatever is asked, the sealed credentials stay in the database."""
    (user_id,) = await new_users(database, 1)
    ids = await plant_odd(database, user_id, 8)

    shown: list[object] = [
        await reads.destination(ids[1]),
        await reads.key_range(KeyRange(user_id, 0, ID_LIMIT, 9, from_end=False)),
        await reads.key_range(KeyRange(user_id, 0, ID_LIMIT, 9, from_end=False, all_columns=False)),
    ]
    shown += [await reads.numbered_page(NumberedPage(user_id, 1, 9, from_end)) for from_end in (False, True)]

    assert "amazon_s3" in repr(shown[0])
    assert SEAL not in repr(shown)


async def _delete(database: Gateway, ids: list[int]) -> None:
    if ids:
        await database.rows(f"DELETE FROM backup_destinations WHERE id IN ({', '.join(map(str, ids))})")  # noqa: S608 - our own


def _shown(found: CountedRows | None) -> tuple[list[int], int] | None:
    return None if found is None else ([row.id for row in found.rows], found.total)
