"""The root type of mutations. Refusals are raised by the domain and become problems in `results.EXCEPTION_HANDLERS`."""

from __future__ import annotations

from typing import cast

import strawberry
from strawberry import UNSET
from strawberry.types import Info

from models.accounts.abilities import Ability
from models.checks import report as model
from models.reads.listing import BY_ID, EVERYTHING
from schema.act_once import run_act
from schema.context import Context
from schema.resolvers.act import create_destination, delete_destination, update_destination
from schema.types.arguments import CreateInput, Depth, ExpectedVersion, Filter, GrantInput, IdArgument, UpdateInput
from schema.types.checks import CheckDepth, present_job, present_report
from schema.types.connections import destination_edge
from schema.types.destinations import S3CompatibleDestination, present
from schema.types.grants import GrantBackupDestinationAccessResult, present_grant
from schema.types.ids import NodeType, parse_id_of
from schema.types.results import (
    CheckBackupDestinationPayload,
    CheckBackupDestinationResult,
    CheckBackupDestinationsPayload,
    CheckBackupDestinationsResult,
    CreateBackupDestinationPayload,
    CreateBackupDestinationResult,
    DeleteBackupDestinationPayload,
    DeleteBackupDestinationResult,
    TestBackupDestinationPayload,
    TestBackupDestinationResult,
    UpdateBackupDestinationPayload,
    UpdateBackupDestinationResult,
)


@strawberry.type(description="Mutations. All act on the viewer's own destinations.")
class Mutation:
    @strawberry.mutation(description="Add a destination.")
    async def create_backup_destination(
        self,
        info: Info[Context, None],
        input: CreateInput,  # noqa: A002 - the public name
    ) -> CreateBackupDestinationResult:
        """Needs `create-backup-destinations`."""
        row = await run_act(info, create_destination, input=input)
        return CreateBackupDestinationPayload(backup_destination=present(row), edge=destination_edge(row, BY_ID))

    @strawberry.mutation(description="Change the fields that are present; fields left out keep their values.")
    async def update_backup_destination(
        self,
        info: Info[Context, None],
        id: IdArgument,  # noqa: A002 - the public name
        input: UpdateInput,  # noqa: A002 - the public name
        expected_version: ExpectedVersion = None,
    ) -> UpdateBackupDestinationResult:
        """Needs `update-backup-destinations`, checked before the ID is read."""
        row = await run_act(info, update_destination, id=id, input=input, expected_version=expected_version)
        return UpdateBackupDestinationPayload(backup_destination=present(row))

    @strawberry.mutation(description="Remove a destination and its credentials; what it holds stays where it is.")
    async def delete_backup_destination(
        self,
        info: Info[Context, None],
        id: IdArgument,  # noqa: A002 - the public name
        expected_version: ExpectedVersion = None,
    ) -> DeleteBackupDestinationResult:
        """Needs `delete-backup-destinations`, checked before the ID is read."""
        deleted_id = await run_act(info, delete_destination, id=id, expected_version=expected_version)
        return DeleteBackupDestinationPayload(deleted_id=deleted_id)

    @strawberry.mutation(
        description="Ask the store whether it takes backups, step by step, and wait for the result; 5 times a minute."
    )
    async def check_backup_destination(
        self,
        info: Info[Context, None],
        id: IdArgument,  # noqa: A002 - the public name
        depth: Depth = CheckDepth.FULL,
    ) -> CheckBackupDestinationResult:
        """Needs `update-backup-destinations`, checked before the ID is read."""
        info.context.viewer.require(Ability.UPDATE)
        number = parse_id_of(NodeType.DESTINATION, id)
        checks = info.context.wait_for_store()
        row, report = await checks.check(info.context.viewer, number, model.CheckDepth[depth.name])
        return CheckBackupDestinationPayload(
            backup_destination=cast(S3CompatibleDestination, present(row)), report=present_report(report, number)
        )

    @strawberry.mutation(
        description="Sign requests to the store, for a backup job that uses the destination without its keys."
    )
    async def grant_backup_destination_access(
        self,
        info: Info[Context, None],
        id: IdArgument,  # noqa: A002 - the public name
        input: GrantInput,  # noqa: A002 - the public name
    ) -> GrantBackupDestinationAccessResult:
        """Needs `use-backup-destinations`, checked before the ID is read."""
        viewer, grants = info.context.viewer, info.context.grants
        viewer.require(Ability.USE)
        row = await grants.find(viewer, parse_id_of(NodeType.DESTINATION, id))
        return present_grant(await grants.grant(viewer, row, input.raw()))

    @strawberry.mutation(
        description="Start to check all destinations that a filter lets through, a few at a time; returns at once. One "
        "job of a user at a time, which counts as one check; local destinations have nothing to check."
    )
    async def check_backup_destinations(
        self,
        info: Info[Context, None],
        filter: Filter = UNSET,  # noqa: A002 - the public name
        depth: Depth = CheckDepth.FULL,
    ) -> CheckBackupDestinationsResult:
        """Needs `update-backup-destinations`."""
        chosen = filter.chosen() if filter else EVERYTHING
        job = await info.context.jobs.start(info.context.viewer, chosen, model.CheckDepth[depth.name])
        return CheckBackupDestinationsPayload(job=present_job(job))

    @strawberry.mutation(description="Run the same check with values that are not saved; nothing is stored.")
    async def test_backup_destination(
        self,
        info: Info[Context, None],
        input: CreateInput,  # noqa: A002 - the public name
        depth: Depth = CheckDepth.FULL,
    ) -> TestBackupDestinationResult:
        """Needs `update-backup-destinations`."""
        checks = info.context.wait_for_store()
        report = await checks.test(info.context.viewer, input.raw(), model.CheckDepth[depth.name])
        return TestBackupDestinationPayload(report=present_report(report, None))
