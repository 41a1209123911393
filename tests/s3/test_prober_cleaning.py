"""What a check wrote is deleted, also when a step fails, at the deadline, or when the check is cancelled."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from models.checks.report import BucketFacts, CheckCode, CheckDepth, CheckHint, CheckReport, CheckStepName
from tests.support.stopwatch import Stopwatch
from tests.support.stores.peers import MemoryStore, ReceivedRequest, answer, error, listening
from tests.support.stores.probing import failure, outcomes, prober, target

DEADLINE_S = 2.0
GRACE_S = 0.5
METHODS = {CheckStepName.WRITE: "PUT", CheckStepName.READ: "GET", CheckStepName.DELETE: "DELETE"}


def is_for(asked: ReceivedRequest, step: CheckStepName) -> bool:
    return asked.method == METHODS[step] and "list-type" not in asked.target


class Hanging:
    """A store that keeps silent at one step, after it did what it was asked; only the first time."""

    def __init__(self, step: CheckStepName) -> None:
        self._step = step
        self.store = MemoryStore(self._override)
        self.reached = asyncio.Event()

    async def _override(self, asked: ReceivedRequest) -> bytes | None:
        if not is_for(asked, self._step) or self.reached.is_set():
            return None
        if asked.method == "PUT":
            self.store.objects[asked.path] = asked.body
        self.reached.set()
        await asyncio.Event().wait()
        return None


async def test_a_store_that_hangs_fails_at_that_step_in_time_and_nothing_is_left() -> None:
    """At three steps at once, since each takes the whole deadline."""

    async def check(step: CheckStepName) -> tuple[Hanging, CheckReport, float]:
        store = Hanging(step)
        async with listening(store.store.script) as peer:
            watch = Stopwatch()
            report = await prober(deadline_s=DEADLINE_S).probe(target(peer.url), CheckDepth.FULL)
            return store, report, watch.seconds

    checked = await asyncio.gather(*map(check, METHODS))

    assert [failure(report) for _, report, _ in checked] == [(step, CheckCode.TIMEOUT) for step in METHODS]
    assert all(store.reached.is_set() for store, _, _ in checked)
    assert [store.store.objects for store, _, _ in checked] == [{}, {}, {}]
    assert max(took_s for _, _, took_s in checked) < DEADLINE_S + GRACE_S


@pytest.mark.parametrize("step", METHODS)
async def test_nothing_is_left_by_a_check_that_is_cancelled(step: CheckStepName) -> None:
    store = Hanging(step)
    async with listening(store.store.script) as peer:
        check = asyncio.create_task(prober().probe(target(peer.url), CheckDepth.FULL))
        await store.reached.wait()
        check.cancel()
        with pytest.raises(asyncio.CancelledError):
            await check

    assert store.store.objects == {}


async def test_a_check_that_is_cancelled_again_while_it_cleans_up_still_cleans_up() -> None:
    cleaning, go_on = asyncio.Event(), asyncio.Event()
    store = Hanging(CheckStepName.READ)

    async def override(asked: ReceivedRequest) -> bytes | None:
        if asked.method == "DELETE":
            cleaning.set()
            await go_on.wait()
        return await store._override(asked)

    store.store.override = override
    async with listening(store.store.script) as peer:
        checks = prober()
        check = asyncio.create_task(checks.probe(target(peer.url), CheckDepth.FULL))
        await store.reached.wait()
        check.cancel()
        await cleaning.wait()
        check.cancel()
        with pytest.raises(asyncio.CancelledError):
            await check
        go_on.set()
        await asyncio.gather(*checks._cleanups)

    assert store.store.objects == {}


async def test_a_store_that_hangs_for_good_does_not_hold_a_cancelled_check_for_long() -> None:
    reached = asyncio.Event()

    async def override(asked: ReceivedRequest) -> bytes | None:
        if asked.method == "GET" and "list-type" in asked.target:
            return None
        reached.set()
        return await asyncio.Future()

    async with listening(MemoryStore(override).script) as peer:
        check = asyncio.create_task(prober(deadline_s=DEADLINE_S).probe(target(peer.url), CheckDepth.FULL))
        await reached.wait()
        watch = Stopwatch()
        check.cancel()
        with pytest.raises(asyncio.CancelledError):
            await check

    assert watch.seconds < DEADLINE_S * 0.15 + GRACE_S


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (error("500 Internal", "InternalError"), CheckCode.STORE_UNAVAILABLE),
        (error("503 Slow Down", "SlowDown"), CheckCode.RATE_LIMITED),
        (error("403 Forbidden", "AccessDenied"), CheckCode.ACCESS_DENIED),
        (answer("403 Forbidden"), CheckCode.ACCESS_DENIED),
        (answer("302 Found", location="http://169.254.169.254/"), CheckCode.REDIRECTED),
        (error("400 Bad Request", "RequestTimeout"), CheckCode.TIMEOUT),
        (error("403 Forbidden", "RequestTimeTooSkewed"), CheckCode.CLOCK_SKEW),
        (error("507 Full", "XMinioStorageFull"), CheckCode.STORAGE_FULL),
        (b"", CheckCode.UNEXPECTED_ANSWER),
    ],
)
@pytest.mark.parametrize("step", METHODS)
async def test_a_refusal_fails_at_its_step_and_nothing_is_left(
    step: CheckStepName, said: bytes, code: CheckCode
) -> None:
    """One that may be temporary fails it at the second time."""
    refused = [0]
    is_retried = not said.startswith((b"HTTP/1.1 3", b"HTTP/1.1 4"))
    expected = 2 if is_retried else 1

    async def override(asked: ReceivedRequest) -> bytes | None:
        # The step is refused; the clean-up comes later.
        if not is_for(asked, step) or (step is CheckStepName.DELETE and refused[0] == expected):
            return None
        refused[0] += 1
        if asked.method == "PUT":
            store.objects[asked.path] = asked.body
        return said or b"HTTP/1.1 ??\r\n\r\n"

    store = MemoryStore(override)
    async with listening(store.script) as peer:
        report = await prober().probe(target(peer.url), CheckDepth.FULL)

    assert failure(report) == (step, code)
    assert refused == [expected]
    # A store that denies a DELETE is not asked again.
    is_left = (step, code) == (CheckStepName.DELETE, CheckCode.ACCESS_DENIED)
    assert bool(store.objects) == is_left


async def test_an_object_that_reads_otherwise_than_it_was_written_fails_to_read() -> None:
    async def override(asked: ReceivedRequest) -> bytes | None:
        return answer("200 OK", b"hunter22") if is_for(asked, CheckStepName.READ) else None

    store = MemoryStore(override)
    async with listening(store.script) as peer:
        report = await prober().probe(target(peer.url), CheckDepth.FULL)

    assert failure(report) == (CheckStepName.READ, CheckCode.UNEXPECTED_ANSWER)
    assert outcomes(report) == "PPSPPPPFP"
    assert store.objects == {}


async def test_every_check_of_a_target_writes_to_one_key_below_the_prefix() -> None:
    """So that keys that may not delete leave one object, however often they are checked."""

    async def override(asked: ReceivedRequest) -> bytes | None:
        return error("403 Forbidden", "AccessDenied") if asked.method == "DELETE" else None

    store = MemoryStore(override)
    async with listening(store.script) as peer:
        reports = [await prober().probe(target(peer.url, object_name="a" * 32), CheckDepth.FULL) for _ in range(50)]

    assert list(store.objects) == ["/nightly/.moorings-check/" + "a" * 32]
    assert {failure(report) for report in reports} == {(CheckStepName.DELETE, CheckCode.ACCESS_DENIED)}
    assert {(report.takes_backups, report.facts.can_delete, report.leaves_objects) for report in reports} == {
        (True, False, True)
    }


def entry(key: str, modified: str) -> str:
    return f"<Contents><Key>{key}</Key><LastModified>{modified}</LastModified><Size>32</Size></Contents>"


async def test_what_killed_checks_left_is_deleted_once_it_is_an_hour_old() -> None:
    """And nothing else: no object that is younger, that is not of a check, or that is outside the prefix."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    old, prefix = "2024-01-02T03:04:05.000Z", ".moorings-check/"
    leftover, young, other = f"{prefix}{'b' * 32}", f"{prefix}{'c' * 32}", f"{prefix}notes.txt"
    entries = [entry(leftover, old), entry(young, now), entry(other, old), entry("backup.tar", old), entry("x", "junk")]
    listing = f"<ListBucketResult>{''.join(entries)}</ListBucketResult>".encode()

    async def override(asked: ReceivedRequest) -> bytes | None:
        return answer("200 OK", listing) if "list-type" in asked.target else None

    store = MemoryStore(override)
    store.objects = {f"/nightly/{key}": b"x" for key in (leftover, young, other, "backup.tar")}
    async with listening(store.script) as peer:
        read_only = await prober().probe(target(peer.url), CheckDepth.READ_ONLY)
        kept = dict(store.objects)
        report = await prober().probe(target(peer.url), CheckDepth.FULL)

    assert read_only.reachable
    assert report.reachable
    assert len(kept) == 4
    assert set(store.objects) == {f"/nightly/{key}" for key in (young, other, "backup.tar")}


