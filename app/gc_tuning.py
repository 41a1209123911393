"""Tells the garbage collector what a process that serves is like: much that lives for ever, little that needs it.

By default it looks through everything that start-up made again and again, in the middle of requests. What a request
makes is freed by its reference counts; only what refers to itself in a circle has to be looked for, now and then.
"""

from __future__ import annotations

import gc

YOUNG_OBJECTS = 20_000
"""How many more containers there are than before when the young ones are looked through; Python's own is 700."""


def settle() -> None:
    """Call once, when everything that lives as long as the process has been made."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
