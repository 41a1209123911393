"""The supervisor: it holds the listening sockets and keeps a worker process at each of its places.

It opens no database and serves nothing, so that nothing that makes a worker fail makes it fail. A listening socket
never closes while it runs: clients that connect while no worker accepts wait in the socket. Workers are programs of
their own, started anew each time, so that a restart brings the code and the files that are on disk then.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from web.server.control import Order, OutageReport, Report, order, reports
from web.server.outages import SharedOutages
from web.server.sockets import another

logger = logging.getLogger("moorings")

START_S = 60.0
"""How long a worker may take to be ready: a busy machine needs many times what an idle one does."""
LEAVE_S = 45.0
"""How long a worker may take to drain: longer than it takes by itself, which is at most 30 s and what closing takes."""
EXIT_S = 1.0
"""How long a process may take from the end of its link to its own."""
STEADY_S = 10.0
"""A worker that was ready for so long did start, whatever ended it."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 5.0
LOOK_S = 0.25
MAX_PLACES = 256
_SET_PARENT_DEATH_SIGNAL = 1
SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU})
"""What the supervisor handles. They are blocked in a worker from its start until it has its own handlers: those of a
terminal reach every process of it."""


class _Process:
    """One worker process, and the supervisor's end of the link to it."""

    def __init__(
        self,
        command: Sequence[str],
        on_change: Callable[[_Process], None],
        on_outage: Callable[[_Process, OutageReport], None],
    ) -> None:
        self.link, far_end = socket.socketpair()
        self.link.setblocking(False)
        with far_end:
            before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
            try:
                descriptor = far_end.fileno()
                self._popen = subprocess.Popen(  # noqa: S603 - the program itself
                    [*command, str(descriptor)],
                    pass_fds=[descriptor],
                    stdin=subprocess.DEVNULL,
                    preexec_fn=_continued_with_parent(),  # noqa: PLW1509 - the supervisor has one thread
                )
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self.pid = self._popen.pid
        self.started_at = self.heard_at = time.monotonic()
        self.able_at: float | None = None
        """Since when it can accept."""
        self.is_ready = False
        """Whether everything it needs is open."""
        self.drained_at: float | None = None
        self.status: int | None = None
        """Its exit status; that of a process that a signal ended is negative."""
        self.wants_to_leave = False
        self._on_change = on_change
        self._on_outage = on_outage
        self._said = bytearray()
        asyncio.get_running_loop().add_reader(self.link, self._read)

    @property
    def serves(self) -> bool:
        """Whether it accepts connections, or can."""
        return self.able_at is not None and self.drained_at is None and self.status is None

    @property
    def ended_early(self) -> bool:
        """Whether it has just ended, unasked, without having served for a while."""
        was_steady = self.able_at is not None and time.monotonic() - self.able_at > STEADY_S
        return self.status is not None and self.drained_at is None and not was_steady

    def drain(self) -> None:
        """Let it finish what it has and exit; one that cannot accept yet has nothing."""
        if self.drained_at is None and self.status is None:
            self.drained_at = time.monotonic()
            if self.able_at is None:
                self.kill()
            else:
                order(self.link, Order.DRAIN)

    def kill(self) -> None:
        """End it now."""
        if self.status is None:
            self._popen.kill()

    def overdue(self, hang_s: float) -> str | None:
        """Why it has to be killed, or None."""
        now = time.monotonic()
        if self.able_at is None:
            return f"it was not ready after {START_S:g} s" if now - self.started_at > START_S else None
        if self.drained_at is not None and now - self.drained_at > LEAVE_S:
            return f"it had not finished after {LEAVE_S:g} s"
        return f"it has not responded for {hang_s:g} s" if now - self.heard_at > hang_s else None

    def forgive(self, pause_s: float) -> None:
        """Do not count a time in which the supervisor did not run either."""
        self.heard_at += pause_s
        self.started_at += pause_s
        if self.drained_at is not None:
            self.drained_at += pause_s

    def _read(self) -> None:
        try:
            for what in reports(self.link, self._said):
                self.heard_at = time.monotonic()
                if isinstance(what, OutageReport):
                    self._on_outage(self, what)
                    continue
                if what in (Report.ABLE, Report.READY):
                    self.able_at = self.able_at or self.heard_at
                    self.is_ready = what is Report.READY
                    if self.is_ready:
                        logger.info("Worker %d is ready.", self.pid)
                elif what is Report.LEAVES:
                    self.wants_to_leave = True
                else:
                    continue
                self._on_change(self)
        except EOFError:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self.link)
            self.link.close()
            self._wait_for_exit(loop.time() + EXIT_S)

    def _wait_for_exit(self, deadline: float) -> None:
        """Look again and again for the exit of a process that has closed its link, and make it exit in the end."""
        loop = asyncio.get_running_loop()
        if loop.time() > deadline:
            self._popen.kill()
        status = self._popen.poll()
        if status is None:
            loop.call_later(0.01, self._wait_for_exit, deadline)
        else:
            self.status = status
            self._on_change(self)


