"""Reads answers of S3 stores: which rung failed and why, by a whitelist of error codes.

No XML parser reads what a stranger sent: the bytes are searched for a few elements, and what is found in them is
compared with what is known. Nothing of an answer is shown, but a region that looks like one.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from models.checks.report import CheckCode, CheckStepName
from s3.connection import Answer
from s3.endpoint import DEFAULT_REGION, is_region
from s3.steps import Stumbled

_CODE = re.compile(rb"<Code>\s*([A-Za-z]{1,64})\s*</Code>")
_REGION = re.compile(rb"<Region>\s*([A-Za-z0-9_-]{1,32})\s*</Region>")
_EXPECTED = re.compile(rb"expecting '([A-Za-z0-9_-]{1,32})'")
_AMAZON_ENDPOINT = re.compile(
    rb"<Endpoint>(?:[A-Za-z0-9._-]{1,255}\.)?s3(?:[.-]([a-z0-9-]{5,32}))?\.amazonaws\.(?:com|com\.cn|eu)</Endpoint>"
)
_REGION_HEADER = "x-amz-bucket-region"
_LISTING, _ALL_BUCKETS = b"<ListBucketResult", b"<ListAllMyBucketsResult"
_ONLY_WITH_REGION = (b"TemporaryRedirect", b"Redirect")
_NO_PATH_STYLE = (b"SecondLevelDomainForbidden", b"PathStyleDomainForbidden")

_AT_AUTHENTICATE = {
    CheckCode.INVALID_ACCESS_KEY: (
        *("InvalidAccessKeyId", "InvalidClientTokenId", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"),
        "NotSignedUp",
    ),
    CheckCode.SIGNATURE_MISMATCH: ("SignatureDoesNotMatch", "InvalidSignature"),
    CheckCode.CLOCK_SKEW: ("RequestTimeTooSkewed", "RequestExpired"),
}
_AT_BUCKET = {
    CheckCode.NO_SUCH_BUCKET: ("NoSuchBucket", "InvalidBucketName"),
    CheckCode.WRONG_REGION: (
        *("AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect", "Redirect"),
        *("IllegalLocationConstraintException", "InvalidLocationConstraint", "InvalidRegion"),
    ),
}
_ANYWHERE = {
    CheckCode.ACCESS_DENIED: ("AccessDenied", "AllAccessDisabled", "AccountProblem", "UnauthorizedAccess"),
    CheckCode.RATE_LIMITED: (
        *("SlowDown", "SlowDownRead", "SlowDownWrite", "ServiceUnavailable", "RequestLimitExceeded", "Throttling"),
        *("TooManyRequests", "BandwidthLimitExceeded", "Busy"),
    ),
    CheckCode.TIMEOUT: ("RequestTimeout",),
}


_KNOWN = {
    word.encode(): (code, step)
    for codes, step in (
        (_AT_AUTHENTICATE, CheckStepName.AUTHENTICATE),
        (_AT_BUCKET, CheckStepName.BUCKET),
        (_ANYWHERE, None),
    )
    for code, words in codes.items()
    for word in words
}
"""What each error code of S3 means, and the rung it is about when a listing is answered with it; None: the first."""

_REDIRECTS = range(HTTPStatus.MULTIPLE_CHOICES, HTTPStatus.BAD_REQUEST)
_FORBIDDEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class PathStyleRefused(Stumbled):
    """The store takes a bucket in the host name only."""


def is_success(answer: Answer) -> bool:
    """Whether the status says that it was done."""
    return HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES


def judge_listing(answer: Answer) -> None:
    """Raise `Stumbled` with the rung from AUTHENTICATE to LIST that failed, unless the answer lists a bucket."""
    if not is_success(answer):
        raise _listing_refused(answer)
    if _LISTING in answer.body:
        if not answer.is_whole:
            raise Stumbled(CheckCode.UNEXPECTED_ANSWER, step=CheckStepName.LIST)
        return
    # A store that looks for the bucket in the path takes `bucket.host` for its front door and lists all buckets.
    if _ALL_BUCKETS in answer.body:
        raise Stumbled(CheckCode.NO_SUCH_BUCKET, step=CheckStepName.BUCKET)
    raise Stumbled(CheckCode.NOT_S3)


def judge_done(answer: Answer) -> None:
    """Raise `Stumbled` unless the answer to something done to an object is a success."""
    if is_success(answer) and answer.is_whole:
        return
    code, _ = _refusal(answer)
    if code is None:
        code = CheckCode.ACCESS_DENIED if answer.status in _FORBIDDEN else CheckCode.UNEXPECTED_ANSWER
    raise Stumbled(code)


def _listing_refused(answer: Answer) -> Stumbled:
    code, step = _refusal(answer)
    if _word(answer) in _NO_PATH_STYLE:
        return PathStyleRefused(CheckCode.NO_SUCH_BUCKET, step=CheckStepName.BUCKET)
    if code is CheckCode.WRONG_REGION:
        return Stumbled(code, step=CheckStepName.BUCKET, region=_region(answer))
    if code is None and answer.status < HTTPStatus.INTERNAL_SERVER_ERROR and not _word(answer):
        code = CheckCode.NOT_S3
    if code is CheckCode.ACCESS_DENIED:
        step = CheckStepName.LIST
    return Stumbled(code or CheckCode.UNEXPECTED_ANSWER, step=step)


def _refusal(answer: Answer) -> tuple[CheckCode | None, CheckStepName | None]:
    """What an answer that is no success means, and which rung it is about; None where it cannot be told."""
    if not answer.is_whole:
        return CheckCode.UNEXPECTED_ANSWER, None
    word = _word(answer)
    code, step = _KNOWN.get(word, (None, None))
    if answer.status in _REDIRECTS and (code is None or word in _ONLY_WITH_REGION):
        code = CheckCode.REDIRECTED if _region(answer) is None else CheckCode.WRONG_REGION
    elif code is None and answer.status in _BUSY:
        code = CheckCode.RATE_LIMITED
    elif code is None and answer.status == HTTPStatus.BAD_REQUEST and _region(answer) is not None:
        code = CheckCode.WRONG_REGION
    return code, step


def _word(answer: Answer) -> bytes:
    """The error code as the store spells it; empty when there is none."""
    found = _CODE.search(answer.body)
    return b"" if found is None else found[1]


def _region(answer: Answer) -> str | None:
    """The region that the store says the bucket is in, if it looks like one."""
    named = answer.headers.get(_REGION_HEADER, "")
    if is_region(named):
        return named
    found = _REGION.search(answer.body) or _EXPECTED.search(answer.body)
    if found is not None and is_region(found[1].decode()):
        return found[1].decode()
    found = _AMAZON_ENDPOINT.search(answer.body)
    return None if found is None else (found[1] or DEFAULT_REGION.encode()).decode()
