"""Forms, the body the official PHP client sends, broken in the ways only forms can be."""

from .case import Case
from .drafts import UPDATE, UPDATE_LOCAL, UPDATE_S3, fields, form
from .expectations import (
    BAD_REQUEST,
    CREATED,
    LABEL_REQUIRED,
    OK,
    TYPE_INVALID,
    TYPE_REQUIRED,
    Expectation,
    created,
    either,
    must_be_boolean,
    required_when,
    too_long,
    updated,
    violating,
    violating_fields,
)

EMPTY: Expectation = violating({"label": LABEL_REQUIRED, "type": TYPE_REQUIRED})
NO_LABEL: Expectation = violating({"label": LABEL_REQUIRED})

BROKEN: dict[str, bytes] = {
    "the byte FF, escaped": b"label=%FF&type=local",
    "the byte FF as it is": b"label=\xff&type=local",
    "a Latin-1 letter, escaped": b"label=caf%E9&type=local",
    "a sequence that stops early": b"label=%E2%82&type=local",
    "a sequence that stops at the end": b"type=local&label=%F0%9F%98",
    "an overlong NUL": b"label=%C0%80&type=local",
    "an overlong slash": b"label=%c0%af&type=local",
    "an encoded surrogate": b"label=%ED%A0%80&type=local",
    "an encoded surrogate pair": b"label=%ED%A0%BD%ED%B8%80&type=local",
    "a character beyond U+10FFFF": b"label=%F4%90%80%80&type=local",
    "a broken byte in a name": b"%FF=1&label=a&type=local",
    "a broken byte in an unknown value": b"x=%80&label=a&type=local",
    "half escaped, half as it is": b"label=%E2\x82&type=local",
    "two labels": b"label=a&label=b&type=local",
    "the same label twice": b"label=a&type=local&label=a",
    "two types": b"label=a&type=local&type=s3",
    "a label spelled with an escape": b"label=a&%6Cabel=b&type=local",
    "an empty label beside a label": b"label=&label=a&type=local",
    "a bare label beside a label": b"label&label=a&type=local",
    "an unknown field twice": b"x=1&x=2&label=a&type=local",
    "1,001 fields": b"label=a&type=local" + b"".join(b"&x%d=1" % number for number in range(999)),
    "10,000 fields": b"label=a&type=local" + b"".join(b"&x%d=" % number for number in range(10_000)),
    "50,000 fields of one letter": b"label=a&type=local" + b"&a" * 50_000,
}

NAMES: tuple[Case, ...] = (
    form("form: nothing at all", b"", EMPTY),
    form("form: ampersands alone", b"&&&&", EMPTY),
    form("form: an empty name", b"=x", EMPTY),
    form("form: an equals sign alone", b"=", EMPTY),
    form("form: a name without a value", b"label&type=local", NO_LABEL),
    form("form: a label of plus signs is white space", b"label=+++&type=local", NO_LABEL),
    form("form: a label of escaped spaces is white space", b"label=%20%09%0A&type=local", NO_LABEL),
    form("form: a list of labels", b"label[]=x&type=local", NO_LABEL),
    form("form: a label with a key", b"label[a]=x&type=local", NO_LABEL),
    form("form: a label with an escaped key", b"label%5B0%5D=x&type=local", NO_LABEL),
    form("form: a label with a dot", b"label.x=x&type=local", NO_LABEL),
    form("form: a label with a space before it", b"+label=x&type=local", NO_LABEL),
    form("form: a label with a NUL after it", b"label%00=x&type=local", either(400, 422)),
    form("form: a wrapped destination", b"data[label]=x&data[type]=local", EMPTY),
    form("form: a type in a list", b"label=x&type[]=local", violating({"type": TYPE_REQUIRED})),
    form("form: semicolons do not separate", b"label=a;type=local", violating({"type": TYPE_REQUIRED})),
    form("form: commas do not separate", b"label=a,type=local", violating({"type": TYPE_REQUIRED})),
    form("form: line feeds do not separate", b"label=a\r\ntype=local", violating({"type": TYPE_REQUIRED})),
    form("form: an escaped ampersand does not separate", b"label=a%26type=local", violating({"type": TYPE_REQUIRED})),
    form("form: an entity separates like any ampersand", b"label=a&amp;type=local", violating({"type": TYPE_REQUIRED})),
    form("form: a question mark is part of the name", b"?label=a&type=local", NO_LABEL),
)

