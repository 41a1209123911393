"""What an unexpected exception shows: a request id to the client, the id and the code location to the log, no value."""

from __future__ import annotations

import logging
import traceback
from secrets import token_hex


def report_unexpected(error: BaseException, logger: logging.Logger, request_id: str | None = None) -> str:
    """Log an unexpected exception once under the request's id, or a new one; returns the sentence for the client."""
    request_id = request_id or token_hex(8)
    logger.error("request %s failed: %s", request_id, where(error))
    return f"Something went wrong on our side; the request id is {request_id}."


def where(error: BaseException) -> str:
    """Types and code locations of an exception and its causes, never messages: databases put values into those."""
    parts = []
    cause: BaseException | None = error
    while cause is not None:
        frames = traceback.extract_tb(cause.__traceback__)
        places = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames))
        parts.append(f"{type(cause).__module__}.{type(cause).__qualname__} at {places}")
        cause = cause.__cause__ or cause.__context__
    return " because of ".join(parts)
