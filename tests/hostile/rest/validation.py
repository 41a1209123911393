"""Values of the wrong type, unknown kinds, and what each kind requires."""

from itertools import product

from .case import Case
from .drafts import draft, sending, without
from .expectations import (
    LABEL_REQUIRED,
    TYPE_INVALID,
    TYPE_REQUIRED,
    created,
    must_be_boolean,
    must_be_string,
    must_be_url,
    required_when,
    violating,
)

STRINGS = ("label", "s3_access_key", "s3_secret_key", "s3_bucket_name", "custom_s3_region", "custom_s3_endpoint")
NEEDED = {
    "s3": ("s3_access_key", "s3_secret_key", "s3_bucket_name", "custom_s3_region", "path_style_endpoint"),
    "custom_s3": ("s3_access_key", "s3_secret_key", "s3_bucket_name", "custom_s3_endpoint", "path_style_endpoint"),
}
NO_STRINGS: dict[str, object] = {"a number": 123, "a boolean": False, "a list": ["x"], "an object": {"x": "y"}}
NO_TYPES: dict[str, object] = {
    "a number": 123,
    "zero": 0,
    "true": True,
    "false": False,
    "a list of a kind": ["local"],
    "an empty list": [],
    "an object": {"local": 1},
    "a kind in capitals": "S3",
    "a kind with a capital": "Local",
    "a kind spelled for people": "Amazon S3",
    "a kind spelled with a hyphen": "custom-s3",
    "a kind in camel case": "customS3",
    "the kind's inner name": "amazon_s3",
    "an unknown kind": "ftp",
    "a kind in full-width letters": "\uff53\uff13",
    "a kind with an invisible letter": "s\u200b3",
    "a kind with a look-alike letter": "l\u043ecal",
    "two kinds": "s3,local",
    "a kind of 300 letters": "s3" * 150,
    "a wildcard": "%",
}
NO_BOOLEANS: dict[str, object] = {
    "the word true": "true",
    "the word false": "false",
    "the word True": "True",
    "the word yes": "yes",
    "the word on": "on",
    "two": 2,
    "minus one": -1,
    "a half": 0.5,
    "a 2 in a string": "2",
    "a padded one": "01",
    "an Arabic one": "\u0661",
    "an empty list": [],
    "a list of true": [True],
    "an object": {},
}

TYPES: tuple[Case, ...] = (
    *(
        sending(
            f"validation: {what} as {field}",
            draft("custom_s3", f"{what} {field}", **{field: value}),
            violating({field: must_be_string(field)}),
        )
        for field, (what, value) in product(STRINGS, NO_STRINGS.items())
    ),
    *(
        sending(f"validation: {what} as the type", {"label": "a", "type": value}, violating({"type": TYPE_INVALID}))
        for what, value in NO_TYPES.items()
    ),
    *(
        sending(
            f"validation: {what} as the path style",
            draft("s3", f"style {what}", path_style_endpoint=value),
            violating({"path_style_endpoint": must_be_boolean()}),
        )
        for what, value in NO_BOOLEANS.items()
    ),
    *(
        sending(
            f"validation: {value!r} is a boolean",
            draft("s3", f"boolean {value!r}", path_style_endpoint=value),
            created(path_style_endpoint=bool(int(value))),
        )
        for value in (True, False, 1, 0, "1", "0", " 1 ")
    ),
)

REQUIRED: tuple[Case, ...] = (
    *(
        sending(
            f"validation: {kind} without {field}",
            without(draft(kind, f"{kind} without {field}"), field),
            violating({field: required_when(field, kind)}),
        )
        for kind, needed in NEEDED.items()
        for field in needed
    ),
    *(
        sending(
            f"validation: {kind} with a null {field}",
            draft(kind, f"{kind} null {field}", **{field: None}),
            violating({field: required_when(field, kind)}),
        )
        for kind, needed in NEEDED.items()
        for field in needed
    ),
    *(
        sending(
            f"validation: {kind} with a type and a label alone",
            {"type": kind, "label": "a"},
            violating({field: required_when(field, kind) for field in needed}),
        )
        for kind, needed in NEEDED.items()
    ),
    *(
        sending(
            f"validation: {kind} with a type alone",
            {"type": kind},
            violating({"label": LABEL_REQUIRED} | {field: required_when(field, kind) for field in needed}),
        )
        for kind, needed in NEEDED.items()
    ),
    sending("validation: local with a type alone", {"type": "local"}, violating({"label": LABEL_REQUIRED})),
    sending(
        "validation: s3 with an empty path style",
        draft("s3", "empty style", path_style_endpoint=""),
        violating({"path_style_endpoint": required_when("path_style_endpoint", "s3")}),
    ),
    sending(
        "validation: s3 gets its region under the answer's name",
        without(draft("s3", "alias region", s3_region="eu-1"), "custom_s3_region"),
        created(s3_region="eu-1"),
    ),
    sending("validation: a null label", {"label": None, "type": "local"}, violating({"label": LABEL_REQUIRED})),
    sending("validation: a null type", {"label": "a", "type": None}, violating({"type": TYPE_REQUIRED})),
    sending("validation: an empty type", {"label": "a", "type": ""}, violating({"type": TYPE_REQUIRED})),
    sending("validation: a blank type", {"label": "a", "type": " \t "}, violating({"type": TYPE_REQUIRED})),
    sending("validation: a type between spaces", {"label": "a", "type": " local\n"}, created(type="local")),
    sending(
        "validation: everything but the type",
        without(draft("s3", "no type"), "type"),
        violating({"type": TYPE_REQUIRED}),
    ),
    sending(
        "validation: credentials and nothing else",
        without(draft("s3", "only keys"), "type", "label"),
        violating({"label": LABEL_REQUIRED, "type": TYPE_REQUIRED}),
    ),
)

