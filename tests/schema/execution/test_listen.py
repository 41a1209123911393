"""A stream ends before an event that it cannot show, so that the client resumes with it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import orjson
import pytest

from models.accounts.user import User
from models.clock import current_second
from models.destinations.attributes import Attribute, DestinationKind
from models.errors import DatabaseUnavailable
from models.events.event import Event
from models.events.event_stream import EventStreams
from models.reads.reads import Reads
from models.vault.vault import Vault, generate_key
from schema.context import Context
from schema.execution.engine import Engine, NotExecuted
from schema.limits import Limits
from tests.support.databases.databases import ENGINES, migrated, viewer_of
from tests.support.databases.postgres import PostgresServer
from tests.support.databases.services import service_of
from tests.support.fuzz.fuzz_stage import grants_of, uncounted_checks
from tests.support.gateway.gateway import Gateway

EVENTS = """subscription ($after: ID) { backupDestinationEvents(after: $after) { id
  ... on BackupDestinationCreated { backupDestination { label } } } }"""


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    with migrated(request.param, postgres) as gateway:
        yield gateway


async def test_an_event_whose_destination_cannot_be_looked_up_is_repeated_and_never_shown_without_it(
    database: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Null is what the schema says of a destination that is gone."""
    async with database.models():
        user = await User.create(email=f"{uuid4().hex}@example.com", name="A", created_at=current_second())
        reads, vault = Reads(), Vault(generate_key())
        streams, viewer = EventStreams(reads), viewer_of(user)
        service = service_of(vault, streams=streams, reads=reads)
        for label in ("first", "second"):
            await service.create(viewer, {Attribute.KIND: DestinationKind.LOCAL, Attribute.LABEL: label})
        first, second = await Event.filter(user_id=user.id).order_by("id")
        checks = uncounted_checks(vault, streams)
        context = Context(
            service=service, checks=checks, grants=grants_of(vault, streams), streams=streams, current_viewer=viewer
        )
        engine = Engine(Limits())
        prepared = engine.prepare(EVENTS, None)
        variables = {"after": f"BackupDestinationEvent:{first.id}"}

        async def fail(_ids: Collection[int]) -> dict[int, Any]:
            raise DatabaseUnavailable

        with monkeypatch.context() as broken:
            broken.setattr(reads._destinations, "_fetch", fail)
            async with aclosing(await engine.listen(prepared, variables, context)) as answers:
                with pytest.raises(NotExecuted) as ended:
                    await anext(answers)
        async with aclosing(await engine.listen(prepared, variables, context)) as answers:
            (text,) = (await anext(answers)).texts

    assert [error["extensions"]["code"] for error in ended.value.answer["errors"]] == ["SERVICE_UNAVAILABLE"]
    shown = {"id": f"BackupDestinationEvent:{second.id}", "backupDestination": {"label": "second"}}
    assert orjson.loads(text) == {"data": {"backupDestinationEvents": shown}}


async def test_a_notified_event_that_shows_no_other_row_is_there_in_one_turn_of_the_event_loop(
    database: Gateway,
) -> None:
    """No task, no read: other requests get nothing of the loop between the notification and the response."""
    async with database.models():
        user = await User.create(email=f"{uuid4().hex}@example.com", name="A", created_at=current_second())
        reads, vault = Reads(), Vault(generate_key())
        streams, viewer = EventStreams(reads), viewer_of(user)
        context = Context(
            service=service_of(vault, streams=streams, reads=reads),
            checks=uncounted_checks(vault, streams),
            grants=grants_of(vault, streams),
            streams=streams,
            current_viewer=viewer,
        )
        engine = Engine(Limits())
        prepared = engine.prepare("subscription { backupDestinationEvents { id protocol } }", None)
        event = [0, 7, "deleted", 1, "x", "", "rest", None, None, None, 1.5e9]

        async with aclosing(await engine.listen(prepared, {}, context)) as answers:
            waiting = asyncio.create_task(anext(answers))
            while not (len(streams) and all(stream.news for stream in streams._feeds[user.id].streams)):  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(0.01)
            streams.notify(user.id, orjson.dumps(event).decode())
            await asyncio.sleep(0)

            assert waiting.done()
            shown = {"id": "BackupDestinationEvent:7", "protocol": "REST"}
            assert [orjson.loads(text) for text in (await waiting).texts] == [
                {"data": {"backupDestinationEvents": shown}}
            ]
