"""JSON of strangers: strict, and bounded before anything looks at its values one by one."""

from __future__ import annotations

import orjson

MAX_DEPTH = 32
MAX_VALUES = 2_000
"""Names and items in one body: a list of IDs has a hundred, a destination a dozen."""


class JsonRefused(ValueError):
    """The JSON is nested too deep or holds too many values; `str()` says what it does, as a predicate."""


def parse_json(body: bytes | str) -> object:
    """Parse JSON, strict about UTF-8, surrogates and NaN.

    Raises `JsonRefused`, and `orjson.JSONDecodeError` for what is not JSON; both are `ValueError`.
    """
    value = orjson.loads(body)
    level = [value] if isinstance(value, dict | list) else []
    counted = 0
    for _ in range(MAX_DEPTH + 1):
        if not level:
            return value
        counted += sum(map(len, level))
        if counted > MAX_VALUES:
            raise JsonRefused(f"has more than {MAX_VALUES} values")
        level = [
            inner
            for container in level
            for inner in (container.values() if type(container) is dict else container)
            if type(inner) is dict or type(inner) is list
        ]
    raise JsonRefused(f"is nested deeper than {MAX_DEPTH} levels")
