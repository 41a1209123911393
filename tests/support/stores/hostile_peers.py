"""Responses a check may get from any server, each with the step that fails and its code."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from models.checks.report import CheckCode, CheckStepName
from tests.support.stores.peers import LISTING, Script, always, answer, error, next_request

HUGE_BYTES = 300 * 1024 * 1024
_BLOCK = b"hunter22 " * 7_000
_HTML = b"<!doctype html><html><body>hunter22: please log in</body></html>"
_BOMB = b'<!DOCTYPE x [<!ENTITY a "hunter22"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Error><Code>&b;</Code></Error>'

Failure = tuple[CheckStepName, CheckCode]
AUTHENTICATE, BUCKET, LIST = CheckStepName.AUTHENTICATE, CheckStepName.BUCKET, CheckStepName.LIST


def saying(said: bytes) -> Script:
    """A script that says its piece to the first request and hangs up."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await next_request(reader)
        writer.write(said)
        await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
            await reader.read()

    return script


def repeating(start: bytes, block: bytes, *, total_bytes: int = HUGE_BYTES, every_s: float = 0) -> Script:
    """A script that starts an answer and then goes on and on."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await next_request(reader)
        writer.write(start)
        for _ in range(total_bytes // len(block)):
            writer.write(block)
            await writer.drain()
            await asyncio.sleep(every_s)

    return script


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Accept, and never say a word."""
    await reader.read()
    await asyncio.Event().wait()


def head(status: str, *lines: str) -> bytes:
    """The beginning of an answer."""
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


_HUGE = f"content-length: {HUGE_BYTES}"
_ENDLESS_HEADERS = b"HTTP/1.1 200 OK\r\n"

