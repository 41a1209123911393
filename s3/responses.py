"""Interprets responses of S3 stores: which step failed and why, by the table of `error_codes`.

No XML parser reads the body, which may be hostile: it is searched for a few elements, whose values are compared with
known ones. Nothing of a response is shown, except an error code of the table and a region that has the form of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import MappingProxyType
from xml.sax.saxutils import unescape

from models.checks.report import CheckCode, CheckHint, CheckStepName
from s3.connection import Response
from s3.endpoint import DEFAULT_REGION, is_region
from s3.error_codes import AWS, CODES, HOST_STYLE_ONLY, KEYS_OF_ENCRYPTION, LISTING_UNKNOWN, PHRASES, Meaning
from s3.steps import StepFailed

_TAG_END = rb"(?:\s[^<>]{0,256})?>\s*+"
"""Of a start tag, behind its name: attributes, and spaces before the text, which are not tried as a part of it."""
_CODE = re.compile(rb"<(?:[A-Za-z0-9]{1,16}:)?Code" + _TAG_END + rb"([A-Za-z0-9.]{1,64})\s*</")
_JSON_CODE = re.compile(rb'"(?:Code|code|errorCode|__type)"\s*:\s*"(?:[A-Za-z0-9._]{1,64}#)?([A-Za-z0-9.]{1,64})"')
_ERROR = re.compile(
    rb"\s*(?:<\?xml[^>]{0,128}\?>\s*)?(?:<!--[^>]{0,512}-->\s*)?<(?:[A-Za-z0-9]{1,16}:)?Error(?:Response)?[\s>]"
)
_CODE_HEADER = "x-minio-error-code"
"""MinIO sends the code of an error without a body in this header."""
_MESSAGE = re.compile(
    rb"<(?:[A-Za-z0-9]{1,16}:)?Message" + _TAG_END + rb"([^<]{1,512})</|\"[Mm]essage\"\s*:\s*\"([^\"]{1,512})\""
)
_REGION = re.compile(rb"<(?:[A-Za-z0-9]{1,16}:)?Region" + _TAG_END + rb"([A-Za-z0-9_-]{1,32})\s*</")
_QUOTE = rb"(?:['\"]|&apos;|&quot;|&#39;|&#34;)"
_EXPECTED = re.compile(rb"expecting " + _QUOTE + rb"([A-Za-z0-9_-]{1,32})" + _QUOTE)
_ENDPOINT = re.compile(rb"<(?:[A-Za-z0-9]{1,16}:)?Endpoint" + _TAG_END + rb"(?:https?://)?([A-Za-z0-9._-]{1,255})\s*</")
_AMAZON_ENDPOINT = re.compile(r"(?:[a-z0-9._-]{1,255}\.)?s3(?:[.-]([a-z0-9-]{5,32}))?\.amazonaws\.(?:com|com\.cn|eu)")
_REGION_HEADER = "x-amz-bucket-region"
_REQUEST_ID_HEADERS = ("x-amz-request-id", "x-amz-id-2", "x-minio-deployment-id")
_LISTING, _ALL_BUCKETS = (re.compile(rb"<(?:\w{1,16}:)?" + name) for name in (b"ListBucketResult", b"ListAllMyBuckets"))
_ENTRY = re.compile(
    rb"<(?:\w{1,16}:)?Contents>.{0,2048}?<(?:\w{1,16}:)?Key>([^<]{1,1024})</.{0,2048}?"
    rb"<(?:\w{1,16}:)?LastModified>([0-9T:.Z+-]{1,40})</",
    re.DOTALL,
)
_ENTITIES = {"&quot;": '"', "&apos;": "'", "&#34;": '"', "&#39;": "'"}
"""Beside `&amp;`, `&lt;` and `&gt;`."""
_ONLY_WITH_REGION = ("TemporaryRedirect", "Redirect")

_REDIRECTS = range(HTTPStatus.MULTIPLE_CHOICES, HTTPStatus.BAD_REQUEST)
_BY_STATUS: Mapping[int, CheckCode] = MappingProxyType(
    {
        HTTPStatus.PAYMENT_REQUIRED: CheckCode.ACCOUNT_DISABLED,
        HTTPStatus.REQUEST_TIMEOUT: CheckCode.TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS: CheckCode.RATE_LIMITED,
        HTTPStatus.INSUFFICIENT_STORAGE: CheckCode.STORAGE_FULL,
        HTTPStatus.NOT_IMPLEMENTED: CheckCode.NOT_SUPPORTED,
        HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: CheckCode.NOT_S3,
        HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED: CheckCode.NOT_S3,
    }
)
"""For responses without a known code."""
_HINTS_BY_STATUS: Mapping[int, CheckHint] = MappingProxyType(
    {
        HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: CheckHint.PROXY_LOGIN,
        HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED: CheckHint.PROXY_LOGIN,
        # Of Cloudflare: https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/
        525: CheckHint.PROXY_CANNOT_ENCRYPT,
        526: CheckHint.PROXY_CANNOT_ENCRYPT,
    }
)
_OF_UNKNOWN_REQUESTS = (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)
_REFUSALS_OF_PROXIES = (
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.LENGTH_REQUIRED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.NOT_FOUND,
)
_LOGINS_OF_PROXIES = ("basic", "digest", "negotiate", "ntlm", "kerberos")
"""Schemes of `WWW-Authenticate` that no store asks for."""
_REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_OF_SKEWED_CLOCKS = (CheckCode.ACCESS_DENIED, CheckCode.SIGNATURE_MISMATCH, CheckCode.REQUEST_REFUSED)
_MAX_SKEW_S = 15 * 60
"""By which the clocks of a request and a store may differ (Signature Version 4)."""


class PathStyleRefused(StepFailed):
    """The store refuses path-style addressing."""


class ListingUnknown(StepFailed):
    """The store does not know this form of listing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One object of a listing."""

    key: str
    modified_at: datetime


def is_success(response: Response) -> bool:
    """Whether the status is 2xx, and the body is no error: stores that began to respond too early say it there."""
    return HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES and not _ERROR.match(response.text)


def is_transient(response: Response) -> bool:
    """Whether the same request may succeed a moment later."""
    if response.status in (HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED):
        return False
    if response.status < HTTPStatus.MULTIPLE_CHOICES and not is_success(response):
        meaning = CODES.get(_store_code(response))
        return meaning is not None and meaning.code in (CheckCode.RATE_LIMITED, CheckCode.STORE_UNAVAILABLE)
    return response.status == HTTPStatus.TOO_MANY_REQUESTS or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR


def listed(response: Response, region: str, *, is_last: bool = True) -> list[Entry]:
    """The entries of a listing; raises `StepFailed` for the step from AUTHENTICATE to LIST that failed.

    `region` is the one the request was signed for: a region in an error is of interest only if it is another.
    Unless it `is_last`, there is an older form to ask for: raises `ListingUnknown` where the store may know that alone.
    """
    if not is_success(response):
        raise _listing_refused(response, region, is_last=is_last)
    if _LISTING.search(response.text):
        if not response.is_whole:
            raise StepFailed(CheckCode.UNEXPECTED_ANSWER, step=CheckStepName.LIST)
        return list(_entries(response.text))
    # A store that expects the bucket in the path answers a request to `bucket.host/` with the list of all buckets.
    if _ALL_BUCKETS.search(response.text):
        raise StepFailed(CheckCode.NO_SUCH_BUCKET, step=CheckStepName.BUCKET)
    raise StepFailed(CheckCode.NOT_S3)


def require_success(response: Response, region: str) -> None:
    """Raise `StepFailed` unless a request for an object succeeded."""
    if is_success(response) and response.is_whole:
        return
    meaning = _meaning(response, region)
    code, hint = (None, None) if meaning is None else (meaning.code, meaning.hint)
    if code is None and _is_page(response) and response.status in _REFUSALS_OF_PROXIES:
        code, hint = CheckCode.NOT_SUPPORTED, CheckHint.PROXY_REFUSES
    if code is None:
        is_forbidden = response.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
        code = CheckCode.ACCESS_DENIED if is_forbidden else CheckCode.UNEXPECTED_ANSWER
        hint = CheckHint.PROXY_REFUSES if is_forbidden and _is_page(response) else None
    if code is CheckCode.REQUEST_REFUSED and hint is None:
        hint = CheckHint.BUCKET_REFUSES
    if _store_code(response) == "NoSuchKey":
        code, hint = CheckCode.UNEXPECTED_ANSWER, CheckHint.OBJECT_VANISHED
    raise StepFailed(code, store_code=_known_code(response), hint=hint)


def _entries(body: bytes) -> Iterator[Entry]:
    for key, modified in _ENTRY.findall(body):
        try:
            modified_at = datetime.fromisoformat(modified.decode("ascii"))
        except ValueError:
            continue
        if modified_at.tzinfo is None:
            modified_at = modified_at.replace(tzinfo=UTC)
        yield Entry(key=unescape(key.decode("utf-8", "replace"), _ENTITIES), modified_at=modified_at)


def _listing_refused(response: Response, region: str, *, is_last: bool) -> StepFailed:
    store_code, known = _store_code(response), _known_code(response)
    if store_code in HOST_STYLE_ONLY:
        needed = CheckHint.HOST_STYLE_NEEDED
        return PathStyleRefused(CheckCode.NO_SUCH_BUCKET, step=CheckStepName.BUCKET, store_code=known, hint=needed)
    may_know_older = store_code in LISTING_UNKNOWN or response.status in _OF_UNKNOWN_REQUESTS
    if response.is_whole and may_know_older and not is_last and named_region(response) in (None, region):
        return ListingUnknown(CheckCode.NOT_SUPPORTED, step=CheckStepName.LIST, store_code=known)
    meaning = _meaning(response, region)
    if meaning is None:
        is_challenge = "cf-mitigated" in response.headers
        hint = CheckHint.PROXY_REFUSES if is_challenge else None
        if response.status == HTTPStatus.UNAUTHORIZED and _wants_login(response):
            hint = CheckHint.PROXY_LOGIN
        return StepFailed(_without_meaning(response), step=_step_without_meaning(response), hint=hint)
    is_elsewhere = meaning.code is CheckCode.WRONG_REGION
    return StepFailed(
        meaning.code,
        step=meaning.step,
        region=named_region(response) if is_elsewhere else None,
        host=_named_host(response) if is_elsewhere else None,
        location=response.headers.get("location") if meaning.code is CheckCode.REDIRECTED else None,
        store_code=known,
        hint=meaning.hint,
    )


def _without_meaning(response: Response) -> CheckCode:
    """Our code for a refused listing whose error code is missing or unknown."""
    if _is_of_a_store(response):
        otherwise = CheckCode.UNEXPECTED_ANSWER if _store_code(response) else CheckCode.REQUEST_REFUSED
        return {
            HTTPStatus.UNAUTHORIZED: CheckCode.INVALID_ACCESS_KEY,
            HTTPStatus.FORBIDDEN: CheckCode.ACCESS_DENIED,
            HTTPStatus.NOT_FOUND: CheckCode.NO_SUCH_BUCKET,
        }.get(HTTPStatus(response.status), otherwise)
    return CheckCode.UNEXPECTED_ANSWER if _ERROR.match(response.text) and _store_code(response) else CheckCode.NOT_S3


def _step_without_meaning(response: Response) -> CheckStepName | None:
    if not _is_of_a_store(response):
        return None
    return {HTTPStatus.FORBIDDEN: CheckStepName.LIST, HTTPStatus.NOT_FOUND: CheckStepName.BUCKET}.get(
        HTTPStatus(response.status)
    )


def _is_of_a_store(response: Response) -> bool:
    """Whether a response without a known error code is in the form of S3's errors, or has its headers as HEAD does."""
    known = any(status == response.status for status in HTTPStatus)
    is_error = _ERROR.match(response.text) is not None and bool(_store_code(response))
    return known and (is_error or any(name in response.headers for name in _REQUEST_ID_HEADERS))


