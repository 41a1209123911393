"""The rules of a backup destination, written again on plain dicts: what an operation results in, through either API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.api.destinations import FORBIDDEN, NOT_FOUND
from tests.support.api.parity import DELETED, Outcome, Shown, Values

ATTRIBUTES = ("label", "access_key", "secret_key", "bucket_name", "region", "endpoint", "path_style_endpoint")
BUCKET = frozenset({"label", "access_key", "secret_key", "bucket_name", "path_style_endpoint"})
REQUIRED = {"amazon_s3": BUCKET | {"region"}, "custom_s3": BUCKET | {"endpoint"}, "local": frozenset({"label"})}
ALLOWED = {"amazon_s3": REQUIRED["amazon_s3"], "custom_s3": BUCKET | {"endpoint", "region"}, "local": {"label"}}
NAMES = {"amazon_s3": "Amazon S3", "custom_s3": "Custom S3", "local": "Local"}

TEXTS = ("Nightly", "  padded\t", "é" * 255, "🗄" * 255, "0", "é" * 256, "", " \n", "a\0b", "' OR 1=1 --")
ENDPOINTS: tuple[str, ...] = (
    "https://s3.example.com",
    " http://[::1]:9000/a ",
    "HTTPS://S3.example.com:443",
    "",
    "s3.example.com",
)
ENDPOINTS += (
    "http://[::1]:9000/a?b=C",
    "ftp://s3.example.com",
    "https://",
    "https://s3.example.com/" + "p" * 2026,
    "https://u:p@example.com",
)
GOOD_ENDPOINTS = ENDPOINTS[:3]

Row = dict[str, Any]


@dataclass(kw_only=True, slots=True)
class Model:
    """What is stored: id to a row with its owner, its kind and its attributes."""

    rows: dict[int, Row] = field(default_factory=dict)

    def checked(self, merged: Row, given: Values, *, strict: bool, stored: Row | None = None) -> dict[str, str]:
        """The broken rules of a row that has taken over what was given, with the summary, or nothing."""
        kind = merged["kind"]
        rules = {}
        elsewhere = stored is not None and _goes_elsewhere(stored, merged)
        elsewhere = elsewhere and not self.checked(merged, given, strict=False)
        for attribute in ATTRIBUTES:
            sentence = _malformed(attribute, given.get(attribute))
            if sentence is None and merged.get(attribute) is None and attribute in REQUIRED[kind]:
                sentence = "is required." if attribute == "label" else f"is required when type is {kind}."
            if elsewhere and attribute in ("access_key", "secret_key") and given.get(attribute) is None:
                sentence = "is required when the keys would be sent to another store."
            if strict and attribute not in ALLOWED[kind] and given.get(attribute) is not None:
                sentence = f"does not apply when type is {kind}."
            if sentence is not None:
                rules[attribute] = f"The {attribute} field {sentence}"
        more = len(rules) - 1
        tail = f" (and {more} more error{'s' if more > 1 else ''})" if more > 0 else ""
        return {"": next(iter(rules.values())) + tail, **rules} if rules else {}

    def create(self, owner: int, kind: str, values: Values, made: Outcome) -> Outcome:
        """What creating leads to; the id is taken from what was `made`."""
        row = {"owner": owner, "kind": kind, **_cleaned(values)}
        rules = self.checked(row, _cleaned(values), strict=False)
        if rules:
            return rules
        assert isinstance(made, dict)
        assert "id" in made, made
        id_ = int(made["id"])
        assert id_ not in self.rows
        self.rows[id_] = _only_allowed(row)
        return self.shown(id_)

    def update(self, user: int, id_: int, values: Values, *, strict: bool) -> Outcome:
        """What changing leads to."""
        refusal = self.refusal(user, id_)
        if refusal is not None:
            return refusal
        given = _cleaned(values)
        merged = self.rows[id_] | given
        rules = self.checked(merged, given, strict=strict, stored=self.rows[id_])
        if not rules:
            self.rows[id_] = _only_allowed(merged)
        return rules or self.shown(id_)

    def delete(self, user: int, id_: int) -> Outcome:
        """What deleting leads to."""
        refusal = self.refusal(user, id_)
        if refusal is None:
            del self.rows[id_]
        return refusal or DELETED

    def refusal(self, user: int, id_: int) -> str | None:
        """Why a user cannot act on a row."""
        if id_ not in self.rows:
            return NOT_FOUND
        return None if self.rows[id_]["owner"] == user else FORBIDDEN

    def shown(self, id_: int) -> Shown:
        """A row as an API may show it."""
        row = self.rows[id_]
        hidden = {"owner", "kind", "access_key", "secret_key"}
        shown = {"id": id_, "kind_name": NAMES[row["kind"]]}
        return shown | {attribute: value for attribute, value in row.items() if attribute not in hidden}

    def listed(self, user: int) -> list[Shown]:
        """What a user has, oldest first."""
        return [self.shown(id_) for id_ in sorted(self.rows) if self.rows[id_]["owner"] == user]


def agrees(shown: Outcome, expected: Outcome) -> bool:
    """Whether an answer is what was expected; of a destination, in all that the API shows of it but its timestamps."""
    if not isinstance(shown, dict) or not isinstance(expected, dict) or "id" not in expected:
        return shown == expected
    return {name: expected.get(name) for name in shown.keys() - {"created", "updated"}} == {
        name: value for name, value in shown.items() if name not in ("created", "updated")
    }


def _goes_elsewhere(stored: Row, merged: Row) -> bool:
    """Whether keys that are stored would be sent to another store; a local destination has none to send."""
    spellings = {"HTTPS://S3.example.com:443": "https://s3.example.com"}
    before, after = (row.get("endpoint") for row in (stored, merged))
    if stored["kind"] != merged["kind"]:
        return "local" not in (stored["kind"], merged["kind"])
    return merged["kind"] == "custom_s3" and spellings.get(str(before), before) != spellings.get(str(after), after)


def _cleaned(values: Values) -> dict[str, Any]:
    return {name: (value.strip() or None) if isinstance(value, str) else value for name, value in values.items()}


def _malformed(attribute: str, value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    limit = 255
    if "\0" in value:
        return "must be text without NUL characters."
    if len(value) > limit:
        return f"must not be greater than {limit} characters."
    if attribute == "endpoint" and value not in map(str.strip, GOOD_ENDPOINTS):
        return "must be a valid URL."
    return None


def _only_allowed(row: Mapping[str, Any]) -> Row:
    return {name: value for name, value in row.items() if name in ALLOWED[row["kind"]] | {"owner", "kind"}}
