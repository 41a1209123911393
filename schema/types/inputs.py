"""The input types of the GraphQL schema. Each makes raw attributes, which the domain validates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields as fields_of
from datetime import datetime

import strawberry

from models.accounts.viewer import Protocol
from models.destinations.attributes import ATTRIBUTES, Attribute
from models.destinations.attributes import DestinationKind as Kind
from models.destinations.attributes import Reachability as Found
from models.destinations.ownership import MAX_ID
from models.destinations.validation import Raw
from models.events.event import EventKind
from models.events.history import EventFilter
from models.grants.access import AccessField, RawAccess
from models.reads.listing import DestinationFilter, DestinationOrder, OrderField
from schema.types.enums import (
    BackupDestinationEventKind,
    BackupDestinationOrderField,
    DestinationKind,
    EventProtocol,
    GrantOperation,
    OrderDirection,
    Reachability,
)
from schema.types.ids import NodeType, parse_id_of


@strawberry.input(description="An S3 key pair. Stored encrypted and never returned.")
class S3CredentialsInput:
    access_key: str = strawberry.field(description="The access key id, at most 255 characters.")
    secret_key: str = strawberry.field(description="The secret access key, at most 255 characters.")


@strawberry.input(description="A bucket at Amazon.")
class AmazonS3DestinationInput:
    label: str = strawberry.field(description="What to call it, at most 255 characters.")
    bucket_name: str = strawberry.field(description="The bucket backups are written to.")
    region: str = strawberry.field(description="The AWS region of the bucket, such as `us-west-2`.")
    credentials: S3CredentialsInput = strawberry.field(description="The keys the backup uses.")
    path_style_endpoint: bool = strawberry.field(
        default=False, description="Whether the bucket goes in the path instead of the host name."
    )
    check_prefix: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="What the names of all objects begin with that a check touches, such as `team-a/`: for keys that "
        "may use no others.",
    )
    certificate_authorities: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Certificates in PEM by which the store's own is trusted too, at most 8,192 characters: public "
        "ones, never a key.",
    )


@strawberry.input(description="A bucket at any other S3-compatible store.")
class CustomS3DestinationInput:
    label: str = strawberry.field(description="What to call it, at most 255 characters.")
    bucket_name: str = strawberry.field(description="The bucket backups are written to.")
    endpoint: str = strawberry.field(description="The absolute http or https URL of the store.")
    region: str | None = strawberry.field(
        default=strawberry.UNSET, description="The region the store expects in signatures."
    )
    credentials: S3CredentialsInput = strawberry.field(description="The keys the backup uses.")
    path_style_endpoint: bool = strawberry.field(
        default=False, description="Whether the bucket goes in the path instead of the host name."
    )
    check_prefix: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="What the names of all objects begin with that a check touches, such as `team-a/`: for keys that "
        "may use no others.",
    )
    certificate_authorities: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Certificates in PEM by which the store's own is trusted too, at most 8,192 characters: public "
        "ones, never a key.",
    )


@strawberry.input(description="A directory on the server that takes the backup.")
class LocalDestinationInput:
    label: str = strawberry.field(description="What to call it, at most 255 characters.")


@strawberry.input(one_of=True, description="The destination to create: exactly one kind.")
class CreateBackupDestinationInput:
    amazon_s3: strawberry.Maybe[AmazonS3DestinationInput] = strawberry.field(description="A bucket at Amazon.")
    custom_s3: strawberry.Maybe[CustomS3DestinationInput] = strawberry.field(
        description="A bucket at any other S3-compatible store."
    )
    local: strawberry.Maybe[LocalDestinationInput] = strawberry.field(
        description="A directory on the server that takes the backup."
    )

    def raw(self) -> Raw:
        """The raw attributes of the one kind that is set."""
        for kind, name in _KINDS:
            given = getattr(self, name)
            if given is not None:
                return {Attribute.KIND: kind, **_given(given.value)}
        return {}


@strawberry.input(description="The fields to change; a field left out keeps its value.")
class UpdateBackupDestinationInput:
    label: strawberry.Maybe[str | None] = strawberry.field(description="What to call it, at most 255 characters.")
    bucket_name: strawberry.Maybe[str | None] = strawberry.field(description="The bucket backups are written to.")
    region: strawberry.Maybe[str | None] = strawberry.field(
        description="The region; null clears it where the kind allows that."
    )
    endpoint: strawberry.Maybe[str | None] = strawberry.field(
        description="The absolute http or https URL of the store."
    )
    path_style_endpoint: strawberry.Maybe[bool | None] = strawberry.field(
        description="Whether the bucket goes in the path instead of the host name."
    )
    check_prefix: strawberry.Maybe[str | None] = strawberry.field(
        description="What the names of all objects begin with that a check touches; null clears it."
    )
    certificate_authorities: strawberry.Maybe[str | None] = strawberry.field(
        description="Certificates in PEM by which the store's own is trusted too; null clears them."
    )
    credentials: strawberry.Maybe[S3CredentialsInput | None] = strawberry.field(description="The keys the backup uses.")

    def raw(self) -> Raw:
        """The raw attributes of the fields that are present."""
        raw: dict[Attribute, object] = {
            a: given.value for a, name in _FIELDS[type(self)] if (given := getattr(self, name)) is not None
        }
        if self.credentials is not None:
            keys = self.credentials.value
            empty = dict.fromkeys((Attribute.ACCESS_KEY, Attribute.SECRET_KEY))
            raw |= empty if keys is None else _given(keys)
        return raw


@strawberry.input(description="The access that a job needs: to one object, or to objects below a prefix and its list.")
class GrantBackupDestinationAccessInput:
    operations: list[GrantOperation] = strawberry.field(
        description="What to do; every operation on every object is a request, at most 100 in all."
    )
    key: str | None = strawberry.field(default=None, description="The key of one object, at most 1,024 bytes in UTF-8.")
    keys: list[str] | None = strawberry.field(
        default=None, description="The keys of several objects, all of which begin with `prefix`."
    )
    prefix: str | None = strawberry.field(
        default=None,
        description="What the keys begin with, and what `LIST` lists; without one that is the whole bucket.",
    )
    expires_in: int | None = strawberry.field(
        default=None, description="For how many seconds, 900 if left out, at most what the operator allows (24 h)."
    )
    content_length: float | None = strawberry.field(
        default=None, description="The size of what is sent, in whole bytes; the store refuses any other."
    )
    content_type: str | None = strawberry.field(
        default=None, description="The media type of the object; the store refuses any other."
    )
    content_md5: str | None = strawberry.field(
        default=None, description="The MD5 digest of what is sent, in base64; the store refuses anything else."
    )
    upload_id: str | None = strawberry.field(default=None, description="The id of an upload in parts that was begun.")
    part_numbers: list[int] | None = strawberry.field(default=None, description="Numbers of parts, from 1 to 10,000.")
    delimiter: str | None = strawberry.field(
        default=None, description="Lists keys up to its next occurrence only once, such as `/`."
    )
    start_after: str | None = strawberry.field(default=None, description="Lists what comes after this key.")
    continuation_token: str | None = strawberry.field(
        default=None, description="Lists the next page, by the token that the store gave with the last one."
    )
    max_keys: int | None = strawberry.field(default=None, description="Lists this many at most, 1 to 1,000.")

    def raw(self) -> RawAccess:
        """The raw access of the fields that are present."""
        given = {name: getattr(self, name.value) for name in AccessField}
        return given | {AccessField.OPERATIONS: [operation.value for operation in self.operations]}


@strawberry.input(description="Conditions that destinations must meet; a condition left out is met by all.")
class BackupDestinationFilter:
    kinds: list[DestinationKind] | None = strawberry.field(
        default=None, description="Only destinations of one of these kinds; none for an empty list."
    )
    reachability: list[Reachability] | None = strawberry.field(
        default=None,
        description="Only destinations whose last check found one of these; never a local one, none for an empty list.",
    )
    label_contains: str | None = strawberry.field(
        default=None,
        description="Only destinations with this in their label; the case of letters is ignored, `ß` is as `ss`.",
    )
    bucket_name: str | None = strawberry.field(default=None, description="Only destinations with this bucket.")
    region: str | None = strawberry.field(default=None, description="Only destinations with this region.")
    endpoint_host: str | None = strawberry.field(
        default=None,
        description="Only destinations whose `endpoint` is at this host, such as `minio.example.com` (any port) or "
        "`minio.example.com:9000`; the case of ASCII letters is ignored.",
    )
    created_since: datetime | None = strawberry.field(
        default=None, description="Only destinations created at this time or later."
    )
    created_until: datetime | None = strawberry.field(
        default=None, description="Only destinations created before this time."
    )
    updated_since: datetime | None = strawberry.field(
        default=None, description="Only destinations whose attributes last changed at this time or later."
    )
    updated_until: datetime | None = strawberry.field(
        default=None, description="Only destinations whose attributes last changed before this time."
    )
    checked_since: datetime | None = strawberry.field(
        default=None, description="Only destinations that were checked at this time or later."
    )
    not_checked_since: datetime | None = strawberry.field(
        default=None,
        description="Only destinations that were not checked at this time or later, or never; no local ones, which "
        "have nothing to check.",
    )

    def chosen(self) -> DestinationFilter:
        """The domain's filter for these conditions."""
        return DestinationFilter(
            kinds=frozenset(Kind[kind.name] for kind in self.kinds) if self.kinds is not None else None,
            reachability=frozenset(Found[found.name] for found in self.reachability)
            if self.reachability is not None
            else None,
            label_contains=self.label_contains or None,
            bucket_name=self.bucket_name,
            region=self.region,
            endpoint_host=self.endpoint_host,
            created_since=self.created_since,
            created_until=self.created_until,
            updated_since=self.updated_since,
            updated_until=self.updated_until,
            checked_since=self.checked_since,
            not_checked_since=self.not_checked_since,
        )


