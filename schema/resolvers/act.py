"""What the mutations of destinations do: one function each, called by resolvers and by compiled mutations alike."""

from __future__ import annotations

from models.accounts.abilities import Ability
from models.destinations.row import DestinationRow
from schema.context import Context
from schema.types.ids import NodeType, parse_id_of
from schema.types.inputs import CreateBackupDestinationInput, UpdateBackupDestinationInput


async def create_destination(
    context: Context,
    response_name: str,
    input: CreateBackupDestinationInput,  # noqa: A002 - the argument's name
) -> DestinationRow:
    """Create a destination and return its row; needs `create-backup-destinations`."""
    return await context.service.create(
        context.viewer, input.raw(), strict=True, keyed=context.keyed_act(response_name)
    )


async def update_destination(
    context: Context,
    response_name: str,
    id: str,  # noqa: A002 - the argument's name
    input: UpdateBackupDestinationInput,  # noqa: A002 - the argument's name
    expected_version: int | None = None,
) -> DestinationRow:
    """Update a destination and return its row; needs `update-backup-destinations`, checked before the ID is read."""
    context.viewer.require(Ability.UPDATE)
    number = parse_id_of(NodeType.DESTINATION, id)
    keyed = context.keyed_act(response_name)
    return await context.service.update(
        context.viewer, number, input.raw(), strict=True, expected_version=expected_version, keyed=keyed
    )


async def delete_destination(
    context: Context,
    response_name: str,
    id: str,  # noqa: A002 - the argument's name
    expected_version: int | None = None,
) -> str:
    """Delete a destination and return its ID; needs `delete-backup-destinations`, checked before the ID is read."""
    context.viewer.require(Ability.DELETE)
    number = parse_id_of(NodeType.DESTINATION, id)
    keyed = context.keyed_act(response_name)
    await context.service.delete(context.viewer, number, expected_version=expected_version, keyed=keyed)
    return id
