"""A rate says how often something may happen in which time, in words that the library for shared counts reads alike."""

from __future__ import annotations

import limits
import pytest

from web.rate_limit.rate import parse_rate


@pytest.mark.parametrize(
    ("text", "amount", "length_s"),
    [
        ("600/minute", 600, 60),
        ("1 per second", 1, 1),
        ("10 per 5 minutes", 10, 300),
        ("7/2hours", 7, 7_200),
        ("999999999 / 99999 day", 999_999_999, 99_999 * 86_400),
    ],
)
def test_a_rate_means_what_it_means_to_the_library(text: str, amount: int, length_s: int) -> None:
    rate, known = parse_rate(text), limits.parse(text)

    assert (rate.amount, rate.length_s) == (amount, length_s) == (known.amount, known.get_expiry())


@pytest.mark.parametrize("text", ["", "600", "0/minute", "-5/minute", "600/fortnight", "600/0 minutes", "6e2/minute"])
def test_anything_else_is_refused_with_the_form_it_wants(text: str) -> None:
    with pytest.raises(ValueError, match="600/minute, or off"):
        parse_rate(text)
