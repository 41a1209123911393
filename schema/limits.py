"""The limits of the GraphQL API that settings can change. Imports nothing: reading the settings loads no GraphQL.

Fixed limits, which no document written by a person reaches, are in `schema/documents/document_limits.py` and
`schema/execution/validation.py`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Limits of one document, of one socket, and of one user's sockets and subscriptions in a process.

    All are counts except `document_bytes`, `answer_bytes` and `execution_s`; `cost` is 1 per field, multiplied by page
    sizes.
    """

    depth: int = 15
    aliases: int = 30
    root_fields: int = 20
    directives: int = 50
    tokens: int = 2_000
    document_bytes: int = 65_536
    cost: int = 5_000
    answer_bytes: int = 1_048_576
    execution_s: float = 10.0
    subscriptions: int = 100
    user_sockets: int = 20
    user_subscriptions: int = 200
