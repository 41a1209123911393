"""The process's log, as text for people or as JSON lines; of libraries it has warnings and errors alone.

What libraries log below that holds whole requests, statements with values, and frames. And no line can be forged:
control characters, and those that reorder text, are escaped.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

from models.error_report import where

OURS = "moorings"
"""The logger of the gateway, above all of its own."""
QUIET = (
    *("tortoise", "tortoise.db_client", "aiosqlite", "asyncio", "asyncpg", "httpx", "httpcore", "hpack", "limits"),
    *("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "websockets", "websockets.server", "strawberry"),
    *("strawberry.execution", "graphql", "redis", "botocore", "urllib3"),
)
"""Libraries whose loggers are known. All others have the level of the root, so that a new one says no more."""
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class _JSONLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        return _escaped(json.dumps(line, ensure_ascii=False))


class _Text(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        fields = (f" {name}={_shown(value)}" for name, value in _fields(record).items())
        return _escaped(super().format(record) + "".join(fields))


class _WithoutValues(logging.Filter):
    """Drops tracebacks: the last line of one is the exception's message, and databases put values into theirs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info:
            error = record.exc_info[1]
            message = record.getMessage()
            if record.name == "asyncio":  # which shows the task behind the first line, and its exception
                message = message.partition("\n")[0]
            record.msg = f"{message} {where(error) if error is not None else ''}".strip()
            record.args, record.exc_info, record.exc_text = (), None, None
        elif record.name == "asyncio":
            record.msg, record.args = record.getMessage().partition("\n")[0], ()
        return True


def configure_logs(level: str, form: str) -> None:
    """Send everything from `level` up to stderr, as `console` text or `json` lines; of libraries, warnings and up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_WithoutValues())
    handler.setFormatter(_JSONLines() if form == "json" else _Text())
    of_libraries = max(logging.getLevelNamesMapping()[level], logging.WARNING)
    logging.basicConfig(level=of_libraries, handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(of_libraries)
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)  # it warns again and again of what is an outage
    logging.getLogger(OURS).setLevel(level)


def write_to_log(lines: bytes) -> None:
    """Write whole lines that are formatted already; a log that cannot be written stops no request."""
    with suppress(OSError, ValueError):
        sys.stderr.buffer.write(lines)
        sys.stderr.buffer.flush()


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    """The values that a line has by name, given as `extra={"fields": …}`."""
    fields: Mapping[str, object] = getattr(record, "fields", {})
    return fields


def _shown(value: object) -> str:
    """A value without white space or quotes as it is, another as JSON has it."""
    text = str(value)
    return text if re.fullmatch(r'[^\s"=]+', text) else json.dumps(text, ensure_ascii=False)


def _escaped(line: str) -> str:
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
