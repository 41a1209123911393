"""How each contender is asked the same thing: the bytes of its requests, and what tells a good answer.

A dialect has a list of some size, pages that differ from each other, one destination, a new one, a new label; GraphQL
also has a document with values written into it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import orjson

from benchmarks.load import Expected, Request
from models.reads.listing import OrderField
from schema.types.paging.pages import encode_cursor

ACCESS_KEY = "AKIAEXAMPLEEXAMPLE00"
SECRET_KEY = "a-secret-key-of-forty-characters-in-all."  # noqa: S105 - made up
CREATED_LABEL = "made by the load"
LABEL = b'"label":"'
BUCKET = "nightly-dumps"
ENDPOINT = "https://s3.example.com"
ORIGIN = "https://console.example"
_PLAIN_ACCEPT = b"Accept: application/json\r\n"
_BROWSER = f"""sec-ch-ua-platform: "Linux"
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36
sec-ch-ua: "Chromium";v="147", "Not?A_Brand";v="24", "Google Chrome";v="147"
sec-ch-ua-mobile: ?0
Accept: application/json
Origin: {ORIGIN}
Sec-Fetch-Site: cross-site
Sec-Fetch-Mode: cors
Sec-Fetch-Dest: empty
Referer: {ORIGIN}/
Accept-Encoding: gzip, deflate, br, zstd
Accept-Language: de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7
""".replace("\n", "\r\n").encode()
"""What Chrome sends beside the headers that are needed."""
_ONE = Expected(marker=LABEL, count=1)
_KINDS: Sequence[Sequence[str] | None] = (None, ("CUSTOM_S3", "LOCAL"), None, ("AMAZON_S3", "CUSTOM_S3"))
_CREATED = Expected(status=b"201", marker=LABEL, count=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """A user with one token and the ids of some of their destinations, ascending."""

    user_id: int
    token: str
    total: int
    destination_ids: tuple[int, ...]


class Dialect(Protocol):
    """The way a contender is asked."""

    def listing(self, caller: Caller, size: int) -> Request:
        """The first `size` destinations, ten fields each, and how many there are in all."""

    def page(self, caller: Caller, number: int) -> Request:
        """Some page of some size, another for each `number`."""

    def show(self, caller: Caller) -> Request:
        """One destination by its id."""

    def create(self, caller: Caller) -> Request:
        """A new destination with credentials."""

    def update(self, caller: Caller, label: str) -> Request:
        """A new label."""


@dataclass(frozen=True, slots=True)
class Rest:
    """The REST API that the gateway and its REST peers serve."""

    path: str = "/api/backup-destinations"

    def listing(self, caller: Caller, size: int) -> Request:
        query = "" if size == 15 else f"?per_page={size}"
        return get(caller, self.path + query, shown=caller.destination_ids[:size])

    def page(self, caller: Caller, number: int) -> Request:
        """Between 5 and 19 rows, from one of the first two pages."""
        size, page = 5 + number % 15, 1 + number // 15 % 2
        shown = caller.destination_ids[size * (page - 1) : size * page]
        return get(caller, f"{self.path}?page={page}&per_page={size}", shown=shown)

    def show(self, caller: Caller) -> Request:
        return get(caller, f"{self.path}/{caller.destination_ids[0]}", expected=_ONE)

    def create(self, caller: Caller) -> Request:
        body = {
            "label": CREATED_LABEL,
            "type": "custom_s3",
            "s3_bucket_name": BUCKET,
            "custom_s3_endpoint": ENDPOINT,
            "path_style_endpoint": True,
            "s3_access_key": ACCESS_KEY,
            "s3_secret_key": SECRET_KEY,
        }
        return _request(caller, "POST", self.path, body, expected=_CREATED)

    def update(self, caller: Caller, label: str) -> Request:
        return _request(caller, "PUT", f"{self.path}/{caller.destination_ids[0]}", {"label": label}, expected=_ONE)


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphQL:
    """A GraphQL API: the documents of its four requests; the variables are the same everywhere."""

    list_document: str
    page_document: str = ""
    literal_document: str = ""
    cursors_are_ids: bool = False
    show_document: str = ""
    create_document: str = ""
    update_document: str = ""

    def listing(self, caller: Caller, size: int) -> Request:
        return post(caller, self.list_document, {"first": size}, shown=caller.destination_ids[:size])

    def page(self, caller: Caller, number: int) -> Request:
        """Between 5 and 19 rows behind one of the first, of all kinds or of two."""
        size, behind, kinds = 5 + number % 15, number // 15 % 5, _KINDS[number // 75 % len(_KINDS)]
        ids = caller.destination_ids[: caller.total]
        rest = [id_ for n, id_ in enumerate(ids, 1) if n > behind + 1 and (kinds is None or _kind_of(n) in kinds)]
        variables = {"first": size, "after": self._cursor(ids[behind]), "kinds": kinds}
        return post(caller, self.page_document, variables, shown=tuple(rest[:size]))

    def literal(self, caller: Caller, number: int) -> Request:
        """Fifteen rows behind one of the first four, by a document of its own."""
        behind = number % 4
        document = self.literal_document.replace("CURSOR", self._cursor(caller.destination_ids[behind]))
        return post(caller, document, {}, shown=caller.destination_ids[behind + 1 : behind + 16])

    def _cursor(self, id_: int) -> str:
        """The position of a row in the list by id: the peers' is the id, the gateway's is opaque to clients."""
        return str(id_) if self.cursors_are_ids else encode_cursor([OrderField.ID, None, id_])

    def show(self, caller: Caller) -> Request:
        return post(caller, self.show_document, {"id": _global_id(caller)}, expected=_ONE)

    def create(self, caller: Caller) -> Request:
        described = {"label": CREATED_LABEL, "bucketName": BUCKET, "endpoint": ENDPOINT, "pathStyleEndpoint": True}
        given = described | {"credentials": {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}}
        return post(caller, self.create_document, {"input": {"customS3": given}}, expected=_ONE)

    def update(self, caller: Caller, label: str) -> Request:
        return post(caller, self.update_document, {"id": _global_id(caller), "input": {"label": label}}, expected=_ONE)


_FRAGMENT = """fragment Shown on BackupDestination {
  id databaseId label kindName createdAt updatedAt
  ... on S3CompatibleDestination { bucketName pathStyleEndpoint reachability }
  ... on AmazonS3Destination { region }
  ... on CustomS3Destination { endpoint }
}"""
_FLAT_FRAGMENT = """fragment Shown on BackupDestination {
  id databaseId label kindName createdAt updatedAt bucketName pathStyleEndpoint reachability endpoint
}"""
_LIST = """query Destinations($first: Int!) {
  backupDestinations(first: $first) { totalCount edges { node { ...Shown } } }
}
"""
_PAGE = """query Page($first: Int!, $after: String!, $kinds: [DestinationKind!]) {
  backupDestinations(first: $first, after: $after, %s) { edges { node { ...Shown } } }
}
"""
_LITERAL = """{
  backupDestinations(first: 15, after: "CURSOR") { edges { node { ...Shown } } }
}
"""
_SHOW = "query Destination($id: ID!) { node(id: $id) { ...Shown } }\n"
_CREATE = """mutation Create($input: CreateBackupDestinationInput!) {
  createBackupDestination(input: $input) {
    ... on CreateBackupDestinationPayload { backupDestination { ...Shown } }
  }
}
"""
_UPDATE = """mutation Update($id: ID!, $input: UpdateBackupDestinationInput!) {
  updateBackupDestination(id: $id, input: $input) {
    ... on UpdateBackupDestinationPayload { backupDestination { ...Shown } }
  }
}
"""

GATEWAY = GraphQL(
    list_document=_LIST + _FRAGMENT,
    page_document=_PAGE % "filter: {kinds: $kinds}" + _FRAGMENT,
    literal_document=_LITERAL + _FRAGMENT,
    show_document=_SHOW + _FRAGMENT,
    create_document=_CREATE + _FRAGMENT,
    update_document=_UPDATE + _FRAGMENT,
)
FLAT = GraphQL(
    list_document=_LIST + _FLAT_FRAGMENT,
    page_document=_PAGE % "kinds: $kinds" + _FLAT_FRAGMENT,
    literal_document=_LITERAL + _FLAT_FRAGMENT,
    cursors_are_ids=True,
    show_document=_SHOW + _FLAT_FRAGMENT,
    create_document=_CREATE + _FLAT_FRAGMENT,
    update_document=_UPDATE + _FLAT_FRAGMENT,
)
"""The same with one flat type, as a table is usually shown."""

GRAPHILE = GraphQL(
    list_document="""query Destinations($first: Int!) {
  viewer { backupDestinationsByUserId(first: $first) { totalCount edges { node {
    id rowId label kind createdAt updatedAt bucketName pathStyleEndpoint reachability endpoint
  } } } }
}"""
)


def get(caller: Caller, path: str, *, shown: tuple[int, ...] = (), expected: Expected | None = None) -> Request:
    """A caller's GET, which shows these destinations or is answered as expected."""
    return _request(caller, "GET", path, shown=shown, expected=expected)


