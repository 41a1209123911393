"""Signatures are those that botocore makes, byte by byte, and say nothing of the secret."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import percent_encode

from models.vault.secret import Secret
from s3.signature_v4 import Request, Signer, encoded_path, encoded_query, encoded_segment

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ODD = "aZ09-_.~/ +%&=?#:;,@!$'()*[]{}|^`\"<>\\äß€漢🔑\t"
COMPARED = 500


@dataclass(frozen=True, slots=True)
class Drawn:
    """A request at random, in the words of neither signer."""

    method: str
    scheme: str
    authority: str
    key: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    body: bytes
    region: str
    secret: str


def draw(chance: random.Random) -> Drawn:
    def text(longest: int, alphabet: str = ODD) -> str:
        return "".join(chance.choice(alphabet) for _ in range(chance.randint(0, longest)))

    bucket = chance.choice(["nightly", "a.b-c", "weekly-2024"])
    host = chance.choice(["s3.eu-west-1.amazonaws.com", "store.example", "[::1]", "127.0.0.1"])
    port = chance.choice(["", ":9000"])
    is_virtual = chance.random() < 0.5
    headers = {f"x-amz-meta-{text(5, 'abcxyz-0')}": text(20, "ab \t,;=/'\"~") for _ in range(chance.randint(0, 4))}
    if chance.random() < 0.3:
        headers["content-md5"] = "1B2M2Y8AsgTpgAmY7PhCfg=="
    return Drawn(
        method=chance.choice(["GET", "PUT", "HEAD", "DELETE", "POST"]),
        scheme=chance.choice(["http", "https"]),
        authority=f"{bucket}.{host}{port}" if is_virtual else f"{host}{port}",
        key=text(40) if is_virtual else f"{bucket}/{text(40)}",
        query=tuple({text(8) or "list-type": text(12) for _ in range(chance.randint(0, 5))}.items()),
        headers=headers,
        body=chance.randbytes(chance.choice([0, 1, 100])),
        region=chance.choice(["us-east-1", "eu-central-1", "RegionOne"]),
        secret=chance.choice([SECRET_KEY, "ключ/+=", "s" * 255]),
    )


def botocores(drawn: Drawn) -> dict[str, str]:
    """What botocore adds to the request, at a time it chooses."""
    request = AWSRequest(
        method=drawn.method,
        url=f"{drawn.scheme}://{drawn.authority}/{percent_encode(drawn.key, safe='/~')}",
        headers={**drawn.headers, "host": drawn.authority},
        params=dict(drawn.query),
        data=drawn.body,
    )
    S3SigV4Auth(Credentials(ACCESS_KEY, drawn.secret), "s3", drawn.region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


def ours(drawn: Drawn, at: datetime) -> dict[str, str]:
    request = Request(
        method=drawn.method,
        authority=drawn.authority,
        path=f"/{encoded_segment(drawn.key)}",
        query=encoded_query(drawn.query),
        headers=drawn.headers,
        body=drawn.body,
    )
    signer = Signer(access_key=Secret(ACCESS_KEY), secret_key=Secret(drawn.secret), region=drawn.region)
    return signer.headers(request, at)


def test_every_signed_header_is_the_one_that_botocore_sends() -> None:
    chance = random.Random(20_240_807)  # noqa: S311 - repeatable requests, no secret

    compared = 0
    for drawn in (draw(chance) for _ in range(COMPARED)):
        expected = botocores(drawn)
        at = datetime.strptime(expected["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        assert ours(drawn, at) == expected, drawn
        compared += 1
    assert compared == COMPARED


def test_the_signature_of_the_example_in_amazons_documentation_is_made() -> None:
    request = Request(
        method="GET",
        authority="examplebucket.s3.amazonaws.com",
        path="/test.txt",
        headers={"range": "bytes=0-9"},
    )
    signer = Signer(access_key=Secret(ACCESS_KEY), secret_key=Secret(SECRET_KEY), region="us-east-1")

    headers = signer.headers(request, datetime(2013, 5, 24, tzinfo=UTC))

    assert headers["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


def presigned_by_botocore(drawn: Drawn, lifetime: timedelta) -> str:
    """The URL that botocore's presigner makes of the request, at a time it chooses."""
    query = encoded_query(drawn.query)
    url = f"{drawn.scheme}://{drawn.authority}/{percent_encode(drawn.key, safe='/~')}"
    request = AWSRequest(
        method=drawn.method,
        url=f"{url}?{query}" if query else url,
        headers={**drawn.headers, "host": drawn.authority},
    )
    credentials = Credentials(ACCESS_KEY, drawn.secret)
    S3SigV4QueryAuth(credentials, "s3", drawn.region, int(lifetime.total_seconds())).add_auth(request)
    made: str = request.url
    return made


def test_every_presigned_url_is_the_one_that_botocore_makes() -> None:
    """Query parameters, headers that are bound and keys of any characters included."""
    chance = random.Random(20_130_524)  # noqa: S311 - repeatable requests, no secret

    for drawn in (draw(chance) for _ in range(COMPARED)):
        lifetime = timedelta(seconds=chance.randint(1, 604_800))
        expected = presigned_by_botocore(drawn, lifetime)
        signed_at = re.search(r"X-Amz-Date=(\w+)", expected)
        assert signed_at is not None
        request = Request(
            method=drawn.method,
            authority=drawn.authority,
            path=f"/{encoded_segment(drawn.key)}",
            query=encoded_query(drawn.query),
            headers=drawn.headers,
        )
        signer = Signer(access_key=Secret(ACCESS_KEY), secret_key=Secret(drawn.secret), region=drawn.region)
        at = datetime.strptime(signed_at[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        query = signer.query(request, at, lifetime)
        assert f"{drawn.scheme}://{drawn.authority}{request.path}?{query}" == expected, drawn


def test_the_presigned_url_of_the_example_in_amazons_documentation_is_made() -> None:
    """ "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)"."""
    request = Request(method="GET", authority="examplebucket.s3.amazonaws.com", path="/test.txt")
    signer = Signer(access_key=Secret(ACCESS_KEY), secret_key=Secret(SECRET_KEY), region="us-east-1")

    assert signer.query(request, datetime(2013, 5, 24, tzinfo=UTC), timedelta(seconds=86_400)) == (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


@pytest.mark.parametrize("typed", ["/a b/ü", "/a%20b/%C3%BC", "/a%20b/%c3%bc"])
def test_a_path_means_the_same_however_it_was_escaped(typed: str) -> None:
    assert encoded_path(typed) == "/a%20b/%C3%BC"


def test_the_name_of_an_object_is_escaped_and_not_read_as_escaped() -> None:
    assert encoded_segment("100%25/~ü") == "100%2525/~%C3%BC"
    assert encoded_segment("+ ") == quote("+ ", safe="")


def test_a_signer_shows_neither_key() -> None:
    signer = Signer(access_key=Secret(ACCESS_KEY), secret_key=Secret(SECRET_KEY), region="us-east-1")

    assert ACCESS_KEY not in repr(signer)
    assert SECRET_KEY not in repr(signer)
    assert SECRET_KEY not in str(signer.headers(Request(method="GET", authority="s3", path="/"), datetime.now(UTC)))
