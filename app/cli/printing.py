"""`moorings schema` and `moorings openapi`."""

from __future__ import annotations

import click


@click.command()
def schema() -> None:
    """Print the GraphQL schema in SDL, exactly what introspection shows; needs no database."""
    from schema.resolvers.definition import print_sdl

    print(print_sdl(), end="")


@click.command()
def openapi() -> None:
    """Print the OpenAPI document of the REST API, as /api/openapi.json has it; needs no database."""
    import orjson

    from rest.openapi.document import describe

    print(orjson.dumps(describe(), option=orjson.OPT_INDENT_2).decode())
