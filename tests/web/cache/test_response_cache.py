"""What is kept and what not: one question, one answer, for one revision of a user, within a number of bytes."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import Message

from models.accounts.abilities import Ability
from models.accounts.viewer import Protocol, Viewer
from tests.support.gateway.questions import ADA, LIST, answer, asked, sent
from web.cache.cache_key import Question
from web.cache.etags import EntityTags
from web.cache.response_cache import LARGEST_PART, ResponseCache

MAX_BYTES = 1_000_000
BOB = ADA._replace(user_id=2)
GRAPHQL = ADA._replace(protocol=Protocol.GRAPHQL)


@pytest.fixture
def cache() -> ResponseCache:
    return ResponseCache(MAX_BYTES, EntityTags(public_url=None))


async def test_an_answer_that_was_found_out_is_given_again_byte_for_byte(cache: ResponseCache) -> None:
    assert cache.known(asked(cache)) is None

    first = await sent(cache.keep(asked(cache), answer()))
    again = await sent(cache.known(asked(cache)))

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
async def test_whatever_an_answer_depends_on_makes_another_question(difference: str, cache: ResponseCache) -> None:
    """And another tag, so that a client does not take one for the other either."""
    plain = asked(cache, GRAPHQL, query_string=b"a=1&b=2") if "order" in difference else asked(cache, GRAPHQL)
    _, headers, _ = await sent(cache.keep(plain, answer()))
    viewer, changes = OTHERS[difference]

    assert cache.known(asked(cache, viewer, **changes)) is None
    conditional = [*changes.pop("headers", ()), ("if-none-match", headers["etag"])]
    assert cache.known(asked(cache, viewer, **changes, headers=conditional)) is None


async def test_what_no_answer_depends_on_does_not_make_another_question(cache: ResponseCache) -> None:
    """Another token of the same abilities, HEAD for GET, and for REST what the client accepts."""
    cache.keep(asked(cache), answer())
    other_token = ADA._replace(token_id=9, token_name="laptop", name="Ada L.", destination_count=0)

    assert cache.known(asked(cache, other_token)) is not None
    assert cache.known(asked(cache, method="HEAD")) is not None
    assert cache.known(asked(cache, headers=[("accept", "text/html"), ("cookie", "a"), ("cookie", "b")])) is not None


@pytest.mark.parametrize("status", [201, 204, 206, 304, 400, 403, 404, 429, 500, 503])
async def test_only_a_plain_success_is_kept(status: int, cache: ResponseCache) -> None:
    response = Response("", status)

    assert cache.keep(asked(cache), response) is response
    assert cache.known(asked(cache)) is None
    assert (cache.bytes, cache.misses) == (0, 0)


async def test_a_question_by_post_is_kept_without_a_tag(cache: ResponseCache) -> None:
    """Its answer is not for a client to keep; a condition means nothing there."""
    question = asked(cache, GRAPHQL, method="POST", body=b"{}", headers=[("if-none-match", "*")])

    _, headers, _ = await sent(cache.keep(question, answer()))

    assert headers.keys() & {"etag", "cache-control"} == set()
    assert headers["vary"] == "Accept"
    assert (await sent(cache.known(question)))[0] == 200


async def test_a_later_revision_of_a_user_drops_what_was_kept_of_that_user(cache: ResponseCache) -> None:
    """Before anything is kept in its place; the answers of others stay."""
    for page in range(10):
        cache.keep(asked(cache, query_string=b"page=%d" % page), answer())
    cache.keep(asked(cache, BOB), answer())

    assert cache.known(asked(cache, ADA._replace(revision=8))) is None

    assert len(cache) == 1
    assert cache.known(asked(cache, BOB)) is not None
    assert cache.evictions == 0


async def test_a_read_that_a_change_has_overtaken_is_not_kept(cache: ResponseCache) -> None:
    slow, later = asked(cache), asked(cache, ADA._replace(revision=8))
    cache.keep(later, answer("newer"))

    assert (await sent(cache.keep(slow, answer("older"))))[2] == b"older"

    assert len(cache) == 1
    assert (await sent(cache.known(later)))[2] == b"newer"


async def test_two_requests_that_find_out_the_same_keep_it_once(cache: ResponseCache) -> None:
    for _ in range(2):
        cache.keep(asked(cache), answer())

    counted = cache.bytes
    assert len(cache) == 1
    cache.known(asked(cache, ADA._replace(revision=8)))
    assert counted > cache.bytes == 0


async def test_the_least_recently_used_answer_goes_first_when_the_bytes_are_full(cache: ResponseCache) -> None:
    def page(number: int) -> Question:
        return asked(cache, query_string=b"page=%d" % number)

    cache.keep(page(0), answer())
    number = 0
    while cache.evictions == 0:
        number += 1
        cache.keep(page(number), answer("x" * 10_000))
        assert cache.known(page(0)) is not None
        assert cache.bytes <= MAX_BYTES

    assert cache.bytes > MAX_BYTES - 20_000
    assert cache.known(page(1)) is None
    assert cache.known(page(2)) is not None


def test_the_counted_bytes_are_those_it_takes(cache: ResponseCache) -> None:
    """Keys, headers and what surrounds them included, for many users with one small answer each."""
    users = [ADA._replace(user_id=number) for number in range(1, 1_001)]
    tracemalloc.start()
    for number, user in enumerate(users):
        path = f"{LIST}/{number}"
        cache.keep(asked(cache, user, path=path, query_string=b"n=%d" % number), answer(str(number) * 10))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(cache) < len(users), "the bound was reached"
    assert 0.7 * cache.bytes < taken < 1.1 * cache.bytes


async def test_an_answer_too_large_to_keep_is_sent_with_its_tag(cache: ResponseCache) -> None:
    status, headers, body = await sent(cache.keep(asked(cache), answer("x" * (MAX_BYTES // LARGEST_PART))))

    assert (status, len(body)) == (200, MAX_BYTES // LARGEST_PART)
    assert "etag" in headers
    assert (len(cache), cache.bytes) == (0, 0)


async def test_a_cache_of_no_bytes_keeps_nothing_and_gives_the_same_tags(cache: ResponseCache) -> None:
    """A client goes on asking conditionally, and is answered before anything is read."""
    off = ResponseCache(0, EntityTags(public_url=None))

    _, headers, _ = await sent(off.keep(asked(off), answer()))

    assert (len(off), off.bytes) == (0, 0)
    assert headers["etag"] == (await sent(cache.keep(asked(cache), answer())))[1]["etag"]
    unchanged = await sent(off.known(asked(off, headers=[("if-none-match", headers["etag"])])))
    assert unchanged == (304, {name: headers[name] for name in ("cache-control", "vary", "etag")}, b"")
    assert off.known(asked(off)) is None


async def test_whoever_an_answer_is_sent_through_does_not_change_what_is_kept(cache: ResponseCache) -> None:
    """A layer that adds headers adds them to what it was sent."""
    cache.keep(asked(cache), answer())
    kept = cache.known(asked(cache))
    before = await sent(kept)
    assert kept is not None

    async def add_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["x-added"] = "1"
        message["body"] = b"changed"

    await kept({"type": "http"}, None, add_headers)  # type: ignore[arg-type]  # nothing is received

    assert await sent(kept) == before
