"""A request that is remembered is asked anew each time: only what its bytes mean is known."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace

import pytest

from models.accounts.bearer import Bearer
from models.accounts.viewer import Viewer
from models.reads.reads import TokenRow
from rest.prepared_reads import Listing
from schema.compiler.compiler import Bound
from schema.transport.prepared_query import Reading
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.two_ways import Both, both_ways
from tests.web.fast_path.test_fast_lane import DRAFT, JSON, LIST, QUERY, graphql, wire
from web.application import Application
from web.cache.cache_key import Question
from web.fast_path.prepared_requests import LARGEST_BYTES, MOST, Known, SeenRequest, SeenRequests

CACHE_BYTES = 1_048_576
REMEMBERED = (dict, tuple, list, SeenRequest, Bearer, Known, Question, Listing, Reading, Bound)
"""What a request that is remembered is made of; the parts of the gateway that it names are everybody's."""


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    account = await gateway.new_user()
    await account.create("local")
    return account


@pytest.fixture(params=[CACHE_BYTES, 0], ids=["cached", "uncached"])
async def both(request: pytest.FixtureRequest, gateway: Gateway, account: Account) -> AsyncIterator[Both]:
    """Opened when the account is there, for a process has one database at a time."""
    async with both_ways(gateway, response_cache_bytes=request.param) as both:
        yield both


def remembered(app: Application) -> SeenRequests:
    """What the application remembers."""
    assert app.lane is not None
    assert app.lane.seen is not None
    return app.lane.seen


def codes(answers: list[bytes]) -> list[bytes]:
    """The status codes in the status lines."""
    return [line.split()[1] for line in answers]


async def test_reads_are_remembered_and_nothing_else(both: Both, account: Account) -> None:
    """No refusal, no write, no request that came in pieces or with another."""
    read, refused = wire("GET", LIST, account.token), wire("GET", LIST + "/0", account.token)
    mutation = graphql(account.token, 'mutation { deleteBackupDestination(id: "BackupDestination:1") { __typename } }')
    seen = remembered(both.app)

    async with both.lane.connection() as talk:
        for asked in (refused, wire("POST", LIST, account.token, *JSON, body=DRAFT), mutation):
            await talk.ask(asked)
        await talk.ask(read[:30], read[30:])
        talk.writer.write(read + read)
        await talk.read()
        await talk.read()
        assert len(seen) == 0
        await talk.ask(read)
        await talk.ask(graphql(account.token, QUERY))

    assert len(seen) == 2
    assert seen.find(read) is not None
    assert seen.find(read + b" ") is None


async def test_nothing_that_is_remembered_holds_a_token(both: Both, account: Account) -> None:
    """Neither the bytes it came in nor its own text; its digest finds it. What follows from it is remembered too."""
    secret = account.token.partition("|")[2].encode()
    list_, query = wire("GET", LIST, account.token), graphql(account.token, QUERY)
    for each in (list_, list_, query, query, wire("POST", LIST, account.token, *JSON, body=DRAFT), query, query):
        await both.lane.ask(each)

    held: list[bytes] = []
    kinds: set[type] = set()
    todo: list[object] = [remembered(both.app)._seen]
    while todo:
        found = todo.pop()
        if isinstance(found, bytes | str):
            held.append(found if isinstance(found, bytes) else found.encode())
        elif isinstance(found, REMEMBERED):
            kinds.add(type(found))
            todo += gc.get_referents(found)

    assert len(held) > 50
    assert set(REMEMBERED) - {list} <= kinds
    assert not [text for text in held if secret in text]


async def test_a_token_that_is_revoked_opens_nothing_that_was_remembered(
    gateway: Gateway, both: Both, account: Account
) -> None:
    """Each door says so in its own words."""
    token_id = account.token.partition("|")[0]
    every = (wire("GET", LIST, account.token), graphql(account.token, QUERY))

    async with both.lane.connection() as talk:
        before = [(await talk.ask(asked)).status for asked in every * 2]
        await gateway.rows(f"UPDATE tokens SET revoked_at = created_at WHERE id = {token_id}")  # noqa: S608 - our own
        after = [await talk.ask(asked) for asked in every * 2]

    assert codes(before) == [b"200"] * 4
    assert after == [await both.usual.ask(asked) for asked in every] * 2
    assert codes([answer.status for answer in after]) == [b"401"] * 4


@pytest.mark.parametrize("asked_of", [lambda token: wire("GET", LIST, token), lambda token: graphql(token, QUERY)])
async def test_a_remembered_request_too_many_is_refused_by_its_door(
    gateway: Gateway, account: Account, asked_of: Callable[[str], bytes]
) -> None:
    asked = asked_of(account.token)

    async with both_ways(gateway, rate_limit="3/minute", response_cache_bytes=0) as both:
        async with both.lane.connection() as talk:
            answers = [await talk.ask(asked) for _ in range(4)]
        refused = await both.usual.ask(asked)

    assert codes([answer.status for answer in answers]) == [b"200"] * 3 + [b"429"]
    assert answers[-1].body == refused.body
    assert {line.split(b":")[0] for line in answers[-1].headers} == {line.split(b":")[0] for line in refused.headers}


