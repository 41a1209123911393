"""A check suggests what the store itself says, and only after the bucket was found with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.checks.report import CheckCode, CheckDepth, CheckStepName, CheckSuggestion
from tests.support.stores.certificates import Authority
from tests.support.stores.peers import (
    MemoryStore,
    Override,
    ReceivedRequest,
    answer,
    error,
    listening,
    only_in,
    region_of,
)
from tests.support.stores.probing import (
    ACCESS_KEY,
    Recorder,
    TableResolver,
    failure,
    followed,
    outcomes,
    prober,
    target,
)

WRONG_REGION = (CheckStepName.BUCKET, CheckCode.WRONG_REGION)


REFUSALS = {
    "a header of a 301": answer("301 Moved Permanently", x_amz_bucket_region="eu-west-1"),
    "a header of a 400": answer("400 Bad Request", x_amz_bucket_region="eu-west-1"),
    "a header of a 307": error("307 Temporary Redirect", "TemporaryRedirect", x_amz_bucket_region="eu-west-1"),
    "an element": error("400 Bad Request", "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
    "a sentence": answer(
        "400 Bad Request",
        b"<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the region "
        b"'us-east-1' is wrong; expecting 'eu-west-1'</Message></Error>",
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
async def test_the_region_that_a_store_names_is_suggested_and_right(refusal: bytes) -> None:
    store = MemoryStore(only_in("eu-west-1", refusal))
    async with listening(store.script) as peer:
        first, second = await followed(prober(), target(peer.url))

    assert failure(first) == WRONG_REGION
    assert outcomes(first) == "PPSSFSSSS"
    assert first.suggestion == CheckSuggestion(region="eu-west-1")
    assert second.reachable
    assert store.objects == {}


@pytest.mark.parametrize(
    "region",
    [
        "us-east-1",
        "",
        "eu west",
        "<script>",
        "a" * 33,
        "eu-west-1\x7f",
        ACCESS_KEY,
        ACCESS_KEY.lower(),
        ACCESS_KEY[4:16],
    ],
)
async def test_a_region_that_is_none_or_the_same_or_repeats_a_key_is_not_suggested(region: str) -> None:
    """Not even where it would work."""
    refusal = error("400 Bad Request", "AuthorizationHeaderMalformed", f"<Region>{region}</Region>")

    async def override(asked: ReceivedRequest) -> bytes | None:
        return refusal if region_of(asked) == "us-east-1" else None

    async with listening(MemoryStore(override).script) as peer:
        report = await prober().probe(target(peer.url), CheckDepth.FULL)

    assert failure(report) == WRONG_REGION
    assert report.suggestion is None


async def test_a_region_with_which_the_bucket_is_not_found_is_not_suggested() -> None:
    refusal = error("400 Bad Request", "AuthorizationHeaderMalformed", "<Region>eu-west-2</Region>")
    async with listening(MemoryStore(only_in("eu-west-1", refusal)).script) as peer:
        report = await prober().probe(target(peer.url), CheckDepth.FULL)

    assert failure(report) == WRONG_REGION
    assert report.suggestion is None


def under(bucket_host: str, refusal: bytes) -> Override:
    """A store that finds buckets in the path alone."""

    async def override(asked: ReceivedRequest) -> bytes | None:
        return refusal if asked.headers["host"].startswith(bucket_host) else None

    return override


@pytest.mark.parametrize(
    ("refusal", "step", "code"),
    [
        (error("404 Not Found", "NoSuchBucket"), CheckStepName.BUCKET, CheckCode.NO_SUCH_BUCKET),
        (answer("200 OK", b"<ListAllMyBucketsResult/>"), CheckStepName.BUCKET, CheckCode.NO_SUCH_BUCKET),
        (answer("200 OK", b"<html>hunter22</html>"), CheckStepName.AUTHENTICATE, CheckCode.NOT_S3),
    ],
)
async def test_path_style_is_suggested_where_it_finds_the_bucket(
    refusal: bytes, step: CheckStepName, code: CheckCode
) -> None:
    async with listening(MemoryStore(under("nightly.", refusal)).script) as peer:
        checks = prober(resolver=TableResolver(dict.fromkeys(["nightly.store.test", "store.test"], ("127.0.0.1",))))
        there = target(f"http://store.test:{peer.port}", path_style=False)
        first, second = await followed(checks, there)

    assert failure(first) == (step, code)
    assert first.suggestion == CheckSuggestion(path_style_endpoint=True)
    assert second.reachable


async def test_path_style_is_suggested_where_the_buckets_host_is_at_an_address_that_is_not_allowed() -> None:
    async with listening(MemoryStore().script) as peer:
        names = TableResolver({"nightly.store.test": ["10.0.0.1"], "store.test": ["127.0.0.1"]})
        backend = Recorder()
        checks = prober(resolver=names, backend=backend, allow=[f"store.test:{peer.port}"])
        first, second = await followed(checks, target(f"http://store.test:{peer.port}", path_style=False))

    assert failure(first) == (CheckStepName.RESOLVE, CheckCode.ENDPOINT_NOT_ALLOWED)
    assert first.suggestion == CheckSuggestion(path_style_endpoint=True)
    assert second.reachable
    assert {host for host, _ in backend.attempts} == {"127.0.0.1"}


async def test_path_style_is_suggested_where_the_certificate_does_not_cover_buckets(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with listening(MemoryStore().script, tls=authority.serving("store.test")) as peer:
        names = TableResolver(dict.fromkeys(["nightly.store.test", "store.test"], ("127.0.0.1",)))
        checks = prober(resolver=names, tls=authority.trusting())
        first, second = await followed(checks, target(f"https://store.test:{peer.port}", path_style=False))

    assert failure(first) == (CheckStepName.TLS, CheckCode.TLS_FAILED)
    assert first.suggestion == CheckSuggestion(path_style_endpoint=True)
    assert second.reachable


async def test_the_host_style_is_suggested_where_a_store_forbids_the_path() -> None:
    async def override(asked: ReceivedRequest) -> bytes | None:
        is_path = not asked.headers["host"].startswith("nightly.")
        return error("403 Forbidden", "SecondLevelDomainForbidden") if is_path else None

    async with listening(MemoryStore(override).script) as peer:
        checks = prober(resolver=TableResolver(dict.fromkeys(["nightly.store.test", "store.test"], ("127.0.0.1",))))
        first, second = await followed(checks, target(f"http://store.test:{peer.port}"))

    assert failure(first) == (CheckStepName.BUCKET, CheckCode.NO_SUCH_BUCKET)
    assert first.suggestion == CheckSuggestion(path_style_endpoint=False)
    assert second.reachable


async def test_two_corrections_at_once_are_suggested_together() -> None:
    refusal = error("400 Bad Request", "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>")
    async with listening(MemoryStore(only_in("eu-west-1", refusal)).script) as peer:
        checks = prober(resolver=TableResolver({"store.test": ["127.0.0.1"]}))
        first, second = await followed(checks, target(f"http://store.test:{peer.port}", path_style=False))

    assert failure(first) == (CheckStepName.RESOLVE, CheckCode.DNS_FAILURE)
    assert first.suggestion == CheckSuggestion(region="eu-west-1", path_style_endpoint=True)
    assert second.reachable


async def test_a_bucket_that_is_nowhere_suggests_nothing_and_asks_little() -> None:
    store = MemoryStore(under("", error("404 Not Found", "NoSuchBucket")))
    async with listening(store.script) as peer:
        checks = prober(resolver=TableResolver(dict.fromkeys(["nightly.store.test", "store.test"], ("127.0.0.1",))))
        report = await checks.probe(target(f"http://store.test:{peer.port}", path_style=False), CheckDepth.FULL)

    assert failure(report) == (CheckStepName.BUCKET, CheckCode.NO_SUCH_BUCKET)
    assert report.suggestion is None
    assert len(store.asked) == 2
