"""A stranger's row: forbidden, whatever the method and however broken the rest of the request."""

from .case import Case
from .drafts import COLLECTION, FORM, JSON, asking, draft, sending
from .expectations import FORBIDDEN, either

FOREIGN = COLLECTION + "/{foreign}"
CHANGE = ("PUT", FOREIGN)
TEXT = (("Content-Type", "text/plain"),)

CHANGES: dict[str, object] = {
    "a fine label": {"label": "Reached"},
    "nothing": b"",
    "an empty object": {},
    "a wrong label": {"label": 1},
    "a null label": {"label": None},
    "a label too long": {"label": "a" * 256},
    "a label with a NUL": {"label": "a\0"},
    "an unknown kind": {"type": "ftp"},
    "a kind without what it needs": {"type": "s3"},
    "a wrong boolean": {"path_style_endpoint": "yes"},
    "a wrong endpoint": {"custom_s3_endpoint": "file:///etc/passwd"},
    "fine credentials": draft("custom_s3", "foreign credentials"),
    "credentials too long": {"s3_secret_key": draft("s3", "foreign long")["s3_secret_key"], "s3_access_key": "a" * 300},
    "another owner": {"user_id": 1, "id": 1},
    "a list": [],
    "null": b"null",
    "a body that does not parse": b'{"label":',
    "a broken byte": b'{"label":"\xff"}',
    "a lone surrogate": b'{"label":"\\ud800"}',
    "a label twice": b'{"label":"a","label":"b"}',
    "NaN": b'{"label":NaN}',
    "100,000 levels": b"[" * 100_000,
    "UTF-16": '{"label":"a"}'.encode("utf-16"),
}

OTHERWISE: tuple[Case, ...] = (
    sending("foreign: changed in text", b"label", FORBIDDEN, CHANGE, TEXT),
    sending("foreign: changed without a type", b"{}", FORBIDDEN, CHANGE, ()),
    sending(
        "foreign: changed in parts", b"--x--", FORBIDDEN, CHANGE, (("Content-Type", "multipart/form-data; boundary=x"),)
    ),
    sending("foreign: changed by a form", b"label=Reached", FORBIDDEN, CHANGE, FORM),
    sending("foreign: changed by a broken form", b"label=%FF&label=a", FORBIDDEN, CHANGE, FORM),
    sending("foreign: changed under a wrong tag", {"label": "a"}, FORBIDDEN, CHANGE, (*JSON, ("If-Match", '"wrong"'))),
    sending("foreign: changed under any tag", {"label": "a"}, FORBIDDEN, CHANGE, (*JSON, ("If-Match", "*"))),
    sending("foreign: changed without the prefix", {"label": "a"}, FORBIDDEN, ("PUT", FOREIGN.removeprefix("/api"))),
    asking("foreign: looked at", FOREIGN, FORBIDDEN),
    asking("foreign: looked at with a query", FOREIGN + "?user_id=1&id={own}", FORBIDDEN),
    asking("foreign: looked at without the prefix", FOREIGN.removeprefix("/api"), FORBIDDEN),
    asking("foreign: looked at as a page", FOREIGN, FORBIDDEN, (("Accept", "text/html"),)),
    asking("foreign: looked at unless unchanged", FOREIGN, FORBIDDEN, (("If-None-Match", "*"),)),
    asking("foreign: looked at behind a slash", FOREIGN + "/", either(301, 307, 308, 403)),
    sending("foreign: deleted", b"", FORBIDDEN, ("DELETE", FOREIGN), ()),
    sending("foreign: deleted as its owner", {"user_id": 1}, FORBIDDEN, ("DELETE", FOREIGN)),
    sending("foreign: deleted with a body that does not parse", b"{", FORBIDDEN, ("DELETE", FOREIGN)),
    sending("foreign: deleted without a word", b"", FORBIDDEN, ("DELETE", FOREIGN), (("Prefer", "return=minimal"),)),
    sending("foreign: deleted under any tag", b"", FORBIDDEN, ("DELETE", FOREIGN), (("If-Match", "*"),)),
    sending("foreign: deleted under a wrong tag", b"", FORBIDDEN, ("DELETE", FOREIGN), (("If-Match", '"wrong"'),)),
)

CASES: tuple[Case, ...] = (
    *(sending(f"foreign: changed with {what}", body, FORBIDDEN, CHANGE) for what, body in CHANGES.items()),
    *OTHERWISE,
)
