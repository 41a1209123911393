"""Entity tags (RFC 9110, 8.8.3) made from the cache key instead of the response, so that a 304 needs no read.

A user's revision is part of the key and rises with every change a read could show: the same key has the same response.
That of a response which shows when or how a destination was checked last has the revision of the checks in it too.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from importlib.metadata import version

from models.accounts.abilities import Ability
from web.cache.cache_key import CacheKey
from web.compression.accept_encoding import GZIP, ZSTD, Wanted

_DIGEST_BYTES = 16


class EntityTags:
    """The tags of one version of the gateway, the same in all processes and on all machines that have one key."""

    def __init__(self, *, public_url: str | None) -> None:
        self._key = b""
        self._prefix = repr((version("moorings"), public_url)).encode()

    def use_key(self, key: bytes) -> None:
        """Key the tags from now on, so that a client can compute none and learns nothing from one; at most 64 bytes."""
        self._key = key

    def of(self, key: CacheKey, *, shows_checks: bool) -> bytes:
        """The strong tag, quotes included, of the response to a key; the same one is not computed twice in a row."""
        if key.tag is not None and key.tag[0] is self and key.tag[1] is shows_checks:
            return key.tag[2]
        user_id, revision, abilities, _ = key.key
        checks = b" %d" % key.checks_revision if shows_checks else b" -"
        viewer = b"%d %d%s%s" % (user_id, revision, checks, _serialized(abilities))
        text = b"%s%s%s" % (self._prefix, viewer, key.request.serialized)
        tag = b'"%s"' % blake2b(text, digest_size=_DIGEST_BYTES, key=self._key).hexdigest().encode()
        key.tag = self, shows_checks, tag
        return tag


@lru_cache(maxsize=64)
def _serialized(abilities: frozenset[Ability]) -> bytes:
    return repr(sorted(map(str, abilities))).encode()


def in_coding(tag: bytes, coding: bytes) -> bytes:
    """The tag of a response whose body is in a content coding: a strong tag is that of its very bytes."""
    return b'%s-%s"' % (tag[:-1], coding) if coding else tag


def named_by(condition: bytes, tag: bytes, wanted: Wanted | None) -> bytes:
    """The tag that an `If-None-Match` other than `*` names, of a form that the request may be answered with; empty for
    none.

    Compared weakly (RFC 9110, 13.1.2). A 304 that named another form would let a cache give a client a coding that the
    client does not accept. Between the quotes of a tag are only hexadecimal digits and the coding, so a substring of a
    list of tags is one of its members.
    """
    if tag[:-1] not in condition:
        return b""
    return next((form for form in _forms_for(tag, wanted) if form in condition), b"")


def _forms_for(tag: bytes, wanted: Wanted | None) -> tuple[bytes, ...]:
    """The tag in each form that a request may be answered with: compressed, and as it is, which small bodies are."""
    if wanted is None or not wanted.coding:
        return (tag,)
    compressed = in_coding(tag, wanted.coding)
    return (compressed, tag) if wanted.min_bytes else (compressed,)


def forms_of(tag: bytes) -> tuple[bytes, ...]:
    """A tag in every coding: whichever a client has, it has seen the same."""
    return (tag, in_coding(tag, GZIP), in_coding(tag, ZSTD))
