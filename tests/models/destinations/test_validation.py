"""`parse`: raw attributes merged, trimmed and judged; every broken rule told at once, in the order of `Attribute`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from models.destinations.attributes import KINDS, MAX_LENGTHS, SECRET_ATTRIBUTES, Attribute, DestinationKind, ValueType
from models.destinations.table import BackupDestination
from models.destinations.validation import Attributes, Raw, parse
from models.destinations.violations import Rule
from models.errors import ValidationFailed
from models.text import cleaned
from models.vault.secret import Secret
from tests.support.stores.certificates import EXAMPLE_PEM, Authority

AMAZON_S3, CUSTOM_S3, LOCAL = DestinationKind
FULL: Mapping[Attribute, object] = {
    Attribute.LABEL: "Nightly",
    Attribute.ACCESS_KEY: "AKIA",
    Attribute.SECRET_KEY: "secret",
    Attribute.BUCKET_NAME: "bucket",
    Attribute.REGION: "eu-north-1",
    Attribute.ENDPOINT: "https://s3.example.com",
    Attribute.PATH_STYLE_ENDPOINT: False,
    Attribute.CHECK_PREFIX: "team-a/",
    Attribute.CERTIFICATE_AUTHORITIES: EXAMPLE_PEM.strip(),
}
"""A value for every attribute that any kind has, but the kind."""


def raw_of(kind: DestinationKind, **changes: object) -> dict[Attribute, object]:
    """The attributes of a good destination of that kind, then the changes."""
    own = {a: value for a, value in FULL.items() if a in KINDS[kind].applicable}
    return {**own, Attribute.KIND: kind, **{Attribute(name): value for name, value in changes.items()}}


def broken_by(
    raw: Raw, current: BackupDestination | None = None, *, strict: bool = False
) -> list[tuple[Attribute, Rule]]:
    """The rules that `raw` breaks, as they are told; none when it breaks none."""
    try:
        parse(raw, current=current, strict=strict)
    except ValidationFailed as refusal:
        return [(violation.attribute, violation.rule) for violation in refusal.violations]
    return []


def without_secrets(attributes: Attributes) -> Attributes:
    """The same attributes, with the sealed secrets to be kept."""
    return replace(attributes, values={**attributes.values, **dict.fromkeys(SECRET_ATTRIBUTES)})


def row_of(kind: DestinationKind) -> BackupDestination:
    """A row of that kind with everything it can have, its secrets sealed; not stored."""
    sealed = {Attribute.ACCESS_KEY: "s1:key:sealed", Attribute.SECRET_KEY: "s1:key:sealed"}
    raw = raw_of(kind)
    return BackupDestination(**{a.value: sealed.get(a, value) for a, value in raw.items()})


@pytest.mark.parametrize("kind", DestinationKind)
def test_a_good_destination_of_each_kind_is_taken_as_it_is(kind: DestinationKind) -> None:
    """Every attribute comes out typed, its secrets wrapped, and nothing is added."""
    attributes = parse(raw_of(kind), strict=True)

    for attribute in Attribute:
        given = raw_of(kind).get(attribute)
        wrapped = Secret(str(given)) if given is not None and attribute in SECRET_ATTRIBUTES else given
        assert attributes[attribute] == wrapped, attribute


@pytest.mark.parametrize(
    ("kind", "required"),
    [
        (AMAZON_S3, "access_key secret_key bucket_name region path_style_endpoint"),
        (CUSTOM_S3, "access_key secret_key bucket_name endpoint path_style_endpoint"),
        (LOCAL, ""),
    ],
)
@pytest.mark.parametrize("empty", [None, "", "  \t\u3000"])
def test_a_kind_lacking_what_it_requires_is_told_all_of_it_in_order(
    kind: DestinationKind, required: str, empty: str | None
) -> None:
    """Left out, null, empty and blank are all the same lack."""
    lacking = [(Attribute(name), Rule.REQUIRED_FOR_KIND) for name in required.split()]
    emptied = {attribute: empty for attribute, _ in lacking}

    assert broken_by({Attribute.LABEL: "Nightly", Attribute.KIND: kind}) == lacking
    assert broken_by(raw_of(kind) | emptied) == lacking
    assert broken_by(raw_of(kind) | emptied | {Attribute.LABEL: empty}) == [(Attribute.LABEL, Rule.REQUIRED), *lacking]


def test_nothing_at_all_lacks_a_label_and_a_kind_only() -> None:
    """What a kind requires cannot be said before there is one."""
    assert broken_by({}) == [(Attribute.LABEL, Rule.REQUIRED), (Attribute.KIND, Rule.REQUIRED)]


@pytest.mark.parametrize("kind", ["", "amazon_s3", "s3", "nonsense", 1, True, [], {}])
def test_a_kind_that_is_not_one_is_unknown_and_hides_no_other_violation(kind: object) -> None:
    """The APIs translate names to kinds; a name that comes through is not known."""
    raw = raw_of(CUSTOM_S3) | {Attribute.KIND: kind, Attribute.REGION: 5}

    assert broken_by(raw) == [(Attribute.KIND, Rule.UNKNOWN_KIND), (Attribute.REGION, Rule.NOT_A_STRING)]


@pytest.mark.parametrize("attribute", MAX_LENGTHS)
@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (5, Rule.NOT_A_STRING),
        (1.5, Rule.NOT_A_STRING),
        (True, Rule.NOT_A_STRING),
        (b"bytes", Rule.NOT_A_STRING),
        (["https://s3.example.com"], Rule.NOT_A_STRING),
        ({"a": 1}, Rule.NOT_A_STRING),
        ("https://nul.example.com/\x00", Rule.NOT_TEXT),
        ("https://surrogate.example.com/\ud83d", Rule.NOT_TEXT),
        ("\x00" * 5_000, Rule.NOT_TEXT),
        ("https://s3.example.com/" + "x" * 9_000, Rule.TOO_LONG),
    ],
    ids=ascii,
)
def test_a_value_that_is_no_text_or_too_long_breaks_one_rule(attribute: Attribute, value: object, rule: Rule) -> None:
    """Also where the kind has no such attribute."""
    assert broken_by(raw_of(AMAZON_S3) | {attribute: value}) == [(attribute, rule)]


@pytest.mark.parametrize("attribute", [a for a in MAX_LENGTHS if a.rules.type is ValueType.TEXT])
def test_lengths_count_characters_after_trimming(attribute: Attribute) -> None:
    """255 characters of four bytes each are 255."""
    assert broken_by(raw_of(AMAZON_S3) | {attribute: " " + "🛟" * 255 + "\n"}) == []
    assert broken_by(raw_of(AMAZON_S3) | {attribute: "🛟" * 256}) == [(attribute, Rule.TOO_LONG)]


@pytest.mark.parametrize("value", ["true", "1", 1, 0, "", [], 1.0])
def test_only_booleans_are_booleans_here(value: object) -> None:
    """How a protocol spells them is the protocol's affair."""
    rule = Rule.REQUIRED_FOR_KIND if value == "" else Rule.NOT_A_BOOLEAN

    assert broken_by(raw_of(AMAZON_S3, path_style_endpoint=value)) == [(Attribute.PATH_STYLE_ENDPOINT, rule)]


