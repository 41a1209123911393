"""The kinds of backup destination, and the one table saying what each is called, requires and allows."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class DestinationKind(StrEnum):
    """The stored name of a kind. What each protocol calls it is the protocol's affair."""

    AMAZON_S3 = "amazon_s3"
    CUSTOM_S3 = "custom_s3"
    LOCAL = "local"


class Attribute(StrEnum):
    """What can be set on a destination, in the order in which rules are checked and violations listed."""

    LABEL = "label"
    KIND = "kind"
    ACCESS_KEY = "access_key"
    SECRET_KEY = "secret_key"  # noqa: S105 - the name of the attribute
    BUCKET_NAME = "bucket_name"
    REGION = "region"
    ENDPOINT = "endpoint"
    PATH_STYLE_ENDPOINT = "path_style_endpoint"


ATTRIBUTES = tuple(Attribute)
"""All of them; to go over the class itself takes four times as long."""
SECRET_ATTRIBUTES = frozenset({Attribute.ACCESS_KEY, Attribute.SECRET_KEY})

_CREDENTIALS_AND_BUCKET = frozenset(
    {Attribute.ACCESS_KEY, Attribute.SECRET_KEY, Attribute.BUCKET_NAME, Attribute.PATH_STYLE_ENDPOINT}
)


class Reachability(StrEnum):
    """Whether a destination answered when it was last checked; a local one is never checked."""

    UNKNOWN = "unknown"
    CHECKING = "checking"
    REACHABLE = "reachable"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, kw_only=True, slots=True)
class KindRules:
    """What holds for one kind: its name for people, and its attributes beside label and kind."""

    human_name: str
    required: frozenset[Attribute]
    optional: frozenset[Attribute] = frozenset()
    applicable: frozenset[Attribute] = field(init=False)
    """Every attribute a destination of this kind can have, label and kind included."""

    def __post_init__(self) -> None:
        """Put them together once: every write asks."""
        object.__setattr__(self, "applicable", self.required | self.optional | {Attribute.LABEL, Attribute.KIND})

    @property
    def is_checkable(self) -> bool:
        """Whether there is a store behind it that can be asked."""
        return Attribute.BUCKET_NAME in self.required


KINDS: dict[DestinationKind, KindRules] = {
    DestinationKind.AMAZON_S3: KindRules(
        human_name="Amazon S3",
        required=_CREDENTIALS_AND_BUCKET | {Attribute.REGION},
    ),
    DestinationKind.CUSTOM_S3: KindRules(
        human_name="Custom S3",
        required=_CREDENTIALS_AND_BUCKET | {Attribute.ENDPOINT},
        optional=frozenset({Attribute.REGION}),
    ),
    DestinationKind.LOCAL: KindRules(human_name="Local", required=frozenset()),
}