VALUES: tuple[Case, ...] = (
    form("form: a NUL in the label", b"label=a%00b&type=local", violating_fields("label")),
    form("form: a NUL before the label", b"label=%00a&type=local", violating_fields("label")),
    form("form: a NUL after the label", b"label=a%00&type=local", violating_fields("label")),
    form("form: a NUL alone", b"label=%00&type=local", violating_fields("label")),
    form("form: a NUL as it is", b"label=a\0b&type=local", violating_fields("label")),
    form(
        "form: a NUL after the secret key",
        fields("s3", "form nul secret", s3_secret_key="secret\0"),
        violating_fields("s3_secret_key"),
    ),
    form(
        "form: a NUL in the bucket name of a change", b"s3_bucket_name=a%00", violating_fields("s3_bucket_name"), UPDATE
    ),
    form("form: a percent sign before no digits", b"label=%zz", either(400, 422)),
    form("form: a percent sign at the end", b"label=100%", either(400, 422)),
    form("form: a percent sign before one digit", b"label=%4&x=1", either(400, 422)),
    form("form: a percent sign before full-width digits", "label=%２０".encode(), either(400, 422)),
    form("form: an escaped percent sign is one", b"label=100%25&type=local", created(label="100%")),
    form("form: an escape is opened once", b"label=%2500%2541&type=local", created(label="%00%41")),
    form("form: an escaped plus sign is one", b"label=a%2Bb+c&type=local", created(label="a+b c")),
    form("form: an equals sign in the value", b"label=a=b==&type=local", created(label="a=b==")),
    form(
        "form: characters as they are",
        "label=h\u00e9\U0001f600&type=local".encode(),
        created(label="h\u00e9\U0001f600"),
    ),
    form("form: white space around the label", b"label=+%0A+a+%09&type=local", created(label="a")),
    form("form: a type in capitals", b"label=a&type=LOCAL", violating({"type": TYPE_INVALID})),
    form("form: the word null is a label", b"label=null&type=local", created(label="null")),
    form("form: the word null is no type", b"label=a&type=null", violating({"type": TYPE_INVALID})),
    form("form: digits are a string", b"label=123&type=local", created(label="123")),
    form("form: JSON in a label stays text", b'label={"a":1}&type=local', created(label='{"a":1}')),
    form(
        "form: 255 characters of four bytes",
        {"label": "\U0001f600" * 255, "type": "local"},
        created(label="\U0001f600" * 255),
    ),
    form(
        "form: 256 characters of four bytes",
        {"label": "\U0001f600" * 256, "type": "local"},
        violating({"label": too_long("label")}),
    ),
    form(
        "form: an empty access key",
        fields("s3", "form empty access", s3_access_key=""),
        violating({"s3_access_key": required_when("s3_access_key", "s3")}),
    ),
    form(
        "form: everything a kind needs left empty",
        {"label": "a", "type": "custom_s3"},
        violating(
            {
                field: required_when(field, "custom_s3")
                for field in (
                    "s3_access_key",
                    "s3_secret_key",
                    "s3_bucket_name",
                    "custom_s3_endpoint",
                    "path_style_endpoint",
                )
            }
        ),
    ),
    form("form: 1,000 fields", b"label=a&type=local" + b"".join(b"&x%d=1" % number for number in range(998)), CREATED),
    form("form: nothing to change", b"", OK, UPDATE),
    form("form: unknown fields change nothing", b"id=1&user_id=1&created_at=0&type_human=x", OK, UPDATE),
    form("form: a method in the body is an unknown field", b"_method=DELETE", OK, UPDATE),
    form("form: a label emptied in a change", b"label=", NO_LABEL, UPDATE),
    form("form: two labels in a change", b"label=a&label=b", BAD_REQUEST, UPDATE),
    form("form: a broken byte in a change", b"label=%FF", BAD_REQUEST, UPDATE),
    form(
        "form: a kind changed without what it needs",
        b"type=custom_s3",
        violating({"custom_s3_endpoint": required_when("custom_s3_endpoint", "custom_s3")}),
        UPDATE_S3,
    ),
    form("form: a local row takes a label", b"label=%E2%82%AC", updated(label="\u20ac"), UPDATE_LOCAL),
)

BOOLEANS: tuple[Case, ...] = (
    *(
        form(
            f"form: {word!r} is no boolean",
            fields("s3", f"form {word}", path_style_endpoint=word),
            violating({"path_style_endpoint": must_be_boolean()}),
        )
        for word in (
            "true",
            "false",
            "TRUE",
            "yes",
            "no",
            "on",
            "off",
            "2",
            "-1",
            "00",
            "01",
            "1.0",
            "0x1",
            "null",
            "\u0661",
            "\uff11",
        )
    ),
    *(
        form(
            f"form: {word!r} is a boolean",
            fields("s3", f"form {word}", path_style_endpoint=word),
            created(path_style_endpoint="1" in word),
        )
        for word in ("1", "0", " 1 ", "\t0\n")
    ),
    form(
        "form: an empty boolean",
        fields("s3", "form empty boolean", path_style_endpoint=""),
        violating({"path_style_endpoint": required_when("path_style_endpoint", "s3")}),
    ),
)

CASES: tuple[Case, ...] = (
    *(form(f"form broken: {what}", body, BAD_REQUEST) for what, body in BROKEN.items()),
    *NAMES,
    *VALUES,
    *BOOLEANS,
)
