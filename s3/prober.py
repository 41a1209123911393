"""Runs the steps of a check, from the host's name to a deleted object, within one deadline, and reports them.

An object that was written is deleted also when a later step fails, at the deadline, or when the check is cancelled.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from secrets import token_hex

import httpcore

from models.checks.report import (
    Admit,
    BucketFacts,
    CheckCode,
    CheckDepth,
    CheckHint,
    CheckReport,
    CheckStepName,
    CheckSuggestion,
    ProbeTarget,
)
from models.clock import current_second
from models.destinations.endpoint_url import parse_endpoint_url
from models.errors import Refusal
from s3.address_policy import Address, AddressPolicy
from s3.bucket import Bucket, object_prefix, own_prefix
from s3.connection import StoreConnection
from s3.dialer import Dialer
from s3.endpoint import bucket_endpoint, signer_for
from s3.providers import page_of
from s3.resolver import SystemResolver
from s3.responses import Entry
from s3.steps import StepFailed, Steps
from s3.suggestions import corrections, difference
from s3.tls.faults import hint_of_chain
from s3.tls.trust import trusting

DEADLINE_S = 10.0
_CLEANUP_SHARE = 0.15
"""Of the deadline: reserved for deleting what was written."""

CHAIN_S = 1.5
"""For the handshake that shows which certificates a store sends."""
_MAX_TRIALS = 4
"""Corrections that are tried for a suggestion."""
LEFTOVER_AGE = timedelta(hours=1)
"""From this age on an object below the prefix is a leftover of a check that was killed: none takes that long."""
_MAX_LEFTOVERS = 20
"""Deleted by one check."""
_NAME_OF_A_CHECK = re.compile("[0-9a-f]{32}")


@dataclass(kw_only=True, slots=True)
class _Written:
    """The object a check may have left in a bucket; a bucket of None means no object."""

    bucket: Bucket | None = None
    key: str = ""
    version: str | None = None
    upload_id: str | None = None
    """Of an upload in parts, which stands for the object where it is set."""


class _Admission:
    """Admits each address once for all connections of one check."""

    def __init__(self, admit: Admit | None) -> None:
        self._admit = admit
        self._admitted: set[Address] = set()

    async def require(self, addresses: Sequence[Address]) -> None:
        """Raises the `Refusal` of `admit`."""
        new = [address for address in addresses if address not in self._admitted]
        if self._admit is not None and new:
            await self._admit([str(address) for address in new])
        self._admitted.update(new)


class S3Prober:
    """Checks S3 destinations; implements `Prober`. One per process; two checks never share a connection."""

    def __init__(self, dialer: Dialer, *, deadline_s: float) -> None:
        self._dialer = dialer
        self._cleanup_s = deadline_s * _CLEANUP_SHARE
        self._steps_s = deadline_s - self._cleanup_s
        self._cleanups: set[asyncio.Task[None]] = set()

    async def probe(self, target: ProbeTarget, depth: CheckDepth, admit: Admit | None = None) -> CheckReport:
        """See `Prober`."""
        admission = _Admission(admit)
        run = _Run(self._dialer, target, depth, admission)
        suggestion = None
        try:
            async with asyncio.timeout(self._steps_s):
                try:
                    await run.all_steps()
                except StepFailed as failure:
                    suggestion = await self._suggestion(target, run.steps, failure, admission)
        except TimeoutError:
            run.steps.time_out()
        finally:
            await self._clean_up(run.written)
        return CheckReport(checked_at=current_second(), steps=run.steps.results, suggestion=suggestion, facts=run.facts)

    async def _suggestion(
        self, target: ProbeTarget, steps: Steps, failure: StepFailed, admission: _Admission
    ) -> CheckSuggestion | None:
        """The changes of the target with which the bucket was found, or None."""
        tried, waiting = [target], list(corrections(target, steps.failed_at, failure))
        while waiting and len(tried) <= _MAX_TRIALS:
            candidate = waiting.pop(0)
            if candidate in tried:
                continue
            tried.append(candidate)
            trial = _Run(self._dialer, candidate, CheckDepth.READ_ONLY, admission)
            try:
                await trial.find_bucket()
            except Refusal:
                return None
            except StepFailed as next_failure:
                if (trial.steps.failed_at, next_failure.code) == (CheckStepName.LIST, CheckCode.ACCESS_DENIED):
                    return difference(target, candidate)
                waiting = [*corrections(candidate, trial.steps.failed_at, next_failure), *waiting]
            else:
                return difference(target, candidate)
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
                    if written.upload_id is not None:
                        await bucket.abort_upload(written.key, written.upload_id)
                    else:
                        await bucket.delete(written.key, written.version)
                finally:
                    await bucket.aclose()


class _Run:
    """The steps of one check of one target."""

    def __init__(self, dialer: Dialer, target: ProbeTarget, depth: CheckDepth, admission: _Admission) -> None:
        self._dialer = dialer
        self._admission = admission
        self._target = target
        self._depth = depth
        self.steps = Steps(depth, page=_page_about(target))
        self.written = _Written()
        self.facts = BucketFacts()

    async def find_bucket(self) -> None:
        """The steps up to LIST; raises `StepFailed`."""
        async with self._open_bucket() as bucket:
            await self._list(bucket)

    async def all_steps(self) -> None:
        """The steps of the depth; raises the first `StepFailed` from which no step could go on.

        Keys that may not list, or not read, may write all the same: the steps after such a refusal run.
        """
        async with self._open_bucket() as bucket:
            denied: StepFailed | None = None
            entries: Sequence[Entry] = ()
            try:
                entries = await self._list(bucket)
            except StepFailed as failure:
                is_denied = failure.code is CheckCode.ACCESS_DENIED and failure.step is CheckStepName.LIST
                if self._depth is CheckDepth.READ_ONLY or not is_denied:
                    raise
                denied = failure
            if self._depth is CheckDepth.READ_ONLY:
                return
            try:
                await self._write_read_delete(bucket)
                if self._depth is CheckDepth.MULTIPART:
                    await self._upload_in_parts(bucket)
            except StepFailed as failure:
                raise denied or failure from None
            await self._delete_leftovers(bucket, entries)

    async def _list(self, bucket: Bucket) -> Sequence[Entry]:
        with self.steps.run(CheckStepName.AUTHENTICATE, CheckStepName.BUCKET, CheckStepName.LIST):
            return await bucket.list()

    async def _write_read_delete(self, bucket: Bucket) -> None:
        key, body = self._key, token_hex(16).encode()
        with self.steps.run(CheckStepName.WRITE):
            # From here on there may be an object, whether or not the store's response arrives.
            self.written.bucket, self.written.key = bucket, key
            written = await bucket.write(key, body)
        self.steps.prove(CheckStepName.AUTHENTICATE, CheckStepName.BUCKET)
        self.written.version = written.version
        self.facts = BucketFacts(
            keeps_versions=written.version is not None, encrypts=True if written.is_encrypted else None
        )
        with suppress(StepFailed), self.steps.run(CheckStepName.READ):
            if await bucket.read(key, body):
                self.facts = replace(self.facts, locks_objects=True)
        try:
            with self.steps.run(CheckStepName.DELETE):
                is_gone = await bucket.delete(key, written.version)
        except StepFailed as failure:
            if failure.hint is CheckHint.RETENTION:
                self.facts = replace(self.facts, locks_objects=True)
            if failure.code in (CheckCode.ACCESS_DENIED, CheckCode.NOT_SUPPORTED):
                # Nothing is gained by asking once more at the end.
                self.facts, self.written.bucket = replace(self.facts, can_delete=False), None
            raise
        self.facts = replace(self.facts, can_delete=True, leaves_versions=not is_gone)
        self.written.bucket = None

    async def _upload_in_parts(self, bucket: Bucket) -> None:
        """Begin an upload in parts, send a part of the least size and abort, so that no object comes about."""
        key = self._key
        with self.steps.run(CheckStepName.MULTIPART):
            upload_id = await bucket.begin_upload(key)
            self.written.bucket, self.written.key, self.written.upload_id = bucket, key, upload_id
            await bucket.upload_part(key, upload_id)
            await bucket.abort_upload(key, upload_id)
            self.written.bucket = None

    async def _delete_leftovers(self, bucket: Bucket, entries: Sequence[Entry]) -> None:
        """Delete what checks left that were killed, an hour ago or longer; no failure of that fails the check."""
        before, prefix = current_second() - LEFTOVER_AGE, object_prefix(self._target)
        old = [e.key for e in entries if e.modified_at < before and e.key != self._key and e.key.startswith(prefix)]
        with suppress(StepFailed):
            for key in [key for key in old if _NAME_OF_A_CHECK.fullmatch(key.removeprefix(prefix))][:_MAX_LEFTOVERS]:
                await bucket.delete(key, None)

    def _trust(self) -> ssl.SSLContext | None:
        """A client that trusts the target's own authorities."""
        given = self._target.certificate_authorities
        try:
            return None if given is None else trusting(given)
        except (ssl.SSLError, ValueError):
            return None

    @property
    def _key(self) -> str:
        """The key of the object that the check writes."""
        return object_prefix(self._target) + self._target.object_name

    @asynccontextmanager
    async def _open_bucket(self) -> AsyncIterator[Bucket]:
        """The target's bucket after the steps up to TLS; closes its connection at the end of the block."""
        with self.steps.run(CheckStepName.RESOLVE):
            endpoint, signer = bucket_endpoint(self._target), signer_for(self._target)
            addresses = await self._dialer.addresses(endpoint.server.host, endpoint.server.port)
            await self._admission.require(addresses)
        connection = StoreConnection(self._dialer, endpoint.server, addresses, self._trust())
        bucket = Bucket(connection, endpoint, signer, own_prefix=own_prefix(self._target))
        try:
            with self.steps.run(CheckStepName.CONNECT):
                stream = await connection.connect()
            if endpoint.server.scheme == "https":
                with self.steps.run(CheckStepName.TLS):
                    await _encrypt(connection, stream)
            else:
                self.steps.skip(CheckStepName.TLS)
            yield bucket
        finally:
            await bucket.aclose()


