"""Why a certificate is not trusted, by OpenSSL's verification error and by the chain that the store sends."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol, cast

from models.checks.report import CheckCode, CheckHint
from s3.steps import StepFailed

_FAULTS: Mapping[int, tuple[CheckCode, CheckHint | None]] = MappingProxyType(
    {
        9: (CheckCode.CERTIFICATE_EXPIRED, CheckHint.CERTIFICATE_NOT_YET_VALID),  # X509_V_ERR_CERT_NOT_YET_VALID
        10: (CheckCode.CERTIFICATE_EXPIRED, None),  # X509_V_ERR_CERT_HAS_EXPIRED
        62: (CheckCode.CERTIFICATE_NAME_MISMATCH, None),  # X509_V_ERR_HOSTNAME_MISMATCH
        64: (CheckCode.CERTIFICATE_NAME_MISMATCH, None),  # X509_V_ERR_IP_ADDRESS_MISMATCH
        18: (CheckCode.CERTIFICATE_UNTRUSTED, CheckHint.CERTIFICATE_SELF_SIGNED),  # DEPTH_ZERO_SELF_SIGNED_CERT
        19: (CheckCode.CERTIFICATE_UNTRUSTED, CheckHint.CERTIFICATE_SELF_SIGNED),  # SELF_SIGNED_CERT_IN_CHAIN
    }
)
"""Verification errors of OpenSSL (x509_vfy.h); the others are of an authority that is not trusted or not sent."""

_CA_ISSUERS = bytes.fromhex("06082b06010505073002")
"""The OID id-ad-caIssuers (RFC 5280, 4.2.2.1) in DER: where the issuer's certificate is, as public authorities say."""
_SEQUENCE, _INTEGER, _VERSION = 0x30, 0x02, 0xA0
_LONG_FORM = 0x80


_WANTS_CERTIFICATE = re.compile("ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|NO_CERTIFICATE)$")
"""In OpenSSL's reason: the other side's alert about the certificate of the client (RFC 8446, 6.2; RFC 5246, 7.2.2)."""


def wants_client_certificate(cause: BaseException | None) -> bool:
    """Whether the other side ended the connection for want of a client's certificate: in TLS 1.3 at the first read."""
    while cause is not None:
        if isinstance(cause, ssl.SSLError) and _WANTS_CERTIFICATE.search(cause.reason or ""):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def certificate_fault(cause: BaseException | None) -> StepFailed:
    """The failure of a TLS handshake with this cause."""
    if wants_client_certificate(cause):
        return StepFailed(CheckCode.TLS_FAILED, hint=CheckHint.CLIENT_CERTIFICATE)
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return StepFailed(CheckCode.TLS_FAILED)
    code, hint = _FAULTS.get(cause.verify_code, (CheckCode.CERTIFICATE_UNTRUSTED, None))
    return StepFailed(code, hint=hint)


def reading_the_chain() -> ssl.SSLContext:
    """A client that verifies nothing, for a handshake after which nothing is sent: to see which certificates come."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class _Certificate(Protocol):
    def public_bytes(self, format: int) -> bytes: ...  # noqa: A002 - OpenSSL's binding names it


class _Connection(Protocol):
    def get_unverified_chain(self) -> Sequence[bytes | _Certificate] | None: ...


_DER = 2
"""`_ssl.ENCODING_DER`."""


def chain_sent(connection: ssl.SSLObject) -> list[bytes]:
    """The certificates that the other side has sent, in DER, its own first; empty where Python does not say."""
    # Public from Python 3.13 on; before that, the method of the object inside.
    holder = connection if hasattr(connection, "get_unverified_chain") else getattr(connection, "_sslobj", None)
    if holder is None or not hasattr(holder, "get_unverified_chain"):
        return []
    sent = cast(_Connection, holder).get_unverified_chain() or ()
    return [each if isinstance(each, bytes) else each.public_bytes(_DER) for each in sent]


def hint_of_chain(chain: Sequence[bytes]) -> CheckHint | None:
    """What is missing in a chain that leads to no trusted authority; None where the store sends the issuer."""
    try:
        names = [_names(certificate) for certificate in chain]
    except (IndexError, ValueError):
        return None
    if not names or any(subject == names[0][0] for _, subject in names[1:]):
        return None
    return CheckHint.INTERMEDIATE_MISSING if _CA_ISSUERS in chain[0] else CheckHint.ISSUER_NOT_SENT


def _names(certificate: bytes) -> tuple[bytes, bytes]:
    """The issuer and the subject of a certificate, in DER (RFC 5280, 4.1)."""
    tag, body, _ = _element(certificate)
    if tag != _SEQUENCE:
        raise ValueError("this is no certificate")
    _, rest, _ = _element(body)
    fields: list[tuple[int, bytes]] = []
    while rest and len(fields) < 7:
        tag, _, after = _element(rest)
        fields.append((tag, rest[: len(rest) - len(after)]))
        rest = after
    if fields[0][0] == _VERSION:
        del fields[0]
    if fields[0][0] != _INTEGER:
        raise ValueError("this is no certificate")
    # The serial number, the algorithm, the issuer, the validity, the subject.
    return fields[2][1], fields[4][1]


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """The tag and the contents of the first element of DER, and what follows it."""
    length, start = data[1], 2
    if length & _LONG_FORM:
        start += length - _LONG_FORM
        length = int.from_bytes(data[2:start], "big")
    if len(data) < start + length:
        raise ValueError("this ends too soon")
    return data[0], data[start : start + length], data[start + length :]