@pytest.mark.parametrize("status", ["500 Internal", "502 Bad Gateway", "503 Slow Down", "504 Timeout", "429 Too Many"])
@pytest.mark.parametrize("step", [CheckStepName.LIST, *METHODS])
async def test_a_failure_that_is_over_at_the_retry_fails_no_step(step: CheckStepName, status: str) -> None:
    refused: list[ReceivedRequest] = []

    async def override(asked: ReceivedRequest) -> bytes | None:
        is_this = "list-type" in asked.target if step is CheckStepName.LIST else is_for(asked, step)
        if not is_this or refused:
            return None
        refused.append(asked)
        return error(status, "SlowDown")

    store = MemoryStore(override)
    async with listening(store.script) as peer:
        report = await prober().probe(target(peer.url), CheckDepth.FULL)

    assert len(refused) == 1
    assert report.reachable
    assert store.objects == {}


async def test_the_headers_of_the_responses_say_what_the_bucket_does() -> None:
    async def override(asked: ReceivedRequest) -> bytes | None:
        if asked.method == "PUT":
            store.objects[asked.path] = asked.body
            return answer("200 OK", x_amz_version_id=VERSION, x_amz_server_side_encryption="AES256")
        if asked.method == "GET" and asked.path in store.objects:
            return answer("200 OK", store.objects[asked.path], x_amz_object_lock_mode="COMPLIANCE")
        return error("403 Forbidden", "AccessDenied") if "versionId=" in asked.target else None

    store = MemoryStore(override)
    async with listening(store.script) as peer:
        report = await prober().probe(target(peer.url), CheckDepth.FULL)
        plain = MemoryStore()
        async with listening(plain.script) as other:
            without = await prober().probe(target(other.url), CheckDepth.FULL)

    facts = BucketFacts(can_delete=True, locks_objects=True, keeps_versions=True, encrypts=True, leaves_versions=True)
    assert (report.facts, report.leaves_objects) == (facts, True)
    assert without.facts == BucketFacts(can_delete=True, keeps_versions=False, leaves_versions=False)
    assert not without.leaves_objects


