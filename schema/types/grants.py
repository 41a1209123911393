"""The result of granting access to what a destination holds: signed requests, or the problem that there are none."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from models.errors import DestinationNotGrantable
from models.grants.access import AccessFault, AccessInvalid, StoreNotUsable
from models.grants.access import PresignedRequest as Presigned
from models.grants.grants import GrantedAccess
from schema.context import Context
from schema.types.checks import CheckCode
from schema.types.destinations import BackupDestination, present
from schema.types.enums import GrantOperation, ViolationCode
from schema.types.names import camel
from schema.types.results import ForbiddenProblem, NotFoundProblem, Problem, ValidationProblem, Violation


@strawberry.type(description="A header that has to be sent as it is: the signature binds it.")
class PresignedHeader:
    name: str = strawberry.field(description="Its name, in lower case.")
    value: str = strawberry.field(description="Its value.")


@strawberry.type(description="A request to the store that is signed already.")
class PresignedRequest:
    operation: GrantOperation = strawberry.field(description="What it does.")
    key: str | None = strawberry.field(description="The key of its object; null for a list.")
    part_number: int | None = strawberry.field(description="The number of its part of an upload; null for all others.")
    method: str = strawberry.field(description="The method of HTTP.")
    url: str = strawberry.field(description="The URL, which holds the access key and a signature: keep it secret.")
    headers: list[PresignedHeader] = strawberry.field(description="The headers that have to be sent.")


@strawberry.type(description="Access was granted.")
class GrantBackupDestinationAccessPayload:
    backup_destination: BackupDestination = strawberry.field(description="The destination.")
    expires_at: datetime = strawberry.field(description="Until when the store takes the requests.")
    requests: list[PresignedRequest] = strawberry.field(
        description="The requests: every operation on every object, in the order of the input."
    )


@strawberry.type(description="A local destination has no store to grant access to.")
class NotGrantableProblem(Problem):
    pass


@strawberry.type(description="The destination's store may not, or cannot, be reached; nothing is signed for it.")
class StoreProblem(Problem):
    code: CheckCode = strawberry.field(description="Why, as a check would say.")


GrantBackupDestinationAccessResult = Annotated[
    GrantBackupDestinationAccessPayload
    | NotGrantableProblem
    | StoreProblem
    | ValidationProblem
    | NotFoundProblem
    | ForbiddenProblem,
    strawberry.union("GrantBackupDestinationAccessResult", description="Signed requests, or why there are none."),
]

_CODES = {
    AccessFault.REQUIRED: ViolationCode.REQUIRED,
    AccessFault.NOT_APPLICABLE: ViolationCode.NOT_APPLICABLE,
    AccessFault.TOO_LONG: ViolationCode.TOO_LONG,
    AccessFault.MALFORMED: ViolationCode.MALFORMED,
}


def present_grant(granted: GrantedAccess) -> GrantBackupDestinationAccessPayload:
    """A grant as the payload of its mutation."""
    return GrantBackupDestinationAccessPayload(
        backup_destination=present(granted.row),
        expires_at=granted.expires_at,
        requests=[_present(request) for request in granted.requests],
    )


def _present(request: Presigned) -> PresignedRequest:
    return PresignedRequest(
        operation=GrantOperation[request.operation.name],
        key=request.key,
        part_number=request.part_number,
        method=request.method,
        url=request.url,
        headers=[PresignedHeader(name=name, value=value) for name, value in request.headers.items()],
    )


class _NotGrantable(strawberry.ExceptionHandler[DestinationNotGrantable, NotGrantableProblem]):
    def handle(
        self, exception: DestinationNotGrantable, *, field: StrawberryField, info: Info[Context, None]
    ) -> NotGrantableProblem:
        return NotGrantableProblem(message=str(exception))


class _NotUsable(strawberry.ExceptionHandler[StoreNotUsable, StoreProblem]):
    def handle(self, exception: StoreNotUsable, *, field: StrawberryField, info: Info[Context, None]) -> StoreProblem:
        return StoreProblem(message=str(exception), code=CheckCode[exception.code.name])


class _Invalid(strawberry.ExceptionHandler[AccessInvalid, ValidationProblem]):
    def handle(
        self, exception: AccessInvalid, *, field: StrawberryField, info: Info[Context, None]
    ) -> ValidationProblem:
        violations = [
            Violation(path=[camel(broken.field)], code=_CODES[broken.fault], message=broken.message)
            for broken in exception.violations
        ]
        return ValidationProblem(message=str(exception), violations=violations)


GRANT_HANDLERS = (_NotGrantable(), _NotUsable(), _Invalid())
