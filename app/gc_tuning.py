"""Tunes the garbage collector for a process that serves: many objects live as long as it, few need the collector.

By default the collector traverses everything that start-up made again and again, in the middle of requests. What a
request makes is freed by its reference counts; only reference cycles have to be searched for, now and then.
"""

from __future__ import annotations

import gc

YOUNG_OBJECTS = 20_000
"""The threshold of the first generation: containers made since the last collection and not freed. Python's is 700."""


def settle() -> None:
    """Call once, when everything that lives as long as the process has been made."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