async def test_what_has_changed_is_shown(both: Both, account: Account) -> None:
    """Kept or not, by either door."""
    listed, queried = wire("GET", LIST, account.token), graphql(account.token, QUERY)
    for total in range(1, 4):
        for _ in range(3):
            assert b'"total":%d' % total in (await both.lane.ask(listed)).body
            assert b'"totalCount":%d' % total in (await both.lane.ask(queried)).body
        await both.lane.ask(wire("POST", LIST, account.token, *JSON, body=DRAFT))


async def test_a_tag_that_was_true_is_not_when_something_has_changed(
    gateway: Gateway, both: Both, account: Account
) -> None:
    """Whoever changes it, and however often it was asked for before."""
    listed = wire("GET", LIST, account.token)
    tags = []
    for number in range(4):
        answers = [await both.lane.ask(listed) for _ in range(3)]
        assert answers == [await both.usual.ask(listed)] * 3
        (tag,) = {line.removeprefix(b"etag: ") for line in answers[0].headers if line.startswith(b"etag")}
        again = wire("GET", LIST, account.token, f"If-None-Match: {tag.decode()}")
        assert codes([(await both.lane.ask(again)).status for _ in range(2)]) == [b"304"] * 2
        tags.append((tag, again))
        await gateway.rows(f"UPDATE backup_destinations SET label = 'by hand {number}'")  # noqa: S608 - our own
        assert codes([(await both.lane.ask(again)).status for _ in range(2)]) == [b"200"] * 2

    assert len(set(tags)) == 4


async def test_what_is_read_beside_the_token_does_not_count_when_something_has_changed_since(
    gateway: Gateway, account: Account
) -> None:
    """It is read before a change and the token is looked up behind it: old rows would go by the new revision's tag."""
    listed, changed = wire("GET", LIST, account.token), asyncio.Event()
    async with both_ways(gateway, response_cache_bytes=0) as both:
        for _ in range(2):
            await both.lane.ask(listed)
        seen = remembered(both.app).find(listed)
        assert seen is not None
        assert seen.reading is not None
        reading, look_up = seen.reading, seen.doorkeeper.look_up

        async def read_and_change(viewer: Viewer) -> bytes | None:
            body = await reading.body(viewer)
            await gateway.rows("UPDATE backup_destinations SET label = 'newer'")
            changed.set()
            return body

        async def look_up_later(bearer: Bearer) -> TokenRow | None:
            await changed.wait()
            return await look_up(bearer)

        seen.reading = SimpleNamespace(headers=reading.headers, body=read_and_change)
        seen.doorkeeper.look_up = lambda bearer: asyncio.ensure_future(look_up_later(bearer))  # type: ignore[method-assign]
        answer = await both.lane.ask(listed)

    assert b'"label":"newer"' in answer.body


@pytest.mark.parametrize("cut", [1, 40, 150])
async def test_a_remembered_request_may_come_in_pieces_or_with_others(both: Both, account: Account, cut: int) -> None:
    """The answers come in order, whichever way each of the requests goes."""
    asked, other = graphql(account.token, QUERY), wire("GET", "/healthz", "")
    expected = (await both.lane.ask(asked)).body

    async with both.lane.connection() as talk:
        assert (await talk.ask(asked)).body == expected
        assert (await talk.ask(asked[:cut], asked[cut:])).body == expected
        talk.writer.write(asked + other + asked)
        bodies = [(await talk.read()).body for _ in range(3)]
        assert (await talk.ask(asked)).body == expected

    assert bodies == [expected, b'{"status":"ok"}', expected]


async def test_a_client_that_has_gone_leaves_nothing_behind(both: Both, account: Account) -> None:
    """Its request ends by itself, and the next one on another connection is answered."""
    asked = wire("GET", LIST, account.token)
    for _ in range(3):
        _, writer = await asyncio.open_connection(*both.lane.address)
        writer.write(asked)
        writer.transport.abort()

    assert codes([(await both.lane.ask(asked)).status]) == [b"200"]


async def test_a_client_that_says_so_is_hung_up_on(both: Both, account: Account) -> None:
    asked = wire("GET", LIST, account.token, "Connection: close")
    for _ in range(2):
        async with both.lane.connection() as talk:
            assert codes([(await talk.ask(asked)).status]) == [b"200"]
            assert await talk.ends()


def test_the_oldest_is_forgotten_and_a_large_one_never_remembered() -> None:
    seen = SeenRequests()
    request = SeenRequest.__new__(SeenRequest)  # only its place counts
    for number in range(MOST + 2):
        seen.remember(b"%d" % number, request)
    seen.remember(b"x" * (LARGEST_BYTES + 1), request)

    assert len(seen) == MOST
    assert [seen.find(b"%d" % number) is not None for number in (0, 1, 2, MOST + 1)] == [False, False, True, True]
    assert seen.find(b"x" * (LARGEST_BYTES + 1)) is None