def test_every_attribute_broken_at_once_is_told_at_once_and_in_order() -> None:
    """However the request orders them."""
    raw = dict(reversed([(attribute, 5) for attribute in Attribute]))

    assert broken_by(raw) == [
        (Attribute.LABEL, Rule.NOT_A_STRING),
        (Attribute.KIND, Rule.UNKNOWN_KIND),
        (Attribute.ACCESS_KEY, Rule.NOT_A_STRING),
        (Attribute.SECRET_KEY, Rule.NOT_A_STRING),
        (Attribute.BUCKET_NAME, Rule.NOT_A_STRING),
        (Attribute.REGION, Rule.NOT_A_STRING),
        (Attribute.ENDPOINT, Rule.NOT_A_STRING),
        (Attribute.PATH_STYLE_ENDPOINT, Rule.NOT_A_BOOLEAN),
        (Attribute.CHECK_PREFIX, Rule.NOT_A_STRING),
        (Attribute.CERTIFICATE_AUTHORITIES, Rule.NOT_A_STRING),
    ]


def test_malformed_and_missing_attributes_are_told_together() -> None:
    """A malformed value is not also a missing one."""
    raw = raw_of(CUSTOM_S3, label=None, access_key=5, endpoint="s3.example.com", path_style_endpoint=None)

    assert broken_by(raw) == [
        (Attribute.LABEL, Rule.REQUIRED),
        (Attribute.ACCESS_KEY, Rule.NOT_A_STRING),
        (Attribute.ENDPOINT, Rule.NOT_A_URL),
        (Attribute.PATH_STYLE_ENDPOINT, Rule.REQUIRED_FOR_KIND),
    ]


