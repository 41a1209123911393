"""What is told of a mistake of ours: a number to the person, that and the place to the log, a value to nobody."""

from __future__ import annotations

import logging
import traceback
from secrets import token_hex


def report(error: BaseException, logger: logging.Logger) -> str:
    """Log an exception nobody expected, once, under a new request id; the sentence for the person carries the id."""
    request_id = token_hex(8)
    logger.error("request %s failed: %s", request_id, where(error))
    return f"Something went wrong on our side; the request id is {request_id}."


def where(error: BaseException) -> str:
    """The types and places of an exception and its causes, never its message: databases put values into theirs."""
    parts = []
    cause: BaseException | None = error
    while cause is not None:
        frames = traceback.extract_tb(cause.__traceback__)
        places = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames))
        parts.append(f"{type(cause).__module__}.{type(cause).__qualname__} at {places}")
        cause = cause.__cause__ or cause.__context__
    return " because of ".join(parts)
