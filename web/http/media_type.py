"""The media type of a `Content-Type` header (RFC 9110, 8.3.1)."""

from __future__ import annotations

from typing import NamedTuple

from models.short_memo import memo_of_short

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"


class MediaType(NamedTuple):
    """Type and charset in lower case; the charset is empty where none is given."""

    name: str
    charset: str

    @property
    def is_utf8(self) -> bool:
        """Whether its text is UTF-8, which it is where no charset is given."""
        return self.charset in ("", "utf-8", "utf8")


@memo_of_short(64, 256)
def parse_media_type(content_type: str) -> MediaType:
    """Parse the value of a header; a malformed one has a name that is no media type."""
    name, *parameters = (part.strip() for part in content_type.lower().split(";"))
    values = dict(parameter.partition("=")[::2] for parameter in parameters)
    return MediaType(name, values.get("charset", "").strip('"'))
