"""The rules for any text that a client sends, before those of its attribute."""

from __future__ import annotations

_TRIMMED = (
    " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff\u200b\u200e"
)


def cleaned(value: object) -> object:
    """Trim a string and make an empty one None; anything else stays. Comes before every rule."""
    return (value.strip(_TRIMMED) or None) if isinstance(value, str) else value


def is_text(value: str) -> bool:
    """Whether both databases can store it: no NUL, no half of a surrogate pair."""
    if "\x00" in value:
        return False
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
