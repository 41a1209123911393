"""Changes that would leave a broken row, or reach for what cannot be assigned."""

from .case import Case
from .drafts import UPDATE, UPDATE_LOCAL, UPDATE_S3, sending
from .expectations import (
    LABEL_REQUIRED,
    OK,
    TYPE_INVALID,
    TYPE_REQUIRED,
    must_be_boolean,
    must_be_string,
    required_when,
    too_long,
    updated,
    violating,
)

KEYS = ("s3_access_key", "s3_secret_key", "s3_bucket_name")
S3 = (*KEYS, "custom_s3_region", "path_style_endpoint")
CUSTOM_S3 = (*KEYS, "custom_s3_endpoint", "path_style_endpoint")

EMPTIED: tuple[Case, ...] = (
    *(
        sending(
            f"update: custom_s3 loses its {field}",
            {field: None},
            violating({field: required_when(field, "custom_s3")}),
            UPDATE,
        )
        for field in CUSTOM_S3
    ),
    *(
        sending(f"update: s3 loses its {field}", {field: ""}, violating({field: required_when(field, "s3")}), UPDATE_S3)
        for field in S3
    ),
    sending("update: a null label", {"label": None}, violating({"label": LABEL_REQUIRED}), UPDATE),
    sending("update: a null type", {"type": None}, violating({"type": TYPE_REQUIRED}), UPDATE),
    sending("update: an empty type on a local row", {"type": ""}, violating({"type": TYPE_REQUIRED}), UPDATE_LOCAL),
    sending(
        "update: a null label and a null type",
        {"label": None, "type": None},
        violating({"label": LABEL_REQUIRED, "type": TYPE_REQUIRED}),
        UPDATE,
    ),
    sending(
        "update: everything null",
        dict.fromkeys(("label", *CUSTOM_S3)),
        violating({"label": LABEL_REQUIRED} | {field: required_when(field, "custom_s3") for field in CUSTOM_S3}),
        UPDATE,
    ),
    sending(
        "update: the endpoint nulled under the answer's name",
        {"s3_endpoint": None},
        violating({"custom_s3_endpoint": required_when("custom_s3_endpoint", "custom_s3")}),
        UPDATE,
    ),
)

KINDS: tuple[Case, ...] = (
    sending(
        "update: local becomes s3 with nothing",
        {"type": "s3"},
        violating({field: required_when(field, "s3") for field in S3}),
        UPDATE_LOCAL,
    ),
    sending(
        "update: local becomes custom_s3 with nothing",
        {"type": "custom_s3"},
        violating({field: required_when(field, "custom_s3") for field in CUSTOM_S3}),
        UPDATE_LOCAL,
    ),
    sending(
        "update: local becomes s3 with a bucket alone",
        {"type": "s3", "s3_bucket_name": "b"},
        violating({field: required_when(field, "s3") for field in S3 if field != "s3_bucket_name"}),
        UPDATE_LOCAL,
    ),
    sending(
        "update: s3 becomes custom_s3 without an endpoint",
        {"type": "custom_s3"},
        violating({"custom_s3_endpoint": required_when("custom_s3_endpoint", "custom_s3")}),
        UPDATE_S3,
    ),
    sending(
        "update: custom_s3 becomes s3 and its region is null",
        {"type": "s3", "custom_s3_region": None},
        violating({"custom_s3_region": required_when("custom_s3_region", "s3")}),
        UPDATE,
    ),
    sending("update: an unknown kind", {"type": "ftp"}, violating({"type": TYPE_INVALID}), UPDATE),
    sending("update: a kind in capitals", {"type": "LOCAL"}, violating({"type": TYPE_INVALID}), UPDATE_S3),
    sending("update: a kind as a list", {"type": ["local"]}, violating({"type": TYPE_INVALID}), UPDATE),
    sending(
        "update: a wrong kind beside a wrong label",
        {"type": 7, "label": {}},
        violating({"label": must_be_string("label"), "type": TYPE_INVALID}),
        UPDATE,
    ),
    sending("update: custom_s3 becomes local", {"type": "local"}, updated(type="local"), UPDATE),
    sending("update: custom_s3 stays custom_s3", {"type": "custom_s3"}, updated(type="custom_s3"), UPDATE),
    sending(
        "update: local becomes local with keys it has not",
        {"type": "local", "s3_access_key": "a", "s3_secret_key": "b"},
        updated(type="local"),
        UPDATE_LOCAL,
    ),
)

FORMS: tuple[Case, ...] = (
    *(
        sending(f"update: a number as {field}", {field: 5}, violating({field: must_be_string(field)}), UPDATE)
        for field in ("label", *KEYS, "custom_s3_region")
    ),
    sending(
        "update: a list as the secret key of a local row",
        {"s3_secret_key": ["x"]},
        violating({"s3_secret_key": must_be_string("s3_secret_key")}),
        UPDATE_LOCAL,
    ),
    sending(
        "update: the word true as the path style",
        {"path_style_endpoint": "true"},
        violating({"path_style_endpoint": must_be_boolean()}),
        UPDATE,
    ),
    sending(
        "update: two as the path style of a local row",
        {"path_style_endpoint": 2},
        violating({"path_style_endpoint": must_be_boolean()}),
        UPDATE_LOCAL,
    ),
    sending(
        "update: a region too long under the answer's name",
        {"s3_region": "a" * 256},
        violating({"custom_s3_region": too_long("custom_s3_region")}),
        UPDATE_S3,
    ),
    sending(
        "update: one good field does not save a bad one",
        {"label": "Renamed", "s3_bucket_name": 1},
        violating({"s3_bucket_name": must_be_string("s3_bucket_name")}),
        UPDATE,
    ),
)

UNASSIGNABLE: tuple[Case, ...] = (
    sending("update: another id", {"id": 1}, OK, UPDATE),
    sending("update: another id in a string", {"id": "2"}, OK, UPDATE_LOCAL),
    sending("update: another owner", {"user_id": 1, "user": {"id": 1}, "owner_id": 1}, OK, UPDATE),
    sending("update: no owner", {"user_id": None}, OK, UPDATE),
    sending(
        "update: other times",
        {"created_at": "1970-01-01T00:00:00Z", "updated_at": None, "deleted_at": "now"},
        OK,
        UPDATE,
    ),
    sending("update: another human name", {"type_human": "Floppy disk"}, updated(type_human="Amazon S3"), UPDATE_S3),
    sending(
        "update: inner columns",
        {"uuid": "x", "kind": "local", "credentials": "s1:x:x", "revision": -1},
        updated(type="custom_s3"),
        UPDATE,
    ),
    sending(
        "update: the path style as a number", {"path_style_endpoint": 0}, updated(path_style_endpoint=False), UPDATE
    ),
    sending("update: a label between spaces", {"label": "\t Renamed \n"}, updated(label="Renamed"), UPDATE),
)

CASES: tuple[Case, ...] = (*EMPTIED, *KINDS, *FORMS, *UNASSIGNABLE)
