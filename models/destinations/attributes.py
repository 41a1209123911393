"""The attributes of a backup destination, one row of one table each, and the kinds that have them.

Limits, words, GraphQL names, the columns' types, check constraints and triggers are derived from it. REST's names and
the GraphQL classes are listed there; `tests/models/destinations/test_attributes.py` names what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto


class DestinationKind(StrEnum):
    """The stored name of a kind. Each API has its own name for it."""

    AMAZON_S3 = "amazon_s3"
    CUSTOM_S3 = "custom_s3"
    LOCAL = "local"


_EVERY_KIND = frozenset(DestinationKind)
_S3 = frozenset({DestinationKind.AMAZON_S3, DestinationKind.CUSTOM_S3})


class ValueType(Enum):
    """What the value of an attribute is."""

    TEXT = auto()
    URL = auto()
    BOOLEAN = auto()
    OBJECT_PREFIX = auto()
    CERTIFICATES = auto()
    KIND = auto()


@dataclass(frozen=True, kw_only=True, slots=True)
class AttributeRules:
    """One row of the table; lengths are in characters, for text and URLs."""

    description: str
    type: ValueType = ValueType.TEXT
    max_length: int = 255
    """Of what may be stored from now on."""
    column_length: int = 255
    """Of what the database holds: rows of before may be longer than `max_length`."""
    is_secret: bool = False
    required_by: frozenset[DestinationKind] = frozenset()
    allowed_by: frozenset[DestinationKind] = frozenset()
    """The kinds that may have it but need not."""
    is_documented: bool = True
    """Whether the legacy document has it. REST neither takes nor shows an attribute that it has not."""


class Attribute(StrEnum):
    """What can be set on a destination, in the order in which rules are checked and violations listed.

    The value is the name of the attribute, and of its column.
    """

    rules: AttributeRules

    def __new__(cls, name: str, rules: AttributeRules | None = None) -> Attribute:
        """Make a member of a name and its rules; calls with a name alone look a member up and do not come here."""
        if rules is None:
            raise TypeError(f"the attribute {name} has no rules")
        member = str.__new__(cls, name)
        member._value_ = name
        member.rules = rules
        return member

    LABEL = "label", AttributeRules(description="The name the user gave it.", required_by=_EVERY_KIND)
    KIND = (
        "kind",
        AttributeRules(description="Which kind of store it is.", type=ValueType.KIND, required_by=_EVERY_KIND),
    )
    ACCESS_KEY = (
        "access_key",
        AttributeRules(description="Stored encrypted and never shown.", is_secret=True, required_by=_S3),
    )
    SECRET_KEY = (
        "secret_key",
        AttributeRules(description="Stored encrypted and never shown.", is_secret=True, required_by=_S3),
    )
    BUCKET_NAME = (
        "bucket_name",
        AttributeRules(description="The bucket that backups are written to.", required_by=_S3),
    )
    REGION = (
        "region",
        AttributeRules(
            description="The region of the bucket, such as `us-west-2`.",
            required_by=frozenset({DestinationKind.AMAZON_S3}),
            allowed_by=frozenset({DestinationKind.CUSTOM_S3}),
        ),
    )
    ENDPOINT = (
        "endpoint",
        AttributeRules(
            description=(
                "The URL of the store: http or https with a host, no user info, no fragment; kept exactly as given."
            ),
            type=ValueType.URL,
            column_length=2048,
            required_by=frozenset({DestinationKind.CUSTOM_S3}),
        ),
    )
    PATH_STYLE_ENDPOINT = (
        "path_style_endpoint",
        AttributeRules(
            description="Whether the bucket goes in the path instead of the host name.",
            type=ValueType.BOOLEAN,
            required_by=_S3,
        ),
    )
    CHECK_PREFIX = (
        "check_prefix",
        AttributeRules(
            description="What all objects of a check begin their names with, for keys that may use no others.",
            type=ValueType.OBJECT_PREFIX,
            allowed_by=_S3,
            is_documented=False,
        ),
    )
    CERTIFICATE_AUTHORITIES = (
        "certificate_authorities",
        AttributeRules(
            description="Certificates in PEM, by which the store's own is trusted too: public ones, never a key.",
            type=ValueType.CERTIFICATES,
            max_length=8_192,
            column_length=8_192,
            allowed_by=_S3,
            is_documented=False,
        ),
    )


ATTRIBUTES = tuple(Attribute)
"""All of them; iterating over the class itself takes four times as long."""
SECRET_ATTRIBUTES = frozenset(attribute for attribute in ATTRIBUTES if attribute.rules.is_secret)
TEXTS = frozenset({ValueType.TEXT, ValueType.URL, ValueType.OBJECT_PREFIX, ValueType.CERTIFICATES})
"""The types whose values are text."""
MAX_LENGTHS: Mapping[Attribute, int] = {
    attribute: attribute.rules.max_length for attribute in ATTRIBUTES if attribute.rules.type in TEXTS
}
"""Characters, not bytes."""


class Reachability(StrEnum):
    """Whether a destination answered when it was last checked; one without a bucket is never checked."""

    UNKNOWN = "unknown"
    CHECKING = "checking"
    REACHABLE = "reachable"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, kw_only=True, slots=True)
class KindRules:
    """What holds for one kind: its name for people, and its attributes, label and kind among them."""

    human_name: str
    required: frozenset[Attribute]
    applicable: frozenset[Attribute]
    """Every attribute a destination of this kind can have."""

    @property
    def is_checkable(self) -> bool:
        """Whether it is a bucket, which the store check knows how to ask for."""
        return Attribute.BUCKET_NAME in self.required

    @property
    def has_credentials(self) -> bool:
        """Whether a destination of this kind has secrets."""
        return not SECRET_ATTRIBUTES.isdisjoint(self.applicable)


_HUMAN_NAMES = {
    DestinationKind.AMAZON_S3: "Amazon S3",
    DestinationKind.CUSTOM_S3: "Custom S3",
    DestinationKind.LOCAL: "Local",
}


def _rules(kind: DestinationKind) -> KindRules:
    required = frozenset(attribute for attribute in ATTRIBUTES if kind in attribute.rules.required_by)
    allowed = frozenset(attribute for attribute in ATTRIBUTES if kind in attribute.rules.allowed_by)
    return KindRules(human_name=_HUMAN_NAMES[kind], required=required, applicable=required | allowed)


KINDS: Mapping[DestinationKind, KindRules] = {kind: _rules(kind) for kind in DestinationKind}
