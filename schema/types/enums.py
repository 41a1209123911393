"""The enums of the GraphQL schema; each member's value is that of the domain enum it stands for."""

from __future__ import annotations

from enum import Enum

import strawberry
from strawberry import enum_value

from models.accounts.viewer import Protocol
from models.destinations.attributes import DestinationKind as Kind
from models.destinations.attributes import Reachability as Found
from models.events.event import EventKind
from models.grants.access import GrantOperation as Op
from models.reads.listing import OrderField


@strawberry.enum(description="Which kind a destination is.")
class DestinationKind(Enum):
    AMAZON_S3 = enum_value(Kind.AMAZON_S3.value, description="A bucket at Amazon; REST calls it `s3`.")
    CUSTOM_S3 = enum_value(Kind.CUSTOM_S3.value, description="A bucket at any other S3-compatible store.")
    LOCAL = enum_value(Kind.LOCAL.value, description="A directory on the server that takes the backup.")


@strawberry.enum(description="The result of a destination's last check.")
class Reachability(Enum):
    UNKNOWN = enum_value(Found.UNKNOWN.value, description="It has not been checked yet.")
    CHECKING = enum_value(Found.CHECKING.value, description="A check that was asked for is under way.")
    REACHABLE = enum_value(Found.REACHABLE.value, description="Every step that was tried passed.")
    UNREACHABLE = enum_value(Found.UNREACHABLE.value, description="A step failed.")


@strawberry.enum(description="The API or part of the gateway through which a change was made.")
class EventProtocol(Enum):
    GRAPHQL = enum_value(Protocol.GRAPHQL.value, description="This API.")
    REST = enum_value(Protocol.REST.value, description="The REST API.")
    COMMAND_LINE = enum_value(Protocol.COMMAND_LINE.value, description="The operator's command line.")
    SCHEDULER = enum_value(Protocol.SCHEDULER.value, description="The gateway's own scheduled checks.")


@strawberry.enum(description="What happened to a destination.")
class BackupDestinationEventKind(Enum):
    CREATED = enum_value(EventKind.CREATED.value, description="It was created.")
    UPDATED = enum_value(EventKind.UPDATED.value, description="Its attributes changed.")
    DELETED = enum_value(EventKind.DELETED.value, description="It was deleted.")
    CHECKED = enum_value(EventKind.CHECKED.value, description="A check of it ended.")
    ACCESS_GRANTED = enum_value(EventKind.ACCESS_GRANTED.value, description="Access to what it holds was granted.")


@strawberry.enum(description="What a backup job can be granted to do, with an object or with a list.")
class GrantOperation(Enum):
    PUT = enum_value(Op.PUT.value, description="Write an object, in one request of up to 5 GiB.")
    GET = enum_value(Op.GET.value, description="Read an object, or with a `Range` header a part of it.")
    HEAD = enum_value(Op.HEAD.value, description="Read the size, the time and the checksums of an object.")
    DELETE = enum_value(Op.DELETE.value, description="Delete an object.")
    LIST = enum_value(Op.LIST.value, description="List the objects below a prefix, one page.")
    CREATE_UPLOAD = enum_value(Op.CREATE_UPLOAD.value, description="Begin an upload in parts.")
    UPLOAD_PART = enum_value(Op.UPLOAD_PART.value, description="Write a part of an upload.")
    LIST_PARTS = enum_value(Op.LIST_PARTS.value, description="List the parts of an upload.")
    COMPLETE_UPLOAD = enum_value(Op.COMPLETE_UPLOAD.value, description="Make the object of the parts of an upload.")
    ABORT_UPLOAD = enum_value(Op.ABORT_UPLOAD.value, description="Abort an upload, and delete its parts.")


@strawberry.enum(
    description="What a list of destinations can be ordered by; the order of creation decides between equals."
)
class BackupDestinationOrderField(Enum):
    CREATED_AT = enum_value(OrderField.CREATED_AT.value, description="When they were created.")
    UPDATED_AT = enum_value(OrderField.UPDATED_AT.value, description="When they last changed.")
    LABEL = enum_value(OrderField.LABEL.value, description="Their labels, by code point.")
    KIND = enum_value(OrderField.KIND.value, description="Their kinds: `AMAZON_S3`, `CUSTOM_S3`, `LOCAL`.")
    BUCKET_NAME = enum_value(
        OrderField.BUCKET_NAME.value, description="Their buckets, by code point; those without one before all others."
    )
    LAST_CHECK = enum_value(
        OrderField.LAST_CHECK.value,
        description="When they were last checked; those that never were, local ones among them, before all others.",
    )


@strawberry.enum(description="Which way a list goes.")
class OrderDirection(Enum):
    ASC = enum_value("asc", description="From the least to the greatest.")
    DESC = enum_value("desc", description="From the greatest to the least.")


@strawberry.enum(description="How an input field breaks its rule.")
class ViolationCode(Enum):
    REQUIRED = enum_value("required", description="It is missing or empty.")
    NOT_APPLICABLE = enum_value("not_applicable", description="Destinations of this kind do not have it.")
    TOO_LONG = enum_value("too_long", description="It has too many characters.")
    MALFORMED = enum_value("malformed", description="It is not of the form it must have.")
