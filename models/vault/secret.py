"""A secret in the clear, on its short way from a request to the vault or from the vault to a signature."""

from __future__ import annotations

from typing import NoReturn, final


@final
class Secret:
    """Holds a text and shows it to nobody who does not call `reveal`: not repr, str, format, pickle or copy."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself. Only the vault, what gives it its keys, and the signer call this."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a Secret is not pickled or copied")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))
