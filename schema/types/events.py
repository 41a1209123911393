"""The event types of the GraphQL schema, and `present_event`, which makes them from stored events."""

from __future__ import annotations

from datetime import datetime
from typing import Any, assert_never

import strawberry
from strawberry.types import Info

from models.events.check_began import CheckBegan
from models.events.event import Event, EventKind
from models.grants.access import Granted
from schema.context import Context
from schema.types.destinations import BackupDestination, Node, present
from schema.types.enums import EventProtocol, GrantOperation
from schema.types.ids import NodeType, announced_id, global_id
from schema.types.names import changed_names


@strawberry.interface(description="Something that happened to one of the viewer's destinations.")
class BackupDestinationEvent(Node):
    occurred_at: datetime = strawberry.field(description="When it happened.")
    backup_destination_id: strawberry.ID = strawberry.field(description="The destination's ID, also after it is gone.")
    protocol: EventProtocol = strawberry.field(
        description="Through which API or part of the gateway: GraphQL, REST, command line or scheduler."
    )
    token_name: str | None = strawberry.field(
        description="The name of the token that was used; null for the command line and the scheduler."
    )


async def _destination(root: BackupDestinationEvent, info: Info[Context, None]) -> BackupDestination | None:
    number = int(root.backup_destination_id.rpartition(":")[2])
    row = await info.context.destination(number)
    return None if row is None else present(row)


_AS_IT_IS_NOW = "The destination as it is now; null when it is gone."


@strawberry.type(description="A destination was created.")
class BackupDestinationCreated(BackupDestinationEvent):
    backup_destination: BackupDestination | None = strawberry.field(resolver=_destination, description=_AS_IT_IS_NOW)


@strawberry.type(description="Attributes of a destination changed.")
class BackupDestinationUpdated(BackupDestinationEvent):
    backup_destination: BackupDestination | None = strawberry.field(resolver=_destination, description=_AS_IT_IS_NOW)
    changed_fields: list[str] = strawberry.field(
        description="The fields of the destination that changed; `credentials` stands for a changed key."
    )


@strawberry.type(description="A destination was checked, because a user asked or with another outcome than before.")
class BackupDestinationChecked(BackupDestinationEvent):
    backup_destination: BackupDestination | None = strawberry.field(resolver=_destination, description=_AS_IT_IS_NOW)
    reachable: bool = strawberry.field(description="Whether every step that was tried passed.")


@strawberry.type(
    description="A check that a user asked for began. Told to open streams alone, not in the list of events; its ID "
    "is a position in them all the same."
)
class BackupDestinationChecking(BackupDestinationEvent):
    backup_destination: BackupDestination | None = strawberry.field(resolver=_destination, description=_AS_IT_IS_NOW)


@strawberry.type(description="A destination was deleted.")
class BackupDestinationDeleted(BackupDestinationEvent):
    label: str = strawberry.field(description="The label it had.")


@strawberry.type(description="Access to what a destination holds was granted, for a time, without its keys.")
class BackupDestinationAccessGranted(BackupDestinationEvent):
    backup_destination: BackupDestination | None = strawberry.field(resolver=_destination, description=_AS_IT_IS_NOW)
    operations: list[GrantOperation] = strawberry.field(description="What was granted.")
    keys: list[str] = strawberry.field(description="The keys of the objects; empty for a list.")
    prefix: str | None = strawberry.field(description="The prefix that was named; null where an object alone was.")
    expires_at: datetime = strawberry.field(description="Until when the signed requests can be used.")


CONCRETE_EVENTS = (
    BackupDestinationCreated,
    BackupDestinationUpdated,
    BackupDestinationChecked,
    BackupDestinationChecking,
    BackupDestinationDeleted,
    BackupDestinationAccessGranted,
)


def present_event(event: Event) -> BackupDestinationEvent:
    """A stored event as the object of its kind."""
    shared: dict[str, Any] = {
        "id": global_id(NodeType.EVENT, event.id),
        "occurred_at": event.occurred_at,
        "backup_destination_id": global_id(NodeType.DESTINATION, event.destination_id),
        "protocol": EventProtocol[event.protocol.name],
        "token_name": event.token_name,
    }
    match event.kind:
        case EventKind.CREATED:
            return BackupDestinationCreated(**shared)
        case EventKind.UPDATED:
            return BackupDestinationUpdated(**shared, changed_fields=changed_names(event.changed_fields.split()))
        case EventKind.CHECKED:
            return BackupDestinationChecked(**shared, reachable=bool(event.reachable))
        case EventKind.DELETED:
            return BackupDestinationDeleted(**shared, label=event.label)
        case EventKind.ACCESS_GRANTED:
            granted = Granted.from_json(event.granted or "")
            return BackupDestinationAccessGranted(
                **shared,
                operations=[GrantOperation[operation.name] for operation in granted.operations],
                keys=list(granted.keys),
                prefix=granted.prefix,
                expires_at=granted.expires_at,
            )
        case _:
            assert_never(event.kind)


def present_began(began: CheckBegan, position: int) -> BackupDestinationEvent:
    """A check that began, as streams at this position are told of it."""
    return BackupDestinationChecking(
        id=strawberry.ID(announced_id(position, began.number)),
        occurred_at=began.began_at,
        backup_destination_id=strawberry.ID(global_id(NodeType.DESTINATION, began.destination_id)),
        protocol=EventProtocol[began.protocol.name],
        token_name=began.token_name,
    )
