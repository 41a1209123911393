"""Sends signed requests to a store: tried again after failures that may pass, granted again when they run out."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from app.backups.connections import TRANSIENT, Answer, Connections
from app.backups.gateway import Signed, pause_s, reason
from app.backups.refusals import BackupRefused, StoreRefused

ATTEMPTS = 6
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_RETRIED_CODES = frozenset({"RequestTimeout", "SlowDown", "BadDigest", "IncompleteBody", "InternalError"})
"""Of S3; a digest that does not fit is of bytes that were changed on the way."""
_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,64})</Code>")
_STATUSES = {404: "there is no such object", 412: "the object has changed meanwhile"}

Grant = Callable[[], Signed]
"""Returns a request that may be sent now."""


class Renewing:
    """A request of a grant of its own, which is granted anew when it runs out."""

    def __init__(self, grant: Callable[[], Signed]) -> None:
        self._grant = grant
        self._signed: Signed | None = None

    def __call__(self) -> Signed:
        """The request, to be sent now."""
        if self._signed is None or not self._signed.is_good:
            self._signed = self._grant()
        return self._signed

    def forget(self) -> None:
        """Ask for a new grant the next time."""
        self._signed = None


class Stopped(BackupRefused):
    """Another thread has failed, or the user ended the command."""

    def __init__(self) -> None:
        super().__init__("The command was ended.")


class Store:
    """The store of a destination, for all threads of a command."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.stopping = threading.Event()
        """Set when the command is to end."""

    def ask(
        self,
        grant: Grant,
        *,
        headers: Mapping[str, str] | None = None,
        body: Callable[[], bytes | Iterable[bytes]] | None = None,
        renew: Callable[[], None] = lambda: None,
        is_done: Callable[[Answer], bool] = lambda answer: not _CODE.search(answer.body),
    ) -> Answer:
        """The response of the store, a success; raises `StoreRefused`, and `GatewayRefused` where the grant is refused.

        `body` makes the body anew for each attempt. `renew` is called before a grant is asked for again that the store
        did not take. `is_done` says whether a 200 is a success: that of a completed upload may hold an error.
        """
        was_renewed = False
        for attempt in range(1, ATTEMPTS + 1):
            self.pause(0)
            signed = grant()
            try:
                sent = None if body is None else self._until_stopped(body())
                answer = self._connections.ask(signed.method, signed.url, {**signed.headers, **(headers or {})}, sent)
            except TRANSIENT as error:
                failure = StoreRefused(f"The store cannot be reached: {reason(error)}.")
            else:
                if answer.status < 300 and is_done(answer):
                    return answer
                failure = refusal_of(answer.status, answer.body)
                if failure.has_expired and not was_renewed and not signed.is_good:
                    was_renewed = True
                    renew()
                    continue
                if answer.status not in _RETRIED and failure.code not in _RETRIED_CODES:
                    raise failure
            if attempt == ATTEMPTS:
                raise failure
            self.pause(pause_s(attempt))
        raise AssertionError

    def _until_stopped(self, body: bytes | Iterable[bytes]) -> bytes | Iterable[bytes]:
        """The body, which ends with `Stopped` as soon as the command is to end."""
        return body if isinstance(body, bytes) else self._checked(body)

    def _checked(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        for block in blocks:
            self.pause(0)
            yield block

    @contextmanager
    def reading(self, signed: Signed, headers: Mapping[str, str]) -> Iterator[http.client.HTTPResponse]:
        """The response to one attempt, to be read; raises `StoreRefused`, or `TRANSIENT`."""
        with self._connections.asking(signed.method, signed.url, {**signed.headers, **headers}) as response:
            if response.status >= 300:
                raise refusal_of(response.status, response.read(65_536))
            yield response

    def pause(self, seconds: float) -> None:
        """Wait; raises `Stopped` as soon as the command is to end."""
        if self.stopping.wait(seconds) if seconds else self.stopping.is_set():
            raise Stopped


def is_transient(failure: StoreRefused) -> bool:
    """Whether another attempt may succeed."""
    return failure.status in _RETRIED or failure.code in _RETRIED_CODES


def refusal_of(status: int, body: bytes) -> StoreRefused:
    """What a response says that is no success; of its body no more than the code of the error."""
    found = _CODE.search(body)
    code = None if found is None else found[1].decode()
    said = code or _STATUSES.get(status, "it did not say why")
    return StoreRefused(f"The store refused (HTTP {status}): {said}.", status=status, code=code)
