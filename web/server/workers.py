"""The worker processes: uvicorn's supervisor, with a listening socket for each of them.

A socket stays open when its worker ends: clients that connect meanwhile wait in it for the next worker.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from web.server.sockets import another


class Workers(Multiprocess):
    """uvicorn's supervisor, which ends without an exception and says whether a signal ended it.

    uvicorn gives `sockets` to every process that it starts. It works on one place of its list of processes at a time,
    so that `sockets` can be those of that place.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        listeners: list[socket.socket],
        *,
        may_restart: Callable[[], bool] = lambda: True,
    ) -> None:
        """`listeners` has one socket for all places, or one for each; `may_restart` is asked at SIGHUP."""
        self._may_restart = may_restart
        self.stopped_by_signal = False
        self._listeners = listeners
        self._has_one_each = len(listeners) > 1
        self._place = 0
        super().__init__(config, listeners)

    @property
    def sockets(self) -> list[socket.socket]:
        """The socket of the place that is worked on."""
        return [self._listeners[self._place % len(self._listeners)]]

    @sockets.setter
    def sockets(self, _: list[socket.socket]) -> None:
        """uvicorn sets what the constructor already has."""

    def init_processes(self) -> None:
        """Start one process at each place."""
        started: list[Process] = []
        with _ctrl_c_ignored():
            wanted, self.processes_num = self.processes_num, 1
            for place in range(wanted):
                self._place, self.processes = place, []
                super().init_processes()
                started += self.processes
        self.processes, self.processes_num = started, wanted

    def restart_all(self) -> None:
        """Replace one process after the other, up to the first that cannot be replaced."""
        self._at_each_place(super().restart_all, goes_on=False)

    def keep_subprocess_alive(self) -> None:
        """Replace every process that has died."""
        self._at_each_place(super().keep_subprocess_alive, goes_on=True)

    def handle_ttin(self) -> None:
        """One more process, at a place of its own."""
        self._place = len(self.processes)
        if self._has_one_each:
            self._listeners.append(another(self._listeners[0]))
        super().handle_ttin()

    def handle_ttou(self) -> None:
        """One process less: its socket is closed first, so that no further connection is dealt to it."""
        if self._has_one_each and len(self.processes) > 1:
            self._listeners.pop().close()  # the parent's copy; the worker still accepts what waits in it
        super().handle_ttou()

    def handle_hup(self) -> None:
        """SIGHUP: replace the processes, so that new ones read every file anew; not when they could not start."""
        if self._may_restart():
            super().handle_hup()

    def handle_int(self) -> None:
        """Ctrl-C."""
        self.stopped_by_signal = True
        super().handle_int()

    def handle_term(self) -> None:
        """SIGTERM."""
        self.stopped_by_signal = True
        super().handle_term()

    def _at_each_place(self, act: Callable[[], None], *, goes_on: bool) -> None:
        """Run `act` with one process in uvicorn's list at a time; unless it `goes_on`, up to the first not replaced."""
        everyone = self.processes
        for place, process in enumerate(list(everyone)):
            self._place, self.processes = place, [process]
            act()
            (everyone[place],) = self.processes
            if not goes_on and everyone[place] is process:
                break
        self.processes = everyone


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    """Ignore Ctrl-C in processes that are started meanwhile, until their server handles it.

    A terminal sends it to all processes; one that has not got further than its imports would show a traceback. The
    supervisor gets it too, and ends the others.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
