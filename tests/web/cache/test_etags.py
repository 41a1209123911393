"""Entity tags and what a client may say about those it has: the forms of `If-None-Match` (RFC 9110, 13.1.2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.gateway.cache_keys import found, key_of, put, sent
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
@pytest.mark.parametrize("is_cached", [True, False])
async def test_if_none_match_is_read_as_a_list_and_compared_weakly(
    form: str, is_cached: bool, cache: ResponseCache
) -> None:
    _, headers, _ = await sent(put(cache, key_of(cache)))
    values, has_it = CONDITIONS[form]
    tag = headers["etag"]
    given = [("if-none-match", value.format(tag=tag, bare=tag.strip('"'))) for value in values]
    asked = cache if is_cached else ResponseCache(0, EntityTags(public_url=None))

    response = found(asked, headers=given)

    expected = 304 if has_it else 200 if is_cached else None
    assert (None if response is None else response.status) == expected


async def test_a_star_is_any_response_that_there_is(cache: ResponseCache) -> None:
    """Which has to be read first, unless it is cached."""
    anything: dict[str, Any] = {"headers": [("if-none-match", " * ")]}

    assert found(cache, **anything) is None
    read = await sent(put(cache, key_of(cache, **anything), condition=b" * "))

    assert read == await sent(found(cache, **anything))
    assert read[0] == 304
    assert cache.not_modified == 2


def test_tags_are_those_of_one_version_and_one_public_address() -> None:
    key = key_of(ResponseCache(0, EntityTags(public_url=None)))
    tag = EntityTags(public_url="https://a.example").of(key, shows_checks=False)

    assert tag == EntityTags(public_url="https://a.example").of(key, shows_checks=False)
    assert tag != EntityTags(public_url="https://b.example").of(key, shows_checks=False)
    assert tag != EntityTags(public_url=None).of(key, shows_checks=False)
    assert len(tag) == 34
    assert tag.startswith(b'"')
    assert tag.endswith(b'"')


def test_tags_of_another_key_are_others() -> None:
    """A client that knows everything a tag is made of but the key cannot compute it."""
    tags = []
    for secret in (b"", b"one", b"another", b"one"):
        entity_tags = EntityTags(public_url=None)
        entity_tags.use_key(secret)
        tags.append(entity_tags.of(key_of(ResponseCache(0, entity_tags)), shows_checks=False))

    assert len(set(tags)) == 3
    assert tags[1] == tags[3]
