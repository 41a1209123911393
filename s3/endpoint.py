"""Where a bucket is spoken to: the host, port and path that an endpoint or a region and the addressing style make.

Everything a user typed that could be read in two ways is refused here, before anything is looked up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address

from models.checks.report import CheckCode, CheckStepName, ProbeTarget
from s3.address_policy import is_numeric
from s3.signature_v4 import encoded_path, encoded_segment
from s3.steps import Stumbled

DEFAULT_REGION = "us-east-1"
"""What signatures are made for where nobody said otherwise."""

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
"""The domains of Amazon's partitions by how their regions begin; all others are in amazonaws.com."""

_AMAZON_HOST = re.compile(r"s3([.-][a-z0-9-]+)*\.amazonaws\.(com|com\.cn|eu)")
_ENDPOINT = re.compile(
    r"(?P<scheme>https?)://(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^/:@\[\]]+))(?::(?P<port>[0-9]{0,6}))?(?P<path>/.*)?",
    re.IGNORECASE | re.DOTALL,
)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\?#]|\s|[\ud800-\udfff]")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)
_NO_BUCKET = re.compile(r"[\x00-\x20\x7f-\x9f\\/?#]|\s|[\ud800-\udfff]|\.\.?\Z")
_VIRTUAL_BUCKET = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_MAX_HOST_LENGTH = 253
_MAX_PORT = 65_535


@dataclass(frozen=True, kw_only=True, slots=True)
class Location:
    """A bucket's place: `host` is looked up and proven by TLS; `path`, encoded, comes before an object's name."""

    scheme: str
    host: str
    port: int
    path: str
    virtual_hosted: bool = False

    @property
    def authority(self) -> str:
        """The Host header: without the port that the scheme means anyway."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _default_port(self.scheme) else f"{host}:{self.port}"

    def object_path(self, key: str) -> str:
        """The path of an object, encoded; of the bucket itself for no key."""
        return self.path + encoded_segment(key) if key else self.path.rstrip("/") or "/"

    @property
    def is_amazon(self) -> bool:
        """Whether it is one of Amazon's own hosts, whichever way it was named."""
        return _AMAZON_HOST.fullmatch(self.host) is not None


def locate(target: ProbeTarget) -> Location:
    """Where the target's bucket is; raises `Stumbled` for what cannot be a place."""
    if not is_region(target.region or DEFAULT_REGION):
        raise Stumbled(CheckCode.WRONG_REGION)
    if target.endpoint is not None:
        store = parse_endpoint(target.endpoint)
    elif target.region is not None and is_amazon_region(target.region):
        store = parse_endpoint(amazon_endpoint(target.region))
    else:
        raise Stumbled(CheckCode.WRONG_REGION)
    if not target.bucket_name or _NO_BUCKET.search(target.bucket_name):
        raise Stumbled(CheckCode.NO_SUCH_BUCKET, step=CheckStepName.BUCKET)
    return _with_bucket(store, target)


def _with_bucket(store: Location, target: ProbeTarget) -> Location:
    """As the usual clients do: in the path also where the bucket cannot be part of a host, or no certificate fits."""
    bucket = target.bucket_name
    dotted = "." in bucket and store.scheme == "https"
    host = f"{bucket}.{store.host}"
    fits = _VIRTUAL_BUCKET.fullmatch(bucket) and len(host) <= _MAX_HOST_LENGTH and not is_numeric(store.host)
    virtual_hosted = bool(fits) and not target.path_style and not dotted
    return Location(
        scheme=store.scheme,
        host=host if virtual_hosted else store.host,
        port=store.port,
        path=f"{store.path}/" if virtual_hosted else f"{store.path}/{encoded_segment(bucket)}/",
        virtual_hosted=virtual_hosted,
    )


def parse_endpoint(text: str) -> Location:
    """The store that a URL means, its host in ASCII; raises `Stumbled`."""
    parts = None if _FORBIDDEN.search(text) else _ENDPOINT.fullmatch(text)
    if parts is None:
        raise Stumbled(CheckCode.ENDPOINT_INVALID)
    scheme = parts["scheme"].lower()
    port = int(parts["port"]) if parts["port"] else _default_port(scheme)
    host = _bracketed(parts["six"]) if parts["six"] else _named(parts["host"])
    path = encoded_path(parts["path"] or "").rstrip("/")
    if host is None or not 0 < port <= _MAX_PORT or {".", ".."} & set(path.split("/")):
        raise Stumbled(CheckCode.ENDPOINT_INVALID)
    return Location(scheme=scheme, host=host, port=port, path=path)


def _bracketed(text: str) -> str | None:
    try:
        return str(IPv6Address(text))
    except AddressValueError:
        return None


def _named(text: str) -> str | None:
    """A name without the dot that may end it: certificates have none."""
    try:
        host = text.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        return None
    return host if len(host) <= _MAX_HOST_LENGTH and all(map(_LABEL.fullmatch, host.split("."))) else None


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def amazon_endpoint(region: str) -> str:
    """The URL of Amazon S3 in a region."""
    domain = next((domain for start, domain in _PARTITIONS.items() if region.startswith(start)), "amazonaws.com")
    return f"https://s3.{region}.{domain}"


def is_amazon_region(text: str) -> bool:
    """Whether it looks like a region of Amazon's; it becomes part of a host name."""
    return _AMAZON_REGION.fullmatch(text) is not None


def is_region(text: str) -> bool:
    """Whether it can be a region of any store; it becomes part of a header."""
    return _REGION.fullmatch(text) is not None
