"""What a file about an odd store says: how it responds, after which report, and what a check must find."""

from __future__ import annotations

from dataclasses import dataclass

from models.checks.report import CheckCode, CheckDepth, CheckField, CheckHint, CheckStepName
from tests.support.stores.peers import Override, ReceivedRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class OddStore:
    """A store in memory with other responses; `step` is None where a check must pass.

    `closes`: it closes the connection after every response.
    """

    source: str
    override: Override
    step: CheckStepName | None = None
    code: CheckCode | None = None
    field: CheckField | None = None
    hint: CheckHint | None = None
    store_code: str | None = None
    depth: CheckDepth = CheckDepth.FULL
    closes: bool = False


def is_listing(asked: ReceivedRequest) -> bool:
    """Whether the bucket's objects are asked for, in the newer form or the older."""
    return asked.method == "GET" and "prefix=" in asked.target


def to_listing(said: bytes) -> Override:
    """Responds so to every listing."""

    async def override(asked: ReceivedRequest) -> bytes | None:
        return said if is_listing(asked) else None

    return override


def to(method: str, said: bytes) -> Override:
    """Responds so to every request of that method for an object."""

    async def override(asked: ReceivedRequest) -> bytes | None:
        return said if asked.method == method and not is_listing(asked) else None

    return override


PAGE = b"<!DOCTYPE html><html><head><title>hunter22</title></head><body>hunter22</body></html>"
