"""Entity tags and what a client may say about those it has: the forms of `If-None-Match` (RFC 9110, 13.1.2)."""

from __future__ import annotations

import pytest
from starlette.responses import Response

from tests.support.gateway.questions import answer, asked, sent
from web.cache.etags import EntityTags
from web.cache.response_cache import ResponseCache


@pytest.fixture
def cache() -> ResponseCache:
    return ResponseCache(1_000_000, EntityTags(public_url=None))


CONDITIONS = {
    "the tag": (["{tag}"], True),
    "the tag, weak": (["W/{tag}"], True),
    "in a list": (['"a", {tag} , "b"'], True),
    "weak in a list": (['W/"a,b",W/{tag}'], True),
    "in a second line": (['"a"', "{tag}"], True),
    "another tag": (['"00000000000000000000000000000000"'], False),
    "a part of the tag": (["{tag:.20}"], False),
    "without quotes": (["{bare}"], False),
    "empty": ([""], False),
    "a star in quotes": (['"*"'], False),
}


@pytest.mark.parametrize("form", CONDITIONS)
@pytest.mark.parametrize("is_kept", [True, False])
async def test_if_none_match_is_read_as_a_list_and_compared_weakly(
    form: str, is_kept: bool, cache: ResponseCache
) -> None:
    _, headers, _ = await sent(cache.keep(asked(cache), answer()))
    values, has_it = CONDITIONS[form]
    tag = headers["etag"]
    given = [("if-none-match", value.format(tag=tag, bare=tag.strip('"'))) for value in values]
    asked_of = cache if is_kept else ResponseCache(0, EntityTags(public_url=None))

    found = asked_of.known(asked(asked_of, headers=given))

    expected = 304 if has_it else 200 if is_kept else None
    assert (None if found is None else (await sent(found))[0]) == expected


async def test_a_star_is_any_answer_that_there_is(cache: ResponseCache) -> None:
    """Which has to be found out first, unless it is kept."""
    anything = asked(cache, headers=[("if-none-match", " * ")])

    assert cache.known(anything) is None
    assert cache.keep(anything, missing := Response("", 404)) is missing
    found_out = await sent(cache.keep(anything, answer()))

    assert found_out == await sent(cache.known(anything))
    assert found_out[0] == 304
    assert cache.not_modified == 2


def test_tags_are_those_of_one_version_and_one_public_address() -> None:
    question = asked(ResponseCache(0, EntityTags(public_url=None)))
    tag = EntityTags(public_url="https://a.example").of(question)

    assert tag == EntityTags(public_url="https://a.example").of(question)
    assert tag != EntityTags(public_url="https://b.example").of(question)
    assert tag != EntityTags(public_url=None).of(question)
    assert len(tag) == 34
    assert tag.startswith(b'"')
    assert tag.endswith(b'"')
