"""The refusal of a backup, a restore or a copy."""

from __future__ import annotations

from models.errors import Refusal


class MoveRefused(Refusal):
    """A backup cannot be made or put back; `str()` says why, and nothing was changed."""
