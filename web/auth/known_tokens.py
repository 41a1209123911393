"""What was last known of a token, so that a read can be asked for beside its lookup instead of after it.

Nothing here authenticates: every request looks its token up, and a viewer from here counts only while the database has
the same row of the token. At ten times its size it is of no use and does no harm: reads wait for the lookup.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from models.accounts.bearer import Bearer
from models.accounts.viewer import Viewer
from models.reads.reads import TokenRow
from web.auth.authenticator import Authenticator

MAX_ENTRIES = 4_096
"""About one kilobyte each."""

Key = tuple[int | None, str, int]


class KnownToken(NamedTuple):
    """The row that the database had, and its viewer."""

    row: TokenRow
    viewer: Viewer


class KnownTokens:
    """The tokens that requests came with, least recently used first. Keyed by digest: no token is kept."""

    def __init__(self) -> None:
        self._known: OrderedDict[Key, KnownToken] = OrderedDict()
        self._by_user: dict[int, Key] = {}

    def __len__(self) -> int:
        """How many are known."""
        return len(self._known)

    def get(self, bearer: Bearer, authenticator: Authenticator) -> KnownToken | None:
        """What was known of a token in one API."""
        return self._known.get(_key(bearer, authenticator))

    def put(self, bearer: Bearer, authenticator: Authenticator, known: KnownToken) -> None:
        """Keep what the database has now."""
        key = _key(bearer, authenticator)
        self._known[key] = known
        self._known.move_to_end(key)
        self._by_user[known.viewer.user_id] = key
        while len(self._known) > MAX_ENTRIES:
            oldest, forgotten = self._known.popitem(last=False)
            if self._by_user.get(forgotten.viewer.user_id) == oldest:
                del self._by_user[forgotten.viewer.user_id]

    def forget(self, user_id: int) -> None:
        """Forget the token that a user came with last: the user has written, so its row is stale."""
        key = self._by_user.pop(user_id, None)
        if key is not None:
            self._known.pop(key, None)


def _key(bearer: Bearer, authenticator: Authenticator) -> Key:
    return bearer.token_id, bearer.digest, id(authenticator)
