"""One gateway with the people of the corpus, and the exchange of one case on it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.gateway.gateway import Account, Gateway

from .case import Case
from .wire import Answer, encode, exchange

KINDS = {"own": "custom_s3", "own_s3": "s3", "own_local": "local"}
MISSING = 987_654_321
TIMES = {"created_at", "updated_at"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A case as it went out, and what came back."""

    case: Case
    answer: Answer
    url: str
    user_id: int
    ids: Mapping[str, int]

    @property
    def destination_id(self) -> int | None:
        """The id of the own row the path names."""
        return next((id_ for name, id_ in self.ids.items() if f"/{{{name}}}" in self.case.path), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The user who asks, one whose rows may change, a stranger with a row, and one who may only look."""

    gateway: Gateway
    user: Account
    writer: Account
    stranger: Account
    looker: Account
    ids: Mapping[str, int]

    @classmethod
    async def set_up(cls, gateway: Gateway) -> "Stage":
        """Make the people and their destinations."""
        user, writer, stranger = [await gateway.new_user() for _ in range(3)]
        looker = await gateway.new_user(abilities=("view-backup-destinations",))
        ids = {name: await user.create(kind=kind) for name, kind in KINDS.items()}
        ids |= {"foreign": await stranger.create(kind="custom_s3"), "missing": MISSING}
        return cls(gateway=gateway, user=user, writer=writer, stranger=stranger, looker=looker, ids=ids)

    @property
    def secrets(self) -> frozenset[str]:
        """What of the live tokens must show up nowhere, the cut and changed ones included."""
        return frozenset(_secret(account)[:-1] for account in (self.user, self.writer, self.stranger, self.looker))

    async def play(self, case: Case) -> Exchange:
        """Send a case: as the writer, on new rows, where something may change, else as the user."""
        account = self.writer if case.writes else self.user
        ids = await self._rows_for(case) if case.writes else self.ids
        headers = [(name, self._filled(value, account)) for name, value in case.headers]
        if case.authenticated and not any(name.lower() == "authorization" for name, _ in headers):
            headers.append(("Authorization", f"Bearer {account.token}"))
        path = self._filled(case.path, account)
        for name, id_ in ids.items():
            path = path.replace(f"{{{name}}}", str(id_))
        request = encode(case, path=path, headers=headers, host=f"{self.gateway.host}:{self.gateway.port}")
        answer = await exchange(self.gateway.host, self.gateway.port, request)
        return Exchange(case=case, answer=answer, url=self.gateway.url, user_id=account.user_id, ids=ids)

    async def rows(self) -> list[dict[str, Any]]:
        """Every column of every row the refused cases could have changed, but its times."""
        users = f"({self.user.user_id}, {self.stranger.user_id}, {self.looker.user_id})"
        query = f"select * from backup_destinations where user_id in {users} order by id"  # noqa: S608 - our own integers
        return [{name: row[name] for name in row.keys() - TIMES} for row in await self.gateway.rows(query)]

    async def _rows_for(self, case: Case) -> Mapping[str, int]:
        named = [name for name in KINDS if f"{{{name}}}" in case.path]
        made = await asyncio.gather(*(self.writer.create(kind=KINDS[name]) for name in named))
        return dict(self.ids) | dict(zip(named, made, strict=True))

    def _filled(self, text: str, account: Account) -> str:
        secret = _secret(account)
        for name, value in {
            "token": account.token,
            "token_id": account.token.partition("|")[0],
            "token_secret": secret,
            "token_capitals": account.token.upper(),
            "secret_cut": secret[:-1],
            "secret_flipped": secret[:-1] + ("A" if secret[-1] != "A" else "B"),
            "foreign_id": self.stranger.token.partition("|")[0],
            "foreign_secret": _secret(self.stranger),
            "view_token": self.looker.token,
        }.items():
            text = text.replace(f"{{{name}}}", value)
        return text


def _secret(account: Account) -> str:
    return account.token.rpartition("|")[2]
