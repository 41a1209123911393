"""A replay looks everything up anew but what its request was prepared to, and reads no more often than it must."""

from __future__ import annotations

import asyncio
import gc
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from models.accounts.bearer import Bearer
from models.accounts.token_row import TokenRow
from models.accounts.viewer import Viewer
from models.errors import DatabaseUnavailable
from rest.prepared_reads import ListRead
from schema.compiler.compiler import BoundOperation
from schema.transport.http import GraphQLView
from schema.transport.prepared_query import PreparedQuery
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.served import Served, serving
from tests.web.fast_path.test_fast_path import DRAFT, JSON, LIST, QUERY, graphql, wire
from web.auth.known_tokens import KnownToken
from web.cache.cache_key import RequestKey
from web.fast_path.preparation_key import PreparationKey
from web.fast_path.prepared_request import PreparedRequest, ResponseHead

CACHE_BYTES = 1_048_576
FOLLOWED = (
    *(
        dict,
        OrderedDict,
        tuple,
        list,
        PreparedRequest,
        PreparationKey,
        RequestKey,
        ListRead,
        PreparedQuery,
        BoundOperation,
    ),
    *(KnownToken, TokenRow, Viewer, ResponseHead),
)
"""What the memory of the fast path is made of; the parts of the gateway that it names are shared by all requests."""


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    account = await gateway.new_user()
    await account.create("local")
    return account


@pytest.fixture(params=[CACHE_BYTES, 0], ids=["cached", "uncached"])
async def served(request: pytest.FixtureRequest, gateway: Gateway, account: Account) -> AsyncIterator[Served]:
    """Opened when the account is there, for a process has one database at a time."""
    async with serving(gateway, response_cache_bytes=request.param) as served:
        yield served


def prepared(served: Served, target: str) -> PreparedRequest:
    """What the one request to a target was prepared to."""
    (found,) = (prepared for key, prepared in served.prepared.items() if key.target == target.encode())
    return found


def codes(answers: list[bytes]) -> list[bytes]:
    """The status codes in the status lines."""
    return [line.split()[1] for line in answers]


async def test_nothing_that_is_kept_holds_a_token(served: Served, account: Account) -> None:
    """Neither the header it came in nor its text; its digest finds it."""
    secret = account.token.partition("|")[2].encode()
    list_, query = wire("GET", LIST, account.token), graphql(account.token, QUERY)
    for request in (list_, list_, query, query, wire("POST", LIST, account.token, *JSON, body=DRAFT), query, query):
        await served.ask(request)

    texts: list[bytes] = []
    kinds: set[type] = set()
    todo: list[object] = [
        served.fast_path.prepared_requests._entries,
        *[prepared.authenticator.known_tokens._known for prepared in served.prepared.values()],
    ]
    seen: set[int] = set()
    while todo:
        found = todo.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, bytes | str):
            texts.append(found if isinstance(found, bytes) else found.encode())
        elif isinstance(found, FOLLOWED):
            kinds.add(type(found))
            todo += gc.get_referents(found)

    assert len(texts) > 25
    assert {PreparedRequest, KnownToken, ListRead, PreparedQuery, ResponseHead} <= kinds
    assert not [text for text in texts if secret in text]


async def test_a_token_that_is_revoked_replays_nothing(gateway: Gateway, served: Served, account: Account) -> None:
    """Each API says so in its own words."""
    token_id = account.token.partition("|")[0]
    every = (wire("GET", LIST, account.token), graphql(account.token, QUERY))

    async with served.connection() as talk:
        before = [(await talk.ask(asked)).status for asked in every * 2]
        await gateway.rows(f"UPDATE tokens SET revoked_at = created_at WHERE id = {token_id}")  # noqa: S608 - our own
        after = [await talk.ask(asked) for asked in every * 2]

    assert codes(before) == [b"200"] * 4
    assert after == [await served.ask_standard(asked) for asked in every] * 2
    assert codes([answer.status for answer in after]) == [b"401"] * 4


