"""The requests that one check makes to one bucket: list, write, read and delete, all below one prefix."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from models.checks.report import CheckCode, CheckHint, ProbeTarget
from s3.connection import ConnectionBroken, Response, StoreConnection
from s3.endpoint import BucketEndpoint
from s3.responses import Entry, ListingUnknown, is_success, is_transient, listed, require_success
from s3.signature_v4 import Request, Signer, encoded_query
from s3.steps import StepFailed

PREFIX = ".moorings-check/"
"""Below it, and the target's own prefix, a check writes, so that the keys need no rights to any other object."""

MAX_ENTRIES = 50
"""Objects below the prefix that one listing returns."""
MAX_ENTRIES_BESIDE = 20
"""The same where the listing may reach beyond the check's objects, to keys of any length."""
PART_BYTES = 5 * 1024 * 1024
"""Of an upload in parts, of which all but the last must be at least as large: stores and proxies may refuse that."""
RETRY_AFTER_S = 0.25
"""Before the one retry of a request that failed for the moment."""

_VAGUE = (CheckCode.UNEXPECTED_ANSWER, CheckCode.REQUEST_REFUSED, CheckCode.NOT_SUPPORTED)
_TEMPORARY_KEY = ("ASIA", "STS.")
"""Prefixes of temporary access keys: of AWS (IAM identifiers), and of Alibaba Cloud."""
_UPLOAD_ID = re.compile(rb"<(?:\w{1,16}:)?UploadId>\s*([^<\s]{1,1024})\s*</")
_VERSION = re.compile(r"[A-Za-z0-9._-]{5,256}")


def object_prefix(target: ProbeTarget) -> str:
    """What the keys of all objects of a check begin with."""
    return own_prefix(target) + PREFIX


def own_prefix(target: ProbeTarget) -> str:
    """The prefix that the target's keys are confined to, with a slash at its end; empty where there is none."""
    return "" if target.check_prefix is None else f"{target.check_prefix.removesuffix('/')}/"


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenObject:
    """What the response to a PUT says: the version id, None where the bucket keeps none; whether it is encrypted."""

    version: str | None
    is_encrypted: bool


