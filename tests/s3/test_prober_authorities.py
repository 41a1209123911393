"""A destination's own authorities: trusted for it alone; and what a remedy says about a certificate that is not."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from models.checks.report import CheckCode, CheckDepth, CheckField, CheckHint, CheckStep, CheckStepName, CheckSuggestion
from tests.support.stores.certificates import Authority
from tests.support.stores.peers import MemoryStore, listening
from tests.support.stores.probing import TableResolver, failure, prober, target

MAX_READ = 65_536
UNTRUSTED = (CheckStepName.TLS, CheckCode.CERTIFICATE_UNTRUSTED)


@pytest.fixture
def root(tmp_path: Path) -> Authority:
    """An authority of the user's own."""
    return Authority(tmp_path)


@pytest.fixture
def intermediate(root: Authority, tmp_path: Path) -> Authority:
    """One that the root has signed."""
    return Authority(tmp_path, issuer=root)


async def tls_step(serving: ssl.SSLContext, *, trusting: ssl.SSLContext | None = None) -> CheckStep:
    """The step TLS of a check of a store that nobody vouches for."""
    async with listening(MemoryStore().script, tls=serving) as peer:
        report = await prober(tls=trusting).probe(target(f"https://127.0.0.1:{peer.port}"), CheckDepth.FULL)
    assert failure(report) == UNTRUSTED
    return report.step(CheckStepName.TLS)


async def test_authorities_of_a_destination_are_trusted_for_it_and_for_no_other(root: Authority) -> None:
    async with listening(MemoryStore().script, tls=root.serving("127.0.0.1")) as peer:
        there, checks = f"https://127.0.0.1:{peer.port}", prober()
        own = await checks.probe(target(there, certificate_authorities=root.pem), CheckDepth.FULL)
        other = await checks.probe(target(there), CheckDepth.FULL)

    assert own.reachable
    assert failure(other) == UNTRUSTED


async def test_the_gateways_own_authorities_are_trusted_all_the_same(root: Authority, tmp_path: Path) -> None:
    """Of a store that has moved to a public certificate since."""
    async with listening(MemoryStore().script, tls=root.serving("127.0.0.1")) as peer:
        there = target(f"https://127.0.0.1:{peer.port}", certificate_authorities=Authority(tmp_path).pem)
        report = await prober(tls=root.trusting()).probe(there, CheckDepth.FULL)

    assert report.reachable


async def test_a_certificate_signed_by_itself_and_an_intermediate_one_can_be_trusted(
    root: Authority, intermediate: Authority
) -> None:
    """An intermediate one stands for the chain that the store does not send."""
    reports = []
    for authority, serving in ((root, root.serving_itself()), (intermediate, intermediate.serving("127.0.0.1"))):
        async with listening(MemoryStore().script, tls=serving) as peer:
            there = target(f"https://127.0.0.1:{peer.port}", certificate_authorities=authority.pem)
            reports.append(await prober().probe(there, CheckDepth.FULL))

    # The root's own certificate names no host.
    assert [failure(report) for report in reports] == [
        (CheckStepName.TLS, CheckCode.CERTIFICATE_NAME_MISMATCH),
        None,
    ]


async def test_names_and_dates_are_verified_by_own_authorities_too(root: Authority) -> None:
    codes = []
    for serving in (root.serving("other.example"), root.serving("127.0.0.1", days=-1)):
        async with listening(MemoryStore().script, tls=serving) as peer:
            there = target(f"https://127.0.0.1:{peer.port}", certificate_authorities=root.pem)
            report = await prober().probe(there, CheckDepth.FULL)
        codes.append(report.step(CheckStepName.TLS).code)

    assert codes == [CheckCode.CERTIFICATE_NAME_MISMATCH, CheckCode.CERTIFICATE_EXPIRED]


async def test_a_missing_intermediate_is_told_apart_from_an_unknown_authority(
    root: Authority, intermediate: Authority
) -> None:
    """What a public authority issued says where its issuer is; of a private one it can be either."""
    missing = await tls_step(intermediate.serving("127.0.0.1", tells_issuer=True), trusting=root.trusting())
    either = await tls_step(intermediate.serving("127.0.0.1"))
    unknown = await tls_step(intermediate.serving("127.0.0.1", with_issuer=True))
    itself = await tls_step(root.serving("127.0.0.1", with_issuer=True))

    hints = [step.hint for step in (missing, either, unknown, itself)]
    assert hints == [CheckHint.INTERMEDIATE_MISSING, CheckHint.ISSUER_NOT_SENT, None, CheckHint.CERTIFICATE_SELF_SIGNED]
    fields = [step.field for step in (missing, either, unknown, itself)]
    assert fields == [None, *[CheckField.CERTIFICATE_AUTHORITIES] * 3]
    assert "chain" in (missing.remedy or "")
    assert "certificateAuthorities" in (unknown.remedy or "")


async def test_nothing_is_sent_to_a_store_whose_certificate_is_not_trusted(root: Authority) -> None:
    """Not on the connection either that shows which certificates it sends."""
    store = MemoryStore()
    async with listening(store.script, tls=root.serving("127.0.0.1")) as peer:
        await prober().probe(target(f"https://127.0.0.1:{peer.port}"), CheckDepth.FULL)

    assert store.asked == []


async def test_a_store_that_wants_a_client_certificate_is_told_apart_from_one_that_makes_no_sense(
    root: Authority,
) -> None:
    """In TLS 1.3 the store says so only behind the handshake."""
    serving = root.serving("127.0.0.1")
    serving.verify_mode = ssl.CERT_REQUIRED
    serving.load_verify_locations(cadata=root.pem)
    serving.minimum_version = ssl.TLSVersion.TLSv1_3

    async def shake_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """As other servers do, and Python's does not: the connection is closed when the alert was read."""
        received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls, is_refused = serving.wrap_bio(received, sent, server_side=True), False
        while not is_refused:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                writer.write(sent.read())
                received.write(await reader.read(MAX_READ))
            except ssl.SSLError:
                is_refused = True
        writer.write(sent.read())
        await reader.read()

    async with listening(shake_hands) as peer:
        there = target(f"https://127.0.0.1:{peer.port}")
        report = await prober(tls=root.trusting()).probe(there, CheckDepth.FULL)

    assert failure(report) == (CheckStepName.TLS, CheckCode.TLS_FAILED)
    assert report.step(CheckStepName.TLS).hint is CheckHint.CLIENT_CERTIFICATE


async def test_a_server_that_does_not_know_the_bucket_s_host_gets_it_in_the_path(root: Authority) -> None:
    """It ends the handshake, as proxies do that have no certificate for a name, and sends none."""
    serving = root.serving("s3.example.com")

    def refuse(_: object, name: str | None, __: object) -> int | None:
        return None if name == "s3.example.com" else ssl.ALERT_DESCRIPTION_INTERNAL_ERROR

    serving.sni_callback = refuse
    table = TableResolver({"s3.example.com": ["127.0.0.1"], "nightly.s3.example.com": ["127.0.0.1"]})
    async with listening(MemoryStore().script, tls=serving) as peer:
        there = target(f"https://s3.example.com:{peer.port}", path_style=False)
        report = await prober(tls=root.trusting(), resolver=table).probe(there, CheckDepth.FULL)

    assert failure(report) == (CheckStepName.TLS, CheckCode.TLS_FAILED)
    assert report.suggestion == CheckSuggestion(path_style_endpoint=True)
