"""Responses of stores in the forms that XML, compression and messages may have, read without a connection."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping

import pytest

from models.checks.report import CheckCode, CheckHint, CheckStepName
from s3.connection import Response, decoded
from s3.responses import listed, named_region, require_success
from s3.steps import StepFailed

DENIED = b"<Error><Code>InvalidAccessKeyId</Code><Message>hunter22</Message></Error>"


def response(body: bytes, status: int = 403, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status=status, headers=headers or {}, body=body, is_whole=True)


def listing_failure(body: bytes, status: int = 403, headers: Mapping[str, str] | None = None) -> StepFailed:
    with pytest.raises(StepFailed) as raised:
        listed(response(body, status, headers), "us-east-1")
    return raised.value


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf<?xml version='1.0'?>" + DENIED,
        b"<?xml version='1.0'?><!-- a proxy was here -->" + DENIED,
        b"<Error>\r\n\t<Code >\r\n InvalidAccessKeyId\t</Code >\r\n</Error>",
        b'<Error><Code xmlns="">InvalidAccessKeyId</Code></Error>',
        b"<Error><Code><![CDATA[InvalidAccessKeyId]]></Code><Message><![CDATA[hunter22]]></Message></Error>",
        b'<ErrorResponse xmlns="https://iam.amazonaws.com/"><Error><Code>InvalidAccessKeyId</Code></Error></ErrorResponse>',
        DENIED.decode().encode("utf-16"),
        b"\xfe\xff" + DENIED.decode().encode("utf-16-be"),
    ],
)
def test_an_error_is_read_in_every_form_of_xml(body: bytes) -> None:
    failure = listing_failure(body)

    assert (failure.code, failure.store_code) == (CheckCode.INVALID_ACCESS_KEY, "InvalidAccessKeyId")


def test_an_unknown_code_in_a_wrapped_error_is_a_store_s() -> None:
    failure = listing_failure(b"<ErrorResponse><Error><Code>HunterTwentyTwo</Code></Error></ErrorResponse>")

    assert (failure.step, failure.code, failure.store_code) == (CheckStepName.LIST, CheckCode.ACCESS_DENIED, None)


@pytest.mark.parametrize(
    "inside",
    [
        b'<s3:Region xmlns:s3="x">eu-west-1</s3:Region>',
        b"<Region><![CDATA[eu-west-1]]></Region>",
        b'<Region type="x"> eu-west-1 </Region >',
        b"<s3:Endpoint>nightly.s3.eu-west-1.amazonaws.com</s3:Endpoint>",
        b"<Message>the region 'us-east-1' is wrong; expecting 'eu-west-1'</Message>",
        b"<Message>the region &apos;us-east-1&apos; is wrong; expecting &apos;eu-west-1&apos;</Message>",
        b"<Message>the region &#39;us-east-1&#39; is wrong; expecting &#39;eu-west-1&#39;</Message>",
        b"<Message>the region &quot;us-east-1&quot; is wrong; expecting &quot;eu-west-1&quot;</Message>",
    ],
)
def test_the_region_is_read_in_every_form(inside: bytes) -> None:
    body = b"<Error><Code>AuthorizationHeaderMalformed</Code>" + inside + b"</Error>"

    assert named_region(response(body, 400)) == "eu-west-1"
    assert listing_failure(body, 400).region == "eu-west-1"


@pytest.mark.parametrize("body", [b"<![CDATA[" * 7_000, b"<Code " * 10_000, b"<!-- " * 12_000, b"<a:" * 20_000])
def test_text_that_never_ends_takes_no_longer_than_it_is_long(body: bytes) -> None:
    assert listing_failure(body).code is CheckCode.NOT_S3


RAW_DEFLATE = zlib.compressobj(wbits=-zlib.MAX_WBITS)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(DENIED), "gzip"),
        (gzip.compress(DENIED), "identity, GZip"),
        (zlib.compress(DENIED), "deflate"),
        (RAW_DEFLATE.compress(DENIED) + RAW_DEFLATE.flush(), "deflate"),
        (zlib.compress(gzip.compress(DENIED)), "gzip, deflate"),
        (DENIED, "gzip"),
        (DENIED, "aws-chunked"),
        (DENIED, ""),
    ],
)
def test_what_a_proxy_compressed_is_unpacked(body: bytes, encoding: str) -> None:
    """Though nothing else than `identity` was asked for; some say so of a body that they did not compress."""
    assert decoded(body, encoding) == (DENIED, True)


@pytest.mark.parametrize("scheme", ['Basic realm="proxy"', "Negotiate", "NTLM", "Digest qop=auth"])
def test_a_login_that_no_store_has_is_a_proxy_s(scheme: str) -> None:
    failure = listing_failure(b"<html>hunter22</html>", 401, {"www-authenticate": scheme})

    assert (failure.code, failure.hint) == (CheckCode.NOT_S3, CheckHint.PROXY_LOGIN)


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("AccessDenied", "Access Denied because object protected by object lock.", CheckHint.RETENTION),
        ("RetentionPolicyNotMet", "until 2030", CheckHint.RETENTION),
        ("AccessDenied", "User: x is not authorized to perform: kms:GenerateDataKey on y", CheckHint.ENCRYPTION_KEY),
        ("InvalidArgument", "Server Side Encryption requires HTTP header x-amz-y", CheckHint.BUCKET_REFUSES),
        ("InvalidObjectState", "The operation is not valid for the object's storage class", CheckHint.BUCKET_REFUSES),
        ("AccessDenied", "The bucket is a requester pays bucket", CheckHint.REQUESTER_PAYS),
        ("UserProjectMissing", "no user project provided", CheckHint.REQUESTER_PAYS),
        ("AccessDenied", "Access Denied", None),
    ],
)
def test_a_refused_object_says_which_rule_of_the_bucket_it_is(
    code: str, message: str, expected: CheckHint | None
) -> None:
    """The bucket was found by then, so that neither its region nor its style is at fault."""
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    with pytest.raises(StepFailed) as raised:
        require_success(response(body), "us-east-1")

    assert raised.value.hint is expected