@pytest.mark.parametrize("kind", DestinationKind)
def test_what_the_kind_does_not_have_is_left_aside_or_in_strict_mode_refused(kind: DestinationKind) -> None:
    """An old client sends everything it knows; a typed one has no reason to. Null is nothing sent."""
    foreign = [a for a in Attribute if a not in KINDS[kind].applicable]
    raw = raw_of(kind) | {a: FULL[a] for a in foreign}

    assert parse(raw) == parse(raw_of(kind))
    assert broken_by(raw, strict=True) == [(a, Rule.NOT_APPLICABLE) for a in foreign]
    assert broken_by(raw | dict.fromkeys(foreign), strict=True) == []


@pytest.mark.parametrize("kind", DestinationKind)
def test_a_change_of_nothing_keeps_everything_and_opens_no_secret(kind: DestinationKind) -> None:
    """Kept secrets come out as None: the sealed ones stay where they are."""
    kept = parse({}, current=row_of(kind), strict=True)

    assert kept == without_secrets(parse(raw_of(kind)))


def test_a_change_of_one_attribute_is_judged_with_the_rest_of_the_row() -> None:
    """A missing label is the row's own; an emptied one is a violation, and so is a secret set to null."""
    row = row_of(CUSTOM_S3)

    assert parse({Attribute.REGION: " eu-west-1 "}, current=row)[Attribute.REGION] == "eu-west-1"
    assert parse({Attribute.REGION: None}, current=row)[Attribute.REGION] is None
    assert parse({Attribute.SECRET_KEY: "new"}, current=row)[Attribute.SECRET_KEY] == Secret("new")
    assert broken_by({Attribute.LABEL: ""}, row) == [(Attribute.LABEL, Rule.REQUIRED)]
    assert broken_by({Attribute.ACCESS_KEY: None}, row) == [(Attribute.ACCESS_KEY, Rule.REQUIRED_FOR_KIND)]
    assert broken_by({Attribute.ENDPOINT: "ftp://x"}, row) == [(Attribute.ENDPOINT, Rule.NOT_A_URL)]


def test_a_change_of_kind_keeps_what_both_have_and_drops_what_the_old_one_alone_had() -> None:
    """The rules of the new kind hold for the merged row."""
    to_local = parse({Attribute.KIND: LOCAL}, current=row_of(AMAZON_S3))
    keys = {Attribute.ACCESS_KEY: "new", Attribute.SECRET_KEY: "new too"}
    to_amazon = parse({Attribute.KIND: AMAZON_S3, **keys}, current=row_of(CUSTOM_S3), strict=True)

    assert to_local == parse({Attribute.LABEL: "Nightly", Attribute.KIND: LOCAL})
    assert to_amazon == parse({**raw_of(AMAZON_S3), **keys})
    assert broken_by({Attribute.KIND: CUSTOM_S3}, row_of(AMAZON_S3)) == [(Attribute.ENDPOINT, Rule.REQUIRED_FOR_KIND)]
    assert [attribute for attribute, _ in broken_by({Attribute.KIND: AMAZON_S3}, row_of(LOCAL))] == [
        Attribute.ACCESS_KEY,
        Attribute.SECRET_KEY,
        Attribute.BUCKET_NAME,
        Attribute.REGION,
        Attribute.PATH_STYLE_ENDPOINT,
    ]


def test_secrets_do_not_show_in_the_checked_attributes() -> None:
    """They may end up in a log line or a debugger."""
    assert "AKIA" not in repr(parse(raw_of(AMAZON_S3)))


@pytest.mark.parametrize(
    ("value", "clean"), [(" a b ", "a b"), ("", None), ("\u200b\ufeff", None), (5, 5), (None, None)]
)
def test_texts_are_trimmed_and_empty_ones_are_nothing(value: object, clean: object) -> None:
    """What is not a text stays what it is."""
    assert cleaned(value) == clean


@pytest.mark.parametrize(
    "endpoint", ["https://s3.example.com/?x=1", "https://s3.example.com/..", f"https://s3.example.com/?{'a' * 300}"]
)
def test_an_endpoint_stored_under_older_rules_does_not_prevent_other_changes(endpoint: str) -> None:
    """It may be sent back as it is, with a whole row; any other value has to follow today's rules."""
    row = row_of(CUSTOM_S3)
    row.endpoint = endpoint

    assert parse({Attribute.LABEL: "Weekly"}, current=row)[Attribute.ENDPOINT] == endpoint
    assert (
        parse({Attribute.LABEL: "Weekly", Attribute.ENDPOINT: f" {endpoint} "}, current=row)[Attribute.ENDPOINT]
        == endpoint
    )
    assert broken_by({Attribute.ENDPOINT: endpoint + "?"}, row) != []
    assert broken_by({Attribute.ENDPOINT: endpoint}, row_of(CUSTOM_S3)) != []


