"""One bucket as one check speaks to it: list, write, read and delete, all within one prefix of ours."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus

from models.checks.report import CheckCode, CheckStepName, ProbeTarget
from s3.connection import Answer, Conversation
from s3.endpoint import DEFAULT_REGION, Location
from s3.responses import is_success, judge_done, judge_listing
from s3.signature_v4 import Request, Signer, encoded_query
from s3.steps import Stumbled

PREFIX = ".moorings-check/"
"""Where a check writes, so that keys need no rights beyond it."""

_ACCESS_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,255}")
_VERSION_HEADER, _VERSION = "x-amz-version-id", re.compile(r"[A-Za-z0-9._-]{5,256}")


def signer_for(target: ProbeTarget) -> Signer:
    """Who signs for the target; raises `Stumbled` for an access key that cannot stand in a header."""
    if not _ACCESS_KEY.fullmatch(target.access_key.reveal()):
        raise Stumbled(CheckCode.INVALID_ACCESS_KEY, step=CheckStepName.AUTHENTICATE)
    return Signer(access_key=target.access_key, secret_key=target.secret_key, region=target.region or DEFAULT_REGION)


class Bucket:
    """What a check does to a bucket; whatever goes wrong is a `Stumbled`."""

    def __init__(self, conversation: Conversation, location: Location, signer: Signer) -> None:
        self._conversation = conversation
        self._location = location
        self._signer = signer

    def another(self) -> Bucket:
        """The same bucket over a connection of its own."""
        return Bucket(self._conversation.another(), self._location, self._signer)

    async def list(self) -> None:
        """List our prefix: one answer that tells of the keys, the bucket and the right to list."""
        query = (("list-type", "2"), ("max-keys", "1"), ("prefix", PREFIX))
        judge_listing(await self._send("GET", query=query))

    async def write(self, key: str, body: bytes) -> str | None:
        """Write an object; answers its version where the bucket keeps versions."""
        # Buckets that lock objects want a checksum.
        checksum = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        answer = await self._send("PUT", key, headers={"content-md5": checksum}, body=body)
        judge_done(answer)
        version = answer.headers.get(_VERSION_HEADER, "")
        return version if _VERSION.fullmatch(version) else None

    async def read(self, key: str, body: bytes) -> None:
        """Read an object and compare it with what was written."""
        answer = await self._send("GET", key)
        judge_done(answer)
        if answer.body != body:
            raise Stumbled(CheckCode.UNEXPECTED_ANSWER)

    async def delete(self, key: str, version: str | None) -> None:
        """Delete an object, its version first: without a version a bucket that keeps them would keep it."""
        if version is not None and is_success(await self._send("DELETE", key, query=[("versionId", version)])):
            return
        answer = await self._send("DELETE", key)
        if answer.status != HTTPStatus.NOT_FOUND:
            judge_done(answer)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._conversation.aclose()

    async def _send(
        self,
        method: str,
        key: str = "",
        *,
        query: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        request = Request(
            method=method,
            authority=self._location.authority,
            path=self._location.object_path(key),
            query=encoded_query(query),
            headers=headers or {},
            body=body,
        )
        return await self._conversation.exchange(request, self._signer.headers(request, datetime.now(UTC)))
