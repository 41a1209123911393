"""Signs the requests of an access to one bucket, for a client that sends them without having the keys.

What the signature binds, the store enforces: the method, the host, the bucket and the key, the query, the time, and the
headers that are signed - the length, the type and the digest of the body where the access names them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol, assert_never

from models.checks.report import CheckCode, ProbeTarget
from models.grants.access import Access, GrantOperation, PresignedRequest, StoreNotUsable
from s3.address_policy import Address
from s3.endpoint import BucketEndpoint, bucket_endpoint, signer_for
from s3.signature_v4 import Request, Signer, encoded_query
from s3.steps import StepFailed

_Pairs = list[tuple[str, str]]
RESOLVE_S = 5.0
"""For the look-up of the store's host."""


class Addresses(Protocol):
    """Finds the addresses of a host, as `s3.dialer.Dialer` does."""

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        """Those that may be connected to; raises `StepFailed` where the policy refuses one of them."""


class S3Presigner:
    """Signs requests to S3; implements `Presigner`. It sends the store nothing."""

    def __init__(self, hosts: Addresses) -> None:
        self._hosts = hosts

    async def presign(self, target: ProbeTarget, access: Access, at: datetime) -> Sequence[PresignedRequest]:
        """See `Presigner`. An endpoint that a check may not connect to gets no signature either."""
        try:
            endpoint, signer = bucket_endpoint(target), signer_for(target)
            async with asyncio.timeout(RESOLVE_S):
                await self._hosts.addresses(endpoint.server.host, endpoint.server.port)
        except TimeoutError:
            raise StoreNotUsable(CheckCode.DNS_FAILURE) from None
        except StepFailed as failure:
            raise StoreNotUsable(failure.code) from None
        return list(_presigned(endpoint, signer, access, at))


def _presigned(endpoint: BucketEndpoint, signer: Signer, access: Access, at: datetime) -> Iterator[PresignedRequest]:
    for operation in access.operations:
        is_list, has_parts = operation is GrantOperation.LIST, operation is GrantOperation.UPLOAD_PART
        for key in (None,) if is_list else access.keys:
            for part in access.part_numbers if has_parts else (None,):
                method, query = _method_and_query(operation, access, part)
                request = Request(
                    method=method,
                    authority=endpoint.server.authority,
                    path=endpoint.object_path(key or ""),
                    query=encoded_query(query),
                    headers=_headers(operation, access),
                )
                signed = signer.query(request, at, access.lifetime)
                yield PresignedRequest(
                    operation=operation,
                    method=method,
                    url=f"{endpoint.server.scheme}://{request.authority}{request.path}?{signed}",
                    headers=request.headers,
                    key=key,
                    part_number=part,
                )


def _method_and_query(operation: GrantOperation, access: Access, part: int | None) -> tuple[str, _Pairs]:
    """The method of an operation, and what its query names besides the signature."""
    upload: _Pairs = [("uploadId", access.upload_id or "")]
    match operation:
        case GrantOperation.PUT | GrantOperation.GET | GrantOperation.HEAD | GrantOperation.DELETE:
            return operation.name, []
        case GrantOperation.LIST:
            return "GET", _listing(access)
        case GrantOperation.CREATE_UPLOAD:
            return "POST", [("uploads", "")]
        case GrantOperation.UPLOAD_PART:
            return "PUT", [("partNumber", str(part)), *upload]
        case GrantOperation.LIST_PARTS:
            return "GET", upload
        case GrantOperation.COMPLETE_UPLOAD:
            return "POST", upload
        case GrantOperation.ABORT_UPLOAD:
            return "DELETE", upload
        case _:
            assert_never(operation)


def _listing(access: Access) -> _Pairs:
    """The query of a page of a list (ListObjectsV2). It names the prefix always: without one it is the whole bucket."""
    given = {
        "continuation-token": access.continuation_token,
        "delimiter": access.delimiter,
        "max-keys": None if access.max_keys is None else str(access.max_keys),
        "prefix": access.prefix or "",
        "start-after": access.start_after,
    }
    return [("list-type", "2"), *((name, value) for name, value in given.items() if value is not None)]


def _headers(operation: GrantOperation, access: Access) -> dict[str, str]:
    """The headers that an operation binds, by the access."""
    is_sent = operation in (GrantOperation.PUT, GrantOperation.UPLOAD_PART)
    has_type = operation in (GrantOperation.PUT, GrantOperation.CREATE_UPLOAD)
    bound = {
        "content-length": str(access.content_length) if is_sent and access.content_length is not None else None,
        "content-md5": access.content_md5 if is_sent else None,
        "content-type": access.content_type if has_type else None,
    }
    return {name: value for name, value in bound.items() if value is not None}