class _Place:
    """Where one worker at a time works."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.worker: _Process | None = None
        self.substitute: _Process | None = None
        """The worker of another place that accepts from this place's socket while the place has none."""
        self.renewal = 0
        """The number of the SIGHUP for which its worker is to be replaced; 0 for none."""
        self.task: asyncio.Task[None] | None = None

    @property
    def is_served(self) -> bool:
        """Whether it has a worker that can stay."""
        return self.worker is not None and self.worker.serves and not self.worker.wants_to_leave

    @property
    def wants_a_worker(self) -> bool:
        """Whether it has none that serves, or has one that is to be replaced."""
        return not self.is_served or self.renewal > 0


class Supervisor:
    """Keeps workers until a signal ends them all."""

    def __init__(
        self,
        command: Sequence[str],
        listeners: list[socket.socket],
        *,
        workers: int,
        hang_s: float = 10.0,
        drain_delay_s: float = 0.0,
        ready_wait_s: float = 15.0,
    ) -> None:
        """`command` starts a worker; the descriptor of its link is added. `listeners` has one socket, or one a worker.

        A worker that has not responded for `hang_s` is killed. At the end, workers say for `drain_delay_s` that they
        are not ready, and serve as before, so that a load balancer can choose others. While a worker is ready, a new
        one that could accept has `ready_wait_s` to be ready too; a restart is called off then.
        """
        self._command = command
        self._listeners = listeners
        self._has_one_each = len(listeners) > 1
        self._places = [_Place(number) for number in range(workers)]
        self._processes: set[_Process] = set()
        self._outages = SharedOutages()
        self._hang_s = hang_s
        self._drain_delay_s = drain_delay_s
        self._ready_wait_s = ready_wait_s
        self._renewing: _Place | None = None
        """The place whose worker, which serves, is about to be replaced; one at a time."""
        self._renewals = 0
        self._has_served = False
        self._status: int | None = None
        self._is_draining = False
        self._interrupts = 0
        self._news = asyncio.Event()

    async def run(self) -> int:
        """Serve until a signal; returns the exit status of the service."""
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGTERM: self._end,
            signal.SIGINT: self._interrupt,
            signal.SIGHUP: self._renew,
            signal.SIGTTIN: self._add_place,
            signal.SIGTTOU: self._remove_place,
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        for place in self._places:
            place.task = loop.create_task(self._keep(place))
        watching = loop.create_task(self._watch())
        try:
            await self._until(lambda: self._status is not None)
            await self._drain()
        finally:
            watching.cancel()
        return self._status or 0

    # Signals

    def _end(self) -> None:
        if self._status is None:
            self._status = 0
        self._tell()

    def _interrupt(self) -> None:
        """Ctrl-C; the second one does not wait for requests."""
        self._interrupts += 1
        if self._interrupts > 1:
            for process in self._processes:
                process.kill()
        self._end()

    def _renew(self) -> None:
        logger.info("SIGHUP: the workers are replaced.")
        self._renewals += 1
        for place in self._places:
            place.renewal = self._renewals
        self._tell()

    def _add_place(self) -> None:
        if self._status is None and len(self._places) < MAX_PLACES:
            place = _Place(len(self._places))
            if self._has_one_each:
                self._listeners.append(another(self._listeners[0]))
            self._places.append(place)
            place.task = asyncio.get_running_loop().create_task(self._keep(place))

    def _remove_place(self) -> None:
        """Its socket is closed with its worker, which accepts what waits in it."""
        if self._status is None and len(self._places) > 1:
            place = self._places.pop()
            if place.task is not None:
                place.task.cancel()
            if place.substitute is not None:
                order(place.substitute.link, Order.RELEASE, place.number)
            if self._has_one_each:
                self._listeners.pop().close()
            if place.worker is not None:
                place.worker.drain()

    # Places

    async def _keep(self, place: _Place) -> None:
        """Keep one worker at a place, and start another before one that is to be replaced ends."""
        failures = 0
        while True:
            await self._until(lambda: place.wants_a_worker and (self._renewing is None or not place.is_served))
            with self._turn_of(place):
                renewal, place.renewal = place.renewal, 0
                fresh = await self._started()
            if fresh.serves and (fresh.is_ready or not (place.is_served and self._has_ready_worker)):
                self._hand_over(place, fresh)
                await self._until(lambda: place.wants_a_worker)
                failures = failures + 1 if fresh.ended_early else 0
            elif not self._has_served and (fresh.status or 0) > 0:
                self._status = 1
                self._tell()
                return
            elif place.is_served:
                self._call_off(place, fresh, renewal)
            else:
                failures += 1
            if failures > 1:
                await asyncio.sleep(_pause_s(failures))

    @contextmanager
    def _turn_of(self, place: _Place) -> Iterator[None]:
        """Hold the other places back while a worker that serves is about to be replaced at this one."""
        if place.is_served:
            self._renewing = place
        try:
            yield
        finally:
            if self._renewing is place:
                self._renewing = None
                self._tell()

    def _call_off(self, place: _Place, fresh: _Process, renewal: int) -> None:
        """Let the workers that serve stay: the first that was to replace one could not."""
        for each in self._places:
            if each.renewal <= renewal:  # a later SIGHUP may find what this one did not
                each.renewal = 0
        if place.worker is not None:
            what = "did not start" if fresh.status is not None else "is not ready"
            logger.error("Worker %d stays: the one that was to replace it %s.", place.worker.pid, what)
        fresh.drain()

    @property
    def _has_ready_worker(self) -> bool:
        """Whether a worker serves that has everything open."""
        workers = [place.worker for place in self._places]
        return any(worker is not None and worker.serves and worker.is_ready for worker in workers)

    async def _started(self) -> _Process:
        """A new process that is ready, that could accept and has been waited for, or that has ended."""
        fresh = _Process(self._command, self._changed, self._outages.note)
        self._processes.add(fresh)
        try:
            await self._until(lambda: fresh.serves or fresh.status is not None)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._ready_wait_s):
                    await self._until(lambda: fresh.is_ready or fresh.status is not None or not self._has_ready_worker)
        except asyncio.CancelledError:
            fresh.drain()
            raise
        return fresh

    def _hand_over(self, place: _Place, fresh: _Process) -> None:
        """Let a new worker accept at a place, and only then the one before it finish."""
        self._has_served = True
        before, place.worker = place.worker, fresh
        order(fresh.link, Order.ACCEPT, place.number, self._listener_of(place))
        if self._status is not None:
            order(fresh.link, Order.UNREADY)
        if place.substitute is not None:
            order(place.substitute.link, Order.RELEASE, place.number)
            place.substitute = None
        if before is not None:
            before.drain()
        self._substitute()

    def _listener_of(self, place: _Place) -> socket.socket:
        return self._listeners[place.number % len(self._listeners)]

    def _substitute(self) -> None:
        """Let another worker accept from the socket of each place that has none: connections are dealt to it too."""
        if not self._has_one_each or self._is_draining:
            return
        able = [place.worker for place in self._places if place.worker is not None and place.worker.serves]
        for place in self._places:
            has_worker = place.worker is not None and place.worker.serves
            has_substitute = place.substitute is not None and place.substitute.serves
            if able and not has_worker and not has_substitute:
                place.substitute = able[place.number % len(able)]
                order(place.substitute.link, Order.ACCEPT, place.number, self._listener_of(place))

    # What happens to processes

    def _changed(self, process: _Process) -> None:
        if process.status is not None:
            self._processes.discard(process)
            self._outages.forget(process)
            if process.drained_at is None and self._status is None:
                if process.able_at is None:
                    logger.error("Worker %d did not start: %s.", process.pid, _cause(process))
                else:
                    logger.warning(
                        "Worker %d has ended: %s. Another one takes its place.", process.pid, _cause(process)
                    )
            self._substitute()
        self._tell()

    async def _watch(self) -> None:
        """Kill processes that hang."""
        looked_at = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_S)
            now = time.monotonic()
            if now - looked_at > 4 * LOOK_S:
                for process in self._processes:
                    process.forgive(now - looked_at)
            looked_at = now
            for process in self._processes:
                reason = process.overdue(self._hang_s)
                if reason is not None:
                    logger.error("Worker %d is killed: %s.", process.pid, reason)
                    process.kill()

    async def _drain(self) -> None:
        """End every worker: those that serve stop accepting first, and then finish what they have."""
        if self._drain_delay_s and self._status == 0:
            for process in self._processes:
                order(process.link, Order.UNREADY)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._drain_delay_s):
                    await self._until(lambda: not self._processes)
        self._is_draining = True
        for place in self._places:
            if place.task is not None:
                place.task.cancel()
        for listener in self._listeners:
            listener.close()
        for process in self._processes:
            process.drain()
        await self._until(lambda: not self._processes)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._news.wait()

    def _tell(self) -> None:
        """Let every task look at its condition again."""
        self._news.set()
        self._news.clear()


def _continued_with_parent() -> Callable[[], None] | None:
    """What a new process does first, so that Linux continues it, when it is stopped, at the end of the supervisor."""
    if sys.platform != "linux":
        return None
    set_option = ctypes.CDLL(None).prctl  # found before the fork: after it, a process should do little
    return lambda: set_option(_SET_PARENT_DEATH_SIGNAL, signal.SIGCONT, 0, 0, 0)


def _pause_s(failures: int) -> float:
    """How long to wait before the next start, after so many that failed one after the other."""
    pause_s: float = min(FIRST_PAUSE_S * 2 ** min(failures - 2, 10), LONGEST_PAUSE_S)
    return pause_s * random.uniform(0.75, 1.25)  # noqa: S311 - spreads the starts, hides nothing


def _cause(process: _Process) -> str:
    status = process.status or 0
    return f"status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"
