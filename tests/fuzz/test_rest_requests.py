"""Random requests against the REST API on both databases: never a 5xx, always JSON, never a secret, always alike."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from tests.support.api.destinations import LIST, MISSING, assert_refused, assert_well_formed, at, data_of, draft
from tests.support.fuzz.random_requests import CANARY, JSON_TYPE, Request, requests
from tests.support.gateway.gateway import Account, Gateway

EXAMPLES = 300
STATUSES = {200, 201, 204, 307, 400, 403, 404, 405, 413, 415, 422}
"""A slash too many at the end of an address is a 307 to it."""
_CREDENTIALS = {"s3_access_key": CANARY, "s3_secret_key": CANARY}
_IDS = re.compile(r'"(id|user_id)":\d+')
_MOMENTS = re.compile(r'"(created_at|updated_at)":"[^"]+"')


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One gateway with the user whose requests are random, and the row of somebody else."""

    account: Account
    client: httpx.AsyncClient
    foreign: int

    async def play(self, request: Request) -> tuple[object, ...]:
        """Send a request, judge the answer and what is stored after it; returns what both databases have in common."""
        ids, before = {"foreign": self.foreign, "missing": MISSING}, None
        if "{own}" in request.path:
            before = data_of(await self.client.post(LIST, json=draft(request.kind, **_credentials(request))), 201)
            ids["own"] = before["id"]
        path = request.path.format(**ids)
        answer = await self.client.request(request.method, path, content=request.body, headers=request.headers)
        self._judge(answer, request.method)
        rows = [await self.client.get(at(before["id"]))] if before else []
        rows += [await self.client.get(answer.headers["location"])] if answer.status_code == 201 else []
        for row in rows:
            self._judge(row, "GET")
        if before and answer.is_error:
            assert data_of(rows[0]) == before, "a refused request changed the row"
        return self._normal(answer), *(self._normal(row) for row in rows)

    def _judge(self, answer: httpx.Response, method: str) -> None:
        """What holds for every answer, whatever was asked."""
        assert answer.status_code in STATUSES, f"{answer.status_code}: {answer.text}"
        assert CANARY not in answer.text + str(answer.headers.multi_items())
        if answer.is_redirect:
            assert answer.headers["location"].startswith(self.account.gateway.url + LIST)
        if method == "HEAD" or answer.status_code in (204, 307):
            assert answer.content == b""
        elif answer.is_error:
            assert_refused(answer, answer.status_code)
        else:
            assert answer.headers["content-type"] == "application/json"
            self._judge_rows(answer.json().get("data", []))

    def _judge_rows(self, data: Any) -> None:
        for row in data if isinstance(data, list) else [data]:
            assert_well_formed(row)
            assert row["user_id"] == self.account.user_id

    def _normal(self, answer: httpx.Response) -> tuple[object, ...]:
        """An answer without what differs between two gateways: ids, users, times and the port."""
        text = answer.text.replace(f"127.0.0.1:{self.account.gateway.port}", "host")
        text = _MOMENTS.sub(r'"\1":""', _IDS.sub(r'"\1":0', text))
        headers = {
            name: answer.headers.get(name) for name in ("content-type", "allow", "preference-applied", "cache-control")
        }
        marked = [name in answer.headers for name in ("location", "etag")]
        return answer.status_code, text, tuple(headers.items()), *marked


def _credentials(request: Request) -> dict[str, str]:
    return {} if request.kind == "local" else _CREDENTIALS


@pytest.fixture
async def stages(gateways: Mapping[str, Gateway]) -> AsyncIterator[list[Stage]]:
    """The people on both databases; when all is over, no log holds a secret or a stack trace."""
    async with AsyncExitStack() as stack:
        made = []
        for gateway in gateways.values():
            account, stranger = await gateway.new_user(), await gateway.new_user()
            client = await stack.enter_async_context(account.client())
            made.append(Stage(account=account, client=client, foreign=await stranger.create("local")))
        yield made
    for gateway in gateways.values():
        assert CANARY not in gateway.log_text()
        assert "Traceback" not in gateway.log_text()


# Every example makes its own row, so that one fixture for all of them is what is meant.
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(request_=requests)
@example(request_=Request(method="GET", path=LIST, headers={}, body=b"", kind="s3"))
@example(
    request_=Request(method="PUT", path=at("{own}"), headers={"content-type": JSON_TYPE}, body=b"{}", kind="local")
)
async def test_random_requests_are_answered_well_and_alike_on_both_databases(
    stages: list[Stage], request_: Request
) -> None:
    """Whatever is sent: a documented status, JSON, no secret, a well-formed row behind it, and the same twice."""
    try:
        first, second = await asyncio.gather(*(stage.play(request_) for stage in stages))
        assert first == second
    except AssertionError as error:
        error.add_note(repr(request_))
        raise


async def test_what_random_requests_stored_is_sealed(stages: list[Stage]) -> None:
    """No column of a row and no event holds a credential in the clear, on either database."""
    for stage in stages:
        gateway, user_id = stage.account.gateway, stage.account.user_id
        for kind in ("s3", "custom_s3"):
            data_of(await stage.client.post(LIST, json=draft(kind, **_CREDENTIALS)), 201)
        for table in ("backup_destinations", "events"):
            rows = await gateway.rows(f"SELECT * FROM {table} WHERE user_id = {user_id}")  # noqa: S608 - our own names
            assert len(rows) == 2
            assert CANARY not in repr(rows)
