"""What a check of a destination finds: its rungs, the code and the remedy of a failed one, and who finds it out.

Pure values. Who speaks to the store is elsewhere and is known here by the protocol `Prober` alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from models.vault.secret import Secret


class CheckStepName(StrEnum):
    """The rungs, in the order in which they are climbed."""

    RESOLVE = "RESOLVE"
    CONNECT = "CONNECT"
    TLS = "TLS"
    AUTHENTICATE = "AUTHENTICATE"
    BUCKET = "BUCKET"
    LIST = "LIST"
    WRITE = "WRITE"
    READ = "READ"
    DELETE = "DELETE"


class CheckOutcome(StrEnum):
    """How a rung went; SKIPPED is one that was not reached, not asked for, or does not apply."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class CheckCode(StrEnum):
    """Why a rung failed, for programs."""

    ENDPOINT_INVALID = "ENDPOINT_INVALID"
    ENDPOINT_NOT_ALLOWED = "ENDPOINT_NOT_ALLOWED"
    DNS_FAILURE = "DNS_FAILURE"
    CONNECT_FAILED = "CONNECT_FAILED"
    TLS_FAILED = "TLS_FAILED"
    TIMEOUT = "TIMEOUT"
    NOT_S3 = "NOT_S3"
    CLOCK_SKEW = "CLOCK_SKEW"
    INVALID_ACCESS_KEY = "INVALID_ACCESS_KEY"
    SIGNATURE_MISMATCH = "SIGNATURE_MISMATCH"
    ACCESS_DENIED = "ACCESS_DENIED"
    NO_SUCH_BUCKET = "NO_SUCH_BUCKET"
    WRONG_REGION = "WRONG_REGION"
    RATE_LIMITED = "RATE_LIMITED"
    REDIRECTED = "REDIRECTED"
    UNEXPECTED_ANSWER = "UNEXPECTED_ANSWER"
    SECRET_UNREADABLE = "SECRET_UNREADABLE"  # noqa: S105 - a code


class CheckDepth(StrEnum):
    """How far to climb: READ_ONLY ends with LIST and leaves no trace."""

    READ_ONLY = "READ_ONLY"
    FULL = "FULL"


