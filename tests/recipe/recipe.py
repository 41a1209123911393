"""The recipe of CONTRIBUTING as edits of the sources: the kind `azure_blob`, and the optional attribute `prefix`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Insert(NamedTuple):
    """A text that goes before, or behind, a line that stands once in a file."""

    file: str
    anchor: str
    text: str
    is_before: bool = False


ATTRIBUTES = "models/destinations/attributes.py"
TABLE = "models/destinations/table.py"
ROW = "models/destinations/row.py"
WIRE = "rest/wire.py"
ENUMS = "schema/types/enums.py"
INPUTS = "schema/types/inputs.py"
TYPES = "schema/types/destinations.py"
EXAMPLES = "tests/support/gateway/gateway.py"

KIND: Sequence[Insert] = (
    Insert(ATTRIBUTES, '    LOCAL = "local"', '    AZURE_BLOB = "azure_blob"\n'),
    Insert(ATTRIBUTES, '    DestinationKind.LOCAL: "Local",', '    DestinationKind.AZURE_BLOB: "Azure Blob",\n'),
    Insert(
        ATTRIBUTES,
        "ATTRIBUTES = tuple(Attribute)",
        """    CONTAINER_NAME = (
        "container_name",
        AttributeRules(description="The container.", required_by=frozenset({DestinationKind.AZURE_BLOB})),
    )
    ACCOUNT_NAME = (
        "account_name",
        AttributeRules(description="The account.", required_by=frozenset({DestinationKind.AZURE_BLOB})),
    )
    ACCOUNT_KEY = (
        "account_key",
        AttributeRules(
            description="Stored encrypted and never shown.",
            is_secret=True,
            required_by=frozenset({DestinationKind.AZURE_BLOB}),
        ),
    )


""",
        is_before=True,
    ),
    Insert(
        TABLE,
        "    credentials_set_at = fields.DatetimeField(null=True)",
        """    container_name: str | None = _column(Attribute.CONTAINER_NAME)
    account_name: str | None = _column(Attribute.ACCOUNT_NAME)
    account_key: str | None = _column(Attribute.ACCOUNT_KEY)
""",
    ),
    Insert(
        ROW,
        "    path_style_endpoint: bool | None",
        "    container_name: str | None\n    account_name: str | None\n",
    ),
    Insert(
        WIRE,
        '    Attribute.PATH_STYLE_ENDPOINT: "path_style_endpoint",',
        """    Attribute.CONTAINER_NAME: "azure_container_name",
    Attribute.ACCOUNT_NAME: "azure_account_name",
    Attribute.ACCOUNT_KEY: "azure_account_key",
""",
    ),
    Insert(WIRE, '    DestinationKind.LOCAL: "local",', '    DestinationKind.AZURE_BLOB: "azure",\n'),
    Insert(
        WIRE,
        "            return _local_display(kind)",
        "        case DestinationKind.AZURE_BLOB:\n            return _container_display(kind)\n",
    ),
    Insert(
        WIRE,
        "_SHOWN = {kind.value: _display(kind) for kind in DestinationKind}",
        """def _container_display(kind: DestinationKind) -> Callable[[DestinationRow], dict[str, Any]]:
    show_local = _local_display(kind)

    def show(row: DestinationRow) -> dict[str, Any]:
        shown = show_local(row)
        times = {name: shown.pop(name) for name in ("created_at", "updated_at")}
        names = {"azure_container_name": row.container_name, "azure_account_name": row.account_name}
        return {**shown, **names, **times}

    return show


""",
        is_before=True,
    ),
    Insert(
        ENUMS,
        "    LOCAL = enum_value(Kind.LOCAL.value",
        '    AZURE_BLOB = enum_value(Kind.AZURE_BLOB.value, description="A container at Azure.")\n',
        is_before=True,
    ),
    Insert(
        INPUTS,
        '@strawberry.input(description="A directory on the server that takes the backup.")',
        """@strawberry.input(description="A container at Azure.")
class AzureBlobDestinationInput:
    label: str = strawberry.field(description="What to call it, at most 255 characters.")
    container_name: str = strawberry.field(description="The container.")
    account_name: str = strawberry.field(description="The account.")
    account_key: str = strawberry.field(description="The key of the account.")


""",
        is_before=True,
    ),
    Insert(
        INPUTS,
        "    local: strawberry.Maybe[LocalDestinationInput]",
        """    azure_blob: strawberry.Maybe[AzureBlobDestinationInput] = strawberry.field(
        description="A container at Azure."
    )
