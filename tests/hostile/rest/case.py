"""One hostile request and the answer the contract gives it."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

CANARY = re.compile(r"cnry[0-9a-f]{24}")


def canary(name: str) -> str:
    """Make a credential that occurs nowhere else, so that every leak of it can be found."""
    return "cnry" + hashlib.sha256(name.encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A request as it goes over the wire, and what must come back.

    `path` and `headers` may hold the placeholders a stage fills: `{own}`, `{own_s3}`, `{own_local}`, `{foreign}`,
    `{missing}`, and in headers `{token}`, `{token_id}`, `{token_secret}`, `{foreign_id}`, `{foreign_secret}`,
    `{view_token}`. An expectation that is None is not fixed by the contract.
    """

    name: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    status: frozenset[int] | int
    error: str | None = None
    message: str | None = None
    errors: dict[str, list[str]] | None = None  # exact, in this order
    fields: tuple[str, ...] | None = None  # the failing fields where their sentences are free
    data: Mapping[str, object] | None = None  # a part of the answered destination
    meta: dict[str, int] | None = None  # a part of the answered page's meta
    authenticated: bool = True
    omitted: frozenset[str] = frozenset()  # lower-case names of the headers the wire must not add by itself
    version: str = "HTTP/1.1"
    raw: bool = False  # answered by the HTTP parser, which may speak plain text

    @property
    def statuses(self) -> frozenset[int]:
        """Every status the contract allows."""
        return frozenset({self.status}) if isinstance(self.status, int) else self.status

    @property
    def writes(self) -> bool:
        """Whether the contract lets this request change something."""
        return self.method in {"POST", "PUT", "DELETE"} and min(self.statuses) < 300

    @property
    def canaries(self) -> frozenset[str]:
        """The credentials this request carries, UTF-16 and UTF-32 bodies included."""
        text = self.body.replace(b"\0", b"").decode("latin-1") + self.path + repr(self.headers)
        return frozenset(CANARY.findall(text))
