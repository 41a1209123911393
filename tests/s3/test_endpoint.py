"""An endpoint is refused before its host is resolved, or means the same server and path as for the usual clients."""

from __future__ import annotations

import re

import pytest
from botocore.session import get_session

from models.checks.report import CheckCode, CheckDepth, CheckStepName
from models.vault.secret import Secret
from s3.endpoint import amazon_endpoint, bucket_endpoint, is_amazon_region
from s3.steps import StepFailed
from tests.support.stores.probing import Recorder, TableResolver, failure, prober, target

MALFORMED = [
    *("", "store.example", "//store.example", "ftp://store.example", "https:", "https://", "https:///x", "http:store"),
    *("https://user@store.example", "https://user:hunter22@store.example", "https://@store.example"),
    *("https://store.example?", "https://store.example/?x=1", "https://store.example#", "https://store.example/#x"),
    *(
        "https://store.example:0",
        "https://store.example:65536",
        "https://store.example:999999",
        "https://store.example:-1",
    ),
    *(
        "https://store.example:+80",
        "https://store.example:٨٠",
        "https://store.example:80:80",
        "https://store.example:0x50",
    ),
    *("https://store\\.example", "https://store.example\\@127.0.0.1", "https:\\\\store.example"),
    *(
        "https://store.example/\n",
        "https://store.example\r\nHost: x",
        "https://st\tore.example",
        "https://store .example",
    ),
    *(
        "https://store.example\x00",
        "https://store.example/\x7f",
        "https://store.example/\x85",
        "https://store.example/\u2028",
    ),
    *("https://store..example", "https://.store.example", "https://-store.example", "https://store-.example"),
    *(
        f"https://{'a' * 64}.example",
        f"https://{'a.' * 127}example",
        "https://st%6fre.example",
        "https://store,example",
    ),
    *(
        "https://[::1",
        "https://::1]",
        "https://[::1]x",
        "https://[store]",
        "https://[fe80::1%25eth0]",
        "https://[::1%lo]",
    ),
    *(
        "https://[127.0.0.1]",
        "https://[]",
        "https://ﬀ\ud800.example",
        "https://\u200d.example",
        "https://a\u3002\u3002b",
    ),
    *(
        "https://store.example/..",
        "https://store.example/a/../b",
        "https://store.example/%2e%2e/b",
        "https://store.example/./",
    ),
    *("https://store.example/a?b", "https://store.example/a\\b", "javascript:alert(1)", "file:///etc/passwd"),
]


@pytest.mark.parametrize("text", MALFORMED)
async def test_an_endpoint_that_is_no_url_is_refused_before_its_host_is_resolved(text: str) -> None:
    names, backend = TableResolver({}), Recorder()

    report = await prober(resolver=names, backend=backend).probe(target(text), CheckDepth.FULL)

    assert failure(report) == (CheckStepName.RESOLVE, CheckCode.ENDPOINT_INVALID)
    assert "hunter22" not in f"{report!r}"
    assert names.asked == []
    assert backend.attempts == []


PATHS = {"/a%20b/%7Eü/": "/a%20b/~%C3%BC/nightly/k", "/": "/nightly/k", "": "/nightly/k", "//a": "//a/nightly/k"}


@pytest.mark.parametrize(("typed", "path"), PATHS.items())
def test_the_path_of_an_endpoint_comes_first_and_is_encoded_as_s3_signs_it(typed: str, path: str) -> None:
    assert bucket_endpoint(target(f"https://store.example{typed}")).object_path("k") == path