ELSEWHERE = [
    "https://attacker.example",
    "https://s3.example.com:9443",
    "http://s3.example.com",
    "https://s3.example.com/another/tenant",
    "https://s3.example.com.attacker.example",
    "https://[2001:db8::1]",
]


@pytest.mark.parametrize("endpoint", ELSEWHERE)
@pytest.mark.parametrize("given", [(), (Attribute.ACCESS_KEY,), (Attribute.SECRET_KEY,)])
def test_stored_keys_are_not_sent_to_another_store(endpoint: str, given: tuple[Attribute, ...]) -> None:
    """Both are required anew when scheme, host, port or path of the endpoint change; then they are of the new store."""
    row = row_of(CUSTOM_S3)
    keys = dict.fromkeys(given, "new")
    missing = [a for a in (Attribute.ACCESS_KEY, Attribute.SECRET_KEY) if a not in given]

    assert broken_by({Attribute.ENDPOINT: endpoint, **keys}, row) == [(a, Rule.REQUIRED_FOR_STORE) for a in missing]
    both = {Attribute.ACCESS_KEY: "new", Attribute.SECRET_KEY: "new too"}
    assert parse({Attribute.ENDPOINT: endpoint, **both}, current=row)[Attribute.ENDPOINT] == endpoint


@pytest.mark.parametrize("kind", [AMAZON_S3, CUSTOM_S3])
def test_stored_keys_are_not_sent_to_a_store_of_another_kind(kind: DestinationKind) -> None:
    other = CUSTOM_S3 if kind is AMAZON_S3 else AMAZON_S3
    raw: Raw = {a: value for a, value in raw_of(kind).items() if a not in (Attribute.ACCESS_KEY, Attribute.SECRET_KEY)}

    assert broken_by(raw, row_of(other)) == [
        (Attribute.ACCESS_KEY, Rule.REQUIRED_FOR_STORE),
        (Attribute.SECRET_KEY, Rule.REQUIRED_FOR_STORE),
    ]


@pytest.mark.parametrize("spelling", ["{}", "{}/", "{}:443", " {} "])
def test_the_same_store_in_another_spelling_needs_no_keys(spelling: str) -> None:
    row = row_of(CUSTOM_S3)
    endpoint = spelling.format(row.endpoint)

    assert parse({Attribute.ENDPOINT: endpoint, Attribute.LABEL: "New"}, current=row)[Attribute.LABEL] == "New"
    assert parse({Attribute.BUCKET_NAME: "another"}, current=row)[Attribute.BUCKET_NAME] == "another"


@pytest.mark.parametrize("prefix", ["team-a", "team-a/", "a/b.c/ d", "ümlaut/", "...", ".hidden/", "x" * 255])
def test_a_prefix_is_what_object_names_begin_with(prefix: str) -> None:
    """As it was given: a slash at its end is added when it is used."""
    kept = parse(raw_of(CUSTOM_S3, check_prefix=f" {prefix} "))

    assert kept[Attribute.CHECK_PREFIX] == prefix


@pytest.mark.parametrize(
    "prefix",
    [
        "/",
        "/a",
        "a//b",
        "a//",
        "..",
        "../a",
        "a/../b",
        "a/..",
        "./a",
        "a/.",
        "a\nb",
        "a\x7f",
        "a\u202eb",
        "\U0001f6df" * 255,
    ],
)
def test_a_prefix_that_stores_or_proxies_would_read_as_another_is_refused(prefix: str) -> None:
    """The last one has 1,020 bytes, and with the check's own name more than a key may have."""
    assert broken_by(raw_of(CUSTOM_S3, check_prefix=prefix)) == [(Attribute.CHECK_PREFIX, Rule.NOT_AN_OBJECT_PREFIX)]


def test_certificates_are_one_or_several_in_pem_with_comments(tmp_path: Path) -> None:
    one, other = Authority(tmp_path).pem, Authority(tmp_path).pem

    for text in (one, one + other, f"# ours\n\n{one}\r\n# theirs\n{other}"):
        assert broken_by(raw_of(CUSTOM_S3, certificate_authorities=text)) == []


def test_what_is_no_certificate_or_holds_a_key_is_refused(tmp_path: Path) -> None:
    """A key beside its certificate too: nothing of it may be stored or shown."""
    authority = Authority(tmp_path)
    pem = authority.pem
    with_key = authority.file("localhost").read_text()

    for text in ("MIIB", pem[:-40], pem.replace("A", "!"), with_key, f"{pem}junk", pem[:60] + pem[90:]):
        assert broken_by(raw_of(CUSTOM_S3, certificate_authorities=text)) == [
            (Attribute.CERTIFICATE_AUTHORITIES, Rule.NOT_CERTIFICATES)
        ], text
