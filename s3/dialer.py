"""Resolves a host once, refuses it unless the policy allows every address, and connects to exactly those addresses.

No proxy of the environment and no connection pool: a connection belongs to one check.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from itertools import zip_longest

import httpcore

from models.checks.report import CheckCode
from s3.address_policy import Address, AddressPolicy, read_address
from s3.resolver import Resolver
from s3.steps import StepFailed
from s3.tls.faults import certificate_fault

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

    async def encrypt(
        self, stream: httpcore.AsyncNetworkStream, host: str, trust: ssl.SSLContext | None = None
    ) -> httpcore.AsyncNetworkStream:
        """TLS over the connection, the certificate verified for `host`; closes the connection when that fails.

        `trust` is the client that verifies, in place of the dialer's own.
        """
        try:
            return await stream.start_tls(trust or self._tls, server_hostname=host)
        except httpcore.ConnectError as error:
            raise certificate_fault(error.__cause__) from None
        except (httpcore.NetworkError, OSError):
            raise StepFailed(CheckCode.TLS_FAILED) from None
        except BaseException:
            await stream.aclose()
            raise


def _alternating(addresses: Sequence[Address]) -> list[Address]:
    """IPv6 and IPv4 in turn, so that a family without a route does not use up all tries."""
    first = addresses[0].version
    families = (
        [a for a in addresses if a.version == first],
        [a for a in addresses if a.version != first],
    )
    return [address for pair in zip_longest(*families) for address in pair if address is not None]
