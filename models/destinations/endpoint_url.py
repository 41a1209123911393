"""Parses the endpoint URL of an S3-compatible store: the one rule for what may be saved and what a check connects to.

Pure syntax. Whether the addresses of the host may be connected to is decided by `s3.address_policy`, at each check.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

DEFAULT_PORTS: Mapping[str, int] = MappingProxyType({"http": 80, "https": 443})
"""Ports of an endpoint that names none, by its scheme."""
MAX_HOST_LENGTH = 253
"""Characters of a host name in ASCII, without the dot that may end it (RFC 1035, 2.3.4)."""

_URL = re.compile(
    r"(?P<scheme>https?)://(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^/:@\[\]]+))(?::(?P<port>[0-9]{0,5}))?(?P<path>/.*)?",
    re.IGNORECASE,
)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\<>\"{}|^`?#\ud800-\udfff]|\s")
_HOST_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)
_MAX_PORT = 65_535
_DOT_SEGMENTS = {b".", b".."}


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointUrl:
    """The parts of an endpoint URL.

    `scheme` and `host` are in lower case; the host is in ASCII, an IPv6 address without brackets. `path` is as given.
    """

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def authority(self) -> str:
        """The value of a Host header: the port is left out where it is the scheme's default (RFC 9110, 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_endpoint_url(text: str) -> EndpointUrl:
    """Parse an absolute http or https URL: a host, no user info, no query, no fragment, no `.` or `..` segment.

    A text that two parsers could read differently (control characters, backslashes) is refused. Raises `ValueError`.
    """
    parts = None if _FORBIDDEN.search(text) else _URL.fullmatch(text)
    if parts is None:
        raise ValueError("this is not an absolute http or https URL")
    scheme, path = parts["scheme"].lower(), parts["path"] or ""
    port = int(parts["port"]) if parts["port"] else DEFAULT_PORTS[scheme]
    if not 0 < port <= _MAX_PORT:
        raise ValueError("the port is out of range")
    if not _DOT_SEGMENTS.isdisjoint(unquote_to_bytes(path).split(b"/")):
        raise ValueError("the path has a segment that is . or ..")
    host = _ipv6(parts["ipv6"]) if parts["ipv6"] else ascii_host(parts["name"])
    return EndpointUrl(scheme=scheme, host=host, port=port, path=path)


def is_endpoint_url(text: str) -> bool:
    """Whether `parse_endpoint_url` accepts the text."""
    try:
        parse_endpoint_url(text)
    except ValueError:
        return False
    return True


def ascii_host(text: str) -> str:
    """A host name in the spelling that is looked up: ASCII, lower case, no dot at the end. Raises `ValueError`."""
    host = text.encode("idna").decode("ascii").lower().removesuffix(".")
    if len(host) > MAX_HOST_LENGTH or not all(map(_HOST_LABEL.fullmatch, host.split("."))):
        raise ValueError("this is not a host name")
    return host


def _ipv6(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except AddressValueError as error:
        raise ValueError("this is not an IPv6 address") from error
