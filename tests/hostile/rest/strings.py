"""Strings at and beyond their limits: length in characters, white space, NUL, and text that is code elsewhere."""

from .case import Case
from .drafts import UPDATE, UPDATE_LOCAL, draft, sending
from .expectations import (
    LABEL_REQUIRED,
    created,
    must_be_string,
    must_be_url,
    required_when,
    too_long,
    updated,
    violating,
    violating_fields,
)

LIMITS = {
    "label": 255,
    "s3_access_key": 255,
    "s3_secret_key": 255,
    "s3_bucket_name": 255,
    "custom_s3_region": 255,
    "custom_s3_endpoint": 255,
}
GRIN = "\U0001f600"
URL = "https://s3.example.com/"


def filled(field: str, size: int) -> str:
    """A value of this many characters that is fine but for its length."""
    return URL + "a" * (size - len(URL)) if field == "custom_s3_endpoint" else "a" * size


def labelled(name: str, label: str) -> Case:
    """A label that is odd and fine, and comes back as it was sent."""
    return sending(f"string: {name}", {"label": label, "type": "local"}, created(label=label))


def trimmed(name: str, sent: str, kept: str) -> Case:
    """A label that loses its white space."""
    return sending(f"string: {name}", {"label": sent, "type": "local"}, created(label=kept))


def blank(name: str, label: str) -> Case:
    """A label of white space alone."""
    return sending(
        f"string: {name} is no label", {"label": label, "type": "local"}, violating({"label": LABEL_REQUIRED})
    )


LENGTHS: tuple[Case, ...] = (
    *(
        sending(
            f"string: {field} one character too long",
            draft("custom_s3", f"long {field}", **{field: filled(field, limit + 1)}),
            violating({field: too_long(field, limit)}),
        )
        for field, limit in LIMITS.items()
    ),
    *(
        sending(
            f"string: {field} as long as it may be",
            draft("custom_s3", f"full {field}", **{field: filled(field, limit)}),
            created(type="custom_s3"),
        )
        for field, limit in LIMITS.items()
    ),
    *(
        sending(
            f"string: {field} too long in a change",
            {field: filled(field, limit + 1)},
            violating({field: too_long(field, limit)}),
            UPDATE,
        )
        for field, limit in LIMITS.items()
    ),
    labelled("255 characters of four bytes", GRIN * 255),
    labelled("255 characters of which half combine", "e\u0301" * 127 + "x"),
    sending(
        "string: 256 characters that show as 128",
        {"label": "e\u0301" * 128, "type": "local"},
        violating({"label": too_long("label")}),
    ),
    sending(
        "string: 256 characters of four bytes",
        {"label": GRIN * 256, "type": "local"},
        violating({"label": too_long("label")}),
    ),
    trimmed("255 characters between spaces", " " * 300 + "a" * 255 + "\t" * 300, "a" * 255),
    sending(
        "string: every field too long at once",
        draft("custom_s3", "", **{field: filled(field, limit + 1) for field, limit in LIMITS.items()}),
        violating({field: too_long(field, limit) for field, limit in LIMITS.items()}),
    ),
)

SPACES: tuple[Case, ...] = (
    blank("nothing", ""),
    blank("a space", " "),
    blank("every ASCII white space", " \t\r\n\v\f"),
    blank("a no-break space", "\u00a0"),
    blank("an ideographic space", "\u3000"),
    blank("a line separator", "\u2028"),
    blank("300 spaces", " " * 300),
    trimmed("spaces around the label", "  a b  ", "a b"),
    trimmed("a line feed after the label", "a\n", "a"),
    trimmed("no-break spaces around the label", "\u00a0a\u00a0", "a"),
    labelled("white space inside the label", "a \t\n b"),
    sending(
        "string: a blank access key",
        draft("s3", "blank access", s3_access_key=" \t"),
        violating({"s3_access_key": required_when("s3_access_key", "s3")}),
    ),
    sending(
        "string: a blank secret key",
        draft("custom_s3", "blank secret", s3_secret_key=""),
        violating({"s3_secret_key": required_when("s3_secret_key", "custom_s3")}),
    ),
    sending(
        "string: spaces around a bucket name",
        draft("s3", "spaced bucket", s3_bucket_name=" b "),
        created(s3_bucket_name="b"),
    ),
    sending("string: a label blanked in a change", {"label": "  "}, violating({"label": LABEL_REQUIRED}), UPDATE),
)

