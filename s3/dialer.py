"""Connections to judged addresses: resolved once, all answers admitted or none, and dialled exactly as judged.

No environment, no proxy, no pool: what connects is here, and a connection belongs to one check.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from itertools import zip_longest

import httpcore

from models.checks.report import CheckCode
from s3.address_policy import Address, AddressPolicy, read_address
from s3.resolver import Resolver
from s3.steps import Stumbled

CONNECT_S = 3.0
MAX_TRIED = 4
"""Addresses of one host that are tried: whoever owns a name decides how many it has."""


class NameMismatch(Stumbled):
    """The certificate is trusted and belongs to another host."""


class Network:
    """Resolves, connects and encrypts; every refusal and failure is a `Stumbled`."""

    def __init__(
        self, policy: AddressPolicy, resolver: Resolver, *, tls: ssl.SSLContext, backend: httpcore.AsyncNetworkBackend
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._tls = tls
        self._backend = backend

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        """The addresses to try, in order. One that is not admitted refuses the host, whatever the others are."""
        literal = read_address(host)
        try:
            texts = [host] if literal is not None else await self._resolver.resolve(host)
        except (OSError, UnicodeError):
            raise Stumbled(CheckCode.DNS_FAILURE) from None
        if not texts:
            raise Stumbled(CheckCode.DNS_FAILURE)
        found: dict[Address, None] = {}
        for text in texts:
            address = read_address(text)
            if address is None or not self._policy.admits(address, host=host, port=port):
                raise Stumbled(CheckCode.ENDPOINT_NOT_ALLOWED)
            found[address] = None
        return _by_turns(list(found))[:MAX_TRIED]

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
        raise Stumbled(code)

    async def encrypt(self, stream: httpcore.AsyncNetworkStream, host: str) -> httpcore.AsyncNetworkStream:
        """TLS over the connection, the peer's certificate proven for `host`; closes the connection when that fails."""
        try:
            return await stream.start_tls(self._tls, server_hostname=host)
        except httpcore.ConnectError as error:
            cause = error.__cause__
            foreign = isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code in _NAME_MISMATCHES
            raise (NameMismatch if foreign else Stumbled)(CheckCode.TLS_FAILED) from None
        except (httpcore.NetworkError, OSError):
            raise Stumbled(CheckCode.TLS_FAILED) from None
        except BaseException:
            await stream.aclose()
            raise


_NAME_MISMATCHES = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL."""


def _by_turns(addresses: Sequence[Address]) -> list[Address]:
    """One family after the other, so that one without a route does not use the others' turns up."""
    first = addresses[0].version
    families = (
        [a for a in addresses if a.version == first],
        [a for a in addresses if a.version != first],
    )
    return [address for pair in zip_longest(*families) for address in pair if address is not None]
