"""Corrections of a target whose bucket was not found, derived from how the check failed.

The prober tries each correction, and suggests it only if the bucket was found with it.
"""

from __future__ import annotations

from dataclasses import replace

from models.checks.report import CheckCode, CheckStepName, CheckSuggestion, ProbeTarget
from models.destinations.endpoint_url import parse_endpoint_url
from s3.dialer import NameMismatch
from s3.endpoint import DEFAULT_REGION, amazon_endpoint, bucket_endpoint, is_amazon_host, is_amazon_region
from s3.responses import PathStyleRefused
from s3.steps import StepFailed

_BUCKET_NOT_IN_HOST = {
    (CheckStepName.RESOLVE, CheckCode.DNS_FAILURE),
    (CheckStepName.RESOLVE, CheckCode.ENDPOINT_NOT_ALLOWED),
    (CheckStepName.AUTHENTICATE, CheckCode.NOT_S3),
    (CheckStepName.BUCKET, CheckCode.NO_SUCH_BUCKET),
}
"""Failures of a store that has no host names of the form bucket.host; the fifth is a certificate without them."""

_MIN_KEY_PART = 8


def corrected(target: ProbeTarget, at: CheckStepName | None, failure: StepFailed) -> ProbeTarget | None:
    """The target to try next after a failure at this step, or None."""
    if failure.code is CheckCode.WRONG_REGION:
        return _in_region(target, failure.region)
    if target.endpoint is None:
        return None
    if isinstance(failure, PathStyleRefused) and target.path_style:
        return replace(target, path_style=False)
    suggests_path_style = isinstance(failure, NameMismatch) or (at, failure.code) in _BUCKET_NOT_IN_HOST
    if suggests_path_style and not target.path_style and bucket_endpoint(target).virtual_hosted:
        return replace(target, path_style=True)
    return None


def _in_region(target: ProbeTarget, region: str | None) -> ProbeTarget | None:
    if region is None or region == (target.region or DEFAULT_REGION) or _is_echo(region, target):
        return None
    if target.endpoint is None:
        return replace(target, region=region) if is_amazon_region(region) else None
    host = parse_endpoint_url(target.endpoint).host
    if not is_amazon_host(host) or f".{region}." in host:
        return replace(target, region=region)
    return replace(target, region=region, endpoint=amazon_endpoint(region)) if is_amazon_region(region) else None


def _is_echo(region: str, target: ProbeTarget) -> bool:
    """Whether the store repeats the access key as a region: a report is stored in plain text."""
    named, key = region.lower(), target.access_key.reveal().lower()
    return key in named or (len(named) >= _MIN_KEY_PART and named in key)


def difference(target: ProbeTarget, better: ProbeTarget) -> CheckSuggestion:
    """The changes that turn one target into the other."""
    return CheckSuggestion(
        region=better.region if better.region != target.region else None,
        endpoint=better.endpoint if better.endpoint != target.endpoint else None,
        path_style_endpoint=better.path_style if better.path_style != target.path_style else None,
    )
