"""The write connection of the embedded database: one transaction at a time, and those that wait share their commit.

A commit costs an fsync, whatever it holds. So the transactions of one process that wait for each other become parts of
one transaction on the file: each is a savepoint of its own, which is undone alone when it is refused, and each is
acknowledged after the commit of all. Between processes `BEGIN IMMEDIATE` takes turns.
"""

from __future__ import annotations

import asyncio
import random
import select
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

import aiosqlite

from models.database.sqlite_errors import is_unavailable
from models.database.sqlite_file import FileLost
from models.database.sqlite_thread import in_thread
from models.errors import DatabaseUnavailable, OutcomeUnknown

PATIENCE = 4
"""How many times as long a lock or a turn is waited for while others get on: a queue that moves does not hang."""
MAX_MEMBERS = 128
"""Transactions that share one commit at most."""
MIN_GROUP_S = 0.002
"""For so long others may join a group, or for as long as the last commit took: waiting never doubles the wait twice."""
POLL_S = (0.0005, 0.0015)
"""How often a lock of another process is tried. SQLite's own pauses grow to 100 ms, and miss the gaps of a busy one."""

Result = TypeVar("Result")
Job = Callable[[sqlite3.Connection], Any]
"""The statements of one transaction, called in the writer's thread."""


class _Group:
    """Transactions that share a commit; `members` are those that wait for it."""

    __slots__ = ("began_at", "members", "outcome")

    def __init__(self) -> None:
        self.began_at = time.monotonic()
        self.members = 0
        self.outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Writer:
    """Takes turns at one connection; raises `DatabaseUnavailable` when a turn, or the file, cannot be had in time."""

    def __init__(
        self,
        connection: aiosqlite.Connection,
        check: Callable[[], None],
        note_outcome: Callable[[Exception | None], None],
        *,
        lock_wait_s: float,
    ) -> None:
        """`check` raises `FileLost`, in the writer's thread.

        `note_outcome` is called with why a transaction could not be made, and with None after each commit.
        """
        self.connection = connection
        self._check = check
        self._note_outcome = note_outcome
        self._lock_wait_s = lock_wait_s
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_taken = False
        self._progress = 0
        self._group: _Group | None = None
        self._commit_s = 0.0
        self._jobs: list[tuple[Job, asyncio.Future[Any]]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self.commits = 0

    @property
    def is_taken(self) -> bool:
        """Whether a transaction is under way."""
        return self._is_taken

    @property
    def waiting(self) -> int:
        """How many transactions wait for their turn; those that are whole jobs take one together."""
        return sum(not turn.done() for turn in self._waiting)

    async def begin(self) -> None:
        """Wait for a turn and for the file, and begin a transaction; to be ended with `end`, also after an error."""
        await self._take_turn()
        task = self._start(self._begin())
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait((task,))
            if not task.cancelled() and task.exception() is None:
                await self.end(is_kept=False)
            raise

    async def end(self, *, is_kept: bool) -> None:
        """Commit the transaction, together with those that wait, or undo it; a cancelled caller waits for it too."""
        task = self._start(self._end(is_kept=is_kept))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait((task,))
            task.exception()
            raise

    async def execute(self, job: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a whole transaction in the writer's thread, with those that are pending; returns what `job` returns.

        What it raises undoes its own statements alone. A cancelled call returns once its outcome is settled.
        """
        outcome: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._jobs.append((job, outcome))
        if len(self._jobs) == 1:
            self._start(self._execute_jobs())
        try:
            return await asyncio.shield(outcome)
        except asyncio.CancelledError:
            if (job, outcome) in self._jobs:
                self._jobs.remove((job, outcome))
            elif not outcome.done():
                await asyncio.wait((outcome,))
            raise

    async def exclusively(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Call `work` in the writer's thread outside any transaction."""
        await self._take_turn()
        try:
            await self._call(work)
        finally:
            self._pass_on()

    async def close(self) -> None:
        """Wait for what is under way, and close the connection."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self.connection.close()

    async def _take_turn(self) -> None:
        if not self._is_taken:
            self._is_taken = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            for _ in range(PATIENCE):
                seen = self._progress
                await asyncio.wait((turn,), timeout=self._lock_wait_s)
                if turn.done():
                    return
                if self._progress == seen:
                    break
        except asyncio.CancelledError:
            if turn.done():
                self._pass_on()
            raise
        finally:
            turn.cancel()
        self._note_outcome(TimeoutError())
        raise DatabaseUnavailable

    def _pass_on(self) -> None:
        """End a turn: the next transaction joins the group, or the group is committed first."""
        if self._group is not None and not self._may_grow():
            self._start(self._commit())
        elif self._is_awaited():
            self._waiting.popleft().set_result(None)
        else:
            self._is_taken = False

    def _is_awaited(self) -> bool:
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        return bool(self._waiting)

    def _may_grow(self) -> bool:
        """Whether a transaction waits, and may join the group."""
        group = self._group
        return (
            group is not None
            and group.members < MAX_MEMBERS
            and time.monotonic() - group.began_at < max(MIN_GROUP_S, self._commit_s)
            and self._is_awaited()
        )

    async def _begin(self) -> None:
        is_first = self._group is None
        try:
            await self._call(_begin, self._check, self._lock_wait_s if is_first else None)
        except BaseException as error:
            self._drop_group(error)
            self._pass_on()
            raise
        if is_first:
            self._group = _Group()

    async def _end(self, *, is_kept: bool) -> None:
        group, is_last, started = self._group, not self._may_grow(), time.monotonic()
        assert group is not None  # noqa: S101 - `begin` made it or joined it
        try:
            await self._call(_end, self._check, is_kept=is_kept, is_last=is_last)
        except BaseException as error:
            self._drop_group(error)
            self._pass_on()
            raise
        group.members += is_kept
        if is_last:
            self._note_commit(group, started)
        self._pass_on()
        if is_kept:
            await asyncio.shield(group.outcome)

    async def _commit(self) -> None:
        """Commit the group, holding the turn of its last member, which was undone."""
        started, group = time.monotonic(), self._group
        assert group is not None  # noqa: S101 - asked by the caller
        try:
            await self._call(_commit, self._check)
        except BaseException as error:
            self._drop_group(error)
            raise
        else:
            self._note_commit(group, started)
        finally:
            self._pass_on()

    def _note_commit(self, group: _Group, started: float) -> None:
        self._group = None
        self._commit_s = time.monotonic() - started
        self._progress += 1
        self.commits += 1
        self._note_outcome(None)
        group.outcome.set_result(None)

    async def _execute_jobs(self) -> None:
        """Run the jobs that wait, in one turn; those that come meanwhile take the next."""
        try:
            await self._take_turn()
        except DatabaseUnavailable as error:
            jobs, self._jobs = self._jobs, []
            _fail_all(jobs, error)
            return
        jobs, self._jobs = self._jobs[:MAX_MEMBERS], self._jobs[MAX_MEMBERS:]
        if self._jobs:
            self._start(self._execute_jobs())
        if not jobs:
            self._pass_on()
            return
        try:
            results = await self._run_jobs([job for job, _ in jobs])
        except Exception as error:  # noqa: BLE001 - it belongs to the callers
            _fail_all(jobs, error)
            return
        for (_, outcome), result in zip(jobs, results, strict=True):
            if isinstance(result, _Raised):
                _fail(outcome, result.error)
            elif not outcome.done():
                outcome.set_result(result)

    async def _run_jobs(self, jobs: Sequence[Job]) -> Sequence[Any]:
        """What the jobs returned, or `_Raised`, once they are committed."""
        is_first, started = self._group is None, time.monotonic()
        group = _Group() if self._group is None else self._group
        is_last = not (self._is_awaited() if is_first else self._may_grow())
        wait_s = self._lock_wait_s if is_first else None
        try:
            results: Sequence[Any] = await self._call(_run_jobs, jobs, self._check, wait_s, is_last=is_last)
        except BaseException as error:
            self._drop_group(error)
            self._pass_on()
            raise
        group.members += len(jobs)
        self._group = group
        if is_last:
            self._note_commit(group, started)
        self._pass_on()
        await asyncio.shield(group.outcome)
        return results

    def _drop_group(self, error: BaseException) -> None:
        """Every member of the group is undone: the transaction on the file has ended without a commit."""
        group, self._group = self._group, None
        if group is not None:
            _fail(group.outcome, error)

    async def _call(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call `work` in the thread; when it fails, the transaction on the file is over and undone."""
        try:
            return await in_thread(self.connection, work, *args, **kwargs)
        except (sqlite3.Error, FileLost) as error:
            await self.connection.rollback()
            self._note_outcome(error)
            raise DatabaseUnavailable from error
        except OutcomeUnknown as error:
            await self.connection.rollback()
            self._note_outcome(error.__cause__ if isinstance(error.__cause__, Exception) else error)
            raise

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine, name="SQLite transaction")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class _Raised:
    """What a job raised; its statements are undone."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


def _fail(outcome: asyncio.Future[Any], error: BaseException) -> None:
    """Give the error to those who wait; without a job's own error, the transaction could not be made."""
    if not outcome.done():
        outcome.set_exception(error if isinstance(error, Exception) else DatabaseUnavailable())
        outcome.exception()


def _fail_all(jobs: Iterable[tuple[Job, asyncio.Future[Any]]], error: Exception) -> None:
    for _, outcome in jobs:
        _fail(outcome, error)


def _begin(connection: sqlite3.Connection, check: Callable[[], None], lock_wait_s: float | None) -> None:
    """Begin a member of a group; its first member, which has a `lock_wait_s`, begins the transaction on the file."""
    check()
    if lock_wait_s is not None:
        _begin_immediate(connection, lock_wait_s)
    connection.execute("SAVEPOINT member")


def _begin_immediate(connection: sqlite3.Connection, lock_wait_s: float) -> None:
    """Wait for the lock on the file, longer while other processes commit: SQLite keeps no queue of those that wait."""
    connection.execute("PRAGMA busy_timeout=0")
    try:
        for attempt in range(PATIENCE):
            seen = _data_version(connection)
            failure = _try_to_begin(connection, time.monotonic() + lock_wait_s)
            if failure is None:
                return
            if attempt == PATIENCE - 1 or _data_version(connection) == seen:
                raise failure
    finally:
        connection.execute(f"PRAGMA busy_timeout={int(lock_wait_s * 1000)}")


def _try_to_begin(connection: sqlite3.Connection, deadline: float) -> sqlite3.OperationalError | None:
    """Begin before the deadline; the error when the file was locked until then."""
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            if time.monotonic() >= deadline:
                return error
        else:
            return None
        _pause(random.uniform(*POLL_S))  # noqa: S311 - no secret


def _pause(seconds: float) -> None:
    """Wait in this thread. `time.sleep` waits until a point in time, which fails, or takes an hour, while libfaketime
    sets the clock.
    """
    select.select((), (), (), seconds)


def _data_version(connection: sqlite3.Connection) -> int:
    """A number that moves with every commit of another process."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def run_within(connection: sqlite3.Connection, job: Job) -> Any:
    """What a job returns, inside the transaction that is under way; a savepoint undoes it alone when it raises.

    Raises `DatabaseUnavailable` where SQLite has undone the whole transaction meanwhile.
    """
    connection.execute("SAVEPOINT job")
    try:
        result = job(connection)
    except Exception:
        try:
            connection.execute("ROLLBACK TO job")
            connection.execute("RELEASE job")
        except sqlite3.Error as error:
            raise DatabaseUnavailable from error
        raise
    connection.execute("RELEASE job")
    return result


def _keep(connection: sqlite3.Connection) -> None:
    connection.execute("RELEASE member")


def _undo(connection: sqlite3.Connection) -> None:
    """Undo one member; fails where SQLite has undone the whole transaction, because the disk is full or fails."""
    connection.execute("ROLLBACK TO member")
    connection.execute("RELEASE member")


def _commit(connection: sqlite3.Connection, check: Callable[[], None]) -> None:
    """Commit, and make sure that it went into the file that is at the path; raises `OutcomeUnknown` if it may have not.

    What reached a failing disk may be there after a restart, and what went into a lost file when that is back.
    """
    try:
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR:
            raise OutcomeUnknown from error
        raise
    try:
        check()
    except FileLost as error:
        raise OutcomeUnknown from error


def _end(connection: sqlite3.Connection, check: Callable[[], None], *, is_kept: bool, is_last: bool) -> None:
    """End a member, and with the last one the transaction on the file."""
    (_keep if is_kept else _undo)(connection)
    if is_last:
        _commit(connection, check)


def _run_jobs(
    connection: sqlite3.Connection,
    jobs: Sequence[Job],
    check: Callable[[], None],
    lock_wait_s: float | None,
    *,
    is_last: bool,
) -> list[Any]:
    """The jobs as members of a group, with its beginning and its end where they are the first and the last.

    What undoes a savepoint is kept in memory from the first job on: a temporary file takes five times as many bytes as
    the log. A process that executes no jobs, such as a migration, may change the whole database in one transaction,
    and keeps it in files.
    """
    check()
    if lock_wait_s is not None:
        connection.execute("PRAGMA temp_store=MEMORY")
        _begin_immediate(connection, lock_wait_s)
    results: list[Any] = []
    for job in jobs:
        connection.execute("SAVEPOINT member")
        try:
            result = job(connection)
        except Exception as error:  # noqa: BLE001 - it belongs to the caller
            _undo(connection)
            result = _Raised(DatabaseUnavailable() if is_unavailable(error) else error)
        else:
            _keep(connection)
        results.append(result)
    if is_last:
        _commit(connection, check)
    return results
