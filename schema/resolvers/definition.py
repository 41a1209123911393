"""The schema put together, printed, and described for clients that cache by type."""

from __future__ import annotations

from datetime import datetime

import strawberry
from graphql import GraphQLInputObjectType, is_abstract_type, print_schema
from strawberry.schema.config import StrawberryConfig

from schema.resolvers.mutation import Mutation
from schema.resolvers.query import Query
from schema.resolvers.subscription import Subscription
from schema.types.destinations import CONCRETE_DESTINATIONS
from schema.types.events import CONCRETE_EVENTS
from schema.types.results import EXCEPTION_HANDLERS
from schema.types.scalars import DATE_TIME


class _Schema(strawberry.Schema):
    def _extend_introspection(self) -> None:
        """Tell graphql-core which inputs are one-of: it introspects, prints and coerces them itself.

        Strawberry's own way, a resolver of `isOneOf`, fails for lists and non-nulls, and nothing is coerced by it.
        """
        for type_ in self._schema.type_map.values():
            if isinstance(type_, GraphQLInputObjectType):
                definition = type_.extensions.get("strawberry-definition")
                type_.is_one_of = bool(getattr(definition, "is_one_of", False))


def make_schema() -> strawberry.Schema:
    """The schema of this door."""
    return _Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[*CONCRETE_DESTINATIONS, *CONCRETE_EVENTS],
        config=StrawberryConfig(scalar_map={datetime: DATE_TIME}, disable_field_suggestions=True),
        exception_handlers=EXCEPTION_HANDLERS,
    )


def print_sdl() -> str:
    """The SDL, exactly what introspection shows; what `schema/schema.graphql` holds."""
    return print_schema(make_schema()._schema) + "\n"


def possible_types() -> dict[str, list[str]]:
    """Which object types stand behind each interface and union: what Apollo's cache wants to know."""
    core = make_schema()._schema
    abstract = (type_ for type_ in core.type_map.values() if is_abstract_type(type_))
    return {type_.name: sorted(t.name for t in core.get_possible_types(type_)) for type_ in abstract}
