"""A check suggests what the store itself says, and only after the bucket was found with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.checks.report import CheckCode, CheckDepth, CheckHint, CheckStepName, CheckSuggestion
from models.vault.secret import Secret
from tests.support.stores.certificates import Authority
from tests.support.stores.peers import (
    LISTING,
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
    PUBLIC,
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

    assert failure(first) == (CheckStepName.RESOLVE, CheckCode.DNS_FAILURE)
    assert first.suggestion == CheckSuggestion(path_style_endpoint=True)
    assert second.reachable
    assert {host for host, _ in backend.attempts} == {"127.0.0.1"}


async def test_path_style_is_suggested_where_the_certificate_does_not_cover_buckets(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with listening(MemoryStore().script, tls=authority.serving("store.test")) as peer:
        names = TableResolver(dict.fromkeys(["nightly.store.test", "store.test"], ("127.0.0.1",)))
        checks = prober(resolver=names, tls=authority.trusting())
        first, second = await followed(checks, target(f"https://store.test:{peer.port}", path_style=False))

    assert failure(first) == (CheckStepName.TLS, CheckCode.CERTIFICATE_NAME_MISMATCH)
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


async def test_the_endpoint_without_the_bucket_is_suggested_where_the_path_holds_it() -> None:
    async def override(asked: ReceivedRequest) -> bytes | None:
        return error("404 Not Found", "NoSuchKey") if asked.path.startswith("/nightly/nightly") else None

    async with listening(MemoryStore(override).script) as peer:
        first, second = await followed(prober(), target(f"{peer.url}/nightly/"))

    assert failure(first) == (CheckStepName.BUCKET, CheckCode.NO_SUCH_BUCKET)
    assert first.suggestion == CheckSuggestion(endpoint=peer.url)
    assert second.reachable


@pytest.mark.parametrize("path_style", [True, False])
async def test_the_endpoint_without_the_bucket_is_suggested_where_the_host_holds_it(path_style: bool) -> None:
    async def override(asked: ReceivedRequest) -> bytes | None:
        host, path = asked.headers["host"], asked.path
        is_twice = host.startswith("nightly.nightly.") or (host.startswith("nightly.") and "/nightly" in path)
        return error("404 Not Found", "NoSuchKey") if is_twice else None

    async with listening(MemoryStore(override).script) as peer:
        hosts = ("store.test", "nightly.store.test", "nightly.nightly.store.test")
        checks = prober(resolver=TableResolver(dict.fromkeys(hosts, ("127.0.0.1",))))
        there = target(f"http://nightly.store.test:{peer.port}", path_style=path_style)
        first, second = await followed(checks, there)

    assert first.suggestion == CheckSuggestion(endpoint=f"http://store.test:{peer.port}")
    assert second.reachable


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_https_is_suggested_where_the_store_redirects_to_it(status: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with listening(MemoryStore().script, tls=authority.serving("127.0.0.1")) as secure:

        async def override(asked: ReceivedRequest) -> bytes | None:
            return answer(status, location=f"https://127.0.0.1:{secure.port}{asked.target}")

        async with listening(MemoryStore(override).script) as peer:
            first, second = await followed(prober(tls=authority.trusting()), target(peer.url))

    assert failure(first) == (CheckStepName.AUTHENTICATE, CheckCode.REDIRECTED)
    assert first.step(CheckStepName.AUTHENTICATE).hint is CheckHint.HTTPS_NEEDED
    assert first.suggestion == CheckSuggestion(endpoint=f"https://127.0.0.1:{secure.port}")
    assert second.reachable


async def test_https_is_suggested_where_the_port_does_not_speak_plain_http(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with listening(MemoryStore().script, tls=authority.serving("127.0.0.1")) as peer:
        first, second = await followed(prober(tls=authority.trusting()), target(peer.url))

    assert first.suggestion == CheckSuggestion(endpoint=f"https://127.0.0.1:{peer.port}")
    assert second.reachable


async def test_a_redirect_to_another_host_is_neither_followed_nor_suggested() -> None:
    said = answer("301 Moved", location="https://evil.example/nightly")
    backend, names = Recorder(), TableResolver({})
    async with listening(MemoryStore(only_in("nowhere", said)).script) as peer:
        report = await prober(backend=backend, resolver=names).probe(target(peer.url), CheckDepth.FULL)

    assert failure(report) == (CheckStepName.AUTHENTICATE, CheckCode.REDIRECTED)
    assert report.suggestion is None
    assert (names.asked, {port for _, port in backend.attempts}) == ([], {peer.port})


async def test_the_region_in_the_name_of_a_providers_host_is_suggested(tmp_path: Path) -> None:
    """Oracle refuses the signature where the region is missing."""
    host = "space.compat.objectstorage.eu-frankfurt-1.oraclecloud.com"
    refusal = error("403 Forbidden", "SignatureDoesNotMatch")
    authority = Authority(tmp_path)
    store = MemoryStore(only_in("eu-frankfurt-1", refusal))
    async with listening(store.script, tls=authority.serving(host)) as peer:
        backend, names = Recorder({PUBLIC: peer.port}), TableResolver({host: [PUBLIC]})
        checks = prober(allow=(), resolver=names, backend=backend, tls=authority.trusting())
        first, second = await followed(checks, target(f"https://{host}"))

    assert failure(first) == (CheckStepName.AUTHENTICATE, CheckCode.SIGNATURE_MISMATCH)
    assert first.suggestion == CheckSuggestion(region="eu-frankfurt-1")
    assert second.reachable


async def test_the_endpoint_that_a_store_names_is_suggested_if_it_is_the_providers(tmp_path: Path) -> None:
    here, there = "s3.us-east-1.wasabisys.com", "s3.eu-central-1.wasabisys.com"
    authority = Authority(tmp_path)
    for named, expected in ((there, there), ("s3.eu-central-1.wasabisys.com.evil.example", None)):
        moved = error("301 Moved", "PermanentRedirect", f"<Endpoint>{named}</Endpoint>")

        async def override(asked: ReceivedRequest, moved: bytes = moved) -> bytes | None:
            return moved if asked.headers["host"] == here else None

        async with listening(MemoryStore(override).script, tls=authority.serving(here, there)) as peer:
            backend, names = (
                Recorder({PUBLIC: peer.port}),
                TableResolver(dict.fromkeys((here, there, named), (PUBLIC,))),
            )
            checks = prober(allow=(), resolver=names, backend=backend, tls=authority.trusting())
            report = await checks.probe(target(f"https://{here}"), CheckDepth.FULL)

        suggested = None if expected is None else CheckSuggestion(region="eu-central-1", endpoint=f"https://{expected}")
        assert report.suggestion == suggested
        assert set(names.asked) <= {here, there}


@pytest.mark.parametrize("region", ["auto", "us-east-1"])
async def test_regions_that_a_store_may_have_are_tried_where_it_names_none(region: str) -> None:
    refusal = error("400 Bad Request", "InvalidRegionName")
    async with listening(MemoryStore(only_in(region, refusal)).script) as peer:
        first, second = await followed(prober(), target(peer.url, region="eu-central-1"))

    assert failure(first) == WRONG_REGION
    assert first.suggestion == CheckSuggestion(region=region)
    assert second.reachable


@pytest.mark.parametrize("code", ["NotImplemented", ""])
async def test_a_store_that_does_not_know_the_newer_listing_is_asked_for_the_older_one(code: str) -> None:
    async def override(asked: ReceivedRequest) -> bytes | None:
        if "list-type=2" in asked.target:
            return error("501 Not Implemented", code) if code else answer("501 Not Implemented")
        return answer("200 OK", LISTING) if "prefix=" in asked.target else None

    store = MemoryStore(override)
    async with listening(store.script) as peer:
        report = await prober().probe(target(peer.url), CheckDepth.FULL)

    assert outcomes(report) == "PPSPPPPPP"
    assert [asked.method for asked in store.asked] == ["GET", "GET", "PUT", "GET", "DELETE"]
    assert report.suggestion is None


async def test_keys_that_need_a_session_token_are_told_so() -> None:
    refusal = error("403 Forbidden", "InvalidAccessKeyId")
    async with listening(MemoryStore(only_in("nowhere", refusal)).script) as peer:
        report = await prober().probe(target(peer.url, access_key=Secret("ASIAEXAMPLE000000001")), CheckDepth.FULL)

    assert failure(report) == (CheckStepName.AUTHENTICATE, CheckCode.TEMPORARY_CREDENTIALS)
