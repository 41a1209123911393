"""Runs the steps of a check, from the host's name to a deleted object, within one deadline, and reports them.

An object that was written is deleted also when a later step fails, at the deadline, or when the check is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from secrets import token_hex

import httpcore

from models.checks.report import CheckCode, CheckDepth, CheckReport, CheckStepName, CheckSuggestion, ProbeTarget
from models.clock import current_second
from s3.address_policy import AddressPolicy
from s3.bucket import PREFIX, Bucket, signer_for
from s3.connection import StoreConnection
from s3.dialer import Dialer
from s3.endpoint import bucket_endpoint
from s3.resolver import SystemResolver
from s3.steps import StepFailed, Steps
from s3.suggestions import corrected, difference

DEADLINE_S = 10.0
_CLEANUP_SHARE = 0.15
"""Of the deadline: reserved for deleting what was written."""

_MAX_TRIALS = 3


@dataclass(kw_only=True, slots=True)
class _Written:
    """The object a check may have left in a bucket; a bucket of None means no object."""

    bucket: Bucket | None = None
    key: str = ""
    version: str | None = None


class S3Prober:
    """Checks S3 destinations; implements `Prober`. One per process; two checks never share a connection."""

    def __init__(self, dialer: Dialer, *, deadline_s: float) -> None:
        self._dialer = dialer
        self._cleanup_s = deadline_s * _CLEANUP_SHARE
        self._steps_s = deadline_s - self._cleanup_s
        self._cleanups: set[asyncio.Task[None]] = set()

    async def probe(self, target: ProbeTarget, depth: CheckDepth) -> CheckReport:
        """See `Prober`."""
        steps, written = Steps(), _Written()
        suggestion = None
        try:
            async with asyncio.timeout(self._steps_s):
                try:
                    await self._run(target, depth, steps, written)
                except StepFailed as failure:
                    suggestion = await self._suggestion(target, steps, failure)
        except TimeoutError:
            steps.time_out()
        finally:
            await self._clean_up(written)
        return CheckReport(checked_at=current_second(), steps=steps.results, suggestion=suggestion)

    async def _run(self, target: ProbeTarget, depth: CheckDepth, steps: Steps, written: _Written) -> None:
        async with self._open_bucket(target, steps) as bucket:
            if depth is CheckDepth.READ_ONLY:
                return
            key, body = f"{PREFIX}{token_hex(16)}", token_hex(16).encode()
            with steps.run(CheckStepName.WRITE):
                # From here on there may be an object, whether or not the store's response arrives.
                written.bucket, written.key = bucket, key
                written.version = await bucket.write(key, body)
            # An object that cannot be read is deleted all the same.
            with suppress(StepFailed), steps.run(CheckStepName.READ):
                await bucket.read(key, body)
            with steps.run(CheckStepName.DELETE):
                await bucket.delete(key, written.version)
            written.bucket = None

    @asynccontextmanager
    async def _open_bucket(self, target: ProbeTarget, steps: Steps) -> AsyncIterator[Bucket]:
        """The target's bucket after the steps up to LIST; closes its connection at the end of the block."""
        with steps.run(CheckStepName.RESOLVE):
            endpoint, signer = bucket_endpoint(target), signer_for(target)
            addresses = await self._dialer.addresses(endpoint.server.host, endpoint.server.port)
        connection = StoreConnection(self._dialer, endpoint.server, addresses)
        bucket = Bucket(connection, endpoint, signer)
        try:
            with steps.run(CheckStepName.CONNECT):
                stream = await connection.connect()
            if endpoint.server.scheme == "https":
                with steps.run(CheckStepName.TLS):
                    await connection.encrypt(stream)
            else:
                steps.skip(CheckStepName.TLS)
            with steps.run(CheckStepName.AUTHENTICATE, CheckStepName.BUCKET, CheckStepName.LIST):
                await bucket.list()
            yield bucket
        finally:
            await bucket.aclose()

    async def _suggestion(self, target: ProbeTarget, steps: Steps, failure: StepFailed) -> CheckSuggestion | None:
        """The changes of the target with which the bucket was found, or None."""
        better, at = target, steps.failed_at
        for _ in range(_MAX_TRIALS):
            correction = corrected(better, at, failure)
            # Back at the first target: the store contradicts itself.
            if correction is None or correction == target:
                return None
            better, trial = correction, Steps()
            try:
                async with self._open_bucket(better, trial):
                    return difference(target, better)
            except StepFailed as next_failure:
                at, failure = trial.failed_at, next_failure
                if (at, failure.code) == (CheckStepName.LIST, CheckCode.ACCESS_DENIED):
                    return difference(target, better)
        return None

    async def _clean_up(self, written: _Written) -> None:
        """Delete what may be left, in a task of its own, for which a cancelled check waits unless cancelled again."""
        if written.bucket is None:
            return
        task = asyncio.create_task(self._delete(written.bucket.reconnected(), written), name="clean up after a check")
        self._cleanups.add(task)
        task.add_done_callback(self._cleanups.discard)
        await asyncio.shield(task)

    async def _delete(self, bucket: Bucket, written: _Written) -> None:
        with suppress(StepFailed, TimeoutError):
            async with asyncio.timeout(self._cleanup_s):
                try:
                    await bucket.delete(written.key, written.version)
                finally:
                    await bucket.aclose()


def system_prober(policy: AddressPolicy) -> S3Prober:
    """A prober with the resolver, the trusted certificates and the sockets of the operating system."""
    tls, backend = httpcore.default_ssl_context(), httpcore.AnyIOBackend()
    return S3Prober(Dialer(policy, SystemResolver(), tls=tls, backend=backend), deadline_s=DEADLINE_S)
