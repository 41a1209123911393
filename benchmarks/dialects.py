"""How each contender is asked the same thing: the bytes of its requests, and what tells a good answer.

A dialect has four requests: a list of some size, one destination, a new one, a new label.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import orjson

from benchmarks.load import Expected, Request

ACCESS_KEY = "AKIAEXAMPLEEXAMPLE00"
SECRET_KEY = "a-secret-key-of-forty-characters-in-all."  # noqa: S105 - made up
CREATED_LABEL = "made by the load"
LABEL = b'"label":"'
BUCKET = "nightly-dumps"
ENDPOINT = "https://s3.example.com"
_ONE = Expected(marker=LABEL, count=1)
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
        return get(caller, self.path + query, expected=Expected(marker=LABEL, count=size))

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
    show_document: str = ""
    create_document: str = ""
    update_document: str = ""

    def listing(self, caller: Caller, size: int) -> Request:
        return post(caller, self.list_document, {"first": size}, Expected(marker=LABEL, count=size))

    def show(self, caller: Caller) -> Request:
        return post(caller, self.show_document, {"id": _global_id(caller)}, _ONE)

    def create(self, caller: Caller) -> Request:
        described = {"label": CREATED_LABEL, "bucketName": BUCKET, "endpoint": ENDPOINT, "pathStyleEndpoint": True}
        given = described | {"credentials": {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}}
        return post(caller, self.create_document, {"input": {"customS3": given}}, _ONE)

    def update(self, caller: Caller, label: str) -> Request:
        return post(caller, self.update_document, {"id": _global_id(caller), "input": {"label": label}}, _ONE)


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
    show_document=_SHOW + _FRAGMENT,
    create_document=_CREATE + _FRAGMENT,
    update_document=_UPDATE + _FRAGMENT,
)
FLAT = GraphQL(
    list_document=_LIST + _FLAT_FRAGMENT,
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


def get(caller: Caller, path: str, *, expected: Expected) -> Request:
    """A caller's GET."""
    return _request(caller, "GET", path, expected=expected)


def post(caller: Caller, document: str, variables: Mapping[str, object], expected: Expected) -> Request:
    """A caller's GraphQL operation."""
    return _request(caller, "POST", "/graphql", {"query": document, "variables": variables}, expected=expected)


def _global_id(caller: Caller) -> str:
    return f"BackupDestination:{caller.destination_ids[0]}"


def _request(caller: Caller, method: str, path: str, body: object = None, *, expected: Expected) -> Request:
    sent = b"" if body is None else orjson.dumps(body)
    kind = "" if body is None else f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n"
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
        f"Authorization: Bearer {caller.token}\r\n{kind}\r\n"
    )
    return Request(wire=head.encode() + sent, expected=expected)
