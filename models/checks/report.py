"""The report of a check: its steps, and the code and remedy of a failed one; and the protocol `Prober`.

Pure values. `s3.prober` implements `Prober`.
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
    """The steps of a check, in the order in which they run."""

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
    """The outcome of a step; SKIPPED is one that was not reached, not asked for, or does not apply."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class CheckCode(StrEnum):
    """Why a step failed, for programs."""

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
    """Which steps to run: READ_ONLY ends with LIST and writes nothing."""

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
"""What to do about each code: a sentence for people, without any text of the store's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckStep:
    """One step; `code` is set exactly if it failed. The first of several that one response decides has its duration."""

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
    """The result of one check: when it ended, in whole seconds UTC, and all nine steps in order."""

    checked_at: datetime
    steps: tuple[CheckStep, ...]
    suggestion: CheckSuggestion | None = None

    @property
    def reachable(self) -> bool:
        """Whether every step that ran passed, and at least one ran."""
        outcomes = {step.outcome for step in self.steps}
        return CheckOutcome.PASSED in outcomes and CheckOutcome.FAILED not in outcomes

    @property
    def is_full(self) -> bool:
        """Whether a check of full depth would have found the same: it failed, or ran WRITE."""
        tried = {step.name for step in self.steps if step.outcome is not CheckOutcome.SKIPPED}
        return not self.reachable or CheckStepName.WRITE in tried

    def to_json(self) -> str:
        """Compact text for a database column."""
        steps = [[s.name, s.outcome, s.code, s.duration_ms] for s in self.steps]
        changes = self.suggestion
        suggestion = None if changes is None else [changes.region, changes.endpoint, changes.path_style_endpoint]
        document = {"at": int(self.checked_at.timestamp()), "steps": steps, "suggestion": suggestion}
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> CheckReport:
        """Read what `to_json` wrote, in this version or a newer one; raises `ValueError` for anything else."""
        try:
            document = json.loads(text)
            found = {row[0]: _step(row) for row in document["steps"] if row[0] in CheckStepName.__members__}
            changes = document["suggestion"]
            suggestion = None
            if changes is not None:
                suggestion = CheckSuggestion(region=changes[0], endpoint=changes[1], path_style_endpoint=changes[2])
            checked_at = datetime.fromtimestamp(document["at"], UTC)
        except (KeyError, IndexError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError("this is no stored check report") from error
        return cls(checked_at=checked_at, steps=all_steps(found), suggestion=suggestion)


def all_steps(found: Mapping[CheckStepName, CheckStep]) -> tuple[CheckStep, ...]:
    """All nine steps in order; those without a result are SKIPPED."""
    return tuple(found.get(name) or CheckStep(name=name, outcome=CheckOutcome.SKIPPED) for name in CheckStepName)


_Member = TypeVar("_Member", bound=StrEnum)


def _step(row: list[Any]) -> CheckStep:
    """An outcome or code that only a newer version knows is read as FAILED with UNEXPECTED_ANSWER."""
    outcome = _known(CheckOutcome, row[1], CheckOutcome.FAILED)
    code = None
    if outcome is CheckOutcome.FAILED:
        code = _known(CheckCode, row[2], CheckCode.UNEXPECTED_ANSWER)
    return CheckStep(name=CheckStepName(row[0]), outcome=outcome, code=code, duration_ms=int(row[3]))


def _known(words: type[_Member], word: object, otherwise: _Member) -> _Member:
    return words(word) if isinstance(word, str) and word in words.__members__ else otherwise


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeTarget:
    """The values of a destination that a check needs; an endpoint of None is Amazon's for the region."""

    endpoint: str | None
    region: str | None
    bucket_name: str
    path_style: bool
    access_key: Secret
    secret_key: Secret


class Prober(Protocol):
    """Checks whether a store takes backups."""

    async def probe(self, target: ProbeTarget, depth: CheckDepth) -> CheckReport:
        """Run the steps; whatever the store or the network does becomes a report, never an exception."""
