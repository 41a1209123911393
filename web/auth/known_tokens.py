"""What was last known of the token in an `Authorization` header: its parsed form, its row and its viewer.

It spares the parsing of the token and lets a read be asked for beside the token's lookup instead of after it. Nothing
here authenticates: every request looks its token up, and a viewer from here counts only while the database has the same
row. At ten times its size it is of no use and does no harm: tokens are parsed, and reads wait for the lookup.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from secrets import token_bytes
from typing import NamedTuple

from models.accounts.bearer import Bearer
from models.accounts.token_row import TokenRow
from models.accounts.viewer import Viewer

MAX_ENTRIES = 4_096
"""About one kilobyte each."""


class KnownToken(NamedTuple):
    """The row that the database had of a token, and its viewer."""

    bearer: Bearer
    row: TokenRow
    viewer: Viewer


class KnownTokens:
    """Tokens of one API, least recently used first. Found by a keyed digest of the header: no token is kept."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, KnownToken] = OrderedDict()
        self._by_user: dict[int, bytes] = {}
        self._secret = token_bytes(blake2b.MAX_KEY_SIZE)

    def __len__(self) -> int:
        """How many are known."""
        return len(self._known)

    def digest(self, authorization: bytes) -> bytes:
        """What the token in a header is found by."""
        return blake2b(authorization, digest_size=16, key=self._secret).digest()

    def get(self, digest: bytes) -> KnownToken | None:
        """What was known."""
        return self._known.get(digest)

    def put(self, digest: bytes, known: KnownToken) -> None:
        """Keep what the database has now."""
        self._known[digest] = known
        self._known.move_to_end(digest)
        self._by_user[known.viewer.user_id] = digest
        while len(self._known) > MAX_ENTRIES:
            oldest, forgotten = self._known.popitem(last=False)
            if self._by_user.get(forgotten.viewer.user_id) == oldest:
                del self._by_user[forgotten.viewer.user_id]

    def forget(self, user_id: int) -> None:
        """Forget the token that a user came with last: the user has written, so its row is stale."""
        digest = self._by_user.pop(user_id, None)
        if digest is not None:
            self._known.pop(digest, None)
