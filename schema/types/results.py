"""Results of mutations: unions of a payload and the possible problems; and the map from refusals to problems."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from models.destinations.version_conflict import VersionConflict
from models.destinations.violations import Rule
from models.destinations.violations import Violation as BrokenRule
from models.errors import (
    CheckJobRunning,
    DestinationForbidden,
    DestinationNotCheckable,
    DestinationNotFound,
    IdempotencyKeyReused,
    ValidationFailed,
)
from schema.context import Context
from schema.types.checks import CheckJob, CheckReport
from schema.types.connections import BackupDestinationEdge
from schema.types.destinations import BackupDestination, S3CompatibleDestination, present
from schema.types.enums import ViolationCode
from schema.types.ids import job_id
from schema.types.names import INPUTS, PATHS, WORDS


@strawberry.interface(description="Why a mutation was not carried out, in a sentence that can be shown to the user.")
class Problem:
    message: str = strawberry.field(description="One sentence.")


@strawberry.type(description="One rule broken by one input field.")
class Violation:
    path: list[str] = strawberry.field(description='Where in `input` the field is, such as `["customS3", "endpoint"]`.')
    code: ViolationCode = strawberry.field(description="How the rule is broken, for programs.")
    message: str = strawberry.field(description="How the rule is broken, for people.")


@strawberry.type(description="The input breaks at least one rule.")
class ValidationProblem(Problem):
    violations: list[Violation] = strawberry.field(description="Every broken rule, at once.")


@strawberry.type(description="There is no such destination.")
class NotFoundProblem(Problem):
    pass


@strawberry.type(description="The destination belongs to another user.")
class ForbiddenProblem(Problem):
    pass


@strawberry.type(description="The destination has changed since the version that was expected.")
class ConflictProblem(Problem):
    backup_destination: BackupDestination = strawberry.field(description="The destination as it is now.")


@strawberry.type(description="The `Idempotency-Key` of the request was sent before with another one.")
class IdempotencyKeyProblem(Problem):
    pass


@strawberry.type(description="The destination was created.")
class CreateBackupDestinationPayload:
    backup_destination: BackupDestination = strawberry.field(description="The new destination.")
    edge: BackupDestinationEdge = strawberry.field(description="The new destination as an edge of the unordered list.")


@strawberry.type(description="The destination was changed, or was so already.")
class UpdateBackupDestinationPayload:
    backup_destination: BackupDestination = strawberry.field(description="The destination as it is now.")


@strawberry.type(description="The destination was deleted.")
class DeleteBackupDestinationPayload:
    deleted_id: strawberry.ID = strawberry.field(description="The ID it had.")


@strawberry.type(description="A local destination has nothing to check.")
class NotCheckableProblem(Problem):
    pass


@strawberry.type(description="The destination was checked.")
class CheckBackupDestinationPayload:
    backup_destination: S3CompatibleDestination = strawberry.field(description="The destination as it is now.")
    report: CheckReport = strawberry.field(description="What the check found.")


@strawberry.type(description="The values were tried, and nothing was stored.")
class TestBackupDestinationPayload:
    report: CheckReport = strawberry.field(description="What the check found.")


@strawberry.type(description="The job has started.")
class CheckBackupDestinationsPayload:
    job: CheckJob = strawberry.field(description="How far it is: for `checkJobProgress`.")


@strawberry.type(description="Another job of the viewer's is running: there is one at a time.")
class CheckJobRunningProblem(Problem):
    job_id: strawberry.ID | None = strawberry.field(
        description="The ID of the job that is running; null if it has ended meanwhile."
    )


CheckBackupDestinationsResult = Annotated[
    CheckBackupDestinationsPayload | CheckJobRunningProblem,
    strawberry.union("CheckBackupDestinationsResult", description="The job that has started, or why none has."),
]
CreateBackupDestinationResult = Annotated[
    CreateBackupDestinationPayload | ValidationProblem | IdempotencyKeyProblem,
    strawberry.union("CreateBackupDestinationResult", description="The new destination, or why there is none."),
]
UpdateBackupDestinationResult = Annotated[
    UpdateBackupDestinationPayload
    | ValidationProblem
    | NotFoundProblem
    | ForbiddenProblem
    | ConflictProblem
    | IdempotencyKeyProblem,
    strawberry.union(
        "UpdateBackupDestinationResult", description="The changed destination, or why it was not changed."
    ),
]
DeleteBackupDestinationResult = Annotated[
    DeleteBackupDestinationPayload | NotFoundProblem | ForbiddenProblem | ConflictProblem | IdempotencyKeyProblem,
    strawberry.union("DeleteBackupDestinationResult", description="The ID that is gone, or why it is not."),
]

CheckBackupDestinationResult = Annotated[
    CheckBackupDestinationPayload | NotCheckableProblem | NotFoundProblem | ForbiddenProblem,
    strawberry.union("CheckBackupDestinationResult", description="What the check found, or why there was none."),
]
TestBackupDestinationResult = Annotated[
    TestBackupDestinationPayload | NotCheckableProblem | ValidationProblem,
    strawberry.union("TestBackupDestinationResult", description="What the check found, or why there was none."),
]

_CODES = {
    Rule.REQUIRED: ViolationCode.REQUIRED,
    Rule.REQUIRED_FOR_KIND: ViolationCode.REQUIRED,
    Rule.REQUIRED_FOR_STORE: ViolationCode.REQUIRED,
    Rule.NOT_APPLICABLE: ViolationCode.NOT_APPLICABLE,
    Rule.TOO_LONG: ViolationCode.TOO_LONG,
}


class _Invalid(strawberry.ExceptionHandler[ValidationFailed, ValidationProblem]):
    def handle(
        self, exception: ValidationFailed, *, field: StrawberryField, info: Info[Context, None]
    ) -> ValidationProblem:
        return validation_problem(exception, info.field_name)


class _NotFound(strawberry.ExceptionHandler[DestinationNotFound, NotFoundProblem]):
    def handle(
        self, exception: DestinationNotFound, *, field: StrawberryField, info: Info[Context, None]
    ) -> NotFoundProblem:
        return NotFoundProblem(message=str(exception))


class _Forbidden(strawberry.ExceptionHandler[DestinationForbidden, ForbiddenProblem]):
    def handle(
        self, exception: DestinationForbidden, *, field: StrawberryField, info: Info[Context, None]
    ) -> ForbiddenProblem:
        return ForbiddenProblem(message=str(exception))


class _NotCheckable(strawberry.ExceptionHandler[DestinationNotCheckable, NotCheckableProblem]):
    def handle(
        self, exception: DestinationNotCheckable, *, field: StrawberryField, info: Info[Context, None]
    ) -> NotCheckableProblem:
        return NotCheckableProblem(message=str(exception))


class _Conflict(strawberry.ExceptionHandler[VersionConflict, ConflictProblem]):
    def handle(
        self, exception: VersionConflict, *, field: StrawberryField, info: Info[Context, None]
    ) -> ConflictProblem:
        return ConflictProblem(message=str(exception), backup_destination=present(exception.row))


class _KeyReused(strawberry.ExceptionHandler[IdempotencyKeyReused, IdempotencyKeyProblem]):
    def handle(
        self, exception: IdempotencyKeyReused, *, field: StrawberryField, info: Info[Context, None]
    ) -> IdempotencyKeyProblem:
        return IdempotencyKeyProblem(message=str(exception))


class _JobRunning(strawberry.ExceptionHandler[CheckJobRunning, CheckJobRunningProblem]):
    def handle(
        self, exception: CheckJobRunning, *, field: StrawberryField, info: Info[Context, None]
    ) -> CheckJobRunningProblem:
        number = exception.job_id
        return CheckJobRunningProblem(
            message=str(exception), job_id=None if number is None else strawberry.ID(job_id(number))
        )


EXCEPTION_HANDLERS = (_JobRunning(), _Invalid(), _NotFound(), _Forbidden(), _NotCheckable(), _Conflict(), _KeyReused())


def validation_problem(refusal: ValidationFailed, field_name: str) -> ValidationProblem:
    """The problem that a mutation returns for broken rules. In `create…` and `test…` a path starts at the kind."""
    of_kind = refusal.kind is not None and field_name.startswith(("create", "test"))
    prefix = (INPUTS[refusal.kind],) if of_kind and refusal.kind is not None else ()
    violations = [_violation(broken, prefix) for broken in refusal.violations]
    return ValidationProblem(message=refusal.summary([v.message for v in violations]), violations=violations)


def _violation(broken: BrokenRule, prefix: tuple[str, ...]) -> Violation:
    kind = None if broken.kind is None else broken.kind.name
    return Violation(
        path=[*prefix, *PATHS[broken.attribute]],
        code=_CODES.get(broken.rule, ViolationCode.MALFORMED),
        message=broken.sentence(WORDS[broken.attribute], kind, kinds_are="the kind"),
    )
