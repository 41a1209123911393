"""Bodies under every content type: two are read, the rest is refused, and nothing at all needs no type."""

from .case import Case
from .drafts import COLLECTION, CREATE, LOCAL, UPDATE, sending
from .expectations import (
    BAD_REQUEST,
    CREATED,
    LABEL_REQUIRED,
    OK,
    TYPE_REQUIRED,
    UNSUPPORTED,
    Expectation,
    either,
    violating,
)

FORM_BODY = b"label=Hostile&type=local"
MULTIPART = (
    b'--x\r\nContent-Disposition: form-data; name="label"\r\n\r\nHostile\r\n'
    b'--x\r\nContent-Disposition: form-data; name="type"\r\n\r\nlocal\r\n--x--\r\n'
)
EMPTY: Expectation = violating({"label": LABEL_REQUIRED, "type": TYPE_REQUIRED})

REFUSED: tuple[str, ...] = (
    "text/plain",
    "text/html",
    "text/json",
    "application/xml",
    "application/yaml",
    "application/jsonx",
    "application/jso",
    "application/x-json",
    "application/ld+json",
    "application/vnd.api+json",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/graphql",
    "application/cbor",
    "application/msgpack",
    "application/octet-stream",
    "application/x-www-form-urlencodedx",
    "application/x-php-serialized",
    "image/png",
    "message/http",
    "application/*",
    "*/*",
    "json",
    "application",
    "application/",
    "/json",
    "application json",
    "application\\json",
    ";",
    "; charset=utf-8",
    "text/plain; application/json",
    "text/plain, application/json",
    "xapplication/json",
    "null",
    "caf\xe9/json",
    "a" * 4_000,
)

CHARSETS: tuple[str, ...] = ("utf-16", "utf-16le", "UTF-32", "utf-7", "iso-8859-1", "windows-1252", "klingon")

ACCEPTED: tuple[str, ...] = (
    "application/json; charset=utf-8",
    "application/json;charset=UTF-8",
    'application/json; charset="utf-8"',
    "application/json ; charset=utf-8",
    "application/json;",
    "  application/json  ",
    "APPLICATION/JSON",
    "Application/Json; Charset=Utf-8",
)


def typed(name: str, content_type: str, expectation: Expectation, body: bytes = LOCAL) -> Case:
    """A creation under a content type."""
    return sending(f"content type: {name}", body, expectation, CREATE, (("Content-Type", content_type),))


BODIES: tuple[Case, ...] = (
    typed("multipart", "multipart/form-data; boundary=x", UNSUPPORTED, MULTIPART),
    typed("multipart without a boundary", "multipart/form-data", UNSUPPORTED, MULTIPART),
    typed("multipart mixed", "multipart/mixed; boundary=x", UNSUPPORTED, MULTIPART),
    typed("an empty type with a body", "", UNSUPPORTED),
    sending("content type: none with a body", LOCAL, UNSUPPORTED, CREATE, ()),
    sending("content type: none with a form", FORM_BODY, UNSUPPORTED, CREATE, ()),
    sending("content type: none with one byte in a change", b"x", UNSUPPORTED, UPDATE, ()),
    sending("content type: text in a change", LOCAL, UNSUPPORTED, UPDATE, (("Content-Type", "text/plain"),)),
    sending(
        "content type: multipart in a change",
        MULTIPART,
        UNSUPPORTED,
        UPDATE,
        (("Content-Type", "multipart/form-data; boundary=x"),),
    ),
    sending("content type: none and nothing sent", b"", EMPTY, CREATE, ()),
    sending("content type: none and nothing changed", b"", OK, UPDATE, ()),
    typed("text and nothing sent", "text/plain", EMPTY, b""),
    typed("multipart and nothing sent", "multipart/form-data; boundary=x", EMPTY, b""),
    sending("content type: text and nothing changed", b"", OK, UPDATE, (("Content-Type", "text/plain"),)),
    typed("a form called JSON", "application/json", BAD_REQUEST, FORM_BODY),
    typed("JSON called a form", "application/x-www-form-urlencoded", EMPTY),
    typed("a form with a charset", "application/x-www-form-urlencoded; charset=UTF-8", CREATED, FORM_BODY),
    typed("a form in capitals", "APPLICATION/X-WWW-FORM-URLENCODED", CREATED, FORM_BODY),
    typed(
        "a form in UTF-16",
        "application/x-www-form-urlencoded; charset=utf-16",
        UNSUPPORTED,
        FORM_BODY.decode().encode("utf-16"),
    ),
    sending(
        "content type: JSON, then text",
        LOCAL,
        either(201, 400, 415),
        CREATE,
        (("Content-Type", "application/json"), ("Content-Type", "text/plain")),
    ),
    sending(
        "content type: text, then JSON",
        LOCAL,
        either(400, 415),
        CREATE,
        (("Content-Type", "text/plain"), ("Content-Type", "application/json")),
    ),
    sending(
        "content type: text on a list", LOCAL, either(200, 415), ("GET", COLLECTION), (("Content-Type", "text/plain"),)
    ),
    sending(
        "content type: said in another header", LOCAL, UNSUPPORTED, CREATE, (("X-Content-Type", "application/json"),)
    ),
    sending(
        "content type: said with an underscore", LOCAL, UNSUPPORTED, CREATE, (("Content_Type", "application/json"),)
    ),
)

CASES: tuple[Case, ...] = (
    *(typed(f"{name[:40]!r} is refused", name, UNSUPPORTED) for name in REFUSED),
    *(
        typed(f"JSON in {charset} is refused", f"application/json; charset={charset}", UNSUPPORTED)
        for charset in CHARSETS
    ),
    *(typed(f"{name!r} is JSON", name, CREATED) for name in ACCEPTED),
    *BODIES,
)