""",
        is_before=True,
    ),
    Insert(
        INPUTS,
        "    credentials: strawberry.Maybe[S3CredentialsInput | None]",
        """    container_name: strawberry.Maybe[str | None] = strawberry.field(description="The container.")
    account_name: strawberry.Maybe[str | None] = strawberry.field(description="The account.")
    account_key: strawberry.Maybe[str | None] = strawberry.field(description="The key of the account.")
""",
        is_before=True,
    ),
    Insert(
        TYPES,
        "DESTINATION_TYPES: Mapping",
        """@strawberry.type(description="A container at Azure.")
class AzureBlobDestination(BackupDestination):
    container_name: str = strawberry.field(description="The container.")
    account_name: str = strawberry.field(description="The account.")


""",
        is_before=True,
    ),
    Insert(
        TYPES, "    DestinationKind.LOCAL: LocalDestination,", "    DestinationKind.AZURE_BLOB: AzureBlobDestination,\n"
    ),
    Insert(
        TYPES,
        "            return LocalDestination(**_node(row))",
        """        case DestinationKind.AZURE_BLOB:
            names = {"container_name": row.container_name, "account_name": row.account_name}
            return AzureBlobDestination(**_node(row), **names)
""",
    ),
    Insert(
        EXAMPLES,
        '    "local": {},',
        """    "azure": {
        "azure_container_name": "nightly",
        "azure_account_name": "account",
        "azure_account_key": "a-key-of-the-tests",
    },
""",
    ),
)
ATTRIBUTE: Sequence[Insert] = (
    Insert(
        ATTRIBUTES,
        "ATTRIBUTES = tuple(Attribute)",
        '    PREFIX = "prefix", AttributeRules(description="What names of objects begin with.", allowed_by=_S3)\n\n\n',
        is_before=True,
    ),
    Insert(
        TABLE,
        "    credentials_set_at = fields.DatetimeField(null=True)",
        "    prefix: str | None = _column(Attribute.PREFIX)\n",
    ),
    Insert(ROW, "    path_style_endpoint: bool | None", "    prefix: str | None\n"),
    Insert(WIRE, '    Attribute.PATH_STYLE_ENDPOINT: "path_style_endpoint",', '    Attribute.PREFIX: "s3_prefix",\n'),
    Insert(WIRE, "            where: row[column],", '            "s3_prefix": row.prefix,\n'),
    Insert(
        INPUTS,
        "    region: str = strawberry.field(",
        """    prefix: str | None = strawberry.field(
        default=strawberry.UNSET, description="What names of objects begin with."
    )
""",
    ),
    Insert(
        INPUTS,
        '    endpoint: str = strawberry.field(description="The absolute http or https URL of the store.")',
        """    prefix: str | None = strawberry.field(
        default=strawberry.UNSET, description="What names of objects begin with."
    )
""",
    ),
    Insert(
        INPUTS,
        "    credentials: strawberry.Maybe[S3CredentialsInput | None]",
        '    prefix: strawberry.Maybe[str | None] = strawberry.field(description="What names begin with.")\n',
        is_before=True,
    ),
    Insert(
        TYPES,
        "    credentials_set_at: datetime = strawberry.field(",
        '    prefix: str | None = strawberry.field(description="What names of objects begin with.")\n',
        is_before=True,
    ),
    Insert(TYPES, '        "bucket_name": row.bucket_name,', '        "prefix": row.prefix,\n'),
)


def apply(recipe: Sequence[Insert], root: Path) -> frozenset[str]:
    """Edit the sources below `root`; returns the files that were touched. Raises ValueError for an anchor not found."""
    for insert in recipe:
        file = root / insert.file
        lines = file.read_text().splitlines(keepends=True)
        found = [number for number, line in enumerate(lines) if line.startswith(insert.anchor)]
        if len(found) != 1:
            raise ValueError(f"{insert.file} has {len(found)} lines that begin with {insert.anchor.strip()}")
        at = found[0] if insert.is_before else found[0] + 1
        file.write_text("".join([*lines[:at], insert.text, *lines[at:]]))
    return frozenset(insert.file for insert in recipe)


MOST_FILES: Mapping[str, int] = {"kind": 8, "attribute": 6}
"""What CONTRIBUTING promises, migrations and generated files aside."""
