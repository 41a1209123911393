"""Rates, such as 600/minute: how often something may happen in a time."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FORM = re.compile(r"([1-9][0-9]{0,8}) ?(?:/|per) ?(?:([1-9][0-9]{0,4}) ?)?(second|minute|hour|day)s?")
_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """So many in a window of fixed length."""

    text: str
    """As it was written, which the library for shared counts reads too."""
    amount: int
    length_s: int


def parse_rate(text: str) -> Rate:
    """Read `600/minute` or `10 per 5 minutes`; raises ValueError with the form it wants."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError("it wants a limit such as 600/minute, or off")
    amount, times, unit = match.groups(default="1")
    return Rate(text=text, amount=int(amount), length_s=int(times) * _SECONDS[unit])
