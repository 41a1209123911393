"""The operations of each protocol, the ability each needs, and how each is answered, in words of no protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from models.accounts.abilities import Ability
from tests.support.api.destinations import FORBIDDEN, LIST, NOT_FOUND, assert_refused, at, draft

NOT_GRANTABLE = "A local destination has no store to grant access to"
REFUSED = {"foreign": FORBIDDEN, "missing": NOT_FOUND}

Ask = Callable[[httpx.AsyncClient, int], Awaitable[str | None]]
"""Performs an operation on the row of that id; returns the sentence of the refusal, or None for a success."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One operation of one protocol; `broken` is the same with malformed content.

    `of_others` says how it is answered for a row that is foreign and for one that is missing, if it is about a row.
    """

    name: str
    ability: Ability
    ask: Ask
    of_others: Mapping[str, str] = field(default_factory=dict)
    broken: Ask | None = None


def lacking(ability: Ability) -> str:
    """The sentence for a token without `ability`."""
    return f"Access denied due to insufficient permissions. Required token ability scopes: {ability}"


def _rest(method: str, path: Callable[[int], str], **content: Any) -> Ask:
    async def ask(client: httpx.AsyncClient, id_: int) -> str | None:
        answer = await client.request(method, path(id_), **content)
        if answer.is_success:
            return None
        message: str = assert_refused(answer, answer.status_code)["message"]
        status = 409 if message == NOT_GRANTABLE else 404 if message.endswith("not found") else 403
        assert answer.status_code == status, answer.text
        return message

    return ask


def _list(_id: int) -> str:
    return LIST


_BROKEN: Mapping[str, Any] = {"content": b'{"label": ', "headers": {"content-type": "application/json"}}

REST = (
    Operation(name="REST list", ability=Ability.VIEW, ask=_rest("GET", _list)),
    Operation(
        name="REST create",
        ability=Ability.CREATE,
        ask=_rest("POST", _list, json=draft("local")),
        broken=_rest("POST", _list, **_BROKEN),
    ),
    Operation(name="REST show", ability=Ability.VIEW, ask=_rest("GET", at), of_others=REFUSED),
    Operation(
        name="REST update",
        ability=Ability.UPDATE,
        ask=_rest("PUT", at, json={"label": "Renamed"}),
        of_others=REFUSED,
        broken=_rest("PUT", at, **_BROKEN),
    ),
    Operation(name="REST delete", ability=Ability.DELETE, ask=_rest("DELETE", at), of_others=REFUSED),
    Operation(
        name="REST grant",
        ability=Ability.USE,
        ask=_rest("POST", lambda id_: f"{at(id_)}/grants", json={"operation": "get", "key": "a"}),
        of_others={"own": NOT_GRANTABLE, **REFUSED},
        broken=_rest("POST", lambda id_: f"{at(id_)}/grants", **_BROKEN),
    ),
)
