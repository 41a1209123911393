"""The GraphQL names of attributes and kinds, for the paths and sentences of violations."""

from __future__ import annotations

from collections.abc import Iterable

from models.destinations.attributes import Attribute, DestinationKind

PATHS: dict[Attribute, tuple[str, ...]] = {
    Attribute.LABEL: ("label",),
    Attribute.KIND: ("kind",),
    Attribute.ACCESS_KEY: ("credentials", "accessKey"),
    Attribute.SECRET_KEY: ("credentials", "secretKey"),
    Attribute.BUCKET_NAME: ("bucketName",),
    Attribute.REGION: ("region",),
    Attribute.ENDPOINT: ("endpoint",),
    Attribute.PATH_STYLE_ENDPOINT: ("pathStyleEndpoint",),
}
"""The path of an attribute inside the input of one kind."""

WORDS: dict[Attribute, str] = {
    Attribute.LABEL: "label",
    Attribute.KIND: "kind",
    Attribute.ACCESS_KEY: "access key",
    Attribute.SECRET_KEY: "secret key",
    Attribute.BUCKET_NAME: "bucket name",
    Attribute.REGION: "region",
    Attribute.ENDPOINT: "endpoint",
    Attribute.PATH_STYLE_ENDPOINT: "path style endpoint",
}
"""The name of an attribute in a sentence."""

INPUTS: dict[DestinationKind, str] = {
    DestinationKind.AMAZON_S3: "amazonS3",
    DestinationKind.CUSTOM_S3: "customS3",
    DestinationKind.LOCAL: "local",
}
"""The field of `CreateBackupDestinationInput` for a kind."""


def changed_names(attributes: Iterable[str]) -> list[str]:
    """The GraphQL fields of attribute names, each once: both keys are `credentials`."""
    return list(dict.fromkeys(PATHS[Attribute(attribute)][0] for attribute in attributes))
