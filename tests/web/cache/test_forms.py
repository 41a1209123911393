"""A response in the content codings that clients ask for: made once, counted, with tags of its own."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from tests.support.gateway.cache_keys import ADA, HEADERS, LIST, key_of, sent
from tests.support.gateway.codings import decoded
from web.cache.cache_key import CacheKey
from web.cache.cached_response import CachedResponse
from web.cache.etags import EntityTags
from web.cache.response_cache import ResponseCache
from web.compression.accept_encoding import AS_IS, Wanted, wanted

MAX_BYTES = 1_000_000
BODY = b'{"label":"a list of destinations"},' * 100
BY_GZIP, BY_ZSTD = wanted(b"gzip"), wanted(b"zstd")


@pytest.fixture
def cache() -> ResponseCache:
    return ResponseCache(MAX_BYTES, EntityTags(public_url=None))


def put(cache: ResponseCache, key: CacheKey, asked: Wanted | None, body: bytes = BODY) -> CachedResponse:
    return cache.put(key, HEADERS, body, b"", asked, shows_checks=False)


async def test_a_response_is_compressed_once_and_kept_beside_what_it_was(cache: ResponseCache) -> None:
    key = key_of(cache)
    first = put(cache, key, BY_GZIP)

    assert cache.get(key, b"", BY_GZIP) is first
    plain, by_zstd = cache.get(key), cache.get(key, b"", BY_ZSTD)
    assert cache.get(key, b"", BY_ZSTD) is by_zstd
    assert cache.get(key, b"", AS_IS) is plain
    assert plain is not None
    assert by_zstd is not None
    assert decoded(first.body, b"gzip") == decoded(by_zstd.body, b"zstd") == plain.body == BODY
    assert len(cache) == 1


async def test_each_form_says_what_it_is_and_has_a_tag_of_its_own(cache: ResponseCache) -> None:
    key = key_of(cache)
    answers = [await sent(put(cache, key, asked)) for asked in (None, AS_IS, BY_GZIP, BY_ZSTD)]

    assert [headers.get("content-encoding") for _, headers, _ in answers] == [None, None, "gzip", "zstd"]
    assert [headers["content-length"] for _, headers, _ in answers] == [str(len(body)) for _, _, body in answers]
    plain, again, by_gzip, by_zstd = (headers["etag"] for _, headers, _ in answers)
    assert plain == again
    assert by_gzip == f'{plain[:-1]}-gzip"'
    assert by_zstd == f'{plain[:-1]}-zstd"'


@pytest.mark.parametrize("is_cached", [True, False])
@pytest.mark.parametrize("asked", [None, AS_IS, BY_GZIP, BY_ZSTD, wanted(b"gzip, identity;q=0")])
async def test_a_tag_is_current_for_the_forms_that_the_request_may_be_answered_with(
    cache: ResponseCache, asked: Wanted | None, is_cached: bool
) -> None:
    """A 304 that names a coding which the client does not accept would let a cache send it; a large or a small body
    may be plain for any other client but one that refuses it.
    """
    key = key_of(cache)
    tags = {put(cache, key, each).tag: each.coding for each in (AS_IS, BY_GZIP, BY_ZSTD)}
    other = cache if is_cached else ResponseCache(0, EntityTags(public_url=None))
    wants = asked or AS_IS
    ours = {wants.coding} | ({b""} if wants.min_bytes else set())

    for tag, coding in tags.items():
        for condition in (tag, b"W/" + tag, b'"x", ' + tag):
            answer = other.get(key, condition, asked)
            if coding in ours:
                assert answer is not None
                assert (answer.status, answer.tag, answer.body) == (304, tag, b"")
            else:
                assert (None if answer is None else answer.status) == (200 if is_cached else None)
    of_plain, *_ = tags
    several = other.get(key, b", ".join(tags), asked)
    assert several is not None
    assert tags[several.tag] == wants.coding
    for wrong in (b'"x-gzip"', of_plain[:-1] + b'-br"', of_plain[:-1]):
        refused = other.get(key, wrong, asked)
        assert (None if refused is None else refused.status) == (200 if is_cached else None)


async def test_a_star_is_answered_with_the_tag_of_the_form_that_is_wanted(cache: ResponseCache) -> None:
    key = key_of(cache)
    read = cache.put(key, HEADERS, BODY, b"*", BY_GZIP, shows_checks=False)
    found = cache.get(key, b"*", BY_GZIP)

    assert found is not None
    assert (read.status, found.status) == (304, 304)
    assert read.tag == found.tag == put(cache, key, BY_GZIP).tag


async def test_a_small_response_has_one_form(cache: ResponseCache) -> None:
    key = key_of(cache)

    small = put(cache, key, BY_GZIP, b"small")
    assert small.body == b"small"
    assert small.coding == b""
    forced = cache.get(key, b"", wanted(b"gzip, identity;q=0"))
    assert forced is not None
    assert decoded(forced.body, b"gzip") == b"small"


@pytest.mark.parametrize("max_bytes", [0, 20_000])
async def test_what_is_not_kept_is_compressed_all_the_same(max_bytes: int) -> None:
    """With a cache that is off, and for a response that is too large for it."""
    cache = ResponseCache(max_bytes, EntityTags(public_url=None))
    key = key_of(cache)

    response = put(cache, key, BY_ZSTD)

    assert decoded(response.body, b"zstd") == BODY
    assert (len(cache), cache.bytes) == (0, 0)


def test_the_counted_bytes_are_those_that_all_forms_take(cache: ResponseCache) -> None:
    """Within a tenth, with the bound reached, whatever is evicted; nothing is left of a user that changed."""
    for coding in (BY_GZIP, BY_ZSTD):
        put(cache, key_of(cache), coding)  # what an encoder keeps for itself
    cache.get(key_of(cache, ADA._replace(revision=8)))
    tracemalloc.start()
    for number in range(1, 400):
        request: dict[str, Any] = {"path": f"{LIST}/{number}", "query_string": b"n=%d" % number}
        key = key_of(cache, ADA._replace(user_id=number), **request)
        for _ in range(2):  # once it is full, what comes again is let in
            put(cache, key, None, b'{"label":"%d"},' % number * 200)
        for coding in (BY_GZIP, BY_ZSTD, BY_GZIP):
            cache.get(key, b"", coding)
        assert cache.bytes <= MAX_BYTES
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert cache.evictions > 0
    assert 0.85 * cache.bytes < taken < 1.1 * cache.bytes
    for number in range(1, 400):
        cache.get(key_of(cache, ADA._replace(user_id=number, revision=8)))
    assert (len(cache), cache.bytes) == (0, 0)
