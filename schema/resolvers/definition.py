"""Makes the schema, prints it as SDL, and lists the possible types of its interfaces and unions for Apollo's cache."""

from __future__ import annotations

from copy import copy
from datetime import datetime

import strawberry
from graphql import DirectiveLocation, GraphQLDirective, GraphQLInputObjectType, is_abstract_type, print_schema
from strawberry.schema.config import StrawberryConfig

from schema.resolvers.mutation import Mutation
from schema.resolvers.query import Query
from schema.resolvers.subscription import Subscription
from schema.types.destinations import DESTINATION_TYPES
from schema.types.events import CONCRETE_EVENTS
from schema.types.grants import GRANT_HANDLERS
from schema.types.results import EXCEPTION_HANDLERS
from schema.types.scalars import DATE_TIME

_UNRELEASED = DirectiveLocation.DIRECTIVE_DEFINITION


class _Schema(strawberry.Schema):
    def _extend_introspection(self) -> None:
        """Mark `@oneOf` inputs in graphql-core's types, which introspects, prints and coerces them by itself.

        Strawberry's own resolver of `isOneOf` fails for lists and non-nulls, and does not coerce.
        """
        for type_ in self._schema.type_map.values():
            if isinstance(type_, GraphQLInputObjectType):
                definition = type_.extensions.get("strawberry-definition")
                type_.is_one_of = bool(getattr(definition, "is_one_of", False))
        self._schema.directives = tuple(map(_as_released, self._schema.directives))


def _as_released(directive: GraphQLDirective) -> GraphQLDirective:
    """A directive without the location `DIRECTIVE_DEFINITION`, which no released specification has.

    graphql-core 3.3 lists it for `@deprecated`; clients on graphql-core up to 3.2.10 cannot load a schema with it.
    """
    locations = [location for location in directive.locations if location is not _UNRELEASED]
    released = copy(directive)
    released.locations = tuple(locations)
    return released


def make_schema() -> strawberry.Schema:
    """The GraphQL schema."""
    return _Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[*DESTINATION_TYPES.values(), *CONCRETE_EVENTS],
        config=StrawberryConfig(scalar_map={datetime: DATE_TIME}, disable_field_suggestions=True),
        exception_handlers=(*EXCEPTION_HANDLERS, *GRANT_HANDLERS),
    )


def print_sdl() -> str:
    """The SDL, exactly what introspection shows; `schema/schema.graphql` is this text."""
    return print_schema(make_schema()._schema) + "\n"


def possible_types() -> dict[str, list[str]]:
    """The object types behind each interface and union, in the form of Apollo's `possibleTypes`."""
    core = make_schema()._schema
    abstract = (type_ for type_ in core.type_map.values() if is_abstract_type(type_))
    return {type_.name: sorted(t.name for t in core.get_possible_types(type_)) for type_ in abstract}
