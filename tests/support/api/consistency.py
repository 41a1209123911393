"""Readers that now and then write, in every way there is, and hold every answer against what was written before."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from urllib.parse import quote

from schema.types.ids import NodeType, global_id
from tests.support.api.destinations import LIST, at, draft
from tests.support.api.ledger import Person, writing
from tests.support.api.writes import COLUMNS, NEW_UID
from tests.support.databases.databases import TIMESTAMP, update
from tests.support.gateway.gateway import Gateway
from tests.support.gateway.keep_alive import Answer, KeepAlive

QUERY = "{ viewer { name } backupDestinations(first: 2) { totalCount edges { node { label } } } }"
GRAPHQL_GET = f"/graphql?query={quote(QUERY)}"
RENAME = (
    "mutation($id: ID!, $label: String!) { updateBackupDestination(id: $id, input: {label: $label}) { __typename } }"
)
CREATE = 'mutation { createBackupDestination(input: {local: {label: "made"}}) { __typename } }'
DELETE = "mutation($id: ID!) { deleteBackupDestination(id: $id) { __typename } }"
Facts = dict[str, int]


class Reader:
    """Reads, now and then writes, and holds every answer against the ledger."""

    def __init__(self, pair: list[Gateway], people: list[Person], seed: str) -> None:
        self._gateway = pair[0]
        self._people = people
        self._connections = [KeepAlive(gateway) for gateway in pair]
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._had: dict[tuple[int, str], tuple[str, Facts]] = {}
        self.statuses: Counter[int] = Counter()

    async def aclose(self) -> None:
        for connection in self._connections:
            connection.close()

    async def read(self) -> None:
        """One read in one of all ways; a client that has an answer may ask whether it still stands."""
        person = self._random.choice(self._people)
        method, target, json = self._random.choice(
            [
                ("GET", LIST, None),
                ("GET", at(person.own), None),
                ("GET", at(person.bulk), None),
                ("GET", GRAPHQL_GET, None),
                ("POST", "/graphql", {"query": QUERY}),
            ]
        )
        had = self._had.get((person.account.user_id, target)) if self._random.random() < 0.5 else None
        headers = {} if had is None or method == "POST" else {"If-None-Match": had[0]}
        done = dict(person.done)
        connection = self._random.choice(self._connections)
        answer = await connection.ask(method, target, person.account.token, json=json, headers=headers)
        self.statuses[answer.status] += 1
        shown = had[1] if had is not None and answer.status == 304 else facts_of(answer, target, person)
        if "etag" in answer.headers:
            self._had[person.account.user_id, target] = answer.headers["etag"], shown
        least, most = person.least(done), person.most(done)
        assert [f for f, value in shown.items() if not least[f] <= value <= most[f]] == [], (target, shown, least, most)

    async def write(self) -> None:
        """One write in one of all ways."""
        person, other = self._random.sample(self._people, 2)
        way = self._random.choice([self._relabel, self._rename, self._relabel_all, self._add, self._remove, self._move])
        await way(person, other)

    async def _relabel(self, person: Person, _other: Person) -> None:
        async with writing([person], "own"):
            label = str(person.started["own"])
            way = self._random.choice(["REST", "GraphQL", "SQL"])
            if way == "REST":
                await self._ask(person, "PUT", at(person.own), {"label": label})
            elif way == "GraphQL":
                id_ = global_id(NodeType.DESTINATION, person.own)
                await self._mutate(person, RENAME, {"id": id_, "label": label})
            else:
                await self._sql(update("backup_destinations", {"label": f"'{label}'"}, f"id = {person.own}"))

    async def _rename(self, person: Person, _other: Person) -> None:
        async with writing([person], "name"):
            changes = {"name": f"'{person.started['name']}'"}
            await self._sql(update("users", changes, f"id = {person.account.user_id}"))

    async def _relabel_all(self, _person: Person, _other: Person) -> None:
        """One statement for all users."""
        async with writing(self._people, "bulk"):
            ids = ", ".join(str(person.bulk) for person in self._people)
            changes = {"label": f"'{self._people[0].started['bulk']}'"}
            await self._sql(update("backup_destinations", changes, f"id IN ({ids})"))

    async def _add(self, person: Person, other: Person) -> None:
        way = self._random.choice(["REST", "GraphQL", "SQL"])
        if way == "SQL":
            pair = sorted([person, other], key=self._people.index)
            async with writing(pair, "made", by=2):
                await self._sql(insert_rows(self._gateway.engine, [somebody.account.user_id for somebody in pair], 2))
            return
        async with writing([person], "made"):
            if way == "REST":
                await self._ask(person, "POST", LIST, draft("local"), status=201)
            else:
                await self._mutate(person, CREATE, {})

    async def _remove(self, person: Person, _other: Person) -> None:
        if not person.spares:
            return
        id_ = person.spares.pop()
        async with writing([person], "gone"):
            way = self._random.choice(["REST", "GraphQL", "SQL"])
            if way == "REST":
                await self._ask(person, "DELETE", at(id_))
            elif way == "GraphQL":
                await self._mutate(person, DELETE, {"id": global_id(NodeType.DESTINATION, id_)})
            else:
                await self._sql(f"DELETE FROM backup_destinations WHERE id = {id_}")  # noqa: S608 - our own integer

    async def _move(self, person: Person, other: Person) -> None:
        """A destination becomes another user's; one whose own are older, so that they stay first in the list."""
        if person.spares and self._people.index(person) > self._people.index(other):
            id_ = person.spares.pop()
            async with writing([other], "made"), writing([person], "gone"):
                changes = {"user_id": str(other.account.user_id)}
                await self._sql(update("backup_destinations", changes, f"id = {id_}"))

    async def _mutate(self, person: Person, query: str, variables: Mapping[str, str]) -> None:
        answer = await self._ask(person, "POST", "/graphql", {"query": query, "variables": variables})
        assert b"Payload" in answer.body, answer.body

    async def _ask(self, person: Person, method: str, target: str, json: object = None, status: int = 200) -> Answer:
        connection = self._random.choice(self._connections)
        answer = await connection.ask(method, target, person.account.token, json=json)
        assert answer.status == status, answer.body
        return answer

    async def _sql(self, statement: str) -> None:
        """Past both gateways, while they go on."""
        await asyncio.to_thread(asyncio.run, self._gateway.rows(statement))