def post(
    caller: Caller,
    document: str,
    variables: Mapping[str, object],
    *,
    shown: tuple[int, ...] = (),
    expected: Expected | None = None,
) -> Request:
    """A caller's GraphQL operation, which shows these destinations or is answered as expected."""
    body = {"query": document, "variables": variables}
    return _request(caller, "POST", "/graphql", body, shown=shown, expected=expected)


def from_browser(request: Request) -> Request:
    """The request as a page of another origin sends it."""
    return replace(request, wire=request.wire.replace(_PLAIN_ACCEPT, _BROWSER, 1))


def _kind_of(number: int) -> str:
    """The kind of a user's destination of that number, counted from 1, as `data.py` makes them."""
    return "LOCAL" if number % 10 == 0 else "AMAZON_S3" if number % 3 == 0 else "CUSTOM_S3"


def _global_id(caller: Caller) -> str:
    return f"BackupDestination:{caller.destination_ids[0]}"


def _request(
    caller: Caller,
    method: str,
    path: str,
    body: object = None,
    *,
    shown: tuple[int, ...] = (),
    expected: Expected | None = None,
) -> Request:
    sent = b"" if body is None else orjson.dumps(body)
    kind = "" if body is None else f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n"
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
        f"Authorization: Bearer {caller.token}\r\n{kind}\r\n"
    )
    wanted = Expected(marker=LABEL, count=len(shown)) if expected is None else expected
    return Request(wire=head.encode() + sent, expected=wanted, ids=shown)
