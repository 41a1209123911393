"""The settable limits of this door, apart from what counts them, so that reading the settings loads no GraphQL.

Beside them stand fixed ones (`schema/execution/document_limits.py`, `schema/execution/validation.py`): no document
a person wrote comes near those.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one document and one socket may ask for.

    Counts, but for `document_bytes` and `execution_s`; `cost` counts a field as 1 and multiplies by page sizes.
    """

    depth: int = 15
    aliases: int = 30
    root_fields: int = 20
    directives: int = 50
    tokens: int = 2_000
    document_bytes: int = 65_536
    cost: int = 5_000
    execution_s: float = 10.0
    subscriptions: int = 100
