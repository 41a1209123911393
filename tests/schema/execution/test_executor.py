"""What executing one operation leaves in memory."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import orjson

from app.database import migrate
from models.accounts.user import User
from models.clock import current_second
from models.events.event_stream import EventStreams
from models.reads.reads import Reads
from models.vault.vault import Vault, generate_key
from schema.context import Context
from schema.execution.engine import Engine
from schema.limits import Limits
from tests.support import figures
from tests.support.databases.databases import unserved, viewer_of
from tests.support.databases.many_rows import plant_events
from tests.support.databases.services import service_of
from tests.support.fuzz.fuzz_stage import grants_of, uncounted_checks

MEBIBYTE = 2**20
EVENTS_IN_ALL = figures.amount(30_000, 110_000)
EVENTS = """subscription ($after: ID) {
  backupDestinationEvents(after: $after) { id occurredAt ... on BackupDestinationDeleted { label } }
}"""


def resident_bytes() -> int:
    """The memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no resident memory")


async def test_a_stream_holds_no_memory_of_events_it_has_delivered() -> None:
    """Many events on one stream; graphql-core's own executor holds some 2 kB of each."""
    with unserved(None) as gateway:
        await migrate(gateway.address)
        async with gateway.models():
            user = await User.create(email="a@example.com", name="A", created_at=current_second())
            for start in range(0, EVENTS_IN_ALL + 1, 10_000):
                await plant_events(gateway, user.id, [f"{n}" for n in range(start, start + 10_000)])
            streams, vault = EventStreams(Reads()), Vault(generate_key())
            service, checks = service_of(vault, streams=streams), uncounted_checks(vault, streams)
            context = Context(
                service=service,
                checks=checks,
                grants=grants_of(vault, streams),
                streams=streams,
                current_viewer=viewer_of(user),
            )
            engine = Engine(Limits())
            prepared = engine.prepare(EVENTS, None)

            delivered, before, labels = 0, 0, set[str]()
            variables = {"after": "BackupDestinationEvent:1"}
            async with aclosing(await engine.listen(prepared, variables, context)) as answers:
                async for responses in answers:
                    if delivered < 10_000 <= delivered + len(responses.texts):
                        before = resident_bytes()
                    delivered += len(responses.texts)
                    if delivered > EVENTS_IN_ALL - 10:
                        shown = [orjson.loads(text)["data"]["backupDestinationEvents"] for text in responses.texts]
                        labels |= {event["label"] for event in shown}
                    if delivered >= EVENTS_IN_ALL:
                        break
            grown = resident_bytes() - before

    assert labels >= {f"{n}" for n in range(EVENTS_IN_ALL - 9, EVENTS_IN_ALL + 1)}
    assert grown < 16 * MEBIBYTE