@pytest.mark.parametrize("asked_of", [lambda token: wire("GET", LIST, token), lambda token: graphql(token, QUERY)])
async def test_a_request_beyond_the_limit_is_refused_by_its_api(
    gateway: Gateway, account: Account, asked_of: Callable[[str], bytes]
) -> None:
    asked = asked_of(account.token)

    async with serving(gateway, rate_limit="3/minute", response_cache_bytes=0) as served:
        async with served.connection() as talk:
            answers = [await talk.ask(asked) for _ in range(4)]
        refused = await served.ask_standard(asked)

    assert codes([answer.status for answer in answers]) == [b"200"] * 3 + [b"429"]
    assert answers[-1].body == refused.body
    assert {line.split(b":")[0] for line in answers[-1].headers} == {line.split(b":")[0] for line in refused.headers}


async def test_what_has_changed_is_shown(served: Served, account: Account) -> None:
    """Cached or not, by either API."""
    listed, queried = wire("GET", LIST, account.token), graphql(account.token, QUERY)
    for total in range(1, 4):
        for _ in range(3):
            assert b'"total":%d' % total in (await served.ask(listed)).body
            assert b'"totalCount":%d' % total in (await served.ask(queried)).body
        await served.ask(wire("POST", LIST, account.token, *JSON, body=DRAFT))


async def test_a_tag_that_was_true_is_not_when_something_has_changed(
    gateway: Gateway, served: Served, account: Account
) -> None:
    """Whoever changes it, and however often it was asked for before."""
    listed = wire("GET", LIST, account.token)
    tags = []
    for number in range(4):
        answers = [await served.ask(listed) for _ in range(3)]
        assert answers == [await served.ask_standard(listed)] * 3
        (tag,) = {line.removeprefix(b"etag: ") for line in answers[0].headers if line.startswith(b"etag")}
        again = wire("GET", LIST, account.token, f"If-None-Match: {tag.decode()}")
        assert codes([(await served.ask(again)).status for _ in range(2)]) == [b"304"] * 2
        tags.append((tag, again))
        await gateway.rows(f"UPDATE backup_destinations SET label = 'by hand {number}'")  # noqa: S608 - our own
        assert codes([(await served.ask(again)).status for _ in range(2)]) == [b"200"] * 2

    assert len(set(tags)) == 4


async def test_what_is_read_beside_the_token_does_not_count_when_something_has_changed_since(
    gateway: Gateway, account: Account
) -> None:
    """It is read before a change and the token is looked up after it: old rows would go by the new revision's tag."""
    listed, changed = wire("GET", LIST, account.token), asyncio.Event()
    async with serving(gateway, response_cache_bytes=0) as served:
        for _ in range(2):
            await served.ask(listed)
        replayed = prepared(served, LIST)
        read, look_up = replayed.read, replayed.authenticator.look_up

        async def read_and_change(viewer: Viewer) -> bytes | None:
            body = await read.body(viewer)
            await gateway.rows("UPDATE backup_destinations SET label = 'newer'")
            changed.set()
            return body

        async def look_up_later(bearer: Bearer) -> TokenRow | None:
            await changed.wait()
            return await look_up(bearer)

        known = {"headers": read.headers, "ability": read.ability, "shows_checks": read.shows_checks}
        replayed.read = SimpleNamespace(**known, body=read_and_change)
        replayed.authenticator.look_up = lambda bearer: asyncio.ensure_future(look_up_later(bearer))  # type: ignore[method-assign]
        answer = await served.ask(listed)

    assert changed.is_set()
    assert b'"label":"newer"' in answer.body


