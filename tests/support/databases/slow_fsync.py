"""A disk whose fsync takes as long as a test wants, beneath real processes, without a right or a compiler.

A seccomp filter hands every fsync and fdatasync to this process first (seccomp_unotify(2)), which lets it go on to the
kernel after a delay. The filter is a thread's, and of all processes that the thread starts: databases and gateways are
started in such a thread, and only they are slow.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import select
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Queue
from typing import TypeVar

from tests.support.databases.failing_fsync import filter_of

_SECCOMP = {"x86_64": 317, "aarch64": 277}
"""The number of seccomp(2), for which libc has no function."""
_PR_SET_NO_NEW_PRIVS, _SET_MODE_FILTER = 38, 1
_NEW_LISTENER, _WAIT_KILLABLE = 1 << 3, 1 << 5
"""The second lets no signal interrupt a call that waits, as none interrupts fsync itself; from Linux 5.19 on."""
_ASK_ANOTHER = 0x7FC00000
_RECEIVE, _SEND, _CONTINUE = 0xC0502100, 0xC0182101, 1
_NOTIFICATION_BYTES = 80
_TICK_MS = 10
_END_S = 10.0
Started = TypeVar("Started")


class SlowFsync:
    """Delays every fsync and fdatasync of what is started with `start`, those of several threads at once."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        """Of each, from when it is changed on."""
        self.delayed = 0
        """How many took longer so far."""
        self._answering: list[threading.Thread] = []

    def start(self, work: Callable[[], Started]) -> Started:
        """Do some work; the processes that it starts, and theirs, have slow disks from now on."""
        results: list[Started] = []
        failures: list[BaseException] = []
        listeners: Queue[int | None] = Queue()

        def under_filter() -> None:
            try:
                listeners.put(_listen())
                results.append(work())
            except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
                listeners.put(None)
                failures.append(error)

        thread = threading.Thread(target=under_filter)
        thread.start()
        listener = listeners.get()
        if listener is not None:  # not a thread of the filtered one, which would be under the filter too
            answering = threading.Thread(target=self._answer, args=(listener,), daemon=True)
            answering.start()
            self._answering.append(answering)
        thread.join()
        if failures:
            raise failures[0]
        return results[0]

    def close(self) -> None:
        """Let all go on, and wait until none of the processes is left."""
        self.delay_s = 0.0
        for thread in self._answering:
            thread.join(_END_S)
            assert not thread.is_alive(), "processes with a slow disk are left"

    def _answer(self, listener: int) -> None:
        """Let each call go on after its delay, until nothing is left that could make one."""
        waiting: deque[tuple[float, int]] = deque()
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        while True:
            events = poll.poll(_TICK_MS if waiting else -1)
            if events and events[0][1] & select.POLLIN:
                id_ = _received(listener)
                if id_ is not None:
                    waiting.append((time.monotonic(), id_))
                    self.delayed += self.delay_s > 0
            elif events:
                break
            while waiting and waiting[0][0] + self.delay_s <= time.monotonic():
                _let_go_on(listener, waiting.popleft()[1])
        os.close(listener)


@contextmanager
def slow_fsyncs() -> Iterator[SlowFsync]:
    """See `SlowFsync`; what it started has to end in the block."""
    slow = SlowFsync()
    try:
        yield slow
    finally:
        slow.close()


def _listen() -> int:
    """Put the calling thread under the filter, and return the descriptor that its calls are announced on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    program = filter_of(_ASK_ANOTHER)
    for flags in (_NEW_LISTENER | _WAIT_KILLABLE, _NEW_LISTENER):
        listener: int = libc.syscall(_SECCOMP[platform.machine()], _SET_MODE_FILTER, flags, ctypes.byref(program))
        if listener >= 0:
            os.set_inheritable(listener, False)
            return listener
    raise OSError(ctypes.get_errno(), "seccomp")


def _received(listener: int) -> int | None:
    """The id of a call that waits; None when its process has been killed meanwhile."""
    notification = bytearray(_NOTIFICATION_BYTES)
    try:
        fcntl.ioctl(listener, _RECEIVE, notification)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EINTR):
            return None
        raise
    id_: int = struct.unpack_from("Q", notification)[0]
    return id_


def _let_go_on(listener: int, id_: int) -> None:
    try:
        fcntl.ioctl(listener, _SEND, bytearray(struct.pack("QqiI", id_, 0, 0, _CONTINUE)))
    except OSError as error:
        if error.errno != errno.ENOENT:  # its process has been killed meanwhile
            raise
