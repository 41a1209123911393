"""The process's log, as text for people or as JSON lines; libraries that log values are limited to warnings."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from models.error_report import where

QUIET = (
    *("tortoise", "tortoise.db_client", "aiosqlite", "asyncio", "asyncpg", "httpx", "httpcore", "hpack", "limits"),
    *("botocore", "urllib3"),
)
"""Their DEBUG lines carry statements with values or whole requests, and their INFO lines do not help an operator."""


class _JSONLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        return json.dumps(line, ensure_ascii=False)


class _WithoutValues(logging.Filter):
    """Drops tracebacks: the last line of one is the exception's message, and databases put values into theirs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info:
            error = record.exc_info[1]
            record.msg = f"{record.getMessage()} {where(error) if error is not None else ''}".strip()
            record.args, record.exc_info, record.exc_text = (), None, None
        return True


def configure_logs(level: str, form: str) -> None:
    """Send everything from `level` up to stderr, as `console` text or `json` lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_WithoutValues())
    handler.setFormatter(
        _JSONLines() if form == "json" else logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING if level == "INFO" else level)