VERSION = "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY"


@pytest.mark.parametrize("is_locked", [True, False])
async def test_where_versions_are_kept_the_version_is_deleted_or_else_hidden(is_locked: bool) -> None:
    """Keys that may not delete a version, or not yet, leave a delete marker in its place; the check passes."""

    async def override(asked: ReceivedRequest) -> bytes | None:
        if asked.method == "PUT":
            store.objects[asked.path] = asked.body
            return answer("200 OK", x_amz_version_id=VERSION)
        return error("403 Forbidden", "AccessDenied") if is_locked and "versionId=" in asked.target else None

    store = MemoryStore(override)
    async with listening(store.script) as peer:
        report = await prober().probe(target(peer.url), CheckDepth.FULL)

    assert report.reachable
    assert store.objects == {}
    deletes = [asked.target.partition("?")[2] for asked in store.asked if asked.method == "DELETE"]
    assert deletes == ([f"versionId={VERSION}", ""] if is_locked else [f"versionId={VERSION}"])


def uploads(asked: ReceivedRequest, begun: set[str]) -> bytes | None:
    """What a store that takes uploads in parts responds; `begun` are those that are neither complete nor aborted."""
    query = asked.target.partition("?")[2]
    if query == "uploads=":
        begun.add("an-id")
        return answer("200 OK", b"<InitiateMultipartUploadResult><UploadId>an-id</UploadId></Result>")
    if "uploadId=" in query and asked.method == "DELETE":
        begun.discard("an-id")
        return answer("204 No Content")
    return answer("200 OK") if "uploadId=" in query else None


@pytest.mark.parametrize("refused", ["POST", "PUT", "DELETE"])
async def test_an_upload_in_parts_that_fails_is_aborted(refused: str) -> None:
    begun, refusals = set[str](), [0]

    async def override(asked: ReceivedRequest) -> bytes | None:
        if asked.method == refused and "upload" in asked.target and not refusals[0]:
            refusals[0] += 1
            return error("405 Not Allowed", "NotImplemented")
        return uploads(asked, begun)

    store = MemoryStore(override)
    async with listening(store.script) as peer:
        report = await prober().probe(target(peer.url), CheckDepth.MULTIPART)

    step = report.step(CheckStepName.MULTIPART)
    assert (outcomes(report), step.code) == ("PPSPPPPPPF", CheckCode.NOT_SUPPORTED)
    assert step.hint is CheckHint.MULTIPART_UNKNOWN
    assert (report.takes_backups, report.reachable) == (True, False)
    assert (begun, store.objects) == (set(), {})


async def test_a_deadline_that_ends_while_leftovers_are_deleted_fails_no_step() -> None:
    listing = f"<ListBucketResult>{entry('.moorings-check/' + 'b' * 32, '2024-01-02T03:04:05Z')}</ListBucketResult>"
    hanging = asyncio.Event()

    async def override(asked: ReceivedRequest) -> bytes | None:
        if "list-type" in asked.target:
            return answer("200 OK", listing.encode())
        if asked.method == "DELETE" and asked.path.endswith("b" * 32):
            hanging.set()
            await asyncio.Event().wait()
        return None

    async with listening(MemoryStore(override).script) as peer:
        report = await prober(deadline_s=DEADLINE_S).probe(target(peer.url), CheckDepth.FULL)

    assert hanging.is_set()
    assert outcomes(report) == "PPSPPPPPP"