ANSWERS: Mapping[str, tuple[bytes, Failure]] = {
    "a redirect to metadata": (
        answer("302 Found", location="http://169.254.169.254/latest/meta-data/"),
        (AUTHENTICATE, CheckCode.REDIRECTED),
    ),
    "a redirect to this machine": (
        answer("307 Temporary", location="http://[::1]/"),
        (AUTHENTICATE, CheckCode.REDIRECTED),
    ),
    "a redirect without a word": (answer("301 Moved Permanently"), (AUTHENTICATE, CheckCode.REDIRECTED)),
    "HTML": (answer("200 OK", _HTML, content_type="text/html"), (AUTHENTICATE, CheckCode.NOT_S3)),
    "JSON": (answer("200 OK", b'{"hunter22": true}'), (AUTHENTICATE, CheckCode.NOT_S3)),
    "nothing": (answer("200 OK"), (AUTHENTICATE, CheckCode.NOT_S3)),
    "no content": (answer("204 No Content"), (AUTHENTICATE, CheckCode.NOT_S3)),
    "a page for an unknown path": (answer("404 Not Found", _HTML), (AUTHENTICATE, CheckCode.NOT_S3)),
    "a login page": (answer("403 Forbidden", _HTML), (AUTHENTICATE, CheckCode.NOT_S3)),
    "all buckets": (
        answer("200 OK", b"<ListAllMyBucketsResult></ListAllMyBucketsResult>"),
        (BUCKET, CheckCode.NO_SUCH_BUCKET),
    ),
    "an error of its own": (answer("500 Oops", _HTML), (AUTHENTICATE, CheckCode.STORE_UNAVAILABLE)),
    "an unknown code": (error("418 Teapot", "Hunter"), (AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER)),
    "an XML bomb": (answer("400 Bad Request", _BOMB), (AUTHENTICATE, CheckCode.NOT_S3)),
    "a wrong region by redirect": (
        error("301 Moved Permanently", "PermanentRedirect", x_amz_bucket_region="us-east-1"),
        (BUCKET, CheckCode.WRONG_REGION),
    ),
    "a wrong region by redirect without a code": (
        answer("301 Moved Permanently", x_amz_bucket_region="us-east-1"),
        (BUCKET, CheckCode.WRONG_REGION),
    ),
    "a wrong region by 400": (
        error("400 Bad Request", "AuthorizationHeaderMalformed", "<Region>us-east-1</Region>"),
        (BUCKET, CheckCode.WRONG_REGION),
    ),
    "a wrong region by an illegal constraint": (
        error("400 Bad Request", "IllegalLocationConstraintException"),
        (BUCKET, CheckCode.WRONG_REGION),
    ),
    "a skewed clock": (error("403 Forbidden", "RequestTimeTooSkewed"), (AUTHENTICATE, CheckCode.CLOCK_SKEW)),
    "an expired token": (error("400 Bad Request", "ExpiredToken"), (AUTHENTICATE, CheckCode.INVALID_ACCESS_KEY)),
    "slow down": (error("503 Slow Down", "SlowDown"), (AUTHENTICATE, CheckCode.RATE_LIMITED)),
    "unavailable": (answer("503 Unavailable", _HTML), (AUTHENTICATE, CheckCode.STORE_UNAVAILABLE)),
    "too many requests": (answer("429 Too Many"), (AUTHENTICATE, CheckCode.RATE_LIMITED)),
    "denied": (error("403 Forbidden", "AccessDenied"), (LIST, CheckCode.ACCESS_DENIED)),
    "no bucket": (error("404 Not Found", "NoSuchBucket"), (BUCKET, CheckCode.NO_SUCH_BUCKET)),
    "a protocol switch": (
        head("101 Switching", "upgrade: h2c", "connection: upgrade"),
        (AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER),
    ),
    "an early end": (b"", (AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER)),
    "half a head": (b"HTTP/1.1 200 OK\r\ncontent-le", (AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER)),
    "half a body": (head("200 OK", "content-length: 500") + LISTING, (AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER)),
    "no HTTP": (b"SSH-2.0-hunter22\r\n", (AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER)),
    "HTTP/2": (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", (AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER)),
    "NULs": (b"HTTP/1.1 200 OK\r\nx: \x00\r\n\r\n", (AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER)),
    "an endless status": (b"HTTP/1.1 " + b"2" * 100_000, (AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER)),
    "two lengths": (
        head("200 OK", "content-length: 1", "content-length: 2") + b"ab",
        (AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER),
    ),
    "a negative length": (head("200 OK", "content-length: -1"), (AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER)),
    "chunks without sense": (
        head("200 OK", "transfer-encoding: chunked") + b"zz\r\nhunter22\r\n",
        (AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER),
    ),
    "a chunk of any size": (
        head("200 OK", "transfer-encoding: chunked") + b"f" * 30 + b"\r\n",
        (AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER),
    ),
    "one huge header": (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 1_000_000, (AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER)),
}
"""Said at once, to every request."""

STREAMS: Mapping[str, tuple[Script, Failure]] = {
    "a huge page": (repeating(head("200 OK", _HUGE), _BLOCK), (AUTHENTICATE, CheckCode.NOT_S3)),
    "a huge error": (repeating(head("500 Oops", _HUGE), _BLOCK), (AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER)),
    "a huge page for an unknown path": (
        repeating(head("404 Not Found", _HUGE) + b"<Error><Code>NoSuchBucket</Code>", _BLOCK),
        (AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER),
    ),
    "a huge listing": (repeating(head("200 OK", _HUGE) + LISTING, _BLOCK), (LIST, CheckCode.UNEXPECTED_ANSWER)),
    "a body without end": (repeating(head("200 OK"), _BLOCK), (AUTHENTICATE, CheckCode.NOT_S3)),
    "chunks without end": (
        repeating(head("200 OK", "transfer-encoding: chunked"), b"1\r\nx\r\n" * 1_000),
        (AUTHENTICATE, CheckCode.NOT_S3),
    ),
    "headers without end": (
        repeating(_ENDLESS_HEADERS, b"x: hunter22\r\n" * 1_000),
        (AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER),
    ),
    "continue without end": (
        repeating(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (AUTHENTICATE, CheckCode.UNEXPECTED_ANSWER),
    ),
    "a dripping head": (repeating(_ENDLESS_HEADERS, b"x", every_s=0.01), (AUTHENTICATE, CheckCode.TIMEOUT)),
    "a dripping body": (repeating(head("200 OK", _HUGE), b"x", every_s=0.01), (AUTHENTICATE, CheckCode.TIMEOUT)),
    "silence": (silent, (AUTHENTICATE, CheckCode.TIMEOUT)),
}
"""Said for as long as anybody listens."""

SCRIPTS: Mapping[str, tuple[Script, Failure]] = {
    **{name: (saying(said), expected) for name, (said, expected) in ANSWERS.items()},
    **{
        f"{name}, again and again": (always(said), expected)
        for name, (said, expected) in ANSWERS.items()
        if b"content-length: " in said and name not in ("half a body", "two lengths", "a negative length")
    },
    **STREAMS,
}
