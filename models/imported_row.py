"""The row that says which row here was made from which row of the source, and up to which state they agree."""

from __future__ import annotations

from tortoise import fields
from tortoise.expressions import Q
from tortoise.models import Model

USERS, TOKENS = "users", "personal_access_tokens"
"""Names of tables of the source."""

APP_KEY = "app_key"
"""The `table_name` of the one row that is none of the source: its `digest` is the fingerprint of the key that fits."""

UNSEEN = "unseen"
"""The `status` of a destination that was made here and written as a statement, until an import finds it there."""


GONE = ""
"""The `digest` of a row whose source is gone, and which stays here: revoked, or disabled."""

ENDED_BY_OPERATOR = "operator"
"""The `status` of a token or user that a prune or a suspension had ended, and that the operator ended since."""


class ImportedRow(Model):
    """One row of the source and what it became. `table_name` is the source's; ids differ for tokens only.

    `digest` is the SHA-256, in hex, of the source's row as it was last imported or exported: it changes with the row.
    It is `GONE` where the source's row is, and the one here was ended by a prune. `version` is that of a destination
    then. `status` is, of a destination, what the source last found of its store; of a token, the end that the source
    gave it; of a user, since when an import has it disabled; and of what is gone, when the prune ended it. It is
    `ENDED_BY_OPERATOR` where the operator decided that since.
    """

    id = fields.BigIntField(primary_key=True)
    table_name = fields.CharField(max_length=32)
    source_id = fields.IntField()
    target_id = fields.IntField()
    digest = fields.CharField(max_length=64)
    version = fields.BigIntField(default=0, db_default=0)
    status = fields.CharField(max_length=32, null=True)

    class Meta:
        table = "imported_rows"
        table_description = "Which rows were made from which rows of a Vanguard application"
        unique_together = (("table_name", "source_id"),)
        indexes = (("table_name", "target_id"),)


async def note_operators_end(table: str, target_id: int) -> bool:
    """Note, in the transaction of the act, that the operator ended a token or a user: no import makes it valid again.

    Without it, one that a prune or a suspension ended before would be valid again with its row. False for one that
    no import had ended. The token's or user's row has to be locked.
    """
    noted = await ImportedRow.filter(
        Q(digest=GONE) | Q(table_name=USERS),
        Q(status__isnull=False),
        ~Q(status=ENDED_BY_OPERATOR),
        table_name=table,
        target_id=target_id,
    ).update(status=ENDED_BY_OPERATOR)
    return noted > 0
