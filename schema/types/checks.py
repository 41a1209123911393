"""Reports of checks as GraphQL objects."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import strawberry
from strawberry import enum_value

from models.checks import check_job as model_job
from models.checks import report as model
from schema.types.ids import check_id, draft_check_id, job_id


@strawberry.enum(description="The steps of a check, in the order in which they run.")
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
    MULTIPART = enum_value("MULTIPART", description="The store takes an object in parts; run at depth MULTIPART only.")


@strawberry.enum(description="The outcome of one step.")
class CheckOutcome(Enum):
    PASSED = enum_value("PASSED", description="It succeeded.")
    FAILED = enum_value("FAILED", description="It failed; the steps after it did not run.")
    SKIPPED = enum_value("SKIPPED", description="It was not reached, not asked for, or does not apply.")


@strawberry.enum(description="Why a step failed, for programs.")
class CheckCode(Enum):
    ENDPOINT_INVALID = enum_value("ENDPOINT_INVALID", description="The endpoint is no URL of a store.")
    ENDPOINT_NOT_ALLOWED = enum_value(
        "ENDPOINT_NOT_ALLOWED", description="The endpoint is an address this gateway does not connect to."
    )
    DNS_FAILURE = enum_value(
        "DNS_FAILURE",
        description="The host's name was not found, or is at an address this gateway does not connect to.",
    )
    CONNECT_FAILED = enum_value("CONNECT_FAILED", description="Nothing accepts connections there.")
    TLS_FAILED = enum_value("TLS_FAILED", description="No encrypted connection could be made.")
    CERTIFICATE_EXPIRED = enum_value(
        "CERTIFICATE_EXPIRED", description="The store's certificate has expired, or is not valid yet."
    )
    CERTIFICATE_NAME_MISMATCH = enum_value(
        "CERTIFICATE_NAME_MISMATCH", description="The store's certificate belongs to another host."
    )
    CERTIFICATE_UNTRUSTED = enum_value(
        "CERTIFICATE_UNTRUSTED", description="The authority of the store's certificate is not trusted."
    )
    TIMEOUT = enum_value("TIMEOUT", description="The store did not answer in time.")
    NOT_S3 = enum_value("NOT_S3", description="The server there does not speak S3.")
    CLOCK_SKEW = enum_value("CLOCK_SKEW", description="The clocks of gateway and store differ too much.")
    INVALID_ACCESS_KEY = enum_value("INVALID_ACCESS_KEY", description="The store does not know the access key.")
    TEMPORARY_CREDENTIALS = enum_value(
        "TEMPORARY_CREDENTIALS", description="The keys work only with a session token, which a destination has not."
    )
    SIGNATURE_MISMATCH = enum_value(
        "SIGNATURE_MISMATCH", description="The secret key does not belong to the access key."
    )
    ACCOUNT_DISABLED = enum_value("ACCOUNT_DISABLED", description="The store has disabled the account.")
    ACCESS_DENIED = enum_value("ACCESS_DENIED", description="The keys do not allow this step.")
    NO_SUCH_BUCKET = enum_value("NO_SUCH_BUCKET", description="There is no bucket of this name here.")
    WRONG_REGION = enum_value("WRONG_REGION", description="The bucket is in another region.")
    STORAGE_FULL = enum_value("STORAGE_FULL", description="The store is full, or a quota is reached.")
    RATE_LIMITED = enum_value("RATE_LIMITED", description="The store asks for fewer requests.")
    STORE_UNAVAILABLE = enum_value("STORE_UNAVAILABLE", description="The store is not available now.")
    REDIRECTED = enum_value("REDIRECTED", description="The endpoint redirects elsewhere, which is not followed.")
    NOT_SUPPORTED = enum_value(
        "NOT_SUPPORTED", description="The store does not support a request that backup programs need."
    )
    REQUEST_REFUSED = enum_value(
        "REQUEST_REFUSED", description="The store refuses the request and does not say what is wrong with it."
    )
    UNEXPECTED_ANSWER = enum_value("UNEXPECTED_ANSWER", description="The answer makes no sense as S3, or broke off.")
    SECRET_UNREADABLE = enum_value("SECRET_UNREADABLE", description="The stored credentials cannot be read.")


@strawberry.enum(description="Which steps a check runs.")
class CheckDepth(Enum):
    READ_ONLY = enum_value("READ_ONLY", description="Up to LIST; writes nothing.")
    FULL = enum_value("FULL", description="Up to DELETE: writes a small object, reads it back and deletes it.")
    MULTIPART = enum_value(
        "MULTIPART", description="All steps: begins an upload in parts, too, as large backups are sent, and aborts it."
    )


@strawberry.type(description="One step of a check.")
class CheckStep:
    name: CheckStepName = strawberry.field(description="Which step.")
    outcome: CheckOutcome = strawberry.field(description="Its outcome.")
    code: CheckCode | None = strawberry.field(description="Why it failed, for programs; null unless it failed.")
    remedy: str | None = strawberry.field(description="What to do about it, for people; null unless it failed.")
    field: str | None = strawberry.field(
        description="The field of the update input that the remedy asks to change; null where it asks for none."
    )
    store_code: str | None = strawberry.field(
        description="The store's own error code, if it is a known one; null where it sent none."
    )
    duration_ms: int = strawberry.field(
        description="Its duration in milliseconds; the first of several that one response decides has all of it."
    )


@strawberry.type(description="Corrected values, ready for `updateBackupDestination`; null leaves a field as it is.")
class CheckSuggestion:
    region: str | None = strawberry.field(description="The region the bucket is in.")
    endpoint: str | None = strawberry.field(description="The endpoint that has the bucket.")
    path_style_endpoint: bool | None = strawberry.field(description="The addressing with which it was found.")


@strawberry.type(description="The result of one check.")
class CheckReport:
    id: strawberry.ID = strawberry.field(
        description="Another for every check, for a client's normalized cache; `node` does not take it."
    )
    checked_at: datetime = strawberry.field(description="When the check ended.")
    reachable: bool = strawberry.field(description="Whether every step that ran passed.")
    steps: list[CheckStep] = strawberry.field(
        description="The steps in order: nine, and MULTIPART if the check was asked for it."
    )
    failed_step: CheckStepName | None = strawberry.field(description="The first step that failed; null if none did.")
    code: CheckCode | None = strawberry.field(description="Why that step failed, for programs; null if none did.")
    documentation: str | None = strawberry.field(
        description="The page of the project's documentation about the store's provider, such as "
        "`docs/stores/wasabi.md`; null if no step failed, or the provider is not known."
    )
    duration_ms: int = strawberry.field(description="The duration of all steps together, in milliseconds.")
    suggestion: CheckSuggestion | None = strawberry.field(
        description="Fields to change, when the bucket was found with them."
    )
    takes_backups: bool | None = strawberry.field(
        description="Whether an object could be written; null when that was not tried."
    )
    can_delete: bool | None = strawberry.field(description="Whether the keys may delete; null when not known.")
    locks_objects: bool | None = strawberry.field(
        description="Whether the bucket locks objects against deletion; null when not known."
    )
    keeps_versions: bool | None = strawberry.field(
        description="Whether the bucket keeps old versions of objects; null when not known."
    )
    encrypts: bool | None = strawberry.field(
        description="Whether the store says that it encrypts what it stores; null when it does not say."
    )
    unreachable_since: datetime | None = strawberry.field(
        description="When the first of the failed checks in a row ended; in a report that passed, a failure since then "
        "that the next check has to confirm."
    )


def present_report(report: model.CheckReport, destination_id: int | None) -> CheckReport:
    """The report of a destination, None for a draft, as a GraphQL object."""
    suggestion, failed = report.suggestion, report.failed_step
    id_ = draft_check_id() if destination_id is None else check_id(destination_id, report.checked_at)
    return CheckReport(
        id=strawberry.ID(id_),
        checked_at=report.checked_at,
        reachable=report.reachable,
        steps=[_step(step) for step in report.steps],
        failed_step=None if failed is None else CheckStepName[failed.name],
        code=None if failed is None or failed.code is None else CheckCode[failed.code],
        documentation=None if failed is None else failed.documentation,
        duration_ms=report.duration_ms,
        suggestion=None
        if suggestion is None
        else CheckSuggestion(
            region=suggestion.region,
            endpoint=suggestion.endpoint,
            path_style_endpoint=suggestion.path_style_endpoint,
        ),
        takes_backups=report.takes_backups,
        can_delete=report.facts.can_delete,
        locks_objects=report.facts.locks_objects,
        keeps_versions=report.facts.keeps_versions,
        encrypts=report.facts.encrypts,
        unreachable_since=report.unreachable_since,
    )


def present_stored(text: str | None, destination_id: int) -> CheckReport | None:
    """The report that is stored with a destination; None before the first check."""
    return None if text is None else present_report(model.CheckReport.from_json(text), destination_id)


def _step(step: model.CheckStep) -> CheckStep:
    return CheckStep(
        name=CheckStepName[step.name],
        outcome=CheckOutcome[step.outcome],
        code=None if step.code is None else CheckCode[step.code],
        remedy=step.remedy,
        field=None if step.field is None else step.field.value,
        store_code=step.store_code,
        duration_ms=step.duration_ms,
    )


@strawberry.enum(description="Whether a job of checks goes on, and how it ended.")
class CheckJobState(Enum):
    RUNNING = enum_value("running", description="It goes on.")
    COMPLETED = enum_value("completed", description="Every destination was checked, or left out.")
    INTERRUPTED = enum_value(
        "interrupted",
        description="It ended before that: the gateway was restarted, the database was away, or the token is no longer "
        "valid. What was checked is stored; another job checks the rest, with `notCheckedSince` the start of this one.",
    )


@strawberry.type(description="A check of all destinations that a filter lets through.")
class CheckJob:
    id: strawberry.ID = strawberry.field(description="For `checkJob` and `checkJobProgress`; `node` does not take it.")
    state: CheckJobState = strawberry.field(description="Whether it goes on.")
    total: int = strawberry.field(description="How many destinations there were when it started.")
    checked: int = strawberry.field(description="How many were checked.")
    reachable: int = strawberry.field(description="How many of those passed.")
    unreachable: int = strawberry.field(description="How many of those failed.")
    left_out: int = strawberry.field(description="How many were not checked: they were gone, or being checked already.")
    started_at: datetime = strawberry.field(description="When it started.")
    ended_at: datetime | None = strawberry.field(description="When it ended; null while it goes on.")


def present_job(job: model_job.CheckJob) -> CheckJob:
    """A job as it is stored."""
    return CheckJob(
        id=strawberry.ID(job_id(job.id)),
        state=CheckJobState[job.state.name],
        total=job.total,
        checked=job.reachable + job.unreachable,
        reachable=job.reachable,
        unreachable=job.unreachable,
        left_out=job.left_out,
        started_at=job.started_at,
        ended_at=job.ended_at,
    )
