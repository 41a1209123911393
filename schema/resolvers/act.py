"""What the mutations of destinations do: one function each, called by resolvers and by compiled mutations alike."""

from __future__ import annotations

import re

from models.accounts.abilities import Ability
from models.destinations.row import DestinationRow
from schema.context import Context
from schema.errors import BadInput
from schema.types.ids import NodeType, parse_id_of
from schema.types.inputs import CreateBackupDestinationInput, UpdateBackupDestinationInput

_VERSION = re.compile(r"[0-9]{1,19}", re.ASCII)


async def create_destination(
    context: Context,
    input: CreateBackupDestinationInput,  # noqa: A002 - the argument's name
) -> DestinationRow:
    """Create a destination and return its row; needs `create-backup-destinations`."""
    return await context.service.create(context.viewer, input.raw(), strict=True)


async def update_destination(
    context: Context,
    id: str,  # noqa: A002 - the argument's name
    input: UpdateBackupDestinationInput,  # noqa: A002 - the argument's name
    expected_version: str | None = None,
) -> DestinationRow:
    """Update a destination and return its row; needs `update-backup-destinations`, checked before the ID is read."""
    context.viewer.require(Ability.UPDATE)
    number = parse_id_of(NodeType.DESTINATION, id)
    expected = _version(expected_version)
    return await context.service.update(context.viewer, number, input.raw(), strict=True, expected_version=expected)


async def delete_destination(
    context: Context,
    id: str,  # noqa: A002 - the argument's name
    expected_version: str | None = None,
) -> str:
    """Delete a destination and return its ID; needs `delete-backup-destinations`, checked before the ID is read."""
    context.viewer.require(Ability.DELETE)
    number, expected = parse_id_of(NodeType.DESTINATION, id), _version(expected_version)
    await context.service.delete(context.viewer, number, expected_version=expected)
    return id


def _version(text: str | None) -> int | None:
    """The version that a client expects, as the row has it; raises `BadInput` for a text that is none."""
    if text is None:
        return None
    if not _VERSION.fullmatch(text):
        raise BadInput("This is not a version of this API.")
    return int(text)
