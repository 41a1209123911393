"""What tests of the prober share: targets, a resolver with a table, a recorder of connections, short outcomes."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpcore

from models.checks.report import (
    CheckCode,
    CheckDepth,
    CheckOutcome,
    CheckReport,
    CheckStepName,
    CheckSuggestion,
    ProbeTarget,
)
from models.vault.secret import Secret
from s3.address_policy import AddressPolicy, parse_allow_rules
from s3.dialer import Dialer
from s3.prober import S3Prober
from s3.resolver import Resolver

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
LOOPBACK = ("127.0.0.0/8", "::1")
PUBLIC = "93.184.215.14"
"""Stands for the address of a store on the internet; the recorder sends no packet to it."""


def target(endpoint: str | None, **changes: Any) -> ProbeTarget:
    """A target with invented keys, in path style by default."""
    values: dict[str, Any] = {
        "endpoint": endpoint,
        "region": None,
        "bucket_name": "nightly",
        "path_style": True,
        "access_key": Secret(ACCESS_KEY),
        "secret_key": Secret(SECRET_KEY),
        "object_name": "0" * 32,
    }
    return ProbeTarget(**values | changes)


class TableResolver:
    """Resolves from a table and records the names; a name that is not in it does not exist."""

    def __init__(self, table: Mapping[str, Sequence[str]]) -> None:
        self._table = table
        self.asked: list[str] = []

    async def resolve(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if host not in self._table:
            raise OSError("no such name")
        return self._table[host]


class Recorder(httpcore.AsyncNetworkBackend):
    """Records every attempt to connect and makes only those to loopback; `routes` sends an address elsewhere."""

    def __init__(self, routes: Mapping[str, int] | None = None) -> None:
        """`routes` maps an address to the port of 127.0.0.1 that stands for it, whatever port is asked for."""
        self._routes = routes or {}
        self._sockets = httpcore.AnyIOBackend()
        self.attempts: list[tuple[str, int]] = []

    async def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        self.attempts.append((host, port))
        if host in self._routes:
            return await self._sockets.connect_tcp("127.0.0.1", self._routes[host], *args, **kwargs)
        if host not in ("127.0.0.1", "::1"):
            raise httpcore.ConnectError("not from a test")
        return await self._sockets.connect_tcp(host, port, *args, **kwargs)


def prober(
    *,
    allow: Sequence[str] = LOOPBACK,
    resolver: Resolver | None = None,
    backend: httpcore.AsyncNetworkBackend | None = None,
    tls: ssl.SSLContext | None = None,
    deadline_s: float = 5.0,
    refused_every_s: float = 0.01,
) -> S3Prober:
    """A prober that connects to this machine only, unless the arguments say otherwise."""
    there = dialer(allow=allow, resolver=resolver, backend=backend, tls=tls, refused_every_s=refused_every_s)
    return S3Prober(there, deadline_s=deadline_s)


def dialer(
    *,
    allow: Sequence[str] = LOOPBACK,
    resolver: Resolver | None = None,
    backend: httpcore.AsyncNetworkBackend | None = None,
    tls: ssl.SSLContext | None = None,
    refused_every_s: float = 0.01,
) -> Dialer:
    """A dialer that connects to this machine only, unless the arguments say otherwise."""
    return Dialer(
        AddressPolicy(parse_allow_rules(allow)),
        resolver or TableResolver({}),
        # Loading the machine's certificates takes longer than most checks.
        tls=tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        backend=backend or Recorder(),
        refused_every_s=refused_every_s,
    )


def failure(report: CheckReport) -> tuple[CheckStepName, CheckCode] | None:
    """The first step that failed and its code; None when none did. Every later step is skipped.

    Except that keys that may not list may write, and that an object is deleted even if it could not be read.
    """
    step = next((step for step in report.steps if step.outcome is CheckOutcome.FAILED), None)
    if step is None:
        return None
    assert step.code is not None
    may_go_on = step.name is CheckStepName.LIST and step.code is CheckCode.ACCESS_DENIED
    behind = report.steps[report.steps.index(step) + 1 :]
    outcomes_behind = {s.outcome for s in behind if s.name is not CheckStepName.DELETE}
    assert may_go_on or outcomes_behind <= {CheckOutcome.SKIPPED}
    return step.name, step.code


def outcomes(report: CheckReport) -> str:
    """One letter for each step: Passed, Failed, Skipped."""
    return "".join(step.outcome[0] for step in report.steps)


def applied(there: ProbeTarget, suggestion: CheckSuggestion | None) -> ProbeTarget:
    """The target a user has after following a suggestion."""
    assert suggestion is not None
    return replace(
        there,
        region=there.region if suggestion.region is None else suggestion.region,
        endpoint=there.endpoint if suggestion.endpoint is None else suggestion.endpoint,
        path_style=there.path_style if suggestion.path_style_endpoint is None else suggestion.path_style_endpoint,
    )


async def followed(checks: S3Prober, there: ProbeTarget) -> tuple[CheckReport, CheckReport]:
    """The report on a target, and the one after its suggestion was applied."""
    first = await checks.probe(there, CheckDepth.FULL)
    return first, await checks.probe(applied(there, first.suggestion), CheckDepth.FULL)
