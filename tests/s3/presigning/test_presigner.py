"""Signed requests go where a check would go, and bind what was granted; a store that may not be reached gets none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.config import Config
from botocore.session import get_session

from models.checks.report import CheckCode, ProbeTarget
from models.grants.access import Access, GrantOperation, PresignedRequest, StoreNotUsable
from s3.presigning.presigner import S3Presigner
from tests.support.stores.probing import ACCESS_KEY, PUBLIC, SECRET_KEY, TableResolver, dialer, target

Op = GrantOperation
AMAZON = "nightly.s3.eu-central-1.amazonaws.com"
HOSTS = {AMAZON: [PUBLIC], "store.example": [PUBLIC], "nightly.store.example": [PUBLIC], "inner.example": ["10.0.0.5"]}
MD5 = "1B2M2Y8AsgTpgAmY7PhCfg=="


async def presigned(there: ProbeTarget, access: Access, *, allow: Sequence[str] = ()) -> Sequence[PresignedRequest]:
    presigner = S3Presigner(dialer(allow=allow, resolver=TableResolver(HOSTS)))
    return await presigner.presign(there, access, datetime.now(UTC).replace(microsecond=0))


def amazon(**changes: Any) -> ProbeTarget:
    return target(None, region="eu-central-1", path_style=False, **changes)


@pytest.mark.parametrize(
    ("there", "start"),
    [
        (amazon(), f"https://{AMAZON}/a%20b?"),
        (target("https://store.example"), "https://store.example/nightly/a%20b?"),
        (target("http://store.example:9000/s3/", path_style=False), "http://nightly.store.example:9000/s3/a%20b?"),
    ],
)
async def test_the_style_the_region_and_the_endpoint_are_those_of_the_check(there: ProbeTarget, start: str) -> None:
    (request,) = await presigned(there, Access(operations=(Op.PUT,), keys=("a b",)))

    assert request.url.startswith(start)
    assert f"{there.region or 'us-east-1'}%2Fs3%2Faws4_request" in request.url


EXPECTED: list[tuple[Op, str, dict[str, str], dict[str, str]]] = [
    (Op.PUT, "PUT", {}, {"content-length": "5", "content-md5": MD5, "content-type": "text/plain"}),
    (Op.GET, "GET", {}, {}),
    (Op.HEAD, "HEAD", {}, {}),
    (Op.DELETE, "DELETE", {}, {}),
    (Op.CREATE_UPLOAD, "POST", {"uploads": ""}, {"content-type": "text/plain"}),
    (
        Op.UPLOAD_PART,
        "PUT",
        {"partNumber": "7", "uploadId": "u+/="},
        {"content-length": "5", "content-md5": MD5},
    ),
    (Op.LIST_PARTS, "GET", {"uploadId": "u+/="}, {}),
    (Op.COMPLETE_UPLOAD, "POST", {"uploadId": "u+/="}, {}),
    (Op.ABORT_UPLOAD, "DELETE", {"uploadId": "u+/="}, {}),
]


@pytest.mark.parametrize(("operation", "method", "query", "headers"), EXPECTED, ids=str)
async def test_each_operation_binds_its_method_its_query_and_its_headers(
    operation: Op, method: str, query: dict[str, str], headers: dict[str, str]
) -> None:
    access = Access(
        operations=(operation,),
        keys=("a",),
        upload_id="u+/=",
        part_numbers=(7,),
        content_length=5,
        content_type="text/plain",
        content_md5=MD5,
    )

    (request,) = await presigned(amazon(), access)

    assert (request.method, request.headers, request.key) == (method, headers, "a")
    said = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
    assert {name: value for name, value in said.items() if not name.startswith("X-Amz-")} == query
    assert said["X-Amz-SignedHeaders"] == ";".join(sorted({"host", *headers}))
    assert request.part_number == (7 if operation is Op.UPLOAD_PART else None)


async def test_a_list_names_its_prefix_also_where_it_is_the_whole_bucket() -> None:
    listed = Access(operations=(Op.LIST,), prefix="db/ä", delimiter="/", start_after="db/äb", max_keys=10)

    for access, prefix in ((listed, "db/ä"), (Access(operations=(Op.LIST,)), "")):
        (request,) = await presigned(amazon(), access)
        said = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
        assert (said["list-type"], said["prefix"], request.key) == ("2", prefix, None)


@pytest.fixture(scope="module")
def botocores_client() -> Any:
    """A client that is used everywhere, and that its stores were made to agree with."""
    return get_session().create_client(
        "s3",
        region_name="eu-central-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}),
    )


@pytest.mark.parametrize("key", ["a+b", " ä/漢 ", "a?b", "/a//b", "%2e", "~-_.!*'()", "k" * 1_024])
async def test_the_urls_are_those_of_botocores_client(key: str, botocores_client: Any) -> None:
    while True:
        before = datetime.now(UTC).second
        expected = botocores_client.generate_presigned_url(
            "get_object", {"Bucket": "nightly", "Key": key}, ExpiresIn=900
        )
        (request,) = await presigned(amazon(), Access(operations=(Op.GET,), keys=(key,)))
        if datetime.now(UTC).second == before:
            break

    assert request.url == expected


async def test_every_operation_on_every_object_is_a_request() -> None:
    access = Access(operations=(Op.LIST, Op.GET, Op.HEAD), prefix="a", keys=("a1", "a2"), lifetime=timedelta(hours=1))

    requests = await presigned(amazon(), access)

    assert [(request.operation, request.key) for request in requests] == [
        (Op.LIST, None),
        *((operation, key) for operation in (Op.GET, Op.HEAD) for key in ("a1", "a2")),
    ]
    assert all("X-Amz-Expires=3600&" in request.url for request in requests)


@pytest.mark.parametrize(
    ("there", "code"),
    [
        (target("http://inner.example"), CheckCode.DNS_FAILURE),  # as if the name were unknown
        (target("http://169.254.169.254"), CheckCode.ENDPOINT_NOT_ALLOWED),
        (target("http://127.0.0.1:9000"), CheckCode.ENDPOINT_NOT_ALLOWED),
        (target("http://unknown.example"), CheckCode.DNS_FAILURE),
        (target("ftp://store.example"), CheckCode.ENDPOINT_INVALID),
        (target("https://store.example", region="a b"), CheckCode.WRONG_REGION),
        (target("https://store.example", bucket_name="a/b"), CheckCode.NO_SUCH_BUCKET),
    ],
)
async def test_nothing_is_signed_for_a_store_that_a_check_would_not_ask(there: ProbeTarget, code: CheckCode) -> None:
    with pytest.raises(StoreNotUsable) as refused:
        await presigned(there, Access(operations=(Op.GET,), keys=("a",)))

    assert refused.value.code is code


async def test_an_address_that_the_operator_allows_gets_a_signature() -> None:
    access = Access(operations=(Op.GET,), keys=("a",))

    assert await presigned(target("http://inner.example"), access, allow=["10.0.0.5"])


async def test_neither_key_nor_signature_is_shown_by_accident() -> None:
    (request,) = await presigned(amazon(), Access(operations=(Op.GET,), keys=("a",)))

    assert SECRET_KEY not in request.url
    assert ACCESS_KEY not in repr(request)
    assert "X-Amz-Signature" not in repr(request)
