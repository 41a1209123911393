"""Whether a response may show when or how a destination was checked last, or depend on it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_NAME = re.compile("check", re.IGNORECASE)


def names_checks(text: str) -> bool:
    """Whether a text has `check` in it, in any case of its letters."""
    return _NAME.search(text) is not None


def shows_checks(document: str, variables: Mapping[str, Any]) -> bool:
    """True where a name in the document, or anything in the variables, has `check` in it.

    Every field, argument and order that reads a time or a report of a check does: a test holds the schema to it. What
    happens to be called so besides only costs that its response is read anew after a check.
    """
    return names_checks(document) or names_checks(repr(variables))
