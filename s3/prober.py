"""The S3 prober: climbs the ladder from the host's name to a deleted object within one deadline, and tells of it.

What is written is taken away again, also when a rung fails, the time is over or the check is cancelled.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from secrets import token_hex

import httpcore

from models.checks.report import CheckCode, CheckDepth, CheckReport, CheckStepName, CheckSuggestion, ProbeTarget
from models.clock import current_second
from s3.address_policy import AddressPolicy
from s3.bucket import PREFIX, Bucket, signer_for
from s3.connection import Conversation
from s3.dialer import Network
from s3.endpoint import locate
from s3.resolver import Resolver, SystemResolver
from s3.steps import Ladder, Stumbled
from s3.suggestions import corrected, difference

DEADLINE_S = 10.0
_CLEANING_SHARE = 0.15
"""Of the deadline: kept back for taking away what was written."""

_MAX_TRIALS = 3


@dataclass(kw_only=True, slots=True)
class _Trace:
    """What a check may have left in a bucket; None is nothing."""

    bucket: Bucket | None = None
    key: str = ""
    version: str | None = None


class S3Prober:
    """Checks S3 destinations; implements `Prober`. One for the process: checks share no connection."""

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        backend: httpcore.AsyncNetworkBackend | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """With the machine's resolver, certificates and sockets unless told otherwise."""
        self._network = Network(
            policy,
            resolver or SystemResolver(),
            tls=tls or httpcore.default_ssl_context(),
            backend=backend or httpcore.AnyIOBackend(),
        )
        self._cleaning_s = deadline_s * _CLEANING_SHARE
        self._climbing_s = deadline_s - self._cleaning_s
        self._cleaning: set[asyncio.Task[None]] = set()

    async def probe(self, target: ProbeTarget, depth: CheckDepth) -> CheckReport:
        """See `Prober`."""
        ladder, trace = Ladder(), _Trace()
        suggestion = None
        try:
            async with asyncio.timeout(self._climbing_s):
                try:
                    await self._climb(target, depth, ladder, trace)
                except Stumbled as stumble:
                    suggestion = await self._suggestion(target, ladder, stumble)
        except TimeoutError:
            ladder.run_out()
        finally:
            await self._clean_up(trace)
        return CheckReport(checked_at=current_second(), steps=ladder.steps, suggestion=suggestion)

    async def _climb(self, target: ProbeTarget, depth: CheckDepth, ladder: Ladder, trace: _Trace) -> None:
        async with self._found(target, ladder) as bucket:
            if depth is CheckDepth.READ_ONLY:
                return
            key, body = f"{PREFIX}{token_hex(16)}", token_hex(16).encode()
            with ladder.rung(CheckStepName.WRITE):
                # From here on something may be there, whatever the store answers or does not.
                trace.bucket, trace.key = bucket, key
                trace.version = await bucket.write(key, body)
            # What cannot be read is deleted all the same.
            with suppress(Stumbled), ladder.rung(CheckStepName.READ):
                await bucket.read(key, body)
            with ladder.rung(CheckStepName.DELETE):
                await bucket.delete(key, trace.version)
            trace.bucket = None

    @asynccontextmanager
    async def _found(self, target: ProbeTarget, ladder: Ladder) -> AsyncIterator[Bucket]:
        """The target's bucket after the rungs up to LIST; its connection is closed in the end."""
        with ladder.rung(CheckStepName.RESOLVE):
            location, signer = locate(target), signer_for(target)
            addresses = await self._network.addresses(location.host, location.port)
        conversation = Conversation(self._network, location, addresses)
        bucket = Bucket(conversation, location, signer)
        try:
            with ladder.rung(CheckStepName.CONNECT):
                stream = await conversation.connect()
            if location.scheme == "https":
                with ladder.rung(CheckStepName.TLS):
                    await conversation.encrypt(stream)
            else:
                ladder.skip(CheckStepName.TLS)
            with ladder.rung(CheckStepName.AUTHENTICATE, CheckStepName.BUCKET, CheckStepName.LIST):
                await bucket.list()
            yield bucket
        finally:
            await bucket.aclose()

    async def _suggestion(self, target: ProbeTarget, ladder: Ladder, stumble: Stumbled) -> CheckSuggestion | None:
        """What to change in the target, tried: the bucket was found with it."""
        better, at = target, ladder.failed_at
        for _ in range(_MAX_TRIALS):
            next_one = corrected(better, at, stumble)
            # Back to where it began: the store contradicts itself.
            if next_one is None or next_one == target:
                return None
            better, trial = next_one, Ladder()
            try:
                async with self._found(better, trial):
                    return difference(target, better)
            except Stumbled as again:
                at, stumble = trial.failed_at, again
                if (at, stumble.code) == (CheckStepName.LIST, CheckCode.ACCESS_DENIED):
                    return difference(target, better)
        return None

    async def _clean_up(self, trace: _Trace) -> None:
        """Delete what may have been left, in a task of its own: a cancelled check waits for it, but only once."""
        if trace.bucket is None:
            return
        task = asyncio.create_task(self._delete(trace.bucket.another(), trace), name="cleaning up a check")
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)
        await asyncio.shield(task)

    async def _delete(self, bucket: Bucket, trace: _Trace) -> None:
        with suppress(Stumbled, TimeoutError):
            async with asyncio.timeout(self._cleaning_s):
                try:
                    await bucket.delete(trace.key, trace.version)
                finally:
                    await bucket.aclose()
