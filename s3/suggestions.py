"""What to change in a target whose bucket was not found, when the store's answer says or hints where it is.

Nothing here is believed: the prober tries a correction before it suggests it.
"""

from __future__ import annotations

from dataclasses import replace

from models.checks.report import CheckCode, CheckStepName, CheckSuggestion, ProbeTarget
from s3.dialer import NameMismatch
from s3.endpoint import DEFAULT_REGION, amazon_endpoint, is_amazon_region, locate, parse_endpoint
from s3.responses import PathStyleRefused
from s3.steps import Stumbled

_BUCKET_NOT_IN_HOST = {
    (CheckStepName.RESOLVE, CheckCode.DNS_FAILURE),
    (CheckStepName.RESOLVE, CheckCode.ENDPOINT_NOT_ALLOWED),
    (CheckStepName.AUTHENTICATE, CheckCode.NOT_S3),
    (CheckStepName.BUCKET, CheckCode.NO_SUCH_BUCKET),
}
"""How it ends when a store has no names of the form bucket.host; a certificate without them is the fifth way."""

_TELLING_LENGTH = 8


def corrected(target: ProbeTarget, at: CheckStepName | None, stumble: Stumbled) -> ProbeTarget | None:
    """The target to try next; None when the way it stumbled at this rung says nothing."""
    if stumble.code is CheckCode.WRONG_REGION:
        return _in_region(target, stumble.region)
    if target.endpoint is None:
        return None
    if isinstance(stumble, PathStyleRefused) and target.path_style:
        return replace(target, path_style=False)
    is_telling = isinstance(stumble, NameMismatch) or (at, stumble.code) in _BUCKET_NOT_IN_HOST
    if is_telling and not target.path_style and locate(target).virtual_hosted:
        return replace(target, path_style=True)
    return None


def _in_region(target: ProbeTarget, region: str | None) -> ProbeTarget | None:
    if region is None or region == (target.region or DEFAULT_REGION) or _is_echo(region, target):
        return None
    if target.endpoint is None:
        return replace(target, region=region) if is_amazon_region(region) else None
    store = parse_endpoint(target.endpoint)
    if not store.is_amazon or f".{region}." in store.host:
        return replace(target, region=region)
    return replace(target, region=region, endpoint=amazon_endpoint(region)) if is_amazon_region(region) else None


def _is_echo(region: str, target: ProbeTarget) -> bool:
    """Whether a peer repeats the access key it was shown: a report is stored in the clear."""
    said, key = region.lower(), target.access_key.reveal().lower()
    return key in said or (len(said) >= _TELLING_LENGTH and said in key)


def difference(target: ProbeTarget, better: ProbeTarget) -> CheckSuggestion:
    """What to change in one target to make it the other."""
    return CheckSuggestion(
        region=better.region if better.region != target.region else None,
        endpoint=better.endpoint if better.endpoint != target.endpoint else None,
        path_style_endpoint=better.path_style if better.path_style != target.path_style else None,
    )