WRONG_EVERYWHERE: dict[str, object] = dict.fromkeys(STRINGS, 1)

TOGETHER: tuple[Case, ...] = (
    sending(
        "validation: two wrong fields",
        {"label": 1, "type": "ftp"},
        violating({"label": must_be_string("label"), "type": TYPE_INVALID}),
    ),
    sending(
        "validation: a wrong field and one left out",
        without(draft("s3", "one left out", label=[]), "s3_bucket_name"),
        violating({"label": must_be_string("label"), "s3_bucket_name": required_when("s3_bucket_name", "s3")}),
    ),
    sending(
        "validation: every field wrong in the order of the document",
        {"path_style_endpoint": "x", **dict(reversed(WRONG_EVERYWHERE.items())), "type": 1},
        violating(
            {"label": must_be_string("label"), "type": TYPE_INVALID}
            | {field: must_be_string(field) for field in STRINGS[1:]}
            | {"path_style_endpoint": must_be_boolean()}
        ),
    ),
    sending(
        "validation: wrong forms without a type",
        {"label": "a", "s3_bucket_name": 1, "path_style_endpoint": "x"},
        violating(
            {
                "type": TYPE_REQUIRED,
                "s3_bucket_name": must_be_string("s3_bucket_name"),
                "path_style_endpoint": must_be_boolean(),
            }
        ),
    ),
    sending(
        "validation: wrong forms under an unknown type",
        {"label": "a", "type": "ftp", "custom_s3_endpoint": "x"},
        violating({"type": TYPE_INVALID, "custom_s3_endpoint": must_be_url()}),
    ),
    sending(
        "validation: local with a wrong bucket name",
        draft("local", "", s3_bucket_name=5),
        violating({"s3_bucket_name": must_be_string("s3_bucket_name")}),
    ),
    sending(
        "validation: local with a wrong endpoint",
        draft("local", "", custom_s3_endpoint="nowhere"),
        violating({"custom_s3_endpoint": must_be_url()}),
    ),
    sending(
        "validation: local with a wrong path style",
        draft("local", "", path_style_endpoint="maybe"),
        violating({"path_style_endpoint": must_be_boolean()}),
    ),
    sending(
        "validation: s3 with a wrong endpoint it has not",
        draft("s3", "s3 endpoint", custom_s3_endpoint="nowhere"),
        violating({"custom_s3_endpoint": must_be_url()}),
    ),
    sending(
        "validation: custom_s3 with a wrong region it may leave out",
        draft("custom_s3", "region", custom_s3_region=1),
        violating({"custom_s3_region": must_be_string("custom_s3_region")}),
    ),
    sending(
        "validation: a wrong region under the answer's name",
        without(draft("s3", "wrong region alias", s3_region=1), "custom_s3_region"),
        violating({"custom_s3_region": must_be_string("custom_s3_region")}),
    ),
    sending(
        "validation: a wrong endpoint under the answer's name",
        without(draft("custom_s3", "wrong endpoint alias", s3_endpoint="nowhere"), "custom_s3_endpoint"),
        violating({"custom_s3_endpoint": must_be_url()}),
    ),
    sending("validation: local ignores what it has not", draft("s3", "ignored", type="local"), created(type="local")),
    sending(
        "validation: the answer's own fields cannot be assigned",
        draft("local", "", id=1, user_id=1, created_at="1970-01-01T00:00:00Z", type_human="x"),
        created(type="local"),
    ),
)

CASES: tuple[Case, ...] = (*TYPES, *REQUIRED, *TOGETHER)