def _page_about(target: ProbeTarget) -> str | None:
    """The page about the target's store."""
    try:
        return page_of(None if target.endpoint is None else parse_endpoint_url(target.endpoint).host)
    except ValueError:
        return None


async def _encrypt(connection: StoreConnection, stream: httpcore.AsyncNetworkStream) -> None:
    """Start TLS; a failure says what is missing in the chain that the store sends."""
    try:
        await connection.encrypt(stream)
    except StepFailed as failure:
        if failure.code is CheckCode.CERTIFICATE_UNTRUSTED and failure.hint is None:
            with suppress(StepFailed, TimeoutError):
                async with asyncio.timeout(CHAIN_S):
                    failure.hint = hint_of_chain(await connection.chain_sent())
        raise


def system_prober(policy: AddressPolicy, ca_file: str | None) -> S3Prober:
    """A prober with a dialer of the operating system's; `ca_file` is a PEM file of authorities that are trusted too."""
    return S3Prober(system_dialer(policy, ca_file), deadline_s=DEADLINE_S)


def system_dialer(policy: AddressPolicy, ca_file: str | None) -> Dialer:
    """A dialer with the resolver, the trusted authorities and the sockets of the operating system."""
    tls, backend = httpcore.default_ssl_context(), httpcore.AnyIOBackend()
    if ca_file is not None:
        tls.load_verify_locations(cafile=ca_file)
    return Dialer(policy, SystemResolver(), tls=tls, backend=backend)
