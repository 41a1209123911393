"""Resolves a host once, refuses it unless the policy allows every address, and connects to exactly those addresses.

A name of a denied address is refused like a name that does not exist, and as late: otherwise any user could find out
which names there are inside.

No proxy of the environment and no connection pool: a connection belongs to one check.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Sequence
from itertools import zip_longest

import httpcore

from models.checks.report import CheckCode
from s3.address_policy import Address, AddressPolicy, is_numeric, read_address
from s3.resolver import Resolver
from s3.steps import StepFailed
from s3.tls.faults import certificate_fault

logger = logging.getLogger("moorings.checking")

CONNECT_S = 3.0
REFUSED_EVERY_S = 1.0
"""Names that cannot be used are refused after a multiple of it, which is longer than most look-ups."""
MAX_TRIED = 4
"""Addresses of one host that are tried: the owner of a name decides how many it has."""


class Dialer:
    """Resolves, connects and starts TLS; every refusal and failure is a `StepFailed`."""

    def __init__(
        self,
        policy: AddressPolicy,
        resolver: Resolver,
        *,
        tls: ssl.SSLContext,
        backend: httpcore.AsyncNetworkBackend,
        refused_every_s: float = REFUSED_EVERY_S,
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._tls = tls
        self._backend = backend
        self._refused_every_s = refused_every_s

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        """The addresses to try, in order. If the policy does not allow one of them, the host is refused."""
        started_at = time.monotonic()
        found = [host] if read_address(host) is not None else await self._resolved(host)
        read = {text: read_address(text) for text in found}
        addresses = [address for address in read.values() if address is not None]
        allowed = [address for address in addresses if self._policy.allows(address, host=host, port=port)]
        if read and len(allowed) == len(read):
            return _alternating(list(dict.fromkeys(allowed)))[:MAX_TRIED]
        if read:
            logger.info("A check was refused: %s is at an address that is not allowed (%s)", host, ", ".join(read))
        if is_numeric(host) or is_this_machine(host):
            raise StepFailed(CheckCode.ENDPOINT_NOT_ALLOWED if read else CheckCode.DNS_FAILURE)
        took_s = time.monotonic() - started_at
        await asyncio.sleep(self._refused_every_s - took_s % self._refused_every_s)
        raise StepFailed(CheckCode.DNS_FAILURE)

    async def _resolved(self, host: str) -> Sequence[str]:
        try:
            return await self._resolver.resolve(host)
        except (OSError, UnicodeError):
            return ()

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


def is_this_machine(host: str) -> bool:
    """Whether the name means this machine everywhere (RFC 6761, 6.3)."""
    return f".{host.removesuffix('.')}".endswith(".localhost")


def _alternating(addresses: Sequence[Address]) -> list[Address]:
    """IPv6 and IPv4 in turn, so that a family without a route does not use up all tries."""
    first = addresses[0].version
    families = (
        [a for a in addresses if a.version == first],
        [a for a in addresses if a.version != first],
    )
    return [address for pair in zip_longest(*families) for address in pair if address is not None]
