"""The media type of a response, by the order and q values of `Accept` (RFC 9110, 12.5.1; GraphQL over HTTP)."""

from __future__ import annotations

from enum import StrEnum

from models.short_memo import memo_of_short


class MediaType(StrEnum):
    """The media types of responses."""

    JSON = "application/json"
    GRAPHQL = "application/graphql-response+json"
    EVENTS = "text/event-stream"


_PAGES = ("text/html", "application/xhtml+xml")


@memo_of_short(256, 512)
def negotiate(accept: str | None) -> MediaType | None:
    """The media type with the highest q value; JSON without the header, None if the client accepts no supported type.

    Of equal q values the first counts. A stream is chosen only by its own name, with a higher q value than, or named
    before, every kind of JSON, since some clients list it last on every request. Cached, since clients send few values.
    """
    if accept is None or not accept.strip():
        return MediaType.JSON
    best: tuple[float, MediaType] | None = None
    for range_, quality in _ranges(accept):
        found = _match(range_)
        if found is not None and quality > 0 and (best is None or quality > best[0]):
            best = (quality, found)
    return None if best is None else best[1]


def prefers_page(accept: str | None) -> bool:
    """Whether HTML has a higher q value than, or is named before, every media type of GraphQL, as browsers send it."""
    best, page = 0.0, False
    for range_, quality in _ranges(accept or ""):
        if quality > best and (range_ in _PAGES or _match(range_) is not None):
            best, page = quality, range_ in _PAGES
    return page


def _match(range_: str) -> MediaType | None:
    if range_ in ("*/*", "application/*"):
        return MediaType.JSON
    return next((type_ for type_ in MediaType if type_ == range_), None)


def _ranges(accept: str) -> list[tuple[str, float]]:
    ranges = []
    for part in accept.lower().split(",")[:50]:
        range_, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                quality = _quality(value.strip())
            elif name.strip() == "charset" and value.strip('" ') not in ("utf-8", "utf8"):
                quality = 0.0
        ranges.append((range_, quality))
    return ranges


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0
