"""A document by its hash or ID in place of its text: trusted documents, and automatic persisted queries.

The protocol of the latter is Apollo's: a request with a hash and the text stores the document; one with the hash alone
gets it, or PERSISTED_QUERY_NOT_FOUND, after which the client sends the text again.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from hashlib import sha256

from models.accounts.viewer import Viewer
from schema.errors import Code, refusal
from schema.execution.not_executed import NotExecuted
from schema.execution.persisted.store import MAX_BYTES, DocumentStore
from schema.trusted_documents import NO_DOCUMENTS, TrustedDocuments, TrustMode, TrustRules
from web.cache.bounded_memo import BoundedMemo
from web.metrics.memories import Memory

logger = logging.getLogger("moorings.graphql")

MAX_NOTED_BYTES = 512 * 2**10
NOT_TRUSTED = "This document is not one of the trusted documents of this gateway."
_HASH_PREFIX = "sha256:"


class PersistedQueries:
    """What documents are asked for by, and which of them may be executed."""

    def __init__(
        self,
        *,
        enabled: bool,
        trusted: TrustedDocuments = NO_DOCUMENTS,
        rules: TrustRules | None = None,
        untrusted: Counter[str] | None = None,
    ) -> None:
        """`enabled` is of automatic persisted queries; `untrusted` is increased at the mode of what is not trusted."""
        self._enabled = enabled
        self._trusted = trusted
        self._rules = TrustRules() if rules is None else rules
        self.untrusted: Counter[str] = Counter() if untrusted is None else untrusted
        self.store_of_users = DocumentStore()
        self._noted: BoundedMemo[str, bool] = BoundedMemo(MAX_NOTED_BYTES)

    def memories(self) -> list[Memory]:
        """What it keeps of documents, and how much at most."""
        stored = self.store_of_users
        return [
            Memory(name="persisted queries", read=lambda: stored.bytes, max_bytes=MAX_BYTES),
            Memory(name="untrusted documents", read=lambda: self._noted.bytes, max_bytes=MAX_NOTED_BYTES),
        ]

    def text_of(self, text: str, hash_: str | None, id_: str | None = None) -> str:
        """The document of a request with this text, empty for none, and hash or ID; raises `NotExecuted`."""
        if text:
            is_compared = self._enabled and hash_ is not None and self._trusted.get(hash_) != text
            if is_compared and sha256_of(text) != hash_:
                message = "`extensions.persistedQuery.sha256Hash` is not the SHA-256 of `query`."
                raise NotExecuted(refusal(message, Code.BAD_REQUEST))
            return text
        if id_ is None and hash_ is None:
            return text
        wanted = hash_ or "" if id_ is None else id_
        bare = wanted.removeprefix(_HASH_PREFIX)
        found = self._trusted.get(wanted) or self._trusted.get(bare)
        if found is None and self._enabled:
            found = self.store_of_users.get(bare)
        if found is not None:
            return found
        if self._enabled or self._trusted is not NO_DOCUMENTS:
            raise NotExecuted(refusal("PersistedQueryNotFound", Code.PERSISTED_QUERY_NOT_FOUND))
        raise NotExecuted(refusal("PersistedQueryNotSupported", Code.PERSISTED_QUERY_NOT_SUPPORTED))

    def mode_of(self, text: str, viewer: Viewer | None) -> TrustMode:
        """What becomes of a viewer's document; OFF for one that is trusted, and without a viewer."""
        if self._rules.are_off or viewer is None or text in self._trusted:
            return TrustMode.OFF
        return self._rules.mode_of(viewer.token_name)

    def require_trusted(self, text: str, viewer: Viewer | None) -> None:
        """Count and log a document that is not trusted, by its hash; raises `NotExecuted` where that is enforced."""
        mode = self.mode_of(text, viewer)
        if mode is TrustMode.OFF or viewer is None:
            return
        self.untrusted[mode] += 1
        hash_ = sha256_of(text)
        if self._noted.get(hash_) is None:
            self._noted.put(hash_, True, len(hash_))
            level = logging.INFO if mode is TrustMode.OBSERVE else logging.WARNING
            logger.log(level, "Not a trusted document: %s, with token %s (%s)", hash_, viewer.token_id, mode.value)
        if mode is TrustMode.ENFORCE:
            raise NotExecuted(refusal(NOT_TRUSTED, Code.DOCUMENT_NOT_TRUSTED))

    def is_for_all(self, text: str) -> bool:
        """Whether every token may have the document executed in the same way."""
        return self._rules.are_off or text in self._trusted

    def store(self, text: str, hash_: str | None, user_id: int) -> None:
        """Store a valid document of a user, whose hash `text_of` has compared; a trusted one is known already."""
        if self._enabled and hash_ is not None and self._trusted.get(hash_) is None:
            self.store_of_users.put(hash_, text, user_id)

    def counts(self) -> Mapping[str, float]:
        """The documents that were not trusted, by mode."""
        return self.untrusted


def sha256_of(text: str) -> str:
    """The SHA-256 of a text in hex."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