NULS: tuple[Case, ...] = (
    *(
        sending(
            f"string: a NUL in {field}", draft("custom_s3", f"nul {field}", **{field: value}), violating_fields(field)
        )
        for field in LIMITS
        for value in [URL + "\0a" if field == "custom_s3_endpoint" else "a\0b"]
    ),
    *(
        sending(f"string: a NUL in {field} of a change", {field: "a\0b"}, violating_fields(field), UPDATE)
        for field in ("label", "s3_secret_key", "s3_bucket_name", "custom_s3_region")
    ),
    sending("string: a NUL before the label", {"label": "\0a", "type": "local"}, violating_fields("label")),
    sending("string: a NUL after the label", {"label": "a\0", "type": "local"}, violating_fields("label")),
    sending("string: a NUL among white space", {"label": " \0 ", "type": "local"}, violating_fields("label")),
    sending("string: a NUL after the type", {"label": "a", "type": "local\0"}, violating_fields("type")),
    sending(
        "string: a NUL in a key the kind has not",
        draft("local", "", s3_access_key="\0a"),
        violating_fields("s3_access_key"),
    ),
    sending(
        "string: a NUL in an unknown field is ignored", draft("local", "", x="\0", **{"y\0": 1}), created(type="local")
    ),
)

ODD: dict[str, str] = {
    "control characters": "a\u0001\u0007\u001b[31m\u007f\u009fb",
    "text from right to left": "a\u202egnp.exe\u202c",
    "invisible characters": "a\u200b\u200d\u2060\ufeffb",
    "a hundred accents on one letter": "a" + "\u0301" * 100,
    "a decomposed letter stays decomposed": "e\u0301",
    "a private character": "\ue000\U000f0000",
    "a family of seven characters": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "a letter whose capital is two": "\u0130\u00df\u0149",
    "a script element": "<script>alert(1)</script>",
    "the end of a script": "</script><img src=x onerror=alert(1)>",
    "a quote that ends a statement": "'; DROP TABLE backup_destinations; --",
    "a quote that is always true": "' OR '1'='1",
    "a placeholder of a database": "$1 ? :label %(label)s",
    "a format of Python": "{label} {0.__class__.__mro__} %s %n %d",
    "a template": "{{7*7}} ${7*7} #{7*7} <%= 7*7 %>",
    "a lookup of a logger": "${jndi:ldap://127.0.0.1/a}",
    "a command": "$(touch /tmp/hostile) `id` | id; id",
    "a path upwards": "../../../etc/passwd",
    "a header": "a\r\nSet-Cookie: hostile=1",
    "a formula": "=HYPERLINK(1)",
    "a backslash and quotes": "\\\"'`\\",
    "escapes as text": "\\u0000 \\x00 %00 &#0;",
    "a NUL drawn as a picture": "\u2400",
    "the words null and undefined": "null undefined NaN None",
    "wildcards": "%_*?[a-z]",
    "JSON": '{"type":"s3"}',
}

TRICKS: tuple[Case, ...] = (
    sending(
        "string: code in the region",
        draft("s3", "code region", custom_s3_region="'; SELECT 1; --"),
        created(s3_region="'; SELECT 1; --"),
    ),
    sending(
        "string: code in the bucket name",
        draft("s3", "code bucket", s3_bucket_name="../../x?y#z"),
        created(s3_bucket_name="../../x?y#z"),
    ),
    sending(
        "string: a label that looks like a class",
        {"label": {"__class__": "x"}, "type": "local"},
        violating({"label": must_be_string("label")}),
    ),
    sending(
        "string: a label that is a query operator",
        {"label": {"$ne": None}, "type": "local"},
        violating({"label": must_be_string("label")}),
    ),
    sending(
        "string: an endpoint that is code",
        draft("custom_s3", "code endpoint", custom_s3_endpoint="${jndi:ldap://x}"),
        violating({"custom_s3_endpoint": must_be_url()}),
    ),
    sending(
        "string: a prototype in an unknown field",
        draft("local", "", __proto__={"type": "s3"}, constructor={}),
        created(type="local"),
    ),
    sending(
        "string: names of attributes as fields",
        draft("local", "", pk=1, _state={}, uuid="x", save=None, user=1),
        created(type="local"),
    ),
    sending("string: code in a changed label", {"label": "a' || 'b"}, updated(label="a' || 'b"), UPDATE_LOCAL),
)

CASES: tuple[Case, ...] = (
    *LENGTHS,
    *SPACES,
    *NULS,
    *(labelled(name, label) for name, label in ODD.items()),
    *TRICKS,
)
