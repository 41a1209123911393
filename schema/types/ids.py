"""Global IDs such as `BackupDestination:1`: the type and the number that the REST API uses, but not the kind."""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from enum import StrEnum

from schema.errors import BadInput

CHECK_REPORT = "CheckReport"
_FORM = re.compile(r"([A-Za-z]{1,40}):([1-9][0-9]{0,18})")


class NodeType(StrEnum):
    """The part of an ID before the colon."""

    DESTINATION = "BackupDestination"
    EVENT = "BackupDestinationEvent"
    USER = "User"


_ANNOUNCED = re.compile(rf"{NodeType.EVENT}:(0|[1-9][0-9]{{0,18}})-[1-9][0-9]{{0,18}}")
_CHECK_JOB = re.compile(r"CheckJob:([1-9][0-9]{0,18})")
BEGINNING = f"{NodeType.EVENT}:0"
"""The position before the first event of a user."""
_TYPES = {type_.value: type_ for type_ in NodeType}


def global_id(type_: NodeType, number: int) -> str:
    """The global ID of one object."""
    return f"{type_}:{number}"


def announced_id(position: int, number: int) -> str:
    """The global ID of what was told to streams at this position, and is not stored; it is a position, too."""
    return f"{NodeType.EVENT}:{position}-{number}"


def check_id(destination_id: int, checked_at: datetime) -> str:
    """The identity of a destination's report in a client's cache; no query takes it."""
    return f"{CHECK_REPORT}:{destination_id}-{int(checked_at.timestamp())}"


def token_id(number: int | None) -> str:
    """The identity of a token in a client's cache; no query takes it."""
    return f"ApiToken:{number or 0}"


def draft_check_id() -> str:
    """The identity of a report that is stored nowhere."""
    return f"{CHECK_REPORT}:0-{secrets.randbits(52)}"


def parse_id(text: str) -> tuple[NodeType, int]:
    """The type and the number of any global ID; 0 for one that names nothing stored. Raises `BadInput` for others."""
    if _ANNOUNCED.fullmatch(text):
        return NodeType.EVENT, 0
    match = _FORM.fullmatch(text)
    if match is None or match[1] not in _TYPES:
        raise BadInput("This is not an ID of this API.")
    return _TYPES[match[1]], int(match[2])


def parse_id_of(type_: NodeType, text: str) -> int:
    """The number of a global ID of that type; raises `BadInput` for any other."""
    found, number = parse_id(text)
    if found is not type_:
        raise BadInput(f"This is not the ID of a {type_}.")
    return number


def parse_event_position(text: str) -> int:
    """A position in the events: the number of an event's ID, or 0 for `BEGINNING`; raises `BadInput`."""
    announced = _ANNOUNCED.fullmatch(text)
    if announced is not None:
        return int(announced[1])
    return 0 if text == BEGINNING else parse_id_of(NodeType.EVENT, text)


def job_id(number: int) -> str:
    """The identity of a job of checks; `checkJob` takes it, and `node` does not."""
    return f"CheckJob:{number}"


def parse_job_id(text: str) -> int:
    """The number of a job's ID; raises `BadInput`."""
    match = _CHECK_JOB.fullmatch(text)
    if match is None or int(match[1]) >= 2**63:
        raise BadInput("This is not the ID of a CheckJob.")
    return int(match[1])
