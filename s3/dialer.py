"""Resolves a host once, refuses it unless the policy allows every address, and connects to exactly those addresses.

No proxy of the environment and no connection pool: a connection belongs to one check.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from types import MappingProxyType

import httpcore

from models.checks.report import CheckCode, CheckHint
from s3.address_policy import Address, AddressPolicy, read_address
from s3.resolver import Resolver
from s3.steps import StepFailed

CONNECT_S = 3.0
MAX_TRIED = 4
"""Addresses of one host that are tried: the owner of a name decides how many it has."""


class Dialer:
    """Resolves, connects and starts TLS; every refusal and failure is a `StepFailed`."""

    def __init__(
        self, policy: AddressPolicy, resolver: Resolver, *, tls: ssl.SSLContext, backend: httpcore.AsyncNetworkBackend
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._tls = tls
        self._backend = backend

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        """The addresses to try, in order. If the policy does not allow one of them, the host is refused."""
        literal = read_address(host)
        try:
            texts = [host] if literal is not None else await self._resolver.resolve(host)
        except (OSError, UnicodeError):
            raise StepFailed(CheckCode.DNS_FAILURE) from None
        if not texts:
            raise StepFailed(CheckCode.DNS_FAILURE)
        found: dict[Address, None] = {}
        for text in texts:
            address = read_address(text)
            if address is None or not self._policy.allows(address, host=host, port=port):
                raise StepFailed(CheckCode.ENDPOINT_NOT_ALLOWED)
            found[address] = None
        return _alternating(list(found))[:MAX_TRIED]

    async def connect(self, addresses: Sequence[Address], port: int) -> httpcore.AsyncNetworkStream:
        """A connection to the first address that accepts one."""
        code = CheckCode.TIMEOUT
        for address in addresses:
            try:
                return await self._backend.connect_tcp(str(address), port, timeout=CONNECT_S)
            except httpcore.ConnectError:
                code = CheckCode.CONNECT_FAILED
            except httpcore.ConnectTimeout:
                continue
        raise StepFailed(code)

    async def encrypt(self, stream: httpcore.AsyncNetworkStream, host: str) -> httpcore.AsyncNetworkStream:
        """TLS over the connection, the certificate verified for `host`; closes the connection when that fails."""
        try:
            return await stream.start_tls(self._tls, server_hostname=host)
        except httpcore.ConnectError as error:
            raise _certificate_fault(error.__cause__) from None
        except (httpcore.NetworkError, OSError):
            raise StepFailed(CheckCode.TLS_FAILED) from None
        except BaseException:
            await stream.aclose()
            raise


_FAULTS: Mapping[int, tuple[CheckCode, CheckHint | None]] = MappingProxyType(
    {
        9: (CheckCode.CERTIFICATE_EXPIRED, None),  # X509_V_ERR_CERT_NOT_YET_VALID
        10: (CheckCode.CERTIFICATE_EXPIRED, None),  # X509_V_ERR_CERT_HAS_EXPIRED
        62: (CheckCode.CERTIFICATE_NAME_MISMATCH, None),  # X509_V_ERR_HOSTNAME_MISMATCH
        64: (CheckCode.CERTIFICATE_NAME_MISMATCH, None),  # X509_V_ERR_IP_ADDRESS_MISMATCH
        18: (CheckCode.CERTIFICATE_UNTRUSTED, CheckHint.CERTIFICATE_SELF_SIGNED),  # DEPTH_ZERO_SELF_SIGNED_CERT
        19: (CheckCode.CERTIFICATE_UNTRUSTED, CheckHint.CERTIFICATE_SELF_SIGNED),  # SELF_SIGNED_CERT_IN_CHAIN
    }
)
"""Verification errors of OpenSSL (x509_vfy.h); the others are of an authority that is not trusted or not sent."""


def _certificate_fault(cause: BaseException | None) -> StepFailed:
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return StepFailed(CheckCode.TLS_FAILED)
    code, hint = _FAULTS.get(cause.verify_code, (CheckCode.CERTIFICATE_UNTRUSTED, None))
    return StepFailed(code, hint=hint)


def _alternating(addresses: Sequence[Address]) -> list[Address]:
    """IPv6 and IPv4 in turn, so that a family without a route does not use up all tries."""
    first = addresses[0].version
    families = (
        [a for a in addresses if a.version == first],
        [a for a in addresses if a.version != first],
    )
    return [address for pair in zip_longest(*families) for address in pair if address is not None]
