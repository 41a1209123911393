"""The names that GraphQL gives to attributes and kinds, derived from the table of attributes."""

from __future__ import annotations

from collections.abc import Iterable

from models.destinations.attributes import ATTRIBUTES, Attribute, DestinationKind
from schema.types.inputs import S3CredentialsInput


def camel(name: str) -> str:
    """A name of the domain, such as `content_type`, as GraphQL has it."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


PATHS: dict[Attribute, tuple[str, ...]] = {
    attribute: (*(["credentials"] if attribute in S3CredentialsInput.__annotations__ else []), camel(attribute))
    for attribute in ATTRIBUTES
}
"""Where an attribute is in the input of one kind."""

WORDS: dict[Attribute, str] = {attribute: attribute.replace("_", " ") for attribute in ATTRIBUTES}
"""What a sentence calls an attribute."""

INPUTS: dict[DestinationKind, str] = {kind: camel(kind) for kind in DestinationKind}
"""The field of `CreateBackupDestinationInput` that stands for a kind."""


def changed_names(attributes: Iterable[str]) -> list[str]:
    """Attribute names as GraphQL fields, each once: both S3 keys are `credentials`."""
    return list(dict.fromkeys(PATHS[Attribute(attribute)][0] for attribute in attributes))