REMEDIES: Mapping[CheckCode, str] = {
    CheckCode.ENDPOINT_INVALID: (
        "Give the endpoint as an http or https URL with a host and, if need be, a port and a path: "
        "no user name, no query, no fragment."
    ),
    CheckCode.ENDPOINT_NOT_ALLOWED: (
        "The endpoint is at an address that this gateway does not connect to. If the store is on a private network, "
        "ask the operator to add its address to MOORINGS_S3_ALLOW."
    ),
    CheckCode.DNS_FAILURE: (
        "The host name was not found. Correct the endpoint or the region; if the name is bucket.host, "
        "turn on path-style addressing where the store has no such names."
    ),
    CheckCode.CONNECT_FAILED: "Nothing accepts connections there. Correct the host and the port, or start the store.",
    CheckCode.TLS_FAILED: (
        "No trusted encrypted connection came about. Give the store a valid certificate for its host name, "
        "or use http:// if it speaks no TLS."
    ),
    CheckCode.TIMEOUT: "The store did not answer in time. See whether it is up and not behind a firewall; try again.",
    CheckCode.NOT_S3: "What answers there does not speak S3. Give the store's API endpoint, not its web console.",
    CheckCode.CLOCK_SKEW: "The clocks of this gateway and the store differ too much. Set both by a time server.",
    CheckCode.INVALID_ACCESS_KEY: "The store does not know the access key, or it expired. Set the credentials again.",
    CheckCode.SIGNATURE_MISMATCH: "The secret key does not belong to the access key. Set the credentials again.",
    CheckCode.ACCESS_DENIED: (
        "The credentials do not allow this step. Grant them s3:ListBucket on the bucket and s3:PutObject, s3:GetObject "
        "and s3:DeleteObject on its objects."
    ),
    CheckCode.NO_SUCH_BUCKET: "There is no bucket of this name here. Create it, or correct the bucket name.",
    CheckCode.WRONG_REGION: "The bucket is not in this region. Set the region the bucket is in.",
    CheckCode.RATE_LIMITED: "The store asks for fewer requests. Try again in a few minutes.",
    CheckCode.REDIRECTED: "The endpoint sends callers elsewhere, which is not followed. Give the store's own endpoint.",
    CheckCode.UNEXPECTED_ANSWER: (
        "The store's answer makes no sense as S3, or broke off. Try again; if it stays so, look into the store's log."
    ),
    CheckCode.SECRET_UNREADABLE: "The stored credentials cannot be read. Set them again.",
}
"""What to do about each code: a sentence for a person, never with a word of the peer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckStep:
    """One rung; `code` is there exactly if it failed. Rungs learned from one answer count its time at the first."""

    name: CheckStepName
    outcome: CheckOutcome
    code: CheckCode | None = None
    duration_ms: int = 0

    @property
    def remedy(self) -> str | None:
        """What to do about the failure."""
        return None if self.code is None else REMEDIES[self.code]


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckSuggestion:
    """Corrected attributes with which the bucket was found; None leaves one as it is."""

    region: str | None = None
    endpoint: str | None = None
    path_style_endpoint: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckReport:
    """What one check found: when it ended, in whole seconds UTC, and all nine rungs in their order."""

    checked_at: datetime
    steps: tuple[CheckStep, ...]
    suggestion: CheckSuggestion | None = None

    @property
    def reachable(self) -> bool:
        """Whether every rung that was tried passed, and at least one was."""
        outcomes = {step.outcome for step in self.steps}
        return CheckOutcome.PASSED in outcomes and CheckOutcome.FAILED not in outcomes

    @property
    def is_full(self) -> bool:
        """Whether a check of full depth would have found the same: it failed, or climbed beyond LIST."""
        tried = {step.name for step in self.steps if step.outcome is not CheckOutcome.SKIPPED}
        return not self.reachable or CheckStepName.WRITE in tried

    def to_json(self) -> str:
        """Compact text for a database column."""
        steps = [[s.name, s.outcome, s.code, s.duration_ms] for s in self.steps]
        told = self.suggestion
        suggestion = None if told is None else [told.region, told.endpoint, told.path_style_endpoint]
        document = {"at": int(self.checked_at.timestamp()), "steps": steps, "suggestion": suggestion}
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> CheckReport:
        """Read what `to_json` wrote, in this version or a newer one; raises `ValueError` for anything else."""
        try:
            document = json.loads(text)
            found = {row[0]: _step(row) for row in document["steps"] if row[0] in CheckStepName.__members__}
            told = document["suggestion"]
            suggestion = None
            if told is not None:
                suggestion = CheckSuggestion(region=told[0], endpoint=told[1], path_style_endpoint=told[2])
            checked_at = datetime.fromtimestamp(document["at"], UTC)
        except (KeyError, IndexError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError("this is no stored check report") from error
        return cls(checked_at=checked_at, steps=all_steps(found), suggestion=suggestion)


def all_steps(found: Mapping[CheckStepName, CheckStep]) -> tuple[CheckStep, ...]:
    """All rungs in order; one that is not among the found ones was skipped."""
    return tuple(found.get(name) or CheckStep(name=name, outcome=CheckOutcome.SKIPPED) for name in CheckStepName)


_Member = TypeVar("_Member", bound=StrEnum)


def _step(row: list[Any]) -> CheckStep:
    """A word that only a newer version knows is read as the least this one can say: an unexpected answer."""
    outcome = _known(CheckOutcome, row[1], CheckOutcome.FAILED)
    code = None
    if outcome is CheckOutcome.FAILED:
        code = _known(CheckCode, row[2], CheckCode.UNEXPECTED_ANSWER)
    return CheckStep(name=CheckStepName(row[0]), outcome=outcome, code=code, duration_ms=int(row[3]))


def _known(words: type[_Member], word: object, otherwise: _Member) -> _Member:
    return words(word) if isinstance(word, str) and word in words.__members__ else otherwise


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeTarget:
    """What a check needs to know of a destination; an endpoint of None is Amazon's own for the region."""

    endpoint: str | None
    region: str | None
    bucket_name: str
    path_style: bool
    access_key: Secret
    secret_key: Secret


class Prober(Protocol):
    """Finds out whether a store takes backups."""

    async def probe(self, target: ProbeTarget, depth: CheckDepth) -> CheckReport:
        """Climb the ladder; whatever the peer or the network does becomes a report, never an exception."""