@pytest.mark.parametrize("api", ["rest", "graphql"])
async def test_a_read_that_fails_is_tried_as_often_as_on_the_standard_path(
    gateway: Gateway, account: Account, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is overloaded must not be asked more often for it."""
    asked = wire("GET", LIST, account.token) if api == "rest" else graphql(account.token, QUERY)
    async with serving(gateway, response_cache_bytes=0) as served:
        for _ in range(3):
            await served.ask(asked)
        assert len(served.prepared) == 1
        tried = 0

        async def fail(_: object) -> dict[Any, Any]:
            nonlocal tried
            tried += 1
            raise DatabaseUnavailable

        (authenticator,) = (prepared.authenticator for prepared in served.prepared.values())
        reads = authenticator._reads
        for batched in (reads._first_pages, reads._key_ranges):
            monkeypatch.setattr(batched, "_fetch", fail)
        replayed = await served.ask(asked)
        replayed_times, tried = tried, 0
        expected = await served.ask_standard(asked)

    assert replayed == expected
    assert replayed_times == tried > 0


async def test_an_operation_that_the_engine_has_dropped_is_prepared_anew(gateway: Gateway, account: Account) -> None:
    """The memo does not keep compiled operations alive."""
    asked = graphql(account.token, QUERY)
    async with serving(gateway, response_cache_bytes=0) as served:
        answers = [await served.ask(asked) for _ in range(3)]
        read = prepared(served, "/graphql").read
        assert isinstance(read, PreparedQuery)
        assert read._bound._compiled() is not None
        apps = {getattr(route, "app", None) for route in served.app.routes}
        (view,) = (app for app in apps if isinstance(app, GraphQLView))

        for number in range(400):  # enough documents for the memo to evict the first
            view.engine.prepare(f"{{ viewer {{ id }} }} #{number}" + "x" * 2_000, None)
        gc.collect()

        assert read._bound._compiled() is None
        answers += [await served.ask(asked) for _ in range(4)]
        assert prepared(served, "/graphql").read is not read
    assert answers == answers[:1] * 7


async def test_a_token_without_the_ability_gets_no_304_from_a_replay(gateway: Gateway) -> None:
    """The ability comes before the condition, so that nothing is learnt from a tag."""
    account = await gateway.new_user(abilities=["create-backup-destinations"])
    blind = account.token
    async with serving(gateway) as served:
        first = await served.ask(wire("GET", LIST, account.full_token))
        (tag,) = (line.removeprefix(b"etag: ") for line in first.headers if line.startswith(b"etag"))
        for condition in (tag.decode(), "*"):
            refused = [await served.ask(wire("GET", LIST, blind, f"If-None-Match: {condition}")) for _ in range(2)]
            assert codes([answer.status for answer in refused]) == [b"403"] * 2


@pytest.mark.parametrize("cut", [1, 40, 150])
async def test_a_replayed_request_may_come_in_pieces_or_with_others(served: Served, account: Account, cut: int) -> None:
    """The responses come in order, whichever path each of the requests takes."""
    asked, other = graphql(account.token, QUERY), wire("GET", "/healthz", "")
    expected = (await served.ask(asked)).body

    async with served.connection() as talk:
        assert (await talk.ask(asked)).body == expected
        assert (await talk.ask(asked[:cut], asked[cut:])).body == expected
        talk.writer.write(asked + other + asked)
        bodies = [(await talk.read()).body for _ in range(3)]
        assert (await talk.ask(asked)).body == expected

    assert bodies == [expected, b'{"status":"ok"}', expected]


async def test_a_client_that_has_gone_leaves_nothing_behind(served: Served, account: Account) -> None:
    """Its request ends by itself, and the next one on another connection is answered."""
    asked = wire("GET", LIST, account.token)
    for _ in range(3):
        _, writer = await asyncio.open_connection(*served.address)
        writer.write(asked)
        writer.transport.abort()

    assert codes([(await served.ask(asked)).status]) == [b"200"]


async def test_a_client_that_says_so_is_hung_up_on(served: Served, account: Account) -> None:
    asked = wire("GET", LIST, account.token, "Connection: close")
    for _ in range(2):
        async with served.connection() as talk:
            assert codes([(await talk.ask(asked)).status]) == [b"200"]
            assert await talk.ends()
