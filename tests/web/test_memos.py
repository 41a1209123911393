"""What is kept of headers, paths and addresses that clients choose takes little memory, however long they are."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from models.accounts.networks import canonical_address, is_within
from models.tracing.statements import _described
from schema.transport.negotiation import negotiate
from tests.support.gateway.unharmed import MEBIBYTE
from web.access_log import shown_path
from web.admission.refusals import Refusals
from web.compression.accept_encoding import wanted
from web.http.media_type import parse_media_type

FUNCTIONS: Mapping[str, tuple[Callable[[Any], object], type, int]] = {
    "paths": (shown_path, str, 1_200),
    "Accept": (negotiate, str, 300),
    "Accept-Encoding": (wanted, bytes, 150),
    "Content-Type": (parse_media_type, str, 100),
    "addresses": (canonical_address, str, 4_200),
    "statements": (_described, str, 300),
}
"""Each with the type of its text, and a number of calls that is more than it keeps."""


def taken(function: Callable[[Any], object], kind: type, length: int, calls: int) -> int:
    """The bytes that stay after calls with texts of about that length, each another one."""
    gc.collect()
    tracemalloc.start()
    for number in range(calls):
        text = f"{number:08d}/".ljust(length, "z")
        function(text if kind is str else text.encode())
    gc.collect()
    bytes_, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return bytes_


@pytest.mark.parametrize("named", FUNCTIONS)
def test_texts_of_any_length_take_little(named: str) -> None:
    """Long ones nothing: a head has up to 16 KiB."""
    function, kind, calls = FUNCTIONS[named]

    assert taken(function, kind, 60, calls) < 2 * MEBIBYTE
    assert taken(function, kind, 16_000, 100) < 100_000


def test_a_text_is_answered_alike_whether_it_is_kept_or_not() -> None:
    long = " " * 600

    assert negotiate("application/json") == negotiate(f"application/json{long}") is not None
    assert parse_media_type("application/json") == parse_media_type(f"application/json{long}")
    assert canonical_address("::1%1") == canonical_address(f"::1%{'1' * 100}") == "::1"
    assert shown_path("/" + "a" * 300) == "/*"
    assert negotiate(None) == negotiate("")


def test_networks_of_many_tokens_take_little() -> None:
    """Of the longest that a token may have."""

    def look_up(text: str) -> None:
        number = int(text[:8])
        stored = " ".join(f"10.{number % 250}.{number // 250}.{each}" for each in range(70))
        assert is_within(f"10.{number % 250}.{number // 250}.69", stored)

    assert taken(look_up, str, 9, 200) < 2.5 * MEBIBYTE


def test_refusals_for_long_accept_headers_take_nothing() -> None:
    """Of a busy process, which is no time to take memory."""
    refusals = Refusals({b"/graphql": lambda accept, sentence, _seconds: ((), f"{accept and 1}{sentence}".encode())})

    def refuse(text: str) -> None:
        headers = [(b"accept", text.encode())]
        refusals.response(b"POST", b"/graphql", headers, b"0", b"", keep_alive=True, is_https=False)

    assert taken(refuse, str, 16_000, 100) < 100_000
    assert taken(refuse, str, 500, 300) < MEBIBYTE
