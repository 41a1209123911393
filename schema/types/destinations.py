"""The object types of the GraphQL schema: nodes, users, and an interface per family of destination kinds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, assert_never

import strawberry
from strawberry import UNSET
from strawberry.types import Info

from models.accounts.viewer import Viewer
from models.destinations.attributes import KINDS, DestinationKind
from models.destinations.row import DestinationRow as Row
from models.events.event import Event
from models.events.history import EVERY_EVENT, DestinationEvents
from models.pagination import Slice
from schema.context import Context
from schema.types.accounts import (
    ApiToken,
    RateLimit,
    TokenAbility,
    present_abilities,
    present_rate_limit,
    present_token,
)
from schema.types.arguments import After, EventsFilter, First
from schema.types.checks import CheckReport, present_stored
from schema.types.enums import Reachability
from schema.types.ids import NodeType, global_id
from schema.types.paging.event_pages import event_bounds
from schema.types.paging.past_checks import CheckConnection, check_bounds, check_connection


@strawberry.interface(description="An object with a globally unique ID.")
class Node:
    id: strawberry.ID = strawberry.field(
        description="The globally unique ID of this object; opaque, and stable for life."
    )


@strawberry.type(description="A person with an API token.")
class User(Node):
    database_id: int = strawberry.field(description="The integer the REST API calls `user_id`.")
    name: str = strawberry.field(description="What the person is called.")
    email: str = strawberry.field(description="The person's email address.")
    viewer: strawberry.Private[Viewer]

    @strawberry.field(description="What the token of this request allows.")
    def abilities(self) -> list[TokenAbility]:
        """All of them for a token of `*`."""
        return present_abilities(self.viewer)

    @strawberry.field(description="The token of this request.")
    def token(self, info: Info[Context, None]) -> ApiToken:
        """A response that shows it is for this token alone."""
        info.context.is_shared = False
        return present_token(self.viewer)

    @strawberry.field(description="How many requests the viewer has left; null when they are not limited.")
    def rate_limit(self, info: Info[Context, None]) -> RateLimit | None:
        """A response that shows it is not kept."""
        info.context.is_shared = False
        return present_rate_limit(info.context.rate_limit)

    @strawberry.field(
        description="The newest event of the viewer's destinations, for `after` of a subscription; "
        "`BackupDestinationEvent:0` before the first. It is not newer than what the same operation shows."
    )
    async def latest_event_id(self, info: Info[Context, None]) -> strawberry.ID:
        """Needs `view-backup-destinations`."""
        context = info.context
        if context.latest_position is None:
            context.latest_position = await context.service.newest_position(context.viewer)
        return strawberry.ID(global_id(NodeType.EVENT, context.latest_position))


@strawberry.type(description="What deleting a destination would do to backup jobs.")
class DeletionImpact:
    is_in_use: bool = strawberry.field(
        description="Whether a job was granted access lately, within 30 days unless the operator says otherwise: it "
        "would be refused from then on."
    )
    recent_grants: int = strawberry.field(
        description="How often that was: operations on an object, and lists, that were granted."
    )
    last_granted_at: datetime | None = strawberry.field(description="When it was last; null where it was not.")
    access_ends_at: datetime | None = strawberry.field(
        description="Until when what was granted can be used, whether the destination is deleted or not; null where "
        "nothing was granted. May be over."
    )


@strawberry.interface(description="A place the viewer's backups are written to.")
class BackupDestination(Node):
    id: strawberry.ID = strawberry.field(
        description="The globally unique ID; it does not tell the kind and does not change with it."
    )
    database_id: int = strawberry.field(description="The integer the REST API calls `id`.")
    label: str = strawberry.field(description="The name the viewer gave it, at most 255 characters.")
    kind_name: str = strawberry.field(description="The kind in words, such as `Amazon S3`; REST calls it `type_human`.")
    created_at: datetime = strawberry.field(description="When it was created.")
    updated_at: datetime = strawberry.field(description="When one of its attributes last changed; checks do not count.")
    version: int = strawberry.field(
        description="Another after every change of its attributes; opaque, for `expectedVersion` of a mutation."
    )

    @strawberry.field(description="What deleting it would do to backup jobs; to be looked at before.")
    async def deletion_impact(self, info: Info[Context, None]) -> DeletionImpact:
        """One statement for all destinations of an operation. Time alone changes it, so no response with it is kept."""
        info.context.is_shared = False
        impact = await info.context.deletion_impact(self.database_id)
        return DeletionImpact(
            is_in_use=impact.is_in_use,
            recent_grants=impact.recent_grants,
            last_granted_at=impact.last_granted_at,
            access_ends_at=impact.last_expires_at,
        )

    @strawberry.field(
        graphql_type=Annotated[
            "BackupDestinationEventConnection",  # noqa: F821 - the name that strawberry looks up
            strawberry.lazy("schema.types.connections"),
        ],
        description="What happened to it, newest first.",
    )
    async def events(
        self,
        info: Info[Context, None],
        first: First = UNSET,
        after: After = UNSET,
        filter: EventsFilter = UNSET,  # noqa: A002 - the public name
    ) -> Slice[Event]:
        """One statement for all destinations of an operation."""
        bounds = event_bounds(first, after, None, None)
        chosen = filter.chosen() if filter else EVERY_EVENT
        wanted = DestinationEvents(destination_id=self.database_id, bounds=bounds, chosen=chosen)
        return await info.context.destination_events(wanted)


@strawberry.interface(description="A destination spoken to in the S3 protocol. Its credentials are write-only.")
class S3CompatibleDestination(BackupDestination):
    bucket_name: str = strawberry.field(description="The bucket backups are written to.")
    path_style_endpoint: bool = strawberry.field(
        description="Whether the bucket goes in the path (`host/bucket`) instead of the host name (`bucket.host`)."
    )
    region: str | None = strawberry.field(
        description="The region of the bucket; null where none is set, which stores other than Amazon allow."
    )
    credentials_set_at: datetime = strawberry.field(description="When the credentials were last set.")
    reachability: Reachability = strawberry.field(description="The outcome of the last check.")
    check_prefix: str | None = strawberry.field(
        description="What the names of all objects begin with that a check touches; null means no prefix."
    )
    certificate_authorities: str | None = strawberry.field(
        description="Certificates in PEM by which the store's own is trusted beside the gateway's authorities."
    )
    stored_check: strawberry.Private[str | None]

    @strawberry.field(description="The last check, step by step; null before the first.")
    def last_check(self) -> CheckReport | None:
        """Parsed from the stored JSON only when the field is selected."""
        return present_stored(self.stored_check, self.database_id)

    @strawberry.field(description="The checks that were made, newest first, as many as are kept.")
    async def checks(self, info: Info[Context, None], first: First = UNSET, after: After = UNSET) -> CheckConnection:
        """One statement for all destinations of an operation that ask for the same page."""
        bounds = check_bounds(first, after)
        return check_connection(await info.context.past_checks(self.database_id, bounds), self.database_id)


@strawberry.type(description="A bucket at Amazon.")
class AmazonS3Destination(S3CompatibleDestination):
    region: str | None = strawberry.field(
        description="The AWS region of the bucket, such as `us-west-2`. Never null: it is nullable because the "
        "field is of one type in every kind, so that one operation can select it of each."
    )


@strawberry.type(description="A bucket at any other S3-compatible store.")
class CustomS3Destination(S3CompatibleDestination):
    endpoint: str = strawberry.field(description="The absolute URL of the store.")
    region: str | None = strawberry.field(
        description="The region the store expects in signatures; null means `us-east-1`."
    )


@strawberry.type(description="A directory on the server that takes the backup; its path is chosen per backup.")
class LocalDestination(BackupDestination):
    pass


DESTINATION_TYPES: Mapping[DestinationKind, type[BackupDestination]] = {
    DestinationKind.AMAZON_S3: AmazonS3Destination,
    DestinationKind.CUSTOM_S3: CustomS3Destination,
    DestinationKind.LOCAL: LocalDestination,
}
"""The object type of each kind."""


def present(row: Row) -> BackupDestination:
    """The GraphQL object of a row, of the type of its kind."""
    match row.kind:
        case DestinationKind.AMAZON_S3:
            return AmazonS3Destination(**_node(row), **_bucket(row), region=row.region)
        case DestinationKind.CUSTOM_S3:
            return CustomS3Destination(**_node(row), **_bucket(row), endpoint=row.endpoint or "", region=row.region)
        case DestinationKind.LOCAL:
            return LocalDestination(**_node(row))
        case _:
            assert_never(row.kind)


def present_viewer(viewer: Viewer) -> User:
    """The viewer as a user."""
    return User(
        id=strawberry.ID(global_id(NodeType.USER, viewer.user_id)),
        database_id=viewer.user_id,
        name=viewer.name,
        email=viewer.email,
        viewer=viewer,
    )


def _node(row: Row) -> dict[str, Any]:
    return {
        "id": global_id(NodeType.DESTINATION, row.id),
        "database_id": row.id,
        "label": row.label,
        "kind_name": KINDS[row.kind].human_name,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "version": row.version,
    }


def _bucket(row: Row) -> dict[str, Any]:
    return {
        "bucket_name": row.bucket_name,
        "path_style_endpoint": row.path_style_endpoint,
        "credentials_set_at": row.credentials_set_at,
        "reachability": Reachability(row.reachability),
        "check_prefix": row.check_prefix,
        "certificate_authorities": row.certificate_authorities,
        "stored_check": row.last_check,
    }