def facts_of(answer: Answer, target: str, person: Person) -> Facts:
    """The numbers that an answer shows."""
    assert answer.status == 200, answer.body
    if target == LIST:
        first, second = answer.json["data"][:2]
        return {"own": int(first["label"]), "bulk": int(second["label"]), "total": answer.json["meta"]["total"]}
    if target.startswith(LIST):
        return {"own" if target == at(person.own) else "bulk": int(answer.json["data"]["label"])}
    data = answer.json["data"]
    own, bulk = (int(edge["node"]["label"]) for edge in data["backupDestinations"]["edges"])
    total = data["backupDestinations"]["totalCount"]
    return {"name": int(data["viewer"]["name"]), "own": own, "bulk": bulk, "total": total}


def insert_rows(engine: str, users: list[int], copies: int) -> str:
    """The statement that stores several destinations for each of the users at once."""
    uid = NEW_UID["sqlite" if engine == "sqlite" else "postgres"]
    values = " UNION ALL ".join(["SELECT 1"] * copies)
    return (
        f"INSERT INTO backup_destinations ({COLUMNS}) SELECT {uid}, id, 'spare', 'local', {TIMESTAMP}, {TIMESTAMP} "  # noqa: S608
        f"FROM users CROSS JOIN ({values}) AS copies WHERE id IN ({', '.join(map(str, users))})"
    )
