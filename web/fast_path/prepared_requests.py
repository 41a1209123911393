"""Remembers what a small request meant, so that the same bytes need not be read twice: clients ask the same again.

What is remembered follows from the bytes alone - the way, whose token, which question - and has nothing of the answer:
the token is looked up, the request counted and the cache asked each time. The bytes themselves are not kept, for there
is a token in them: they are found again by a digest that begins with a secret of this process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_bytes
from typing import Any, NamedTuple, Protocol

from models.accounts.bearer import Bearer
from models.accounts.viewer import Viewer
from models.reads.reads import TokenRow
from web.auth.authenticator import Doorkeeper
from web.cache.cache_key import Question, Wording
from web.cache.cached_response import Sort
from web.metrics.metrics import Tally

MOST = 1_024
LARGEST_BYTES = 2_048
"""Of a request that is remembered; what it means takes some four times that."""

_SECRET_BYTES = 64


class Reading(Protocol):
    """A read that can be asked again and again, by whoever may."""

    headers: tuple[tuple[bytes, bytes], ...]
    """Of a success, but for its length."""

    async def body(self, viewer: Viewer) -> bytes | None:
        """The body of a success, which lasts as long as the viewer's revision; None: the door has to say what it is.

        Raises as the door does.
        """
        ...


class Known(NamedTuple):
    """Who asked and what the question was, when the database had this of the token."""

    token: TokenRow
    viewer: Viewer
    question: Question


@dataclass(kw_only=True, slots=True)
class SeenRequest:
    """What the bytes of a request said."""

    scope: Mapping[str, Any]
    """As ASGI has it, without the connection, and without the header that holds the token."""
    body: bytes
    doorkeeper: Doorkeeper
    bearer: Bearer
    wording: Wording
    reading: Reading | None
    """What the door found it to be; None for one that the door has to look at each time."""
    sort: Sort | None = None
    """Of its successes."""
    tally: Tally | None = None
    """What they are counted in."""
    known: Known | None = None
    """What followed the last time it came."""
    is_spent: bool = False
    """Whether that was the last one that the viewer's limit allowed."""


class SeenRequests:
    """The memory of one process; the oldest is forgotten first."""

    def __init__(self) -> None:
        self._beginning = sha256(token_bytes(_SECRET_BYTES))
        self._seen: dict[bytes, SeenRequest] = {}
        self._writers: set[int] = set()

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._seen)

    def find(self, wire: bytes) -> SeenRequest | None:
        """What these bytes meant, if they were remembered."""
        return self._seen.get(self._digest(wire)) if len(wire) <= LARGEST_BYTES else None

    def remember(self, wire: bytes, request: SeenRequest) -> None:
        """Remember what these bytes, a whole request and nothing else, mean."""
        if len(wire) <= LARGEST_BYTES:
            while len(self._seen) >= MOST:
                del self._seen[next(iter(self._seen))]
            self._seen[self._digest(wire)] = request

    def note_write(self, user_id: int) -> None:
        """Remember that a user has written something: what is known of him is outdated."""
        if len(self._writers) >= MOST:
            self._writers.clear()
        self._writers.add(user_id)

    def forget_write(self, user_id: int) -> bool:
        """Whether a user has written since this was asked last."""
        if user_id not in self._writers:
            return False
        self._writers.remove(user_id)
        return True

    def _digest(self, wire: bytes) -> bytes:
        digest = self._beginning.copy()
        digest.update(wire)
        return digest.digest()
