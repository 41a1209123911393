"""The memories of a process that grow with what clients send, each with its size and its bound, for `/metrics`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from web.metrics.metrics import ExternalMetric


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """What a part keeps so that it need not be made again."""

    name: str
    read: Callable[[], int]
    """Its size in bytes now."""
    max_bytes: int


def memory_metrics(memories: Sequence[Memory]) -> list[ExternalMetric]:
    """The sizes and the bounds of these memories; the sequence may grow until the first publication."""

    def sizes() -> Mapping[str, float]:
        return {memory.name: memory.read() for memory in memories}

    def bounds() -> Mapping[str, float]:
        return {memory.name: memory.max_bytes for memory in memories}

    return [
        ExternalMetric(
            name="moorings_memory_bytes",
            help="What each memory of what clients have sent takes.",
            read=sizes,
            label="memory",
            is_counter=False,
        ),
        ExternalMetric(
            name="moorings_memory_max_bytes",
            help="What each of these memories takes at most.",
            read=bounds,
            label="memory",
            is_counter=False,
        ),
    ]