@pytest.mark.parametrize(
    ("endpoint", "bucket", "path_style", "host", "path"),
    [
        ("https://store.example", "nightly", True, "store.example", "/nightly/k"),
        ("https://store.example/base/", "nightly", True, "store.example", "/base/nightly/k"),
        ("https://store.example", "nightly", False, "nightly.store.example", "/k"),
        ("https://store.example/base", "nightly", False, "nightly.store.example", "/base/k"),
        ("https://store.example", "nightly.2024", False, "store.example", "/nightly.2024/k"),
        ("http://store.example", "nightly.2024", False, "nightly.2024.store.example", "/k"),
        ("http://127.0.0.1:9000", "nightly", False, "127.0.0.1", "/nightly/k"),
        ("http://[::1]:9000", "nightly", False, "::1", "/nightly/k"),
        ("https://store.example", "Nightly_Backups", False, "store.example", "/Nightly_Backups/k"),
        ("https://store.example", "ночь", False, "store.example", "/%D0%BD%D0%BE%D1%87%D1%8C/k"),
        ("https://store.example", "100%", True, "store.example", "/100%25/k"),
        (None, "nightly", False, "nightly.s3.eu-west-1.amazonaws.com", "/k"),
        (None, "nightly", True, "s3.eu-west-1.amazonaws.com", "/nightly/k"),
        (None, "a.b", False, "s3.eu-west-1.amazonaws.com", "/a.b/k"),
    ],
)
def test_a_bucket_is_in_the_host_or_in_the_path(
    endpoint: str | None, bucket: str, path_style: bool, host: str, path: str
) -> None:
    endpoint_ = bucket_endpoint(target(endpoint, region="eu-west-1", bucket_name=bucket, path_style=path_style))

    assert (endpoint_.server.host, endpoint_.object_path("k")) == (host, path)


def test_every_region_of_amazons_has_the_host_that_botocore_knows() -> None:
    session = get_session()
    regions = {
        region: session.get_partition_for_region(region)
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("s3", partition)
        if re.fullmatch(r"[a-z]+(-[a-z]+)+-\d+", region)
    }
    domains = {p["partition"]: p["dnsSuffix"] for p in session.get_data("endpoints")["partitions"]}

    assert len(regions) > 30
    assert [region for region in regions if not is_amazon_region(region)] == []
    assert {region: amazon_endpoint(region) for region in regions} == {
        region: f"https://s3.{region}.{domains[partition]}" for region, partition in regions.items()
    }


@pytest.mark.parametrize(
    "region",
    [
        *(None, "us-east", "us-east-1.evil.example", "evil.example/#-1", "us-east-1\n", "-1", "us--1", "US-EAST-1"),
        *("us-east-1/../x", "us-east-1@x", "a" * 30 + "-a-1", "us-east-100", "ｕｓ-east-1", "us-east-1 "),
    ],
)
async def test_what_is_no_region_does_not_become_part_of_a_host(region: str | None) -> None:
    names = TableResolver({})

    report = await prober(resolver=names).probe(target(None, region=region), CheckDepth.FULL)

    assert failure(report) == (CheckStepName.RESOLVE, CheckCode.WRONG_REGION)
    assert names.asked == []


@pytest.mark.parametrize("region", ["a b", "x\r\ny: z", "é", "a/b", "a" * 33, "-a"])
def test_what_is_no_region_does_not_become_part_of_a_header(region: str) -> None:
    with pytest.raises(StepFailed) as stumbled:
        bucket_endpoint(target("https://store.example", region=region))

    assert stumbled.value.code is CheckCode.WRONG_REGION


@pytest.mark.parametrize(
    "bucket", ["", ".", "..", "a/b", "a\\b", "a b", "a\n", "a?b", "a#b", "a\x00", "\ud800", "a\u2028b"]
)
async def test_a_bucket_that_cannot_be_is_not_asked_for(bucket: str) -> None:
    names = TableResolver({})

    report = await prober(resolver=names).probe(target("http://store.example", bucket_name=bucket), CheckDepth.FULL)

    assert failure(report) == (CheckStepName.BUCKET, CheckCode.NO_SUCH_BUCKET)
    assert names.asked == []


@pytest.mark.parametrize("key", ["", "a b", "a\r\nx: y", "ключ", "a,b", "a" * 256])
async def test_an_access_key_that_cannot_stand_in_a_header_is_not_sent(key: str) -> None:
    names = TableResolver({})

    report = await prober(resolver=names).probe(target("http://store.example", access_key=Secret(key)), CheckDepth.FULL)

    assert failure(report) == (CheckStepName.AUTHENTICATE, CheckCode.INVALID_ACCESS_KEY)
    assert names.asked == []
