"""How the GraphQL API refuses a request that would have to wait too long."""

from __future__ import annotations

import orjson

from schema.errors import Code, refusal
from schema.transport.negotiation import negotiate
from schema.transport.prepared_query import headers_of
from web.request_state import Headers


def overloaded(accept: str | None, sentence: str, retry_after_s: int) -> tuple[Headers, bytes]:
    """Headers and body in the media type that the client prefers, as for any refusal before the execution."""
    error = refusal(sentence, Code.SERVICE_UNAVAILABLE)
    error["extensions"]["retryAfter"] = retry_after_s
    return headers_of(negotiate(accept)), orjson.dumps({"errors": [error]})
