"""Signs requests to S3: AWS Signature Version 4, in the Authorization header with the body's hash, or in the query.

A request that is signed in its query can be sent by a client that has no keys ("Authenticating Requests: Using Query
Parameters" of Amazon's S3 API reference).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import quote, unquote_to_bytes

from models.vault.secret import Secret

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
"""Stands for the hash of the body where a query is signed: whoever sends the request chooses the body."""
_SERVICE = "s3"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """An unsigned request. The functions below encode `path` and `query`; header names are in lower case."""

    method: str
    authority: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def target(self) -> str:
        """The request target (RFC 9112, 3.2)."""
        return f"{self.path}?{self.query}" if self.query else self.path


def encoded_path(text: str) -> str:
    """A path as S3 canonicalizes it: each byte but unreserved ones and slashes as %XX; escapes stay what they mean."""
    return quote(unquote_to_bytes(text), safe="/~")


def encoded_segment(text: str) -> str:
    """The name of a bucket or an object within a path; a percent sign is no escape."""
    return quote(text, safe="/~")


def encoded_query(pairs: Iterable[tuple[str, str]]) -> str:
    """A query, encoded as S3 canonicalizes it."""
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """A pair of keys, and the region that signatures are made for."""

    access_key: Secret
    secret_key: Secret
    region: str

    def headers(self, request: Request, at: datetime) -> dict[str, str]:
        """All headers of the request, signed for the time `at` (UTC)."""
        signed = {
            **request.headers,
            "host": request.authority,
            "x-amz-content-sha256": hashlib.sha256(request.body).hexdigest(),
            "x-amz-date": f"{at:%Y%m%dT%H%M%SZ}",
        }
        names, scope = ";".join(sorted(signed)), self._scope(at)
        canonical = _canonical(request, signed, names, signed["x-amz-content-sha256"])
        signature = self._signature(canonical, scope, at)
        credential = f"{self.access_key.reveal()}/{scope}"
        authorization = f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        return {**signed, "authorization": authorization}

    def query(self, request: Request, at: datetime, lifetime: timedelta) -> str:
        """The query of the request, signed for the time `at` (UTC) and `lifetime` (whole seconds) from then on.

        The client has to send the request's headers as they are given; others are its own affair.
        """
        signed = {**request.headers, "host": request.authority}
        names, scope = ";".join(sorted(signed)), self._scope(at)
        authentication = encoded_query(
            [
                ("X-Amz-Algorithm", ALGORITHM),
                ("X-Amz-Credential", f"{self.access_key.reveal()}/{scope}"),
                ("X-Amz-Date", f"{at:%Y%m%dT%H%M%SZ}"),
                ("X-Amz-Expires", str(int(lifetime.total_seconds()))),
                ("X-Amz-SignedHeaders", names),
            ]
        )
        query = f"{request.query}&{authentication}" if request.query else authentication
        canonical = _canonical(replace(request, query=query), signed, names, UNSIGNED_PAYLOAD)
        return f"{query}&X-Amz-Signature={self._signature(canonical, scope, at)}"

    def _scope(self, at: datetime) -> str:
        return f"{at:%Y%m%d}/{self.region}/{_SERVICE}/aws4_request"

    def _signature(self, canonical: str, scope: str, at: datetime) -> str:
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = "\n".join([ALGORITHM, f"{at:%Y%m%dT%H%M%SZ}", scope, digest])
        return hmac.new(self._key(scope), text.encode(), hashlib.sha256).hexdigest()

    def _key(self, scope: str) -> bytes:
        key = b"AWS4" + self.secret_key.reveal().encode("utf-8", "surrogatepass")
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key


def _canonical(request: Request, headers: Mapping[str, str], names: str, payload: str) -> str:
    """The canonical request of "Create a signed AWS API request"; `payload` stands for the body."""
    lines = [f"{name}:{' '.join(headers[name].split())}" for name in sorted(headers)]
    pairs = sorted(pair.partition("=")[::2] for pair in request.query.split("&") if pair)
    query = "&".join("=".join(pair) for pair in pairs)
    parts = [request.method, request.path, query, *lines, "", names, payload]
    return "\n".join(parts)
