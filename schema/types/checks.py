"""What a check found, as objects of this door."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import strawberry
from strawberry import enum_value

from models.checks import report as model


@strawberry.enum(description="The rungs of a check, in the order in which they are climbed.")
class CheckStepName(Enum):
    RESOLVE = enum_value("RESOLVE", description="The host's name has addresses, all of which may be connected to.")
    CONNECT = enum_value("CONNECT", description="One of them accepts connections.")
    TLS = enum_value("TLS", description="The connection is encrypted, by a certificate that is trusted.")
    AUTHENTICATE = enum_value("AUTHENTICATE", description="The store knows the keys, and the signature fits.")
    BUCKET = enum_value("BUCKET", description="The bucket is there, in this region.")
    LIST = enum_value("LIST", description="The keys may list objects.")
    WRITE = enum_value("WRITE", description="The keys may write a small object.")
    READ = enum_value("READ", description="The object reads back as it was written.")
    DELETE = enum_value("DELETE", description="The keys may delete it again.")


@strawberry.enum(description="How one rung went.")
class CheckOutcome(Enum):
    PASSED = enum_value("PASSED", description="It held.")
    FAILED = enum_value("FAILED", description="It broke; what comes behind it was not tried.")
    SKIPPED = enum_value("SKIPPED", description="It was not reached, not asked for, or does not apply.")


@strawberry.enum(description="Why a rung failed, for programs.")
class CheckCode(Enum):
    ENDPOINT_INVALID = enum_value("ENDPOINT_INVALID", description="The endpoint is no URL of a store.")
    ENDPOINT_NOT_ALLOWED = enum_value(
        "ENDPOINT_NOT_ALLOWED", description="The endpoint is at an address this gateway does not connect to."
    )
    DNS_FAILURE = enum_value("DNS_FAILURE", description="The host's name was not found.")
    CONNECT_FAILED = enum_value("CONNECT_FAILED", description="Nothing accepts connections there.")
    TLS_FAILED = enum_value("TLS_FAILED", description="No trusted encrypted connection came about.")
    TIMEOUT = enum_value("TIMEOUT", description="The store did not answer in time.")
    NOT_S3 = enum_value("NOT_S3", description="What answers there does not speak S3.")
    CLOCK_SKEW = enum_value("CLOCK_SKEW", description="The clocks of gateway and store differ too much.")
    INVALID_ACCESS_KEY = enum_value("INVALID_ACCESS_KEY", description="The store does not know the access key.")
    SIGNATURE_MISMATCH = enum_value(
        "SIGNATURE_MISMATCH", description="The secret key does not belong to the access key."
    )
    ACCESS_DENIED = enum_value("ACCESS_DENIED", description="The keys do not allow this step.")
    NO_SUCH_BUCKET = enum_value("NO_SUCH_BUCKET", description="There is no bucket of this name here.")
    WRONG_REGION = enum_value("WRONG_REGION", description="The bucket is in another region.")
    RATE_LIMITED = enum_value("RATE_LIMITED", description="The store asks for fewer requests.")
    REDIRECTED = enum_value("REDIRECTED", description="The endpoint sends callers elsewhere, which is not followed.")
    UNEXPECTED_ANSWER = enum_value("UNEXPECTED_ANSWER", description="The answer makes no sense as S3, or broke off.")
    SECRET_UNREADABLE = enum_value("SECRET_UNREADABLE", description="The stored credentials cannot be read.")


@strawberry.enum(description="How far a check climbs.")
class CheckDepth(Enum):
    READ_ONLY = enum_value("READ_ONLY", description="Up to LIST; leaves no trace.")
    FULL = enum_value("FULL", description="To the end: writes a small object, reads it back and deletes it.")


@strawberry.type(description="One rung of a check.")
class CheckStep:
    name: CheckStepName = strawberry.field(description="Which rung.")
    outcome: CheckOutcome = strawberry.field(description="How it went.")
    code: CheckCode | None = strawberry.field(description="Why it failed, for programs; null unless it failed.")
    remedy: str | None = strawberry.field(description="What to do about it, for people; null unless it failed.")
    duration_ms: int = strawberry.field(
        description="How long it took, in milliseconds; rungs learned from one answer count its time at the first."
    )


@strawberry.type(description="Corrected values, ready for `updateBackupDestination`; null is: as it is.")
class CheckSuggestion:
    region: str | None = strawberry.field(description="The region the bucket is in.")
    endpoint: str | None = strawberry.field(description="The endpoint that has the bucket.")
    path_style_endpoint: bool | None = strawberry.field(description="The addressing with which it was found.")


@strawberry.type(description="What one check found.")
class CheckReport:
    checked_at: datetime = strawberry.field(description="When the check ended.")
    reachable: bool = strawberry.field(description="Whether every step that was tried passed.")
    steps: list[CheckStep] = strawberry.field(description="The rungs of the ladder, all nine, in order.")
    suggestion: CheckSuggestion | None = strawberry.field(
        description="Fields to change so that the check would pass, when the store said so."
    )


def present_report(report: model.CheckReport) -> CheckReport:
    """A report as an object of this door."""
    told = report.suggestion
    return CheckReport(
        checked_at=report.checked_at,
        reachable=report.reachable,
        steps=[_step(step) for step in report.steps],
        suggestion=None
        if told is None
        else CheckSuggestion(region=told.region, endpoint=told.endpoint, path_style_endpoint=told.path_style_endpoint),
    )


def present_stored(text: str | None) -> CheckReport | None:
    """The report that is stored with a destination; None before the first check."""
    return None if text is None else present_report(model.CheckReport.from_json(text))


def _step(step: model.CheckStep) -> CheckStep:
    return CheckStep(
        name=CheckStepName[step.name],
        outcome=CheckOutcome[step.outcome],
        code=None if step.code is None else CheckCode[step.code],
        remedy=step.remedy,
        duration_ms=step.duration_ms,
    )
