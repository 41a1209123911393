"""Asks two services for the same lists with the same tokens, and says where their answers differ.

Only reads are sent. Differences that are expected, and so not reported, are in `AGREED`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from models.errors import Refusal

PATH = "/api/backup-destinations"
PAGE_SIZE = 100
TIMEOUT_S = 30.0
MAX_WAIT_S = 120.0
"""How long a service may ask to wait before another request (429, 503)."""
ABSENT_ID = 2_147_483_646
AGREED = (
    "DELETE answers 200 with a message here, and 204 there",
    "timestamps are without microseconds here",
    "the order of keys",
    "meta.links and the URLs of links, which are those of each service",
    "digitalocean_spaces is custom_s3 here, with its s3_endpoint",
    "the sentences of errors",
)
"""The differences that clients get along with; `DELETE` is not tried."""
_FRACTION = re.compile(r"(\d\d:\d\d:\d\d)\.\d+")
_OWN_META = ("total", "per_page", "current_page", "last_page", "from", "to")


class ServiceRefused(Refusal):
    """A service cannot be compared: its URL is none, or it does not answer in JSON."""


class Difference(NamedTuple):
    """One place in which the answers differ; `token` is the number of the token, `id` None for the list as a whole."""

    token: int
    id: int | None
    field: str
    there: object
    here: object


@dataclass(kw_only=True, slots=True)
class Comparison:
    """What was compared, and what differed."""

    tokens: int = 0
    rows: int = 0
    differences: list[Difference] = field(default_factory=list)


class Service:
    """One of the two, by the URL that its paths begin with."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ServiceRefused(f"{url} is no URL of a service; write https://backups.example.com.")
        self._class = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host, self._port, self._prefix = parts.hostname, parts.port, parts.path.rstrip("/")
        self.url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{self._prefix}"

    def get(self, path: str, token: str | None, **query: int) -> tuple[int, Any]:
        """The status and the JSON of an answer, None where there is none; raises `ServiceRefused`."""
        target = f"{self._prefix}{path}{'?' + urlencode(query) if query else ''}"
        headers = {"Accept": "application/json"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
        waited_until = time.monotonic() + MAX_WAIT_S
        while True:
            try:
                with closing(self._class(self._host, self._port, timeout=TIMEOUT_S)) as connection:
                    connection.request("GET", target, headers=headers)
                    response = connection.getresponse()
                    status, body, after = response.status, response.read(), response.getheader("Retry-After", "")
            except (OSError, HTTPException) as error:
                raise ServiceRefused(f"{self.url} does not answer.") from error
            if status not in (429, 503) or not after.isdigit() or time.monotonic() + int(after) > waited_until:
                return status, _json(body)
            time.sleep(int(after) + 0.1)

    def all_rows(self, token: str) -> tuple[int, list[dict[str, Any]], Mapping[str, Any]]:
        """The status of the list, its rows of all pages, and the numbers of its first page; raises `ServiceRefused`."""
        rows: list[dict[str, Any]] = []
        numbers: Mapping[str, Any] = {}
        page = 1
        while True:
            status, body = self.get(PATH, token, per_page=PAGE_SIZE, page=page)
            if status != 200:
                return status, rows, numbers
            if not isinstance(body, dict) or not isinstance(body.get("data"), list):
                raise ServiceRefused(f"{self.url}{PATH} is no list as the document has it.")
            meta = body.get("meta") or {}
            if page == 1:
                numbers = {name: meta.get(name) for name in _OWN_META}
            rows += body["data"]
            if page >= int(meta.get("last_page") or 1) or not body["data"]:
                return status, rows, numbers
            page += 1


def compare(
    there: Service, here: Service, tokens: Sequence[str], *, advance: Callable[[], None] = lambda: None
) -> Comparison:
    """Compare what both show with each token, and how both refuse; raises `ServiceRefused`."""
    comparison = Comparison(tokens=len(tokens))
    _refusals(there, here, None, 0, comparison)
    for number, token in enumerate(tokens, start=1):
        status_there, rows_there, numbers_there = there.all_rows(token)
        status_here, rows_here, numbers_here = here.all_rows(token)
        if status_there != status_here:
            comparison.differences.append(Difference(number, None, "status", status_there, status_here))
        elif status_here == 200:
            comparison.differences += [
                Difference(number, None, f"meta.{name}", value, numbers_here.get(name))
                for name, value in numbers_there.items()
                if value is not None and value != numbers_here.get(name)
            ]
            comparison.differences += _rows(number, rows_there, rows_here)
            comparison.rows += len(rows_there)
            if rows_there:
                id_ = rows_there[0].get("id")
                shown = [service.get(f"{PATH}/{id_}", token) for service in (there, here)]
                comparison.differences += _shown(number, id_, shown)
            _refusals(there, here, token, number, comparison)
        advance()
    return comparison


def _refusals(there: Service, here: Service, token: str | None, number: int, comparison: Comparison) -> None:
    """Compare the statuses of what both refuse: no token, and a destination that is not there."""
    path = PATH if token is None else f"{PATH}/{ABSENT_ID}"
    statuses = [service.get(path, token)[0] for service in (there, here)]
    if statuses[0] != statuses[1]:
        name = "status without a token" if token is None else "status of an unknown id"
        comparison.differences.append(Difference(number, None, name, *statuses))


def _shown(number: int, id_: Any, answers: Sequence[tuple[int, Any]]) -> Iterator[Difference]:
    """The differences of one destination asked for by its id."""
    (status_there, there), (status_here, here) = answers
    if status_there != status_here:
        yield Difference(number, id_, "status of the destination alone", status_there, status_here)
    elif isinstance(there, dict) and isinstance(here, dict):
        for each in _fields(number, id_, there.get("data") or {}, here.get("data") or {}):
            yield each._replace(field=f"{each.field} of the destination alone")


def _rows(number: int, there: Sequence[dict[str, Any]], here: Sequence[dict[str, Any]]) -> Iterator[Difference]:
    """The differences of two lists, row by row."""
    by_id = {row.get("id"): row for row in here}
    seen = set()
    for row in there:
        id_ = row.get("id")
        seen.add(id_)
        if id_ not in by_id:
            yield Difference(number, id_, "the destination", "there", "missing")
        else:
            yield from _fields(number, id_, row, by_id[id_])
    for id_ in by_id.keys() - seen:
        yield Difference(number, id_, "the destination", "missing", "here")
    order = [[row.get("id") for row in rows] for rows in (there, here)]
    if order[0] != order[1] and sorted(order[0], key=str) == sorted(order[1], key=str):
        yield Difference(number, None, "the order of the list", order[0][:5], order[1][:5])


def _fields(number: int, id_: Any, there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[Difference]:
    """The differences of one destination, but for those that are agreed."""
    is_spaces = there.get("type") == "digitalocean_spaces" and here.get("type") == "custom_s3"
    for name in sorted(there.keys() | here.keys()):
        if is_spaces and name in ("type", "type_human", "s3_endpoint", "s3_region"):
            continue
        before, after = (_normal(row[name]) if name in row else "(no such key)" for row in (there, here))
        if before != after or isinstance(before, bool) != isinstance(after, bool):
            yield Difference(number, id_, name, before, after)


def _normal(value: Any) -> Any:
    """A value without the microseconds of a timestamp."""
    if isinstance(value, str):
        return _FRACTION.sub(r"\1", value).replace("+00:00", "Z")
    return value


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
