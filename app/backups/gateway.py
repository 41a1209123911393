"""Asks a gateway for grants: the URL and the token are all that a backup job has."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from app.backups.connections import TRANSIENT, Answer, Connections
from app.backups.refusals import GatewayRefused
from models.grants.access import MAX_PARTS, AccessField, GrantOperation
from models.vault.secret import Secret

ATTEMPTS = 6
LIFETIME_S = 900
"""What is asked for; the gateway may allow less."""
MARGIN = 0.1
"""Part of its lifetime before its end from which on a grant is not used any more."""
PARTS_AT_ONCE = 20
"""Parts that one grant is for: more would run out before they are sent."""
_RETRIED = frozenset({429, 500, 502, 503, 504})
_LONGEST_PAUSE_S = 60.0
_SHOWN = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """A request that may be sent until `good_until`, a time of `time.monotonic`."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str]
    good_until: float

    @property
    def is_good(self) -> bool:
        """Whether there is time left to send it."""
        return time.monotonic() < self.good_until


class Gateway:
    """The gateway that has the destination."""

    def __init__(self, url: str, token: Secret, connections: Connections, *, lifetime_s: int = LIFETIME_S) -> None:
        """`url` is the root of the gateway, such as https://backups.example.com; raises `GatewayRefused`."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username is not None:
            raise GatewayRefused("MOORINGS_URL is not the URL of a gateway, such as https://backups.example.com.")
        self.url = url.rstrip("/").removesuffix("/api")
        self._token = token
        self._connections = connections
        self._lifetime_s: int | None = lifetime_s

    @property
    def is_open_to_readers(self) -> bool:
        """Whether the token is sent over a network without encryption."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")

    def grant(self, destination: int, **asked: Any) -> Sequence[Signed]:
        """The requests of one grant, in the order in which they were asked for; raises `GatewayRefused`."""
        answer = self._ask(destination, asked | ({} if self._lifetime_s is None else {"expires_in": self._lifetime_s}))
        refusal = _problem_of(answer)
        if answer.status == 422 and AccessField.EXPIRES_IN in refusal.get("errors", {}):
            # The gateway's longest is shorter: without a wish it gives that.
            self._lifetime_s = None
            answer = self._ask(destination, asked)
        if answer.status != 201:
            raise GatewayRefused(_sentence(answer))
        try:
            requests = json.loads(answer.body)["data"]["requests"]
            return [
                Signed(
                    method=str(each["method"]),
                    url=str(each["url"]),
                    headers={str(name): str(value) for name, value in each["headers"].items()},
                    good_until=time.monotonic() + _lifetime_of(str(each["url"])) * (1 - MARGIN),
                )
                for each in requests
            ]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise GatewayRefused("What answers at MOORINGS_URL is not a gateway of this kind.") from None

    def _ask(self, destination: int, body: Mapping[str, Any]) -> Answer:
        url = f"{self.url}/api/backup-destinations/{destination}/grants"
        headers = {
            "authorization": f"Bearer {self._token.reveal()}",
            "content-type": "application/json",
            "accept": "application/json",
        }
        content = json.dumps(body).encode()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = self._connections.ask("POST", url, headers, content)
            except TRANSIENT as error:
                if attempt == ATTEMPTS:
                    raise GatewayRefused(f"The gateway at {self.url} cannot be reached: {reason(error)}.") from None
                time.sleep(pause_s(attempt))
            else:
                if answer.status not in _RETRIED or attempt == ATTEMPTS:
                    return answer
                time.sleep(min(_seconds(answer.headers.get("retry-after")) or pause_s(attempt), _LONGEST_PAUSE_S))
        raise AssertionError


class Parts:
    """The signed requests for the parts of one upload, granted some at a time, for any number of threads."""

    def __init__(self, grant: Callable[..., Sequence[Signed]], *, last: int | None) -> None:
        """`grant` is called with the fields of a grant; `last` is the number of the last part, where it is known."""
        self._grant = grant
        self._last = last
        self._lock = threading.Lock()
        self._signed: dict[tuple[int, int], Signed] = {}
        """By the number and the size of the part: the signature binds both."""

    def request(self, number: int, size: int, *, is_whole: bool) -> Signed:
        """The request for a part of `size` bytes; `is_whole` for any but the last, whose size is that of all others."""
        with self._lock:
            found = self._signed.get((number, size))
            if found is None or not found.is_good:
                behind = PARTS_AT_ONCE if self._last is None else self._last - number
                count = max(1, min(PARTS_AT_ONCE, behind, MAX_PARTS + 1 - number)) if is_whole else 1
                numbers = list(range(number, number + count))
                signed = self._grant(
                    operations=[GrantOperation.UPLOAD_PART.value], part_numbers=numbers, content_length=size
                )
                self._signed.update(zip(((each, size) for each in numbers), signed, strict=True))
            return self._signed[number, size]

    def forget(self, number: int, size: int) -> None:
        """Forget a request: it was carried out, or the store does not take it, and a new one is to be asked for."""
        with self._lock:
            self._signed.pop((number, size), None)


def pause_s(attempt: int) -> float:
    """How long to wait after a failed attempt, the first one being 1."""
    return min(0.25 * float(1 << (attempt - 1)), 15.0)


def reason(error: Exception) -> str:
    """What a connection failed of, without what the peer said."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "it took too long" if isinstance(error, TimeoutError) else "the connection was lost"


def _lifetime_of(url: str) -> int:
    """For how many seconds a signature is good, as it says itself."""
    _, _, behind = url.partition("X-Amz-Expires=")
    return int(behind.partition("&")[0])


def _problem_of(answer: Answer) -> Mapping[str, Any]:
    try:
        problem = json.loads(answer.body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _sentence(answer: Answer) -> str:
    said = "".join(c for c in str(_problem_of(answer).get("message", "")) if c.isprintable())[:_SHOWN]
    if answer.status == 401:
        return "The gateway does not know the token in MOORINGS_TOKEN, or it was revoked or has expired."
    if not said:
        return f"What answers at MOORINGS_URL is not a gateway of this kind (HTTP {answer.status})."
    return f"The gateway refused: {said}"


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() and len(text) < 6 else None