def _wants_login(response: Response) -> bool:
    """Whether a name and a password are asked for, which a proxy before the store does."""
    return response.headers.get("www-authenticate", "").strip().lower().startswith(_LOGINS_OF_PROXIES)


def _is_page(response: Response) -> bool:
    """Whether the body is a page of HTML, which a proxy before the store has written."""
    return response.text[:1024].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _is_skewed(response: Response) -> bool:
    """Whether the store's clock, by its Date header, is further away than SigV4 signatures may be."""
    try:
        date = parsedate_to_datetime(response.headers["date"])
        return "age" not in response.headers and abs((datetime.now(UTC) - date).total_seconds()) > _MAX_SKEW_S
    except (KeyError, ValueError, TypeError, OverflowError):
        return False


def _meaning(response: Response, region: str) -> Meaning | None:
    """What a response that is no success means; None where it does not say."""
    if not response.is_whole:
        return Meaning(code=CheckCode.UNEXPECTED_ANSWER, source="")
    store_code = _store_code(response)
    meaning = _phrase_meaning(response) or CODES.get(store_code)
    if meaning is None and store_code.startswith(KEYS_OF_ENCRYPTION):
        meaning = Meaning(code=CheckCode.ACCESS_DENIED, source=AWS, hint=CheckHint.ENCRYPTION_KEY)
    may_be_of_clock = meaning is None or (meaning.code in _OF_SKEWED_CLOCKS and meaning.hint is None)
    if may_be_of_clock and response.status in _REFUSED and _is_skewed(response):
        return Meaning(code=CheckCode.CLOCK_SKEW, source=AWS, step=CheckStepName.AUTHENTICATE)
    named = named_region(response)
    if response.status in _REDIRECTS and (meaning is None or store_code in _ONLY_WITH_REGION):
        code = CheckCode.REDIRECTED if named is None else CheckCode.WRONG_REGION
        step = None if named is None else CheckStepName.BUCKET
        hint = _redirect_hint(response) if code is CheckCode.REDIRECTED else None
        return Meaning(code=code, source="", step=step, hint=hint)
    is_vague = meaning is None or meaning.code in (CheckCode.UNEXPECTED_ANSWER, CheckCode.REQUEST_REFUSED)
    if is_vague and response.status == HTTPStatus.BAD_REQUEST and named not in (None, region):
        return Meaning(code=CheckCode.WRONG_REGION, source="", step=CheckStepName.BUCKET)
    if meaning is not None:
        return meaning
    hint = _HINTS_BY_STATUS.get(response.status)
    code_by_status = _BY_STATUS.get(response.status)
    if code_by_status is None and response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        code_by_status = CheckCode.STORE_UNAVAILABLE
    return None if code_by_status is None else Meaning(code=code_by_status, source="", hint=hint)


