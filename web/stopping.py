"""That the process is about to stop, for the parts that have to know: readiness, and streams that would not end."""

from __future__ import annotations

import asyncio


class Stopping:
    """What a server says to the application it runs; both begin unsaid."""

    def __init__(self) -> None:
        self.is_announced = False
        """Whether the process stops soon: `/readyz` answers 503, everything else as before."""
        self.streams_end = asyncio.Event()
        """Set when streams must end now, in the form in which their clients resume them."""
