"""A destination's own authorities: trusted for it alone; and what a remedy says about a certificate that is not."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from models.checks.report import CheckCode, CheckDepth, CheckField, CheckHint, CheckStep, CheckStepName
from tests.support.stores.certificates import Authority
from tests.support.stores.peers import MemoryStore, listening
from tests.support.stores.probing import failure, prober, target

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
