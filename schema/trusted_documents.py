"""Trusted documents: what a front end's build wrote down of its operations, and what becomes of all others.

Imports no GraphQL: reading the settings loads none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

import orjson

MAX_FILE_BYTES = 16 * 2**20
_MANIFEST = "apollo-persisted-query-manifest"


class TrustMode(StrEnum):
    """What becomes of a document that is not trusted: nothing, a count and a line, a warning too, or a refusal."""

    OFF = "off"
    OBSERVE = "observe"
    WARN = "warn"
    ENFORCE = "enforce"


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustRules:
    """The mode for requests with a token of a name, and for all others."""

    default: TrustMode = TrustMode.OFF
    by_token: Mapping[str, TrustMode] = field(default_factory=dict)

    def mode_of(self, token_name: str | None) -> TrustMode:
        """The mode for a token of this name."""
        return self.default if token_name is None else self.by_token.get(token_name, self.default)

    @property
    def are_off(self) -> bool:
        """Whether no document is looked at."""
        return {self.default, *self.by_token.values()} == {TrustMode.OFF}


def parse_rules(text: str) -> TrustRules:
    """The rules in `warn, web app=enforce`: the mode of all tokens, then of some by name; raises `ValueError`."""
    default, by_token = TrustMode.OFF, dict[str, TrustMode]()
    try:
        for part in filter(None, map(str.strip, text.split(","))):
            name, is_named, mode = part.rpartition("=")
            if is_named:
                by_token[name.strip()] = TrustMode(mode.strip())
            else:
                default = TrustMode(mode)
    except ValueError:
        raise ValueError(
            "it wants off, observe, warn or enforce, and others for tokens, such as web app=enforce"
        ) from None
    return TrustRules(default=default, by_token=by_token)


class TrustedDocuments:
    """Documents by the IDs that the file gives them, and by their SHA-256 in hex."""

    def __init__(self, by_id: Mapping[str, str]) -> None:
        self._by_id = dict(by_id)
        self._texts = frozenset(self._by_id.values())
        self._by_id |= {sha256(text.encode()).hexdigest(): text for text in self._texts}

    def __contains__(self, text: str) -> bool:
        return text in self._texts

    def get(self, id_: str) -> str | None:
        """The document with this ID or hash, or None."""
        return self._by_id.get(id_)


NO_DOCUMENTS = TrustedDocuments({})


def load_documents(path: Path) -> TrustedDocuments:
    """Read a file of documents by ID, as GraphQL Code Generator and relay-compiler write it, or Apollo's manifest.

    Raises `ValueError` with what the file should be.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ValueError("too large")
        read = orjson.loads(path.read_bytes())
        pairs = _of_manifest(read) if read.get("format") == _MANIFEST else read.items()
        by_id = {id_: text for id_, text in pairs if isinstance(text, str) and text.strip()}
        if len(by_id) < len(list(pairs if isinstance(pairs, list) else read)):
            raise ValueError("not texts")
        return TrustedDocuments(by_id)
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        raise ValueError(
            "it wants the path of a JSON file with documents by their IDs, of at most 16 MiB, or of Apollo's manifest"
        ) from None


def _of_manifest(read: Mapping[str, Iterable[Mapping[str, str]]]) -> list[tuple[str, str]]:
    return [(operation["id"], operation["body"]) for operation in read["operations"]]
