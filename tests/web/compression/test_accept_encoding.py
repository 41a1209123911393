"""What clients say of content codings, as RFC 9110, 12.5.3 has it, and what they get."""

from __future__ import annotations

import time
import zlib

import pytest

from tests.support.gateway.codings import decoded
from web.compression.accept_encoding import AS_IS, GZIP, MAX_BYTES, MIN_BYTES, ZSTD, Wanted, wanted, wanted_by
from web.compression.codings import Encoder

VALUES: dict[str, Wanted] = {
    "": AS_IS,
    "gzip": Wanted(GZIP),
    "GZip": Wanted(GZIP),
    "x-gzip": Wanted(GZIP),
    "zstd": Wanted(ZSTD),
    "gzip, deflate": Wanted(GZIP),
    "gzip, deflate, br": Wanted(GZIP),
    "gzip, deflate, br, zstd": Wanted(ZSTD),
    "br;q=1.0, zstd;q=0.1, gzip;q=0.2": Wanted(GZIP),
    "gzip;q=0": AS_IS,
    "gzip;q=0.000, zstd": Wanted(ZSTD),
    "gzip;q=0.001": Wanted(GZIP),
    "gzip ; q=0.5 ,\tzstd ;q=0.4": Wanted(GZIP),
    "zstd;q=0, *": Wanted(GZIP),
    "*": Wanted(GZIP),
    "*;q=0": AS_IS,
    "gzip;q=0, *": AS_IS,
    "gzip, *;q=0": Wanted(GZIP, 0),
    "identity": AS_IS,
    "identity, gzip": Wanted(GZIP),
    "identity, gzip;q=0.9": AS_IS,
    "identity;q=0.5, gzip;q=0.9": Wanted(GZIP),
    "identity;q=0, gzip": Wanted(GZIP, 0),
    "identity;q=0": AS_IS,
    "*;q=0.5, identity": AS_IS,
    "deflate, br": AS_IS,
    "gzip;q=2": AS_IS,
    "gzip;q=": AS_IS,
    "gzip;q=nan": AS_IS,
    "gzip;q=0.1234": AS_IS,
    "gzip;x=1": AS_IS,
    "gzip, gzip;q=0": AS_IS,
    "gzip zstd": AS_IS,
    ",, gzip ,": Wanted(GZIP),
    "bogzip": AS_IS,
    "g\xe9": AS_IS,
    "gzip," * 100: AS_IS,
}


@pytest.mark.parametrize("value", VALUES)
def test_a_client_gets_the_coding_that_it_weighs_most(value: str) -> None:
    assert wanted(value.encode("latin-1")) == VALUES[value]


def test_a_client_that_says_nothing_wants_nothing() -> None:
    assert wanted_by([(b"host", b"gateway")]) is None
    assert wanted_by([(b"accept-encoding", b"identity"), (b"accept-encoding", b"gzip")]) == Wanted(GZIP)


def test_small_and_very_large_bodies_are_sent_as_they_are() -> None:
    asked = wanted(b"gzip")

    assert [asked.takes(size) for size in (0, MIN_BYTES - 1, MIN_BYTES, MAX_BYTES, MAX_BYTES + 1)] == [
        *(False, False, True, True, False),
    ]
    assert wanted(b"gzip, identity;q=0").takes(1)
    assert not AS_IS.takes(MIN_BYTES)


@pytest.mark.parametrize("coding", [GZIP, ZSTD])
def test_a_body_comes_back_from_its_coding(coding: bytes) -> None:
    """One encoder makes them all, one after another."""
    encoder = Encoder()
    for body in (b"", b"x", b'{"id":1}' * 1_000, bytes(range(256)) * 256):
        assert decoded(encoder.encode(body, coding), coding) == body


@pytest.mark.parametrize("coding", [GZIP, ZSTD])
def test_the_largest_body_that_is_compressed_holds_the_loop_for_less_than_50_ms(coding: bytes) -> None:
    """In the processor's time, on rows with nothing in common but their names."""
    rows = b"".join(
        b'{"id":%d,"label":"%d","created_at":"%d"},' % (n, zlib.crc32(b"%d" % n), zlib.adler32(b"%d" % n))
        for n in range(20_000)
    )[:MAX_BYTES]
    encoder = Encoder()

    took = []
    for _ in range(3):
        began = time.process_time()
        encoder.encode(rows, coding)
        took.append(time.process_time() - began)

    assert len(rows) > MAX_BYTES * 0.9
    assert min(took) < 0.05
