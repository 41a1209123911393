"""Corrections of a target, derived from how a check of it failed.

The prober tries each correction, and suggests it only if the bucket was found with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from models.checks.report import CheckCode, CheckHint, CheckStepName, CheckSuggestion, ProbeTarget
from models.destinations.endpoint_url import EndpointUrl, parse_endpoint_url
from s3.connection import ConnectionBroken
from s3.endpoint import DEFAULT_REGION, amazon_endpoint, bucket_endpoint, is_amazon_host, is_amazon_region
from s3.providers import is_same_provider, region_of
from s3.responses import PathStyleRefused
from s3.steps import StepFailed

_BUCKET_NOT_IN_HOST = {
    (CheckStepName.RESOLVE, CheckCode.DNS_FAILURE),
    (CheckStepName.RESOLVE, CheckCode.ENDPOINT_NOT_ALLOWED),
    (CheckStepName.TLS, CheckCode.CERTIFICATE_NAME_MISMATCH),
    (CheckStepName.TLS, CheckCode.TLS_FAILED),
    (CheckStepName.AUTHENTICATE, CheckCode.NOT_S3),
    (CheckStepName.BUCKET, CheckCode.NO_SUCH_BUCKET),
}
"""Failures of a store that has no host names of the form bucket.host."""

_BUCKET_IN_ENDPOINT = frozenset(
    {
        *(CheckCode.NO_SUCH_BUCKET, CheckCode.NOT_S3, CheckCode.ACCESS_DENIED, CheckCode.DNS_FAILURE),
        *(CheckCode.CERTIFICATE_NAME_MISMATCH, CheckCode.SIGNATURE_MISMATCH, CheckCode.UNEXPECTED_ANSWER),
        *(CheckCode.REQUEST_REFUSED, CheckCode.NOT_SUPPORTED),
    }
)
"""Failures of a target whose endpoint already holds the bucket, which is then there twice."""

_AMAZON_REGION_IN_HOST = re.compile(
    r"(?P<service>s3(?:-fips)?(?:\.dualstack)?)[.-](?!fips|dualstack)[a-z0-9-]+(?P<domain>\.amazonaws\..+)"
)
_ANY_REGION = "auto"
_MIN_KEY_PART = 8


def corrections(target: ProbeTarget, at: CheckStepName | None, failure: StepFailed) -> Iterator[ProbeTarget]:
    """The targets to try after a failure at this step, the most likely first; may yield one twice."""
    store = None if target.endpoint is None else _parsed(target.endpoint)
    yield from _in_other_regions(target, store, failure)
    if store is None:
        return
    if failure.code in _BUCKET_IN_ENDPOINT:
        yield from (replace(target, endpoint=str(url)) for url in _without_bucket(store, target.bucket_name))
    yield from (replace(target, endpoint=str(url)) for url in _encrypted(store, failure))
    if isinstance(failure, PathStyleRefused) and target.path_style:
        yield replace(target, path_style=False)
    may_lack_bucket_hosts = (at, failure.code) in _BUCKET_NOT_IN_HOST
    if may_lack_bucket_hosts and not target.path_style and bucket_endpoint(target).virtual_hosted:
        yield replace(target, path_style=True)


def difference(target: ProbeTarget, better: ProbeTarget) -> CheckSuggestion:
    """The changes that turn one target into the other."""
    return CheckSuggestion(
        region=better.region if better.region != target.region else None,
        endpoint=better.endpoint if better.endpoint != target.endpoint else None,
        path_style_endpoint=better.path_style if better.path_style != target.path_style else None,
    )


def _parsed(endpoint: str) -> EndpointUrl | None:
    try:
        return parse_endpoint_url(endpoint)
    except ValueError:
        return None


def _in_other_regions(target: ProbeTarget, store: EndpointUrl | None, failure: StepFailed) -> Iterator[ProbeTarget]:
    used = target.region or DEFAULT_REGION
    if failure.code is CheckCode.WRONG_REGION:
        named = failure.region
        if named is not None and named != used and not _is_echo(named, target):
            yield from _in_region(target, store, named)
        if store is not None and failure.host is not None:
            yield from _at_named_host(target, store, failure.host)
    is_likely = failure.code in (CheckCode.WRONG_REGION, CheckCode.SIGNATURE_MISMATCH)
    if store is None or not is_likely or failure.region is not None:
        return
    guesses = [region_of(store.host)]
    if failure.store_code == "InvalidRegionName":
        guesses.append(_ANY_REGION)
    if failure.code is CheckCode.WRONG_REGION and target.region is not None and not is_amazon_host(store.host):
        guesses.append(DEFAULT_REGION)
    yield from (replace(target, region=guess) for guess in guesses if guess is not None and guess != used)


def _in_region(target: ProbeTarget, store: EndpointUrl | None, region: str) -> Iterator[ProbeTarget]:
    if store is None:
        if is_amazon_region(region):
            yield replace(target, region=region)
    elif not is_amazon_host(store.host) or f".{region}." in store.host:
        yield replace(target, region=region)
    elif is_amazon_region(region):
        yield replace(target, region=region, endpoint=_amazon_endpoint_like(store.host, region))


def _amazon_endpoint_like(host: str, region: str) -> str:
    """Amazon's endpoint in another region, for the same network: FIPS and dual-stack hosts stay what they are."""
    found = _AMAZON_REGION_IN_HOST.fullmatch(host)
    plain = amazon_endpoint(region)
    if found is None or not plain.endswith(found["domain"]):
        return plain
    return f"https://{found['service']}.{region}{found['domain']}"


def _at_named_host(target: ProbeTarget, store: EndpointUrl, host: str) -> Iterator[ProbeTarget]:
    """The endpoint that the store names for the bucket, if it is one of the same provider's."""
    host = host.removeprefix(f"{target.bucket_name}.")
    if is_amazon_host(store.host) or host == store.host or not is_same_provider(store.host, host):
        return
    yield replace(target, endpoint=str(replace(store, host=host)), region=region_of(host))


def _without_bucket(store: EndpointUrl, bucket: str) -> Iterator[EndpointUrl]:
    """The endpoint without the bucket as its last segment, and as its first label."""
    head, _, last = store.path.rstrip("/").rpartition("/")
    if unquote(last) == bucket:
        yield replace(store, path=head)
    host = store.host.removeprefix(f"{bucket.lower()}.")
    if host != store.host and "." in host:
        yield replace(store, host=host)


def _encrypted(store: EndpointUrl, failure: StepFailed) -> Iterator[EndpointUrl]:
    """The endpoint with https://, where the store redirects to it or does not speak plain HTTP at its port."""
    if store.scheme == "https":
        return
    if failure.location is not None:
        place = urlsplit(failure.location)
        there = _parsed(f"{place.scheme}://{place.netloc}")
        if there is not None and (there.scheme, there.host) == ("https", store.host):
            yield replace(store, scheme="https", port=there.port)
    elif isinstance(failure, ConnectionBroken) or failure.hint is CheckHint.HTTPS_NEEDED:
        yield replace(store, scheme="https")


def _is_echo(region: str, target: ProbeTarget) -> bool:
    """Whether the store repeats the access key as a region: a report is stored in plain text."""
    named, key = region.lower(), target.access_key.reveal().lower()
    return key in named or (len(named) >= _MIN_KEY_PART and named in key)
