"""Against a real Ceph: a granted request does what it says, and the store refuses it for anything else."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import http.client
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from models.grants.access import Access, GrantOperation
from s3.presigning.presigner import S3Presigner
from tests.support.paths import ROOT
from tests.support.stores.moto_store import Keys
from tests.support.stores.probing import dialer, target
from tests.support.stores.real.ceph_store import CephStore

Op = GrantOperation
CONTENT, OTHER = b"hello", b"HELLO"
MD5 = base64.b64encode(hashlib.md5(CONTENT, usedforsecurity=False).digest()).decode()
ODD_KEYS = ["a+b", " a b ", "ä/漢/🔑", "a?b=c&d", "a#b", "100%", "%2e%2e/a", "a//b", "/a", "~'\"<>{}\\", "k" * 1_024]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """A request as it is sent; `host` is the Host header."""

    method: str
    url: str
    host: str
    headers: Mapping[str, str]
    body: bytes = b""

    def asked(self, *pairs: str) -> Sent:
        """The same with more in its query."""
        return replace(self, url="&".join([self.url, *pairs]))

    def replaced(self, pattern: str, by: str) -> Sent:
        """The same with another text in its URL."""
        url = re.sub(pattern, by, self.url)
        assert url != self.url, pattern
        return replace(self, url=url)

    def with_headers(self, **headers: str) -> Sent:
        """The same with these headers; their names have underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **named})

    def without(self, name: str) -> Sent:
        """The same without a header."""
        return replace(self, headers={each: value for each, value in self.headers.items() if each != name})

    def send(self) -> tuple[int, bytes]:
        """The status and the body of the response."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=60)
        try:
            connection.putrequest(self.method, f"{parts.path}?{parts.query}", skip_host=True, skip_accept_encoding=True)
            connection.putheader("host", self.host)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            if not {"content-length", "transfer-encoding"} & self.headers.keys():
                connection.putheader("content-length", str(len(self.body)))
            connection.endheaders(self.body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """A bucket with the objects `db/a`, `db/b` and `other`, and an upload in parts to `db/parts`."""

    store: CephStore
    keys: Keys
    name: str
    upload_id: str
    second: str
    """Another bucket of the same user, with an object `db/a`."""

    async def granted(self, *operations: Op, **access: Any) -> Sequence[Sent]:
        """The requests of a grant."""
        there = target(
            self.store.url,
            bucket_name=self.name,
            access_key=self.keys.access_key,
            secret_key=self.keys.secret_key,
        )
        at = datetime.now(UTC).replace(microsecond=0)
        signed = await S3Presigner(dialer()).presign(there, Access(operations=operations, **access), at)
        return [
            Sent(method=each.method, url=each.url, host=urlsplit(each.url).netloc, headers=each.headers)
            for each in signed
        ]

    def objects(self) -> dict[str, bytes]:
        """Every object and what it holds."""
        client = self.store.client(self.keys)
        names = [each["Key"] for each in client.list_objects_v2(Bucket=self.name).get("Contents", [])]
        return {name: client.get_object(Bucket=self.name, Key=name)["Body"].read() for name in names}

    def parts(self) -> list[int]:
        """The numbers of the parts of the upload."""
        upload = {"Bucket": self.name, "Key": "db/parts", "UploadId": self.upload_id}
        listed = self.store.client(self.keys).list_parts(**upload)
        return [each["PartNumber"] for each in listed.get("Parts", [])]

    def acl_of(self, key: str) -> Any:
        """Who may do what with an object."""
        return self.store.client(self.keys).get_object_acl(Bucket=self.name, Key=key)["Grants"]


@pytest.fixture(scope="module")
def filled(ceph: CephStore) -> Bucket:
    """A bucket that no wrong use may change."""
    keys, name, second = ceph.new_keys(), f"nightly-{uuid4().hex}", f"weekly-{uuid4().hex}"
    client = ceph.client(keys)
    for bucket, objects in {name: ("db/a", "db/b", "other"), second: ("db/a",)}.items():
        client.create_bucket(Bucket=bucket)
        for key in objects:
            client.put_object(Bucket=bucket, Key=key, Body=f"{bucket} {key}".encode())
    upload_id = client.create_multipart_upload(Bucket=name, Key="db/parts")["UploadId"]
    return Bucket(store=ceph, keys=keys, name=name, upload_id=upload_id, second=second)


Use = Callable[[Sent, Bucket], Sent]
GET: dict[str, Use] = {
    "another key": lambda sent, _: sent.replaced(r"/db/a\?", "/db/b?"),
    "a key outside of the prefix": lambda sent, _: sent.replaced(r"/db/a\?", "/other?"),
    "a longer key": lambda sent, _: sent.replaced(r"/db/a\?", "/db/ab?"),
    "a path with dots": lambda sent, _: sent.replaced(r"/db/a\?", "/db/x/../b?"),
    "the bucket itself": lambda sent, _: sent.replaced(r"/db/a\?", "/?"),
    "another bucket": lambda sent, bucket: sent.replaced(bucket.name, bucket.second),
    "PUT": lambda sent, _: replace(sent, method="PUT", body=OTHER),
    "DELETE": lambda sent, _: replace(sent, method="DELETE"),
    "POST": lambda sent, _: replace(sent, method="POST"),
    "HEAD": lambda sent, _: replace(sent, method="HEAD"),
    "a longer life": lambda sent, _: sent.replaced("X-Amz-Expires=900", "X-Amz-Expires=86400"),
    "no end": lambda sent, _: sent.replaced("&X-Amz-Expires=900", ""),
    "another time": lambda sent, _: sent.replaced(r"(X-Amz-Date=\d{8}T)\d{6}", r"\g<1>000001"),
    "another digit in the signature": lambda sent, _: sent.replaced(r"Signature=(.)", "Signature=g"),
    "half of the signature": lambda sent, _: sent.replaced(r"(Signature=.{32}).*", r"\1"),
    "an empty signature": lambda sent, _: sent.replaced(r"Signature=.*", "Signature="),
    "no signature": lambda sent, _: sent.replaced(r"&X-Amz-Signature=.*", ""),
    "no authentication at all": lambda sent, _: sent.replaced(r"X-Amz-.*", ""),
    "another access key": lambda sent, _: sent.replaced(r"Credential=[A-Z0-9]+", "Credential=AKIAIOSFODNN7EXAMPLE"),
    "another region": lambda sent, _: sent.replaced("%2Fus-east-1%2F", "%2Feu-west-1%2F"),
    "another day": lambda sent, _: sent.replaced(r"%2F20\d{6}%2F", "%2F20200101%2F"),
    "another algorithm": lambda sent, _: sent.replaced("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"),
    "more signed headers": lambda sent, _: sent.replaced("SignedHeaders=host", "SignedHeaders=host%3Brange"),
    "another host": lambda sent, _: replace(sent, host="store.test"),
    "another port in the host": lambda sent, _: replace(sent, host="127.0.0.1:1"),
    "the object's ACL": lambda sent, _: sent.asked("acl"),
    "the object's tags": lambda sent, _: sent.asked("tagging"),
    "another version": lambda sent, _: sent.asked("versionId=null"),
    "another media type for the answer": lambda sent, _: sent.asked("response-content-type=text%2Fhtml"),
    "a parameter that nobody knows": lambda sent, _: sent.asked("more=1"),
}
PUT: dict[str, Use] = {
    "another key": lambda sent, _: sent.replaced(r"/db/new\?", "/db/a?"),
    "a longer body": lambda sent, _: replace(sent.with_headers(content_length="6"), body=b"hello!"),
    "a shorter body": lambda sent, _: replace(sent.with_headers(content_length="4"), body=b"hell"),
    "an empty body": lambda sent, _: replace(sent.with_headers(content_length="0"), body=b""),
    "another body of the same length": lambda sent, _: replace(sent, body=OTHER),
    "another body and its digest": lambda sent, _: replace(
        sent.with_headers(content_md5=base64.b64encode(hashlib.md5(OTHER, usedforsecurity=False).digest()).decode()),
        body=OTHER,
    ),
    "no digest": lambda sent, _: sent.without("content-md5"),
    "another media type": lambda sent, _: sent.with_headers(content_type="text/html"),
    "no media type": lambda sent, _: sent.without("content-type"),
    "a body without a length": lambda sent, _: replace(
        sent.without("content-length").with_headers(transfer_encoding="chunked"), body=b"5\r\nhello\r\n0\r\n\r\n"
    ),
    "GET": lambda sent, _: replace(sent, method="GET"),
    "a part of an upload": lambda sent, bucket: sent.asked("partNumber=1", f"uploadId={bucket.upload_id}"),
    "an ACL": lambda sent, _: sent.asked("acl"),
}
UNSIGNED: dict[str, Use] = {
    "a copy of another object": lambda sent, bucket: sent.with_headers(x_amz_copy_source=f"/{bucket.name}/other"),
    "a right for everybody": lambda sent, _: sent.with_headers(x_amz_acl="public-read"),
}
"""Headers that Amazon refuses unless they are signed, and Ceph takes unless a policy of the bucket denies them."""
LIST: dict[str, Use] = {
    "another prefix": lambda sent, _: sent.replaced("prefix=db%2F", "prefix=other"),
    "an empty prefix": lambda sent, _: sent.replaced("prefix=db%2F", "prefix="),
    "no prefix": lambda sent, _: sent.replaced("&prefix=db%2F", ""),
    "a second prefix": lambda sent, _: sent.asked("prefix="),
    "all versions": lambda sent, _: sent.asked("versions"),
    "more at once": lambda sent, _: sent.replaced("max-keys=10", "max-keys=1000"),
    "an object": lambda sent, bucket: sent.replaced(rf"/{bucket.name}\?", f"/{bucket.name}/db/a?"),
    "another bucket": lambda sent, bucket: sent.replaced(bucket.name, bucket.second),
    "DELETE": lambda sent, _: replace(sent, method="DELETE"),
    "PUT": lambda sent, _: replace(sent, method="PUT"),
}
PART: dict[str, Use] = {
    "another number": lambda sent, _: sent.replaced("partNumber=1", "partNumber=2"),
    "another upload": lambda sent, _: sent.replaced("uploadId=", "uploadId=2~"),
    "a longer body": lambda sent, _: replace(sent.with_headers(content_length="6"), body=b"hello!"),
    "the object itself": lambda sent, _: sent.replaced(r"partNumber=1&uploadId=[^&]*&", ""),
    "an end of the upload": lambda sent, _: replace(sent, method="DELETE"),
}
DELETE: dict[str, Use] = {
    "another key": lambda sent, _: sent.replaced(r"/db/a\?", "/other?"),
    "the bucket": lambda sent, _: sent.replaced(r"/db/a\?", "/?"),
    "GET": lambda sent, _: replace(sent, method="GET"),
    "a version": lambda sent, _: sent.asked("versionId=null"),
}
GRANTS: Mapping[str, tuple[dict[str, Use], Op, dict[str, Any], bytes]] = {
    "get": (GET, Op.GET, {"keys": ("db/a",)}, b""),
    "put": (
        PUT,
        Op.PUT,
        {"keys": ("db/new",), "content_length": 5, "content_type": "text/plain", "content_md5": MD5},
        CONTENT,
    ),
    "list": (LIST, Op.LIST, {"prefix": "db/", "max_keys": 10}, b""),
    "part": (PART, Op.UPLOAD_PART, {"keys": ("db/parts",), "part_numbers": (1,), "content_length": 5}, CONTENT),
    "delete": (DELETE, Op.DELETE, {"keys": ("db/a",)}, b""),
}


@pytest.mark.parametrize("granted", GRANTS)
async def test_the_store_refuses_a_granted_request_that_is_used_for_anything_else(
    granted: str, filled: Bucket, figure: Callable[[str], None]
) -> None:
    """Nothing of what is refused has an effect; the last case shows that what was granted would have had one."""
    uses, operation, access, body = GRANTS[granted]
    (signed,) = await filled.granted(
        operation, **access, **({"upload_id": filled.upload_id} if operation is Op.UPLOAD_PART else {})
    )
    right, before = replace(signed, body=body), filled.objects()
    rights = {key: filled.acl_of(key) for key in before}

    answered = {name: use(right, filled).send() for name, use in uses.items()}

    assert {name: status for name, (status, _) in answered.items() if not 400 <= status < 500} == {}
    assert not any(b"db/a" in said and b"<Key>" in said for _, said in answered.values())
    assert (filled.objects(), filled.parts()) == (before, [])
    assert {key: filled.acl_of(key) for key in before} == rights
    if operation in (Op.GET, Op.LIST):
        assert right.send()[0] == 200
    figure(f"{len(uses)} wrong uses of a granted {granted} refused")


@pytest.mark.parametrize("use", UNSIGNED)
async def test_the_policy_in_the_documentation_lets_ceph_refuse_headers_that_are_not_signed(
    use: str, ceph: CephStore, keys: Keys, bucket: str
) -> None:
    """Without it the first of them would put another object in the place of the granted one."""
    client = ceph.client(keys)
    client.put_object(Bucket=bucket, Key="other", Body=b"other")
    (policy,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs/stores/ceph.md").read_text("utf-8"), re.DOTALL)
    client.put_bucket_policy(Bucket=bucket, Policy=policy.replace("my-backups", bucket))
    there = Bucket(store=ceph, keys=keys, name=bucket, upload_id="", second="")
    (right,) = await there.granted(Op.PUT, keys=("new",), content_length=5)
    right = replace(right, body=CONTENT)

    refused = UNSIGNED[use](right, there).send()
    stored = right.send()

    assert (refused[0], stored[0]) == (403, 200)
    assert there.objects() == {"new": CONTENT, "other": b"other"}


async def test_a_granted_request_has_an_end(filled: Bucket) -> None:
    (sent,) = await filled.granted(Op.GET, keys=("db/a",), lifetime=timedelta(seconds=2))

    first = sent.send()
    deadline = time.monotonic() + 30
    while sent.send()[0] == 200:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)

    assert first == (200, f"{filled.name} db/a".encode())
    assert sent.send()[0] == 403


@pytest.mark.parametrize("key", ODD_KEYS)
async def test_a_key_of_any_characters_is_written_read_and_deleted(key: str, ceph: CephStore, filled: Bucket) -> None:
    """Under exactly that name."""
    operations = (Op.PUT, Op.HEAD, Op.GET, Op.DELETE)
    put, head, get, delete = await filled.granted(*operations, keys=(key,), content_length=5)

    assert replace(put, body=CONTENT).send()[0] == 200
    assert filled.objects()[key] == CONTENT
    assert head.send()[0] == 200
    assert get.send() == (200, CONTENT)
    assert delete.send()[0] == 204
    assert key not in filled.objects()


async def test_an_upload_in_parts_goes_all_the_way(filled: Bucket) -> None:
    (create,) = await filled.granted(Op.CREATE_UPLOAD, keys=("db/whole",), content_type="text/plain")
    found = re.search(rb"<UploadId>(.*?)</UploadId>", create.send()[1])
    assert found is not None
    access = {"keys": ("db/whole",), "upload_id": found[1].decode()}
    (part,) = await filled.granted(Op.UPLOAD_PART, **access, part_numbers=(1,), content_length=5)
    listed, complete = await filled.granted(Op.LIST_PARTS, Op.COMPLETE_UPLOAD, **access)
    etag = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    named = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"

    assert replace(part, body=CONTENT).send()[0] == 200
    assert b"<PartNumber>1</PartNumber>" in listed.send()[1]
    body = f"<CompleteMultipartUpload>{named}</CompleteMultipartUpload>".encode()
    assert replace(complete, body=body).send()[0] == 200
    assert filled.objects().pop("db/whole") == CONTENT
    (delete,) = await filled.granted(Op.DELETE, keys=("db/whole",))
    assert delete.send()[0] == 204
