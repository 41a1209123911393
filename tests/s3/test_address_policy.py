"""The verdict on every block's edges and every disguise, with and without what the operator opened."""

from __future__ import annotations

import pytest

from s3.address_policy import DENIED, NEVER, AddressPolicy, parse_allow_rules, read_address
from tests.support.stores.address_table import ALL_OPEN, VERDICTS, Verdict


def admitted(text: str, *entries: str, host: str = "store.example", port: int = 9000) -> bool:
    """Whether a check connects to an address, with these entries in MOORINGS_S3_ALLOW."""
    address = read_address(text)
    return address is not None and AddressPolicy(parse_allow_rules(entries)).allows(address, host=host, port=port)


def test_the_table_is_large_and_has_every_block_in_it() -> None:
    found = [address for text in VERDICTS if (address := read_address(text)) is not None]

    assert len(VERDICTS) >= 120
    assert [block for block in (*DENIED, *NEVER) if not any(address in block for address in found)] == []


@pytest.mark.parametrize(("text", "verdict"), VERDICTS.items())
def test_nothing_but_public_addresses_is_admitted_by_default(text: str, verdict: Verdict) -> None:
    assert admitted(text) == (verdict is Verdict.PUBLIC)


@pytest.mark.parametrize(("text", "verdict"), VERDICTS.items())
def test_what_must_never_be_admitted_is_refused_also_with_everything_open(text: str, verdict: Verdict) -> None:
    assert admitted(text, *ALL_OPEN) == (verdict in (Verdict.PUBLIC, Verdict.PRIVATE))


@pytest.mark.parametrize(
    ("entry", "text", "host", "port"),
    [
        ("10.0.0.0/8", "10.1.2.3", "store.example", 80),
        ("10.0.0.5", "10.0.0.5", "10.0.0.5", 9000),
        ("10.0.0.5:9000", "10.0.0.5", "store.example", 9000),
        ("10.0.0.0/8", "::ffff:10.1.2.3", "store.example", 80),
        ("::ffff:10.0.0.0/104", "10.1.2.3", "store.example", 80),
        ("fd00::/8", "fd12::1", "store.example", 443),
        ("[fd12::1]:9000", "fd12::1", "store.example", 9000),
        ("fd12::1", "fd12::1", "store.example", 1),
        ("minio.internal", "10.0.0.5", "minio.internal", 9000),
        ("MinIO.Internal.", "10.0.0.5", "minio.internal", 9000),
        ("minio:9000", "172.18.0.2", "minio", 9000),
        ("bücher.internal", "10.0.0.5", "xn--bcher-kva.internal", 443),
        ("64:ff9b::/96", "64:ff9b::8.8.8.8", "store.example", 443),
    ],
)
def test_an_entry_opens_what_it_names(entry: str, text: str, host: str, port: int) -> None:
    assert not admitted(text, host=host, port=port)
    assert admitted(text, entry, host=host, port=port)


@pytest.mark.parametrize(
    ("entry", "text", "host", "port"),
    [
        ("10.0.0.0/9", "10.128.0.0", "store.example", 80),
        ("10.0.0.5:9000", "10.0.0.5", "store.example", 9001),
        ("10.0.0.5", "10.0.0.6", "10.0.0.5", 80),
        ("minio.internal", "10.0.0.5", "other.internal", 9000),
        ("minio.internal", "10.0.0.5", "evil.minio.internal", 9000),
        ("internal", "10.0.0.5", "minio.internal", 9000),
        ("minio:9000", "172.18.0.2", "minio", 9001),
        ("minio", "169.254.169.254", "minio", 80),
        ("64:ff9b::/96", "64:ff9b::10.0.0.1", "store.example", 443),
        ("10.0.0.0/8", "64:ff9b::10.0.0.1", "store.example", 443),
        ("2002::/16", "2002:7f00:1::1", "store.example", 443),
        ("127.0.0.0/8", "::127.0.0.1", "store.example", 443),
        ("2001::/32", "2001:0:808:808:0:0:80ff:fffe", "store.example", 443),
    ],
)
def test_an_entry_opens_nothing_else(entry: str, text: str, host: str, port: int) -> None:
    assert not admitted(text, entry, host=host, port=port)


@pytest.mark.parametrize(
    "entry",
    [
        *("", "*", "*.internal", "http://10.0.0.5", "10.0.0.5/", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/8:9000"),
        *("10.0.0.5:0", "10.0.0.5:65536", "10.0.0.5:", "10.0.0.5:http", "minio:-1", "minio:9000:9000", "a b"),
        *("127.1", "0x7f000001", "2130706433", "10.0.0.256", "1.2.3", "fe80::1%eth0", "[fe80::1%eth0]:80", "[::1"),
        *("[minio]:80", "-minio", "mi..nio", ".minio", "a" * 64, "minio/x", "user@minio", "fd00::/129", "ﬀ\ud800"),
    ],
)
def test_an_entry_that_could_be_misread_is_refused_with_the_form_it_wants(entry: str) -> None:
    with pytest.raises(ValueError, match=r"it wants networks, addresses or host names.*10\.0\.0\.0/8"):
        parse_allow_rules(["10.0.0.0/8", entry])
