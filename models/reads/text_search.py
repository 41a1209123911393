"""Patterns that find a text in labels, whatever its case, and a host in endpoint URLs: the same on both databases.

Neither database folds case by itself as the other does: SQLite knows ASCII letters alone, PostgreSQL what its locale
says. So the patterns name every letter that a text may have in place of another: `[äÄ][rR]`.

Case is folded as Unicode has it (`str.casefold`, full case folding): `ß` is as `ss`, `ﬁ` as `fi`. The dotted and the
dotless i are all the same letter, since the case of one of them depends on the language. A letter with an accent, or
with an iota below, is another one than that without.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from ipaddress import IPv6Address
from typing import NamedTuple
from unicodedata import combining, normalize

from models.destinations.endpoint_url import DEFAULT_PORTS

_BEYOND_CASE = 0x20000
"""No character from here on has case."""
_DOTS = {"İ": "i", "ı": "i"}
_MAX_HOST_LENGTH = 300
"""With a port; no endpoint has a longer one."""
_GLOB_SPECIAL = frozenset("*?[")
_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_HOST = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:/?\[\]]+)(?::(?P<port>[0-9]{0,5}))?")
_BARE_IPV6 = re.compile(r"[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*")


class _Folding(NamedTuple):
    """The characters that stand for one folded letter, and those that stand for several."""

    variants: Mapping[str, str]
    expansions: Mapping[str, str]


def folded(text: str) -> str:
    """A text without the differences that a search ignores."""
    return "".join(map(_folded_letter, text))


def _folded_letter(character: str) -> str:
    letters = _DOTS.get(character) or character.casefold()
    is_marked = len(letters) > 1 and any(mark == "ι" or combining(mark) for mark in letters)
    return character.lower() if is_marked else letters


def patterns_of(text: str, *, is_glob: bool) -> Iterator[str]:
    """The patterns of which one matches a label with the text in it, after `replacements_of` were made in the label.

    Patterns of SQLite's GLOB or regular expressions of PostgreSQL: one for letters and accents as one character each,
    and another where that differs for accents as characters of their own.
    """
    literal = _glob_literal if is_glob else _regex_literal
    variants = _folding().variants
    for spelling in dict.fromkeys(folded(normalize(form, text)) for form in ("NFC", "NFD")):
        letters = (f"[{c}{variants[c]}]" if c in variants else literal(c) for c in spelling)
        yield f"*{''.join(letters)}*" if is_glob else "".join(letters)


def replacements_of(text: str) -> Iterator[tuple[str, str]]:
    """Characters that count as several letters, each with those, as far as they matter to a search for the text."""
    wanted = set(folded(normalize("NFC", text)) + folded(normalize("NFD", text)))
    return ((one, several) for one, several in _folding().expansions.items() if not wanted.isdisjoint(several))


def host_patterns(host: str) -> Iterator[str]:
    r"""The patterns, of LIKE with `\` as escape, of which one matches an endpoint in lower case that is at this host.

    The host may have a port, and is at any if not; an endpoint without one is at the default port of its scheme. It may
    be an IPv6 address in any spelling, without brackets too, and a name with letters beyond ASCII in either spelling,
    with or without the dot that may end it.
    """
    if len(host) > _MAX_HOST_LENGTH:
        return
    text = host.translate(_ASCII_LOWER)
    parts = _HOST.fullmatch(f"[{text}]" if _BARE_IPV6.fullmatch(text) else text)
    if parts is None:
        return
    port = int(parts["port"]) if parts["port"] else None
    for spelling in dict.fromkeys(_spellings(parts["host"])):
        escaped = spelling.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        for scheme, default_port in DEFAULT_PORTS.items():
            ends = (":%",) if port is None else (f":{port}", f":{port}/%")
            if port in (None, default_port):
                ends = "", "/%", *ends
            if port == default_port:
                ends = *ends, ":", ":/%"
            yield from (f"{scheme}://{escaped}{end}" for end in ends)


def _spellings(host: str) -> Iterator[str]:
    if host.startswith("["):
        yield host
        with suppress(ValueError):
            address = IPv6Address(host[1:-1])
            groups = (f"{int(group, 16):x}" for group in address.exploded.split(":"))
            yield from (f"[{address.compressed}]", f"[{':'.join(groups)}]", f"[{address.exploded}]")
        return
    for name in dict.fromkeys(_names(host.removesuffix("."))):
        yield from (name, f"{name}.")


def _names(host: str) -> Iterator[str]:
    yield host
    with suppress(UnicodeError):
        yield host.encode("idna").decode("ascii")
    with suppress(UnicodeError):
        yield host.encode("ascii").decode("idna")


def _glob_literal(character: str) -> str:
    return f"[{character}]" if character in _GLOB_SPECIAL else character


def _regex_literal(character: str) -> str:
    return (
        f"\\{character}" if character.isascii() and character.isprintable() and not character.isalnum() else character
    )


@cache
def _folding() -> _Folding:
    variants: dict[str, str] = {}
    expansions: dict[str, str] = {}
    for character in map(chr, range(_BEYOND_CASE)):
        letters = folded(character)
        if len(letters) > 1:
            expansions[character] = letters
        elif letters != character:
            variants[letters] = variants.get(letters, "") + character
    return _Folding(variants, expansions)
