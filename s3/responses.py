"""Reads answers of S3 stores: which step failed and why, by a whitelist of error codes.

No XML parser reads what a stranger sent: the bytes are searched for a few elements, and what is found in them is
compared with what is known. Nothing of an answer is shown, but a region that looks like one.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from models.checks.report import CheckCode, CheckStepName
from s3.connection import Response
from s3.endpoint import DEFAULT_REGION, is_region
from s3.steps import StepFailed

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
"""What each error code of S3 means, and the step it is about when a listing is answered with it; None: the first."""

_REDIRECTS = range(HTTPStatus.MULTIPLE_CHOICES, HTTPStatus.BAD_REQUEST)
_FORBIDDEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class PathStyleRefused(StepFailed):
    """The store refuses path-style addressing."""


def is_success(response: Response) -> bool:
    """Whether the status is 2xx."""
    return HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES


def require_listing(response: Response) -> None:
    """Raise `StepFailed` for the step from AUTHENTICATE to LIST that failed, unless the response lists a bucket."""
    if not is_success(response):
        raise _listing_refused(response)
    if _LISTING in response.body:
        if not response.is_whole:
            raise StepFailed(CheckCode.UNEXPECTED_ANSWER, step=CheckStepName.LIST)
        return
    # A store that expects the bucket in the path answers a request to `bucket.host/` with the list of all buckets.
    if _ALL_BUCKETS in response.body:
        raise StepFailed(CheckCode.NO_SUCH_BUCKET, step=CheckStepName.BUCKET)
    raise StepFailed(CheckCode.NOT_S3)


def require_success(response: Response) -> None:
    """Raise `StepFailed` unless a request for an object succeeded."""
    if is_success(response) and response.is_whole:
        return
    code, _ = _refusal(response)
    if code is None:
        code = CheckCode.ACCESS_DENIED if response.status in _FORBIDDEN else CheckCode.UNEXPECTED_ANSWER
    raise StepFailed(code)


def _listing_refused(response: Response) -> StepFailed:
    code, step = _refusal(response)
    if _store_code(response) in _NO_PATH_STYLE:
        return PathStyleRefused(CheckCode.NO_SUCH_BUCKET, step=CheckStepName.BUCKET)
    if code is CheckCode.WRONG_REGION:
        return StepFailed(code, step=CheckStepName.BUCKET, region=_region(response))
    if code is None and response.status < HTTPStatus.INTERNAL_SERVER_ERROR and not _store_code(response):
        code = CheckCode.NOT_S3
    if code is CheckCode.ACCESS_DENIED:
        step = CheckStepName.LIST
    return StepFailed(code or CheckCode.UNEXPECTED_ANSWER, step=step)


def _refusal(response: Response) -> tuple[CheckCode | None, CheckStepName | None]:
    """Our code for a response that is no success, and the step it is about; None where the response does not say."""
    if not response.is_whole:
        return CheckCode.UNEXPECTED_ANSWER, None
    word = _store_code(response)
    code, step = _KNOWN.get(word, (None, None))
    if response.status in _REDIRECTS and (code is None or word in _ONLY_WITH_REGION):
        code = CheckCode.REDIRECTED if _region(response) is None else CheckCode.WRONG_REGION
    elif code is None and response.status in _BUSY:
        code = CheckCode.RATE_LIMITED
    elif code is None and response.status == HTTPStatus.BAD_REQUEST and _region(response) is not None:
        code = CheckCode.WRONG_REGION
    return code, step


def _store_code(response: Response) -> bytes:
    """The error code as the store spells it; empty when there is none."""
    found = _CODE.search(response.body)
    return b"" if found is None else found[1]


def _region(response: Response) -> str | None:
    """The region the store names for the bucket, if it has the form of one."""
    named = response.headers.get(_REGION_HEADER, "")
    if is_region(named):
        return named
    found = _REGION.search(response.body) or _EXPECTED.search(response.body)
    if found is not None and is_region(found[1].decode()):
        return found[1].decode()
    found = _AMAZON_ENDPOINT.search(response.body)
    return None if found is None else (found[1] or DEFAULT_REGION.encode()).decode()