@strawberry.input(description="Conditions that events must meet; a condition left out is met by all.")
class BackupDestinationEventFilter:
    backup_destination_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only events of this destination, which may be gone."
    )
    kinds: list[BackupDestinationEventKind] | None = strawberry.field(
        default=None, description="Only events of one of these kinds; none for an empty list."
    )
    protocol: EventProtocol | None = strawberry.field(
        default=None, description="Only what was done through this API or part of the gateway."
    )
    since: datetime | None = strawberry.field(default=None, description="Only events at this time or later.")
    until: datetime | None = strawberry.field(default=None, description="Only events before this time.")

    def chosen(self) -> EventFilter:
        """The domain's filter for these conditions; raises `BadInput`."""
        id_ = self.backup_destination_id
        number = None if id_ is None else parse_id_of(NodeType.DESTINATION, id_)
        return EventFilter(
            destination_id=_NO_ID if number is not None and number > MAX_ID else number,
            kinds=None if self.kinds is None else frozenset(EventKind[kind.name] for kind in self.kinds),
            protocols=None if self.protocol is None else frozenset({Protocol[self.protocol.name]}),
            since=self.since,
            until=self.until,
        )


_NO_ID = 0
"""The id of no destination."""


@strawberry.input(description="The order of a list.")
class BackupDestinationOrder:
    field: BackupDestinationOrderField = strawberry.field(description="What to order by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="The direction of the order.")

    def order(self) -> DestinationOrder:
        """The domain's order for this field and direction."""
        return DestinationOrder(field=OrderField[self.field.name], descending=self.direction is OrderDirection.DESC)


def _given(
    fields: AmazonS3DestinationInput | CustomS3DestinationInput | LocalDestinationInput | S3CredentialsInput,
) -> dict[Attribute, object]:
    """The raw attributes of the fields of an input that are present, those of nested inputs included."""
    values = ((attribute, getattr(fields, name)) for attribute, name in _FIELDS[type(fields)])
    raw: dict[Attribute, object] = {attribute: value for attribute, value in values if value is not strawberry.UNSET}
    credentials = getattr(fields, "credentials", None)
    return raw if credentials is None else raw | _given(credentials)


class _Fields(dict[type, Sequence[tuple[Attribute, str]]]):
    """The fields of an input class that are attributes, each with its name in Python, found at the first use."""

    def __missing__(self, class_: type) -> Sequence[tuple[Attribute, str]]:
        names = {field.name for field in fields_of(class_)}
        return self.setdefault(class_, tuple((each, each.value) for each in ATTRIBUTES if each.value in names))


_FIELDS = _Fields()
_KINDS = tuple((kind, kind.value) for kind in Kind)
