"""What the fuzz of the compiler asks of: an embedded database with odd rows, three users, and rows that break."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.database import migrate
from models.accounts.abilities import Ability
from models.accounts.user import User
from models.accounts.viewer import Viewer
from models.checks.checks import Checks
from models.clock import current_second
from models.destinations.table import BackupDestination
from models.events.event_stream import EventStreams
from models.grants.grants import Grants
from models.reads.listing import DestinationOrder, OrderField
from models.reads.reads import Reads
from models.service import DestinationService
from models.vault.vault import Vault, generate_key
from s3.address_policy import AddressPolicy
from s3.presigning.presigner import S3Presigner
from s3.prober import system_dialer, system_prober
from schema.context import Context
from schema.types.connections import destination_cursor
from tests.support.databases.databases import unserved, viewer_of
from tests.support.databases.many_rows import plant_events
from tests.support.databases.odd_destinations import CHECKS, BrokenReads, plant_odd
from tests.support.databases.services import service_of
from tests.support.fuzz.random_values import ORDERS, UNORDERED, Facts
from tests.support.gateway.gateway import Gateway
from tests.support.stores.checking import uncounted

WATCHED, OTHER, EMPTY, FORBIDDEN = "watched", "other", "empty", "forbidden"
"""Who asks. The facts are about the first; the last is the same without the ability to view."""
_MALFORMED_IDS = ("", "1", 7, "BackupDestination:0", "Row:1", "BackupDestination:1 ", "é", "User:-1", "x" * 300)
_MALFORMED_CURSORS = ("", "x", "=", "é", "AAAA", "WyJpZCIsbnVsbCwwXQ", "x" * 3_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """The services, the users, and what there is to ask for."""

    service: DestinationService
    broken_service: DestinationService
    broken: BrokenReads
    checks: Checks
    grants: Grants
    streams: EventStreams
    viewers: Mapping[str, Viewer]
    facts: Facts

    def context(self, viewer: str, broken_seed: int | None) -> Context:
        """The context of one operation; with a seed, of rows that break."""
        service = self.service
        if broken_seed is not None:
            self.broken.seed, service = broken_seed, self.broken_service
        return Context(
            service=service,
            checks=self.checks,
            grants=self.grants,
            streams=self.streams,
            current_viewer=self.viewers[viewer],
        )


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """A stage on a database of its own."""
    with unserved(None) as gateway:
        await migrate(gateway.address)
        async with gateway.models():
            yield await _stage(gateway)


async def _stage(gateway: Gateway) -> Stage:
    users = {name: await _user(name) for name in (WATCHED, OTHER, EMPTY)}
    own = await plant_odd(gateway, users[WATCHED].id, 24)
    for number, check in enumerate(CHECKS):
        # Each kind has rows with each check: there are as many shapes of rows as checks.
        chosen = [id_ for at, id_ in enumerate(own) if (at + at // len(CHECKS)) % len(CHECKS) == number]
        checked = BackupDestination.filter(id__in=chosen, bucket_name__not_isnull=True)
        await checked.update(last_check=check)
    foreign = await plant_odd(gateway, users[OTHER].id, 3)
    await plant_events(gateway, users[WATCHED].id, ["gone", "lost"])
    viewers = {name: viewer_of(await User.get(id=user.id)) for name, user in users.items()}
    viewers[FORBIDDEN] = viewers[WATCHED]._replace(abilities=frozenset({Ability.CREATE}))
    streams, broken = EventStreams(Reads()), BrokenReads(users[WATCHED].id)
    vault = Vault(generate_key())
    service = service_of(vault, streams=streams)
    ids = {
        "one of the viewer's": [f"BackupDestination:{id_}" for id_ in own],
        "somebody else's": [f"BackupDestination:{id_}" for id_ in foreign],
        "nothing's": ["BackupDestination:999999", "BackupDestination:2147483648", f"BackupDestination:{'9' * 19}"],
        "the user's": [f"User:{viewer.user_id}" for viewer in viewers.values()],
        "an event's": [f"BackupDestinationEvent:{id_}" for id_ in (1, 2, 99)],
        "nobody's, malformed": _MALFORMED_IDS,
    }
    return Stage(
        service=service,
        broken_service=service_of(vault, streams=streams, reads=broken),
        checks=uncounted_checks(vault, streams),
        grants=grants_of(vault, streams),
        broken=broken,
        streams=streams,
        viewers=viewers,
        facts=Facts(ids=ids, cursors=await _cursors(service, viewers[WATCHED], own)),
    )


def uncounted_checks(vault: Vault, streams: EventStreams) -> Checks:
    """Checks without a rate limit."""
    return Checks(vault, system_prober(AddressPolicy(), None), streams, count=uncounted, outcomes=Counter())


def grants_of(vault: Vault, streams: EventStreams) -> Grants:
    """Grants of requests to stores that the policy of addresses allows without a setting."""
    return Grants(vault, S3Presigner(system_dialer(AddressPolicy(), None)), streams)


async def _user(name: str) -> User:
    return await User.create(email=f"{name}@example.com", name=f'{name} é "\\', created_at=current_second())


async def _cursors(service: DestinationService, viewer: Viewer, ids: list[int]) -> dict[str, list[str]]:
    """The cursors of these rows in every order."""
    rows = [await service.get(viewer, id_) for id_ in ids]
    cursors = {UNORDERED: [destination_cursor(row, DestinationOrder()) for row in rows]}
    for name in ORDERS:
        for flavour, descending in ((name, False), (f"{name} DESC", True)):
            order = DestinationOrder(field=OrderField[name], descending=descending)
            cursors[flavour] = [destination_cursor(row, order) for row in rows]
    events = ["WyJldmVudCIsbnVsbCwxXQ", "WyJldmVudCIsbnVsbCwyXQ"]
    return {**cursors, "event": events, "wrong": [*_MALFORMED_CURSORS, *events]}
