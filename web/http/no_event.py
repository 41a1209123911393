"""In the place of the event that uvicorn's protocol sets when more of a body has come: nothing waits for it."""

from __future__ import annotations


class NoEvent:
    """Has what uvicorn's protocol calls."""

    __slots__ = ()

    def set(self) -> None:
        """Do nothing."""
