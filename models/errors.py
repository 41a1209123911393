"""The tree of refusals. Each carries a sentence for the person who asked and no status of any protocol.

Refusal
├── Unauthenticated            no valid token
├── TooManyAttempts            a limit was reached; says when it ends
├── AbilityMissing             the token does not allow the operation
├── DestinationNotFound        there is no such row
├── DestinationForbidden       the row is another user's
├── DestinationNotCheckable    there is no store behind it that could be asked
├── CheckPostponed             as many checks by the clock have begun at that address as may; there will be another time
├── DestinationNotGrantable    there is no store behind it that requests could be signed for
├── StoreNotUsable             its store may not or cannot be reached (`models/grants/access.py`)
├── AccessInvalid              every violated rule of a request for access (`models/grants/access.py`)
├── ValidationFailed           every violated rule at once
├── EventUnknown               a position in the events that is not, or no longer, in the history
├── VersionConflict            the row has changed (`models/destinations/version_conflict.py`)
├── AccountRefused             an account or a token cannot be made or changed as asked
├── KeyRefused                 the key ring and the data do not fit
├── KeysUnavailable            the key service does not answer, and the time its keys may be used without it is over
├── SecretUnreadable           one sealed value does not open
├── IdempotencyKeyReused       the key was sent before with another request
├── IdempotencyKeyInUse        a request with the key is still carried out
└── DatabaseUnavailable        the database cannot be asked just now; nothing was changed
    └── OutcomeUnknown         the connection was lost while a change was being stored
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.accounts.abilities import Ability
    from models.destinations.attributes import DestinationKind
    from models.destinations.violations import Violation


class Refusal(Exception):
    """Something was asked that cannot be done; `str()` is the sentence for the person."""


class Unauthenticated(Refusal):
    """The request carries no token, or one that is unknown, revoked, expired or of a disabled user."""

    def __init__(self) -> None:
        super().__init__("Unauthenticated.")


class Quota(NamedTuple):
    """Where a count stands: the limit of the window, what is left of it, and in how many seconds the window ends."""

    limit: int
    remaining: int
    left_s: float = 0.0


class TooManyAttempts(Refusal):
    """A limit was reached. `retry_after_s` says how many whole seconds are left of the window.

    `resets_at` is the epoch second at which it ends.
    """

    def __init__(self, quota: Quota, *, retry_after_s: int, resets_at: int) -> None:
        super().__init__("Too Many Attempts.")
        self.quota = quota
        self.resets_at = resets_at
        self.retry_after_s = retry_after_s


class AbilityMissing(Refusal):
    """The viewer's token lacks the ability that the operation needs."""

    def __init__(self, ability: Ability) -> None:
        super().__init__(f"Access denied due to insufficient permissions. Required token ability scopes: {ability}")
        self.ability = ability


class DestinationNotFound(Refusal):
    """There is no backup destination with that id."""

    def __init__(self) -> None:
        super().__init__("Backup destination not found")


class DestinationForbidden(Refusal):
    """The backup destination belongs to another user."""

    def __init__(self) -> None:
        super().__init__("You are not authorized to access this backup destination")


class DestinationNotCheckable(Refusal):
    """The destination is of a kind without a store."""

    def __init__(self) -> None:
        super().__init__("A local destination has no store to check")


class CheckJobRunning(Refusal):
    """Another job of the user's runs; `job_id` is None if it has ended meanwhile."""

    def __init__(self, job_id: int | None) -> None:
        super().__init__("Another job of checks is running; wait for its end")
        self.job_id = job_id


class CheckPostponed(Refusal):
    """As many checks by the clock as may begin in a minute have begun at the store's address."""

    def __init__(self) -> None:
        super().__init__("Enough checks have begun at this address; the check is made later")


class DestinationNotGrantable(Refusal):
    """The destination is of a kind without a store, so that there is nothing to grant access to."""

    def __init__(self) -> None:
        super().__init__("A local destination has no store to grant access to")


class EventUnknown(Refusal):
    """The user has no event with that id: it was pruned, belongs to a lost history, or never happened."""

    def __init__(self) -> None:
        super().__init__("There is no such event, or no longer: what came after it is unknown. Read the list again.")


class ValidationFailed(Refusal):
    """The attributes break at least one rule; `violations` holds all of them, in the order of the attributes.

    `kind` is the kind the destination would have had, None where that itself is not known.
    """

    def __init__(self, violations: Sequence[Violation], *, kind: DestinationKind | None) -> None:
        super().__init__("The given attributes break a rule.")
        self.violations = tuple(violations)
        self.kind = kind

    @staticmethod
    def summary(sentences: Sequence[str]) -> str:
        """One sentence for all: the first, and how many there are besides."""
        more = len(sentences) - 1
        return sentences[0] + (f" (and {more} more error{'s' if more > 1 else ''})" if more else "")


class AccountRefused(Refusal):
    """A user or token cannot be created, found or changed as asked."""


class KeyRefused(Refusal):
    """The configured secret keys are malformed, do not prove themselves, or lack one that the data needs."""


class KeysUnavailable(Refusal):
    """The keys of the vault are with a key service that cannot be asked just now; nothing was changed."""

    def __init__(self) -> None:
        super().__init__("The key service is not available just now; try again in a moment.")


class SecretUnreadable(Refusal):
    """A sealed value does not open: altered, moved to another row, or sealed with a key that is not in the ring."""

    def __init__(self) -> None:
        super().__init__("The stored credentials cannot be read; set them again.")


class DatabaseUnavailable(Refusal):
    """The database could not be reached, or did not answer in time."""

    def __init__(self) -> None:
        super().__init__("The database is not available just now; try again in a moment.")


class OutcomeUnknown(DatabaseUnavailable):
    """The change was made, or it was not: the connection was lost at the commit, or time ran out.

    `has_key` says whether the request had an Idempotency-Key, so that it may be sent again as it is; `because` is the
    part of the sentence that says what happened.
    """

    LOST = "the connection to the database was lost while the change was being stored"
    _WITH_KEY = "To find out, send the same request with the same Idempotency-Key: the change is not made twice."
    _WITHOUT_KEY = (
        "To find out, read the list before you send the change once more. A request with an Idempotency-Key can be "
        "repeated as it is: the change is not made twice."
    )

    def __init__(self, *, has_key: bool = False, because: str = LOST) -> None:
        advice = self._WITH_KEY if has_key else self._WITHOUT_KEY
        Refusal.__init__(self, f"The outcome is unknown: {because}. {advice}")
        self.has_key = has_key


class IdempotencyKeyReused(Refusal):
    """The user has sent the Idempotency-Key before, with another request."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was sent before with another request; a new request needs a new key.")


class IdempotencyKeyInUse(Refusal):
    """A request with the same Idempotency-Key is still carried out."""

    def __init__(self) -> None:
        super().__init__("A request with this Idempotency-Key is still being carried out; repeat it for its answer.")
