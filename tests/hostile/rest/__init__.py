"""The corpus of hostile requests to the REST API, by theme."""

from . import (
    authorization,
    content_types,
    encodings,
    endpoints,
    form_bodies,
    headers,
    hosts,
    identifiers,
    json_bodies,
    methods,
    ownership,
    pages,
    routes,
    sizes,
    strings,
    updates,
    validation,
)
from .case import Case

THEMES: dict[str, tuple[Case, ...]] = {
    "JSON bodies": json_bodies.CASES,
    "encodings": encodings.CASES,
    "sizes": sizes.CASES,
    "content types": content_types.CASES,
    "forms": form_bodies.CASES,
    "strings": strings.CASES,
    "validation": validation.CASES,
    "endpoints": endpoints.CASES,
    "updates": updates.CASES,
    "identifiers": identifiers.CASES,
    "routes": routes.CASES,
    "pages": pages.CASES,
    "headers": headers.CASES,
    "hosts": hosts.CASES,
    "methods": methods.CASES,
    "authorization": authorization.CASES,
    "ownership": ownership.CASES,
}
