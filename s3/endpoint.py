"""Where requests for one bucket go: the server and path that an endpoint or region and the style make; who signs."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from models.checks.report import CheckCode, CheckStepName, ProbeTarget
from models.destinations.endpoint_url import MAX_HOST_LENGTH, EndpointUrl, parse_endpoint_url
from s3.address_policy import is_numeric
from s3.signature_v4 import Signer, encoded_path, encoded_segment
from s3.steps import StepFailed

DEFAULT_REGION = "us-east-1"
"""The region that requests are signed for where a target has none."""

_AMAZON_REGION = re.compile(r"(?=.{5,32}$)[a-z]{2,5}(-[a-z]{2,20})+-[0-9]{1,2}")
_REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_PARTITIONS = {
    "cn-": "amazonaws.com.cn",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
}
"""Prefix of a region of Amazon's, and the domain of its partition; all other regions are in amazonaws.com."""

_AMAZON_HOST = re.compile(r"s3([.-][a-z0-9-]+)*\.amazonaws\.(com|com\.cn|eu)")
_ACCESS_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,255}")
_NO_BUCKET = re.compile(r"[\x00-\x20\x7f-\x9f\\/?#]|\s|[\ud800-\udfff]|\.\.?\Z")
_VIRTUAL_BUCKET = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketEndpoint:
    """The endpoint of one bucket.

    `server.host` is resolved and proven by TLS, and is part of the Host header. `path` (encoded, ends with a slash)
    precedes the key of an object. `virtual_hosted` says that the bucket is the first label of the host.
    """

    server: EndpointUrl
    path: str
    virtual_hosted: bool = False

    def object_path(self, key: str) -> str:
        """The encoded path of an object; of the bucket itself for an empty key."""
        return self.path + encoded_segment(key) if key else self.path.rstrip("/") or "/"


def bucket_endpoint(target: ProbeTarget) -> BucketEndpoint:
    """The endpoint of a target's bucket; raises `StepFailed` where the target's values cannot be one.

    As the usual clients do, the bucket is in the path whatever the style says where it cannot be a part of the host,
    or where no wildcard certificate can cover it (a dot in its name, over https).
    """
    store, bucket = _store(target), target.bucket_name
    if not bucket or _NO_BUCKET.search(bucket):
        raise StepFailed(CheckCode.NO_SUCH_BUCKET, step=CheckStepName.BUCKET)
    server, prefix = replace(store, path=""), encoded_path(store.path).rstrip("/")
    host = f"{bucket}.{store.host}"
    fits = _VIRTUAL_BUCKET.fullmatch(bucket) and len(host) <= MAX_HOST_LENGTH and not is_numeric(store.host)
    covered = "." not in bucket or store.scheme == "http"
    if fits and covered and not target.path_style:
        return BucketEndpoint(server=replace(server, host=host), path=f"{prefix}/", virtual_hosted=True)
    return BucketEndpoint(server=server, path=f"{prefix}/{encoded_segment(bucket)}/")


def signer_for(target: ProbeTarget) -> Signer:
    """A signer with the target's keys; raises `StepFailed` for an access key that cannot be part of a header."""
    if not _ACCESS_KEY.fullmatch(target.access_key.reveal()):
        raise StepFailed(CheckCode.INVALID_ACCESS_KEY, step=CheckStepName.AUTHENTICATE)
    return Signer(access_key=target.access_key, secret_key=target.secret_key, region=target.region or DEFAULT_REGION)


def _store(target: ProbeTarget) -> EndpointUrl:
    """The URL of the target's store: its endpoint, or Amazon's in its region."""
    if not is_region(target.region or DEFAULT_REGION):
        raise StepFailed(CheckCode.WRONG_REGION)
    if target.endpoint is not None:
        try:
            return parse_endpoint_url(target.endpoint)
        except ValueError:
            raise StepFailed(CheckCode.ENDPOINT_INVALID) from None
    if target.region is None or not is_amazon_region(target.region):
        raise StepFailed(CheckCode.WRONG_REGION)
    return parse_endpoint_url(amazon_endpoint(target.region))


def amazon_endpoint(region: str) -> str:
    """The URL of Amazon S3 in a region."""
    domain = next((domain for start, domain in _PARTITIONS.items() if region.startswith(start)), "amazonaws.com")
    return f"https://s3.{region}.{domain}"


def is_amazon_host(host: str) -> bool:
    """Whether the host is one of Amazon S3's own, in any of their forms."""
    return _AMAZON_HOST.fullmatch(host) is not None


def is_amazon_region(text: str) -> bool:
    """Whether the text has the form of Amazon's regions, so that it may become a part of a host name."""
    return _AMAZON_REGION.fullmatch(text) is not None


def is_region(text: str) -> bool:
    """Whether the text can be a region of any store, so that it may become a part of a header."""
    return _REGION.fullmatch(text) is not None
