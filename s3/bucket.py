"""The requests that one check makes to one bucket: list, write, read and delete, all below one prefix."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus

from models.checks.report import CheckCode, CheckStepName, ProbeTarget
from s3.connection import Response, StoreConnection
from s3.endpoint import DEFAULT_REGION, BucketEndpoint
from s3.responses import is_success, require_listing, require_success
from s3.signature_v4 import Request, Signer, encoded_query
from s3.steps import StepFailed

PREFIX = ".moorings-check/"
"""Below it a check writes, so that the keys need no rights to any other object."""

_ACCESS_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,255}")
_VERSION_HEADER, _VERSION = "x-amz-version-id", re.compile(r"[A-Za-z0-9._-]{5,256}")


def signer_for(target: ProbeTarget) -> Signer:
    """A signer with the target's keys; raises `StepFailed` for an access key that cannot be part of a header."""
    if not _ACCESS_KEY.fullmatch(target.access_key.reveal()):
        raise StepFailed(CheckCode.INVALID_ACCESS_KEY, step=CheckStepName.AUTHENTICATE)
    return Signer(access_key=target.access_key, secret_key=target.secret_key, region=target.region or DEFAULT_REGION)


class Bucket:
    """One bucket, over one connection at a time; every failure is raised as `StepFailed`."""

    def __init__(self, connection: StoreConnection, endpoint: BucketEndpoint, signer: Signer) -> None:
        self._connection = connection
        self._endpoint = endpoint
        self._signer = signer

    def reconnected(self) -> Bucket:
        """The same bucket over a new connection, opened with the first request."""
        return Bucket(self._connection.renewed(), self._endpoint, self._signer)

    async def list(self) -> None:
        """List the check's prefix. One response decides AUTHENTICATE, BUCKET and LIST."""
        query = (("list-type", "2"), ("max-keys", "1"), ("prefix", PREFIX))
        require_listing(await self._send("GET", query=query))

    async def write(self, key: str, body: bytes) -> str | None:
        """Write an object; returns its version id where the bucket keeps versions."""
        # A bucket with Object Lock refuses a PUT without a checksum.
        checksum = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        response = await self._send("PUT", key, headers={"content-md5": checksum}, body=body)
        require_success(response)
        version = response.headers.get(_VERSION_HEADER, "")
        return version if _VERSION.fullmatch(version) else None

    async def read(self, key: str, body: bytes) -> None:
        """Read an object and compare it with the bytes that were written."""
        response = await self._send("GET", key)
        require_success(response)
        if response.body != body:
            raise StepFailed(CheckCode.UNEXPECTED_ANSWER)

    async def delete(self, key: str, version: str | None) -> None:
        """Delete an object: its version first, since a plain DELETE only hides it where versions are kept."""
        if version is not None and is_success(await self._send("DELETE", key, query=[("versionId", version)])):
            return
        response = await self._send("DELETE", key)
        if response.status != HTTPStatus.NOT_FOUND:
            require_success(response)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._connection.aclose()

    async def _send(
        self,
        method: str,
        key: str = "",
        *,
        query: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Response:
        request = Request(
            method=method,
            authority=self._endpoint.server.authority,
            path=self._endpoint.object_path(key),
            query=encoded_query(query),
            headers=headers or {},
            body=body,
        )
        return await self._connection.send(request, self._signer.headers(request, datetime.now(UTC)))
