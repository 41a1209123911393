"""A line of `moorings doctor`: what was looked at, how it is, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How something is; the worst of all decides the exit status."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    """The gateway does not start with it, or does not keep a promise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One of them; never with a secret in it."""

    check: str
    """What was looked at, in a word or two."""
    state: State
    message: str
    remedy: str | None = None
    """What to do; None when nothing has to be done."""


def ok(check: str, message: str) -> Finding:
    """Nothing has to be done."""
    return Finding(check=check, state=State.OK, message=message)


def warning(check: str, message: str, remedy: str) -> Finding:
    """The gateway works, and something should be done."""
    return Finding(check=check, state=State.WARNING, message=message, remedy=remedy)


def failure(check: str, message: str, remedy: str) -> Finding:
    """Something has to be done."""
    return Finding(check=check, state=State.FAILURE, message=message, remedy=remedy)
