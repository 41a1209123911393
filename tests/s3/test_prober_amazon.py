"""Amazon's own redirects become suggestions, and lead nowhere but to Amazon's own names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from models.checks.report import CheckCode, CheckDepth, CheckStepName, CheckSuggestion
from s3.prober import S3Prober
from tests.support.stores.certificates import Authority
from tests.support.stores.peers import MemoryStore, ReceivedRequest, error, listening, only_in, region_of
from tests.support.stores.probing import PUBLIC, Recorder, TableResolver, failure, followed, outcomes, prober, target

WRONG_REGION = (CheckStepName.BUCKET, CheckCode.WRONG_REGION)
AMAZON_HOSTS = [
    f"{bucket}s3.{region}.amazonaws.com" for bucket in ("nightly.", "") for region in ("us-east-1", "eu-west-1")
]
MOVED = error("301 Moved Permanently", "PermanentRedirect", "<Endpoint>nightly.s3.eu-west-1.amazonaws.com</Endpoint>")


@asynccontextmanager
async def amazon(directory: Path) -> AsyncIterator[tuple[S3Prober, MemoryStore]]:
    """Two regions of Amazon's under its own names; the bucket is in eu-west-1."""

    async def override(asked: ReceivedRequest) -> bytes | None:
        return None if "eu-west-1" in asked.headers["host"] and region_of(asked) == "eu-west-1" else MOVED

    authority, store = Authority(directory), MemoryStore(override)
    async with listening(store.script, tls=authority.serving(*AMAZON_HOSTS)) as peer:
        names = TableResolver(dict.fromkeys(AMAZON_HOSTS, (PUBLIC,)))
        yield prober(allow=(), resolver=names, backend=Recorder({PUBLIC: peer.port}), tls=authority.trusting()), store


@pytest.mark.parametrize("path_style", [True, False])
async def test_amazons_redirect_to_another_region_becomes_a_suggestion(path_style: bool, tmp_path: Path) -> None:
    async with amazon(tmp_path) as (checks, store):
        first, second = await followed(checks, target(None, region="us-east-1", path_style=path_style))

    assert failure(first) == WRONG_REGION
    assert first.suggestion == CheckSuggestion(region="eu-west-1")
    assert outcomes(second) == "P" * 9
    assert store.objects == {}


async def test_an_endpoint_of_amazons_in_another_region_is_suggested_with_the_region(tmp_path: Path) -> None:
    async with amazon(tmp_path) as (checks, _):
        first, second = await followed(checks, target("https://s3.us-east-1.amazonaws.com", path_style=False))

    assert failure(first) == WRONG_REGION
    assert first.suggestion == CheckSuggestion(region="eu-west-1", endpoint="https://s3.eu-west-1.amazonaws.com")
    assert outcomes(second) == "P" * 9


@pytest.mark.parametrize("region", ["evil.example/", "127.0.0.1", "internal", "metadata"])
async def test_no_answer_leads_out_of_amazons_names(region: str, tmp_path: Path) -> None:
    """An Amazon target stays at Amazon whatever stands in a redirect."""
    said = error("301 Moved", "PermanentRedirect", f"<Region>{region}</Region>", x_amz_bucket_region=region)
    authority = Authority(tmp_path)
    async with listening(MemoryStore(only_in("nowhere", said)).script, tls=authority.serving(*AMAZON_HOSTS)) as peer:
        names = TableResolver(dict.fromkeys(AMAZON_HOSTS, (PUBLIC,)))
        checks = prober(resolver=names, backend=Recorder({PUBLIC: peer.port}), tls=authority.trusting())
        report = await checks.probe(target(None, region="us-east-1", path_style=False), CheckDepth.FULL)

    assert failure(report) == WRONG_REGION
    assert report.suggestion is None
    assert set(names.asked) == {"nightly.s3.us-east-1.amazonaws.com"}
