"""What is cached and what not: one response for one key, for one revision of a user, within a number of bytes."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from starlette.datastructures import MutableHeaders
from starlette.types import Message

from models.accounts.abilities import Ability
from models.accounts.viewer import Protocol, Viewer
from tests.support.gateway.cache_keys import ADA, LIST, found, key_of, put, sent
from web.cache.cache_key import CacheKey
from web.cache.etags import EntityTags
from web.cache.response_cache import LARGEST_PART, ResponseCache

MAX_BYTES = 1_000_000
BOB = ADA._replace(user_id=2)
GRAPHQL = ADA._replace(protocol=Protocol.GRAPHQL)


@pytest.fixture
def cache() -> ResponseCache:
    return ResponseCache(MAX_BYTES, EntityTags(public_url=None))


async def test_a_response_that_was_read_is_sent_again_byte_for_byte(cache: ResponseCache) -> None:
    assert cache.get(key_of(cache)) is None

    first = await sent(put(cache, key_of(cache)))
    again = await sent(cache.get(key_of(cache)))

    assert first == again
    assert again[0] == 200
    assert again[2] == b"an answer"
    assert (cache.misses, cache.hits, len(cache)) == (1, 1, 1)


OTHERS: dict[str, tuple[Viewer, dict[str, Any]]] = {
    "user": (BOB, {}),
    "revision": (GRAPHQL._replace(revision=8), {}),
    "earlier revision": (GRAPHQL._replace(revision=6), {}),
    "fewer abilities": (GRAPHQL._replace(abilities=frozenset({Ability.CREATE})), {}),
    "every ability": (GRAPHQL._replace(abilities=frozenset({Ability.ALL})), {}),
    "method": (GRAPHQL, {"method": "POST"}),
    "scheme": (GRAPHQL, {"scheme": "https"}),
    "path": (GRAPHQL, {"path": LIST + "/"}),
    "query": (GRAPHQL, {"query_string": b"page=2"}),
    "order in the query": (GRAPHQL, {"query_string": b"b=2&a=1"}),
    "body": (GRAPHQL, {"body": b"{}"}),
    "host": (GRAPHQL, {"headers": [("host", "elsewhere")]}),
    "port": (GRAPHQL, {"headers": [("host", "gateway:80")]}),
    "accept": (GRAPHQL, {"headers": [("accept", "application/json")]}),
    "accept twice": (GRAPHQL, {"headers": [("accept", "application/json"), ("accept", "text/html")]}),
}


@pytest.mark.parametrize("difference", OTHERS)
async def test_whatever_a_response_depends_on_makes_another_key(difference: str, cache: ResponseCache) -> None:
    """And another tag, so that a client does not take one for the other either."""
    plain = key_of(cache, GRAPHQL, query_string=b"a=1&b=2") if "order" in difference else key_of(cache, GRAPHQL)
    _, headers, _ = await sent(put(cache, plain))
    viewer, changes = OTHERS[difference]

    assert found(cache, viewer, **changes) is None
    conditional = [*changes.pop("headers", ()), ("if-none-match", headers["etag"])]
    assert found(cache, viewer, **changes, headers=conditional) is None


async def test_a_response_that_shows_checks_stands_until_the_next_check_and_any_other_outlasts_it(
    cache: ResponseCache,
) -> None:
    """And so do their tags; what was read before a check takes no place of what was read behind it."""
    later = ADA._replace(checks_revision=5)
    _, plain, _ = await sent(put(cache, key_of(cache), "plain"))
    checked: dict[str, Any] = {"path": LIST + "/1"}
    _, shown, _ = await sent(put(cache, key_of(cache, **checked), "old", shows_checks=True))

    assert found(cache, later) is not None
    assert (await sent(found(cache, later, headers=[("if-none-match", plain["etag"])])))[0] == 304
    assert found(cache, later, **checked) is None
    assert found(cache, later, **checked, headers=[("if-none-match", shown["etag"])]) is None

    put(cache, key_of(cache, later, **checked), "new", shows_checks=True)
    put(cache, key_of(cache, **checked), "old", shows_checks=True)
    status, headers, body = await sent(found(cache, later, **checked))
    assert (status, body) == (200, b"new")
    for kept in (cache, ResponseCache(0, EntityTags(public_url=None))):
        assert (await sent(found(kept, later, **checked, headers=[("if-none-match", headers["etag"])])))[0] == 304
        assert (await sent(found(kept, later, headers=[("if-none-match", plain["etag"])])))[0] == 304
    assert cache.contains(key_of(cache, later, **checked))
    assert not cache.contains(key_of(cache, later._replace(checks_revision=6), **checked))


async def test_what_no_response_depends_on_makes_no_other_key(cache: ResponseCache) -> None:
    """Another token of the same abilities, HEAD for GET, and for REST what the client accepts."""
    put(cache, key_of(cache))
    other_token = ADA._replace(token_id=9, token_name="laptop", name="Ada L.", destination_count=0)

    assert cache.get(key_of(cache, other_token)) is not None
    assert cache.get(key_of(cache, method="HEAD")) is not None
    assert cache.get(key_of(cache, headers=[("accept", "text/html"), ("cookie", "a"), ("cookie", "b")])) is not None


async def test_the_response_to_a_post_is_cached_without_a_tag(cache: ResponseCache) -> None:
    """A client may not cache it; a condition means nothing there."""
    request: dict[str, Any] = {"method": "POST", "body": b"{}", "headers": [("if-none-match", "*")]}

    _, headers, _ = await sent(put(cache, key_of(cache, GRAPHQL, **request), condition=b"*"))

    assert headers.keys() & {"etag", "cache-control"} == set()
    assert headers["vary"] == "Accept"
    assert (await sent(found(cache, GRAPHQL, **request)))[0] == 200


async def test_a_later_revision_of_a_user_drops_what_was_cached_for_that_user(cache: ResponseCache) -> None:
    """Before anything is cached in its place; the responses of others stay."""
    for page in range(10):
        put(cache, key_of(cache, query_string=b"page=%d" % page))
    put(cache, key_of(cache, BOB))

    assert cache.get(key_of(cache, ADA._replace(revision=8))) is None

    assert len(cache) == 1
    assert cache.get(key_of(cache, BOB)) is not None
    assert cache.evictions == 0


async def test_a_stale_read_is_not_cached(cache: ResponseCache) -> None:
    slow, later = key_of(cache), key_of(cache, ADA._replace(revision=8))
    put(cache, later, "newer")

    assert (await sent(put(cache, slow, "older")))[2] == b"older"

    assert len(cache) == 1
    assert (await sent(cache.get(later)))[2] == b"newer"


async def test_two_requests_that_read_the_same_are_cached_once(cache: ResponseCache) -> None:
    for _ in range(2):
        put(cache, key_of(cache))

    counted = cache.bytes
    assert len(cache) == 1
    cache.get(key_of(cache, ADA._replace(revision=8)))
    assert counted > cache.bytes == 0


async def test_the_least_recently_used_response_goes_first_when_the_bytes_are_full(cache: ResponseCache) -> None:
    def page(number: int) -> CacheKey:
        return key_of(cache, query_string=b"page=%d" % number)

    put(cache, page(0))
    number = 0
    while cache.evictions == 0:
        number += 1
        for _ in range(2):  # once it is full, what comes again is let in
            put(cache, page(number), "x" * 10_000)
        assert cache.get(page(0)) is not None
        assert cache.bytes <= MAX_BYTES

    assert cache.bytes > MAX_BYTES - 20_000
    assert cache.get(page(1)) is None
    assert cache.get(page(2)) is not None


def test_a_scan_through_all_users_pushes_out_nothing(cache: ResponseCache) -> None:
    """The doorkeeper may take one in a hundred for another."""
    users = [ADA._replace(user_id=number) for number in range(1, 101)]
    for user in users:
        put(cache, key_of(cache, user), "x" * 8_000)
    assert (len(cache), cache.evictions) == (100, 0)

    for number in range(1_000, 1_400):
        put(cache, key_of(cache, ADA._replace(user_id=number)), "x" * 20_000)
    assert sum(cache.get(key_of(cache, user)) is not None for user in users) > 70


def test_a_user_who_asks_again_is_let_in_and_after_a_change_at_once(cache: ResponseCache) -> None:
    for number in range(1_000, 1_100):
        put(cache, key_of(cache, ADA._replace(user_id=number)), "x" * 10_000)
    as_said = 0
    for user_id in range(2, 8):
        kept = []
        for revision in (1, 2, 3):
            key = key_of(cache, ADA._replace(user_id=user_id, revision=revision))
            put(cache, key, "x" * 10_000)
            kept.append(cache.get(key) is not None)
        as_said += kept == [False, True, True]
    assert as_said >= 4, "the doorkeeper may take one in a hundred for another"


def test_the_counted_bytes_are_those_it_takes(cache: ResponseCache) -> None:
    """Keys, headers and what surrounds them included, for many users with one small response each."""
    users = [ADA._replace(user_id=number) for number in range(1, 1_001)]
    tracemalloc.start()
    for number, user in enumerate(users):
        path = f"{LIST}/{number}"
        for _ in range(2):  # once it is full, what comes again is let in
            put(cache, key_of(cache, user, path=path, query_string=b"n=%d" % number), str(number) * 10)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(cache) < len(users), "the bound was reached"
    assert 0.7 * cache.bytes < taken < 1.1 * cache.bytes


async def test_a_response_too_large_to_cache_is_sent_with_its_tag(cache: ResponseCache) -> None:
    status, headers, body = await sent(put(cache, key_of(cache), "x" * (MAX_BYTES // LARGEST_PART)))

    assert (status, len(body)) == (200, MAX_BYTES // LARGEST_PART)
    assert "etag" in headers
    assert (len(cache), cache.bytes) == (0, 0)


async def test_a_cache_of_no_bytes_keeps_nothing_and_gives_the_same_tags(cache: ResponseCache) -> None:
    """A client goes on asking conditionally, and gets its 304 before anything is read."""
    off = ResponseCache(0, EntityTags(public_url=None))

    _, headers, _ = await sent(put(off, key_of(off)))

    assert (len(off), off.bytes) == (0, 0)
    assert headers["etag"] == (await sent(put(cache, key_of(cache))))[1]["etag"]
    unchanged = await sent(found(off, headers=[("if-none-match", headers["etag"])]))
    assert unchanged == (304, {name: headers[name] for name in ("cache-control", "vary", "etag")}, b"")
    assert off.get(key_of(off)) is None


async def test_a_layer_that_a_response_is_sent_through_does_not_change_what_is_cached(cache: ResponseCache) -> None:
    """A layer that adds headers adds them to what it was sent."""
    put(cache, key_of(cache))
    cached = cache.get(key_of(cache))
    before = await sent(cached)
    assert cached is not None

    async def add_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["x-added"] = "1"
        message["body"] = b"changed"

    await cached({"type": "http"}, None, add_headers)  # type: ignore[arg-type]  # nothing is received

    assert await sent(cached) == before
