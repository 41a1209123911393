"""The ids that tokens ever had. One that was removed lives on in the audit, and must never come to mean another token.

The database counts on from the greatest id that it gave, but a count can be lost: a copy into another database begins
anew, and an import brings ids of its own.
"""

from __future__ import annotations

from typing import Any

_NAMED = (
    "SELECT token_id FROM audit WHERE token_id IS NOT NULL AND actor <> 'stranger' "
    "UNION ALL SELECT token_id FROM events WHERE token_id IS NOT NULL "
    "UNION ALL SELECT token_id FROM access_grants WHERE token_id IS NOT NULL"
)
"""What a stranger claims of a token is no id that was given."""


async def named_token_ids(client: Any) -> set[int]:
    """The ids of the tokens that the audit, the events and the grants name; reads all of them."""
    return {row["token_id"] for row in await client.execute_query_dict(_NAMED)}


async def raise_token_ids(_apps: object, editor: Any) -> None:
    """Let the next token have an id that nothing names; for migrations."""
    (named,) = await editor.client.execute_query_dict(f"SELECT max(token_id) AS highest FROM ({_NAMED}) AS named")  # noqa: S608
    highest = named["highest"] or 0
    if editor.DIALECT == "sqlite":
        await editor.client.execute_query(
            "INSERT INTO sqlite_sequence (name, seq) SELECT 'tokens', 0 "
            "WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'tokens')"
        )
        await editor.client.execute_query(
            f"UPDATE sqlite_sequence SET seq = max(seq, {highest:d}) WHERE name = 'tokens'"  # noqa: S608 - a number
        )
        return
    (row,) = await editor.client.execute_query_dict("SELECT pg_get_serial_sequence('tokens', 'id') AS name")
    sequence = row["name"]
    await editor.client.execute_query(
        f"SELECT setval('{sequence}', {highest:d}) FROM {sequence} WHERE {highest:d} >= last_value"  # noqa: S608 - quoted by PostgreSQL
    )
