"""The id of a request, which its response, the log, the events and the audit have alike."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable

HEADER = b"x-request-id"
_FORM = re.compile(rb"[0-9A-Za-z][0-9A-Za-z._:+/=-]{0,127}")


def new_request_id() -> bytes:
    """A fresh id: 16 hexadecimal digits of chance. They are no secret, so that chance may be the cheap one."""
    return b"%016x" % random.getrandbits(64)


def given_request_id(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The id that a trusted proxy has given the request; a fresh one without exactly one of a harmless form."""
    values = [value for name, value in headers if name == HEADER]
    return values[0] if len(values) == 1 and _FORM.fullmatch(values[0]) else new_request_id()
