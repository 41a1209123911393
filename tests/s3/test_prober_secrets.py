"""No key, no signature and no word of a peer gets into a report or a log, whatever the peer repeats."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator

import pytest

from app.logs import OURS, QUIET, configure_logs
from models.checks.report import CheckDepth
from models.vault.secret import Secret
from tests.support.secrecy.canary import Canaries, Finder
from tests.support.stores.peers import MemoryStore, ReceivedRequest, error, listening
from tests.support.stores.probing import prober, target

WORD = "a-word-of-the-peers-own"


@pytest.fixture
def _debugging(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """The gateway's own logs at DEBUG, on the stderr that the test reads."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, {name: logging.getLogger(name).level for name in (*QUIET, OURS)}
    configure_logs("DEBUG", "json")
    logging.getLogger("moorings.test").debug("logs are read")
    yield
    root.handlers[:], level, levels = before
    root.setLevel(level)
    for name, quiet in levels.items():
        logging.getLogger(name).setLevel(quiet)


def repeating(asked: ReceivedRequest, status: str, code: str) -> bytes:
    """A response that repeats the credentials of its request wherever a response has room."""
    received = asked.headers["authorization"]
    key = received.partition("Credential=")[2].partition("/")[0]
    inside = (
        f"<AWSAccessKeyId>{key}</AWSAccessKeyId><Region>{key}</Region><Endpoint>{key}</Endpoint><x>{received}{WORD}</x>"
    )
    headers = {"location": f"http://{key}.example/{WORD}", "x_amz_bucket_region": key, "x_amz_version_id": key}
    return error(status, code, inside, server=f"{received} {WORD}", x_amz_request_id=WORD, **headers)


STATUSES = [
    ("400 Bad Request", "AuthorizationHeaderMalformed"),
    ("403 Forbidden", "SignatureDoesNotMatch"),
    ("403 Forbidden", "AccessDenied"),
    ("301 Moved", "PermanentRedirect"),
    ("302 Found", WORD),
    ("200 OK", WORD),
    ("500 Oops", WORD),
    (f"404 {WORD}", "NoSuchBucket"),
]


@pytest.mark.parametrize(("status", "code"), STATUSES)
@pytest.mark.parametrize("from_step", ["LIST", "WRITE", "READ", "DELETE"])
@pytest.mark.usefixtures("_debugging")
async def test_what_a_peer_repeats_is_neither_reported_nor_logged(
    status: str, code: str, from_step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    order = ["LIST", "WRITE", "READ", "DELETE"]
    methods = {"PUT": "WRITE", "DELETE": "DELETE"}

    async def override(asked: ReceivedRequest) -> bytes | None:
        step = "LIST" if "list-type" in asked.target else methods.get(asked.method, "READ")
        return repeating(asked, status, code) if order.index(step) >= order.index(from_step) else None

    canaries = Canaries()
    access_key, secret_key = canaries.new().replace("/", "-").replace("+", "-"), canaries.new()
    store = MemoryStore(override)
    async with listening(store.script) as peer:
        there = target(peer.url, access_key=Secret(access_key), secret_key=Secret(secret_key))
        checks = prober()
        report = await checks.probe(there, CheckDepth.FULL)

    signatures = [asked.headers["authorization"].rpartition("=")[2] for asked in store.asked]
    written = capsys.readouterr().err
    shown = f"{report!r}{report.to_json()}{there!r}{checks!r}{vars(checks)!r}{written}".encode()
    assert list(Finder([access_key, secret_key, WORD, *signatures]).hits(shown)) == []
    assert "logs are read" in written
    assert signatures


@pytest.mark.usefixtures("_debugging")
async def test_a_check_that_passes_logs_neither_key_nor_signature(capsys: pytest.CaptureFixture[str]) -> None:
    canaries = Canaries()
    access_key, secret_key = canaries.new(), canaries.new()
    store = MemoryStore()
    async with listening(store.script) as peer:
        there = target(peer.url, access_key=Secret(access_key), secret_key=Secret(secret_key))
        report = await prober().probe(there, CheckDepth.FULL)

    signatures = [asked.headers["authorization"].rpartition("=")[2] for asked in store.asked]
    written = capsys.readouterr().err
    assert report.reachable
    assert list(Finder([access_key, secret_key, *signatures]).hits(f"{report!r}{written}".encode())) == []
    assert "logs are read" in written


async def test_a_secret_key_is_in_no_request_and_every_body_is_signed() -> None:
    secret_key = Canaries().new()
    store = MemoryStore()
    async with listening(store.script) as peer:
        await prober().probe(target(peer.url, secret_key=Secret(secret_key)), CheckDepth.FULL)

    assert list(Finder([secret_key]).hits(repr(store.asked).encode())) == []
    assert [asked.headers["x-amz-content-sha256"] for asked in store.asked] == [
        hashlib.sha256(asked.body).hexdigest() for asked in store.asked
    ]
