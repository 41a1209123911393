"""Memos of functions of one text that clients send: bounded by number, and by the length of the texts.

A number alone bounds nothing: a header may have 16 KiB, and a thousand of them are more than what they are parsed to is
worth. Clients that mean it well send short ones, and the same again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

Text = TypeVar("Text", bound=str | bytes | None)
Result = TypeVar("Result")


def memo_of_short(max_entries: int, max_length: int) -> Callable[[Callable[[Text], Result]], Callable[[Text], Result]]:
    """Keep the results for texts of up to `max_length` characters or bytes, those used last; others are computed anew.

    The function depends on its argument alone.
    """

    def decorate(function: Callable[[Text], Result]) -> Callable[[Text], Result]:
        known = lru_cache(max_entries)(function)

        @wraps(function)
        def look_up(text: Text) -> Result:
            return known(text) if text is None or len(text) <= max_length else function(text)

        return look_up

    return decorate
