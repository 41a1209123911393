"""What is wrong with an answer, in sentences; an empty list is the best news."""

import json
import re
from collections.abc import Iterator
from typing import Any

from .stage import Exchange

PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    415: "Unsupported Media Type",
    422: "Unprocessable Entity",
}
# A page, a stack trace, a database's or a library's own words, and the host only an attacker names.
FORBIDDEN_TEXT = re.compile(
    r"<html|<!doctype|Traceback|File \"|\.py\b|sqlite|asyncpg|tortoise|pydantic|starlette|orjson|DETAIL:|evil\.example",
    re.IGNORECASE,
)


def complaints(exchange: Exchange, secrets: frozenset[str]) -> list[str]:
    """Say everything an answer does that the contract does not allow."""
    case, answer = exchange.case, exchange.answer
    found = list(_words(exchange, secrets))
    if answer.status not in case.statuses:
        found.append(f"answered {answer.status} instead of {sorted(case.statuses)}: {answer.body[:300]!r}")
    elif not case.raw and case.method != "HEAD":
        found += _body(exchange)
    if answer.surplus:
        found.append(f"said something after its answer: {answer.surplus[:80]!r}")
    return found


def alike(left: Exchange, right: Exchange) -> list[str]:
    """Say where two databases answer differently."""
    ours, theirs = _normal(left), _normal(right)
    return [] if ours == theirs else [f"answers differ:\n      {ours}\n      {theirs}"]


def _words(exchange: Exchange, secrets: frozenset[str]) -> Iterator[str]:
    text = exchange.answer.text
    for secret in exchange.case.canaries | secrets:
        if secret in text:
            yield f"echoes a secret: {secret[:12]}…"
    # A label may hold any text and comes back; everything else is the server's own words.
    if exchange.answer.status >= 300 and (words := FORBIDDEN_TEXT.search(text)):
        yield f"says {words.group()!r}"
    for name, value in exchange.answer.headers:
        if "evil.example" in value or name == "set-cookie":
            yield f"sends the header {name}: {value}"


def _body(exchange: Exchange) -> Iterator[str]:
    answer = exchange.answer
    if not answer.body:
        if answer.status != 204 and not 300 <= answer.status < 400 and exchange.case.method != "OPTIONS":
            yield "has no body"
        return
    if answer.header("content-type").partition(";")[0] != "application/json":
        yield f"is {answer.header('content-type')!r} and not JSON"
        return
    try:
        document = json.loads(answer.body)
    except ValueError:
        yield f"is no JSON: {answer.body[:300]!r}"
        return
    if not isinstance(document, dict):
        yield f"is no object: {document!r}"
    elif answer.status >= 400:
        yield from _error(exchange, document)
    else:
        yield from _success(exchange, document)


def _error(exchange: Exchange, document: dict[str, Any]) -> Iterator[str]:
    case, status = exchange.case, exchange.answer.status
    if list(document)[:2] != ["error", "message"]:
        yield f"starts with {list(document)[:2]} instead of error and message"
        return
    expected = case.error or PHRASES.get(status)
    if expected is not None and document["error"] != expected:
        yield f"calls its error {document['error']!r} instead of {expected!r}"
    if case.message is not None and document["message"] != case.message:
        yield f"says {document['message']!r} instead of {case.message!r}"
    errors = document.get("errors", {})
    if case.errors is not None and list(errors.items()) != list(case.errors.items()):
        yield f"names the violations {errors} instead of {case.errors}"
    if case.fields is not None and tuple(errors) != case.fields:
        yield f"names the fields {list(errors)} instead of {list(case.fields)}"
    if status == 422 and "errors" not in document:
        yield "is a 422 that names no violations"
    if status == 405:
        yield from _allowance(exchange)


def _allowance(exchange: Exchange) -> Iterator[str]:
    """A 405 names the methods that do work, and not the one it refuses."""
    allowed = exchange.answer.header("allow")
    if not allowed or exchange.case.method in allowed.split(", "):
        yield f"refuses {exchange.case.method} and allows {allowed!r}"


def _success(exchange: Exchange, document: dict[str, Any]) -> Iterator[str]:
    case, data, meta = exchange.case, document.get("data"), document.get("meta")
    if isinstance(data, dict):
        if data["user_id"] != exchange.user_id:
            yield f"belongs to user {data['user_id']} instead of {exchange.user_id}"
        if exchange.destination_id not in {None, data["id"]}:
            yield f"is the row {data['id']} instead of {exchange.destination_id}"
    for name, value in (case.data or {}).items():
        if not isinstance(data, dict) or data.get(name) != value:
            yield f"represents {name} as {data.get(name) if isinstance(data, dict) else data!r} instead of {value!r}"
    for name, number in (case.meta or {}).items():
        if not isinstance(meta, dict) or meta.get(name) != number:
            yield f"counts {meta} where {name} is {number}"
    if isinstance(meta, dict) and not str(meta["path"]).startswith(f"{exchange.url}/"):
        yield f"links to {meta['path']} instead of {exchange.url}"


def _normal(exchange: Exchange) -> tuple[int, str, object]:
    """An answer without what differs between any two gateways: ids, users, times and the address."""
    answer = exchange.answer
    text = answer.body.decode("utf-8", "replace").replace(exchange.url.partition("://")[2], "HOST")
    text = re.sub(r'"(id|user_id)": ?\d+', r'"\1":0', text)
    text = re.sub(r'"(created_at|updated_at)": ?"[^"]+"', r'"\1":""', text)
    return answer.status, answer.header("content-type"), text
