"""The errors of a request that ends before its execution begins."""

from __future__ import annotations

from typing import Any

Answer = dict[str, Any]


class NotExecuted(Exception):
    """The request ended before execution began: the response has no data, only errors."""

    def __init__(self, *errors: dict[str, Any]) -> None:
        super().__init__("not executed")
        self.answer: Answer = {"errors": list(errors)}
