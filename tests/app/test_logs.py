"""The log: of libraries warnings alone, whatever the level; no line can be forged; no value of an exception."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

LIBRARIES = (
    *("uvicorn", "uvicorn.error", "uvicorn.access", "websockets", "websockets.server", "asyncpg", "httpcore", "httpx"),
    *("tortoise", "tortoise.db_client", "aiosqlite", "strawberry.execution", "asyncio", "a_library_of_next_year"),
)
SCRIPT = """
import logging, sys
from app.logs import configure_logs
configure_logs(sys.argv[1], sys.argv[2])
for name in sys.argv[3].split():
    for level in (logging.DEBUG, logging.INFO):
        logging.getLogger(name).log(level, "a secret of %s", name)
    logging.getLogger(name).warning("a warning of %s", name)
logging.getLogger("moorings.x").debug("a detail")
fields = {"a": "x y\\nz", "n": 1}
logging.getLogger("moorings.x").warning("one\\nFORGED \\x1b[31m \\x85 \\u2028 \\u202e end", extra={"fields": fields})
logging.getLogger("asyncio").error("Task exception was never retrieved\\nfuture: <Task ValueError('a secret')>")
try:
    raise ValueError("a secret")
except ValueError:
    logging.getLogger("moorings.x").exception("It failed")
"""


def written(level: str, form: str) -> list[str]:
    """The lines of a process that logs all it can."""
    command = [sys.executable, "-c", SCRIPT, level, form, " ".join(LIBRARIES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60)
    return done.stderr.decode().split("\n")[:-1]


@pytest.mark.parametrize("form", ["console", "json"])
def test_libraries_log_warnings_alone_even_at_debug(form: str) -> None:
    lines = written("DEBUG", form)

    assert [line for line in lines if "a secret" in line] == []
    assert all(any(f"a warning of {name}" in line for line in lines) for name in LIBRARIES)
    assert any("a detail" in line for line in lines)


@pytest.mark.parametrize("form", ["console", "json"])
def test_every_record_is_one_line_without_control_characters(form: str) -> None:
    lines = written("INFO", form)

    (line,) = [line for line in lines if "FORGED" in line]
    assert all(character.isprintable() for line in lines for character in line)
    if form == "json":
        read = [json.loads(line) for line in lines]
        (record,) = [record for record in read if "FORGED" in record["message"]]
        assert record["message"] == "one\nFORGED \x1b[31m \x85 \u2028 \u202e end"
        assert (record["a"], record["n"]) == ("x y\nz", 1)
    else:
        assert r"one\u000aFORGED \u001b[31m \u0085 \u2028 \u202e end" in line
        assert line.endswith(r' a="x y\nz" n=1')


def test_at_error_libraries_warn_no_more() -> None:
    assert [line for line in written("ERROR", "console") if "a warning" in line] == []