class Bucket:
    """One bucket, over one connection at a time; every failure is raised as `StepFailed`."""

    def __init__(
        self, connection: StoreConnection, endpoint: BucketEndpoint, signer: Signer, *, own_prefix: str = ""
    ) -> None:
        """`own_prefix` is the one that the keys are confined to, with a slash at its end."""
        self._connection = connection
        self._endpoint = endpoint
        self._signer = signer
        self._own_prefix = own_prefix

    def reconnected(self) -> Bucket:
        """The same bucket over a new connection, opened with the first request."""
        return Bucket(self._connection.renewed(), self._endpoint, self._signer, own_prefix=self._own_prefix)

    async def list(self) -> Sequence[Entry]:
        """List the check's prefix. One response decides AUTHENTICATE, BUCKET and LIST.

        A policy may allow to list exactly the prefix that the keys are confined to: then that one is asked for, from
        the check's objects on.
        """
        prefix, most = ("prefix", PREFIX), ("max-keys", str(MAX_ENTRIES))
        begin: list[tuple[str, str]] = []
        if self._own_prefix:
            prefix, most = ("prefix", self._own_prefix), ("max-keys", str(MAX_ENTRIES_BESIDE))
            begin = [("start-after", self._own_prefix + PREFIX)]
        try:
            try:
                return await self._listed(("list-type", "2"), most, prefix, *begin, is_last=False)
            except ListingUnknown:
                # ListObjects, which stores had before ListObjectsV2.
                marker = [("marker", value) for _, value in begin]
                return await self._listed(most, prefix, *marker, ("delimiter", ""))
        except StepFailed as failure:
            if failure.code is CheckCode.INVALID_ACCESS_KEY and self._has_temporary_key:
                failure.code = CheckCode.TEMPORARY_CREDENTIALS
            if failure.hint is CheckHint.HTTPS_NEEDED and self._endpoint.server.scheme == "https":
                failure.hint = None
            raise

    async def write(self, key: str, body: bytes) -> WrittenObject:
        """Write an object."""
        # A bucket with Object Lock refuses a PUT without a checksum.
        checksum = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        response = await self._send("PUT", key, headers={"content-md5": checksum}, body=body)
        require_success(response, self._signer.region)
        version = response.headers.get("x-amz-version-id", "")
        return WrittenObject(
            version=version if _VERSION.fullmatch(version) else None,
            is_encrypted=bool(response.headers.get("x-amz-server-side-encryption")),
        )

    async def read(self, key: str, body: bytes) -> bool:
        """Read an object and compare it with the bytes that were written; returns whether it is locked."""
        response = await self._send("GET", key)
        require_success(response, self._signer.region)
        if response.body != body:
            raise StepFailed(CheckCode.UNEXPECTED_ANSWER, hint=CheckHint.BODY_CHANGED)
        return bool(response.headers.get("x-amz-object-lock-mode"))

    async def delete(self, key: str, version: str | None) -> bool:
        """Delete an object; returns False where an old version of it stays.

        The version comes first, since a plain DELETE only hides it where versions are kept.
        """
        if version is not None and is_success(await self._send("DELETE", key, query=[("versionId", version)])):
            return True
        response = await self._send("DELETE", key)
        if response.status != HTTPStatus.NOT_FOUND:
            require_success(response, self._signer.region)
        return version is None

    async def begin_upload(self, key: str) -> str:
        """Begin an upload in parts; returns its id."""
        response = await self._part_of_upload("POST", key, ("uploads", ""))
        found = _UPLOAD_ID.search(response.body)
        if found is None:
            raise StepFailed(CheckCode.NOT_SUPPORTED, hint=CheckHint.MULTIPART_UNKNOWN)
        return found[1].decode()

    async def upload_part(self, key: str, upload_id: str) -> None:
        """Send the first part of an upload, PART_BYTES of zeros."""
        part = ("partNumber", "1"), ("uploadId", upload_id)
        await self._part_of_upload("PUT", key, *part, body=bytes(PART_BYTES))

    async def abort_upload(self, key: str, upload_id: str) -> None:
        """Abort an upload, which deletes its parts."""
        await self._part_of_upload("DELETE", key, ("uploadId", upload_id))

    async def aclose(self) -> None:
        """Close the connection."""
        await self._connection.aclose()

    @property
    def _has_temporary_key(self) -> bool:
        return self._signer.access_key.reveal().startswith(_TEMPORARY_KEY)

    async def _part_of_upload(self, method: str, key: str, *query: tuple[str, str], body: bytes = b"") -> Response:
        response = await self._send(method, key, query=query, body=body)
        try:
            require_success(response, self._signer.region)
        except StepFailed as failure:
            if failure.code in _VAGUE and failure.hint not in (CheckHint.BODY_CHANGED, CheckHint.PROXY_REFUSES):
                failure.code, failure.hint = CheckCode.NOT_SUPPORTED, CheckHint.MULTIPART_UNKNOWN
            raise
        return response

    async def _listed(self, *query: tuple[str, str], is_last: bool = True) -> Sequence[Entry]:
        return listed(await self._send("GET", query=query), self._signer.region, is_last=is_last)

    async def _send(
        self,
        method: str,
        key: str = "",
        *,
        query: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Response:
        """Send a request; once more after a failure that may be over a moment later. All of them are idempotent."""
        request = Request(
            method=method,
            authority=self._endpoint.server.authority,
            path=self._endpoint.object_path(key),
            query=encoded_query(query),
            headers=headers or {},
            body=body,
        )
        try:
            response = await self._sent(request)
        except ConnectionBroken:
            response = None
        if response is not None and not is_transient(response):
            return response
        await asyncio.sleep(RETRY_AFTER_S)
        return await self._sent(request)

    async def _sent(self, request: Request) -> Response:
        now = datetime.now(UTC)
        if len(request.body) < PART_BYTES:
            headers = self._signer.headers(request, now)
        else:
            # The hash of so much takes longer than other checks should wait.
            headers = await asyncio.to_thread(self._signer.headers, request, now)
        return await self._connection.send(request, headers)
