"""Outages that several workers report: one line for the beginning and one for the end, whatever the order."""

from __future__ import annotations

import logging
import socket

import pytest

from web.server import outages
from web.server.control import OutageReport, Report, report, report_outage, reports
from web.server.outages import SharedOutages

BEGINS, ENDS = OutageReport("it is away", True, "It is away."), OutageReport("it is away", False, "It is back.")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged."""
    return [record.getMessage() for record in caplog.records if record.name == "moorings.outages"]


async def test_the_first_beginning_and_the_first_end_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    shared = SharedOutages()
    for worker, said in ((1, BEGINS), (2, BEGINS), (2, ENDS), (1, ENDS)):
        shared.note(worker, said)
    assert lines(caplog) == ["It is away.", "It is back."]


async def test_a_worker_that_notices_it_late_says_nothing_new(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless it is still away for it when the others had time to notice the same."""
    caplog.set_level(logging.WARNING)
    shared = SharedOutages()
    for worker, said in ((1, BEGINS), (1, ENDS), (2, BEGINS), (2, ENDS)):
        shared.note(worker, said)
    assert lines(caplog) == ["It is away.", "It is back."]
    monkeypatch.setattr(outages, "SETTLE_S", 0.0)
    shared.note(2, BEGINS)
    assert lines(caplog) == ["It is away.", "It is back.", "It is away."]


async def test_an_outage_whose_only_witness_has_ended_is_logged_anew(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    shared = SharedOutages()
    shared.note(1, BEGINS)
    shared.forget(1)
    shared.note(2, BEGINS)
    shared.note(2, ENDS)
    assert lines(caplog) == ["It is away.", "It is away.", "It is back."]


def test_reports_come_whole_in_whatever_pieces() -> None:
    worker, supervisor = socket.socketpair()
    with worker, supervisor:
        report(worker, Report.ALIVE)
        assert report_outage(worker, BEGINS)
        report(worker, Report.READY)
        supervisor.setblocking(False)
        sent = supervisor.recv(4096)
        pending, found = bytearray(), []
        for byte in sent:
            worker.send(bytes([byte]))
            found += list(reports(supervisor, pending))
        assert found == [Report.ALIVE, BEGINS, Report.READY]
        assert not report_outage(worker, BEGINS._replace(line="x" * 10_000)), "it is left to the worker"
