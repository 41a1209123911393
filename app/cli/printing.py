"""`moorings schema`."""

from __future__ import annotations


def schema() -> None:
    """Print the GraphQL schema in SDL, exactly what introspection shows; needs no database."""
    from schema.definition import print_sdl

    print(print_sdl(), end="")
