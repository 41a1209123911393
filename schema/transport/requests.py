"""Reads one GraphQL request from HTTP: the query of a GET or the JSON body of a POST, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from models.writes.idempotency import KeyedRequest
from schema.execution.prepared import Prepared
from web.http.content_coding import ACCEPTED, SENTENCE, is_encoded
from web.http.idempotency_key import parse_key
from web.http.json_body import JsonRefused, parse_json
from web.http.media_type import JSON_TYPE, parse_media_type

BATCHES = "The request must be a JSON object; batches are not supported."
MAX_BATCH = 100
"""Operations of a batch that is refused with a result for each of them."""
MAX_ID_LENGTH = 256
"""Of a trusted document."""
OPERATION_TYPE = "graphql.operation.type"
"""Of spans, by OpenTelemetry's conventions; an operation's name and text are the client's, and are in none."""
_SHA256 = re.compile("[0-9a-f]{64}")


class BadRequest(Exception):
    """The request is no GraphQL request; `status` and `headers` are HTTP's, `str()` the sentence."""

    def __init__(self, message: str, *, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


class BatchRefused(BadRequest):
    """The request is a batch of `size` operations, whose client expects as many results."""

    def __init__(self, size: int) -> None:
        super().__init__(BATCHES)
        self.size = size


class Params(NamedTuple):
    """What a request asks for."""

    query: str
    """The document; empty if the request has a hash in place of it."""
    operation_name: str | None
    variables: Mapping[str, Any]
    sha256: str | None
    """Of the document, in hex, from `extensions.persistedQuery`; or the ID of a trusted document."""
    document_id: str | None = None
    """Of a trusted document, from `documentId`."""
    idempotency_key: str | None = None
    """From `extensions.idempotencyKey`, for a WebSocket, whose operations have no headers."""


def keyed_request(key: str | None, prepared: Prepared, params: Params) -> KeyedRequest | None:
    """The request under an Idempotency-Key: the same again by its document, operation and variables."""
    if key is None:
        return None
    return KeyedRequest.of(key, "GraphQL", *prepared.key, dict(params.variables))


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The body of a POST, if it says that it is JSON; nothing of a GET. Raises `BadRequest`.

    Exactly `application/json`, in any case: anything more lenient would let a form of another site in.
    """
    if scope["method"] == "GET":
        return b""
    content_type = [value for name, value in scope["headers"] if name == b"content-type"]
    media_type = parse_media_type(content_type[0].decode("latin-1")) if len(content_type) == 1 else None
    if media_type is None or media_type.name != JSON_TYPE or not media_type.is_utf8:
        raise BadRequest(f"The request body must be {JSON_TYPE}, in UTF-8.", status=415)
    if is_encoded(scope["headers"]):
        raise BadRequest(SENTENCE, status=415, headers=ACCEPTED)
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def read_params(scope: Scope, body: bytes) -> Params:
    """Read the parameters of a request whose body was read; raises `BadRequest`."""
    if scope["method"] == "GET":
        return parse_params(_query_parameters(scope["query_string"]))
    return parse_params(load_json(body))


def parse_params(given: object) -> Params:
    """Check the parameters' own types; raises `BadRequest`."""
    if isinstance(given, list) and 2 <= len(given) <= MAX_BATCH and all(isinstance(one, dict) for one in given):
        raise BatchRefused(len(given))
    if not isinstance(given, dict):
        raise BadRequest(BATCHES)
    query, name = given.get("query"), given.get("operationName")
    variables, extensions = given.get("variables"), given.get("extensions")
    hash_, key = _persisted_hash(extensions), _idempotency_key(extensions)
    id_ = _document_id(given)
    if query in (None, "") and (hash_ is not None or id_ is not None):
        query = ""
    elif not isinstance(query, str) or not query.strip():
        raise BadRequest("`query` must be a string with a document.")
    elif id_ is not None:
        raise BadRequest("Give `query` or `documentId`, not both.")
    if name is not None and not isinstance(name, str):
        raise BadRequest("`operationName` must be a string or null.")
    for label, value in (("variables", variables), ("extensions", extensions)):
        if value is not None and not isinstance(value, dict):
            raise BadRequest(f"`{label}` must be an object or null.")
    return Params(
        query=query,
        operation_name=name or None,
        variables=variables or {},
        sha256=hash_,
        document_id=id_,
        idempotency_key=key,
    )


def _document_id(given: Mapping[str, object]) -> str | None:
    """The ID of a document in place of its text; raises `BadRequest` for one that is malformed."""
    id_ = given.get("documentId")
    if id_ is not None and (not isinstance(id_, str) or not 0 < len(id_) <= MAX_ID_LENGTH):
        raise BadRequest(f"`documentId` must be a string of at most {MAX_ID_LENGTH} characters.")
    return id_ if isinstance(id_, str) else None


def _idempotency_key(extensions: object) -> str | None:
    """The Idempotency-Key in the extensions; raises `BadRequest` for one that is malformed."""
    key = extensions.get("idempotencyKey") if isinstance(extensions, dict) else None
    if key is None:
        return None
    try:
        return parse_key(key if isinstance(key, str) else "")
    except HTTPException as error:
        raise BadRequest(error.detail) from None


def _persisted_hash(extensions: object) -> str | None:
    """The hash of a persisted query (version 1), in lower case; raises `BadRequest` for one that is malformed.

    Apollo's link sends the ID that a manifest gives a document in its place, whatever form that has.
    """
    persisted = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
    if persisted is None:
        return None
    hash_ = persisted.get("sha256Hash") if isinstance(persisted, dict) and persisted.get("version") == 1 else None
    if not isinstance(hash_, str) or not 0 < len(hash_) <= MAX_ID_LENGTH:
        raise BadRequest(
            "`extensions.persistedQuery` must have `version` 1 and a `sha256Hash` in hex, or a trusted document's ID."
        )
    return hash_.lower() if _SHA256.fullmatch(hash_.lower()) else hash_


def load_json(body: bytes | str) -> object:
    """Read JSON, strict about UTF-8, surrogates and NaN, and not nested beyond reason; raises `BadRequest`."""
    try:
        return parse_json(body)
    except JsonRefused as error:
        raise BadRequest(f"The request {error}.") from None
    except ValueError:
        raise BadRequest("The request is not valid JSON.") from None


def _query_parameters(query: bytes) -> dict[str, object]:
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        raise BadRequest("The query of the URL is not readable.") from None
    parameters: dict[str, object] = dict(pairs)
    if len(parameters) != len(pairs):
        raise BadRequest("The query of the URL repeats a parameter.")
    for name in ("variables", "extensions"):
        if name in parameters:
            text = str(parameters[name])
            parameters[name] = load_json(text) if text else None
    return parameters