def _phrase_meaning(response: Response) -> Meaning | None:
    found = _MESSAGE.search(response.text)
    text = (found[1] or found[2] if found is not None else response.text[:1024]).lower()
    return next((phrase.meaning for phrase in PHRASES if phrase.text in text), None)


def _redirect_hint(response: Response) -> CheckHint | None:
    return CheckHint.HTTPS_NEEDED if response.headers.get("location", "").lower().startswith("https://") else None


def _store_code(response: Response) -> str:
    """The error code as the store spells it; empty when there is none."""
    found = _CODE.search(response.text) or _JSON_CODE.search(response.text)
    return response.headers.get(_CODE_HEADER, "") if found is None else found[1].decode()


def _known_code(response: Response) -> str | None:
    code = _store_code(response)
    return code if code in CODES else None


def named_region(response: Response) -> str | None:
    """The region the store names for the bucket, if it has the form of one."""
    named = response.headers.get(_REGION_HEADER, "")
    if is_region(named):
        return named
    found = _REGION.search(response.text) or _EXPECTED.search(response.text)
    if found is not None and is_region(found[1].decode()):
        return found[1].decode()
    amazon = _AMAZON_ENDPOINT.fullmatch(_named_host(response) or "")
    return None if amazon is None else amazon[1] or DEFAULT_REGION


def _named_host(response: Response) -> str | None:
    """The host of the bucket's endpoint that the store names."""
    found = _ENDPOINT.search(response.text)
    return None if found is None else found[1].decode().lower()
