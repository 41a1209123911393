"""A sealed secret opens at its own place with its own key, and nowhere else."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from models.errors import KeyRefused, SecretUnreadable
from models.vault.secret import Secret
from models.vault.vault import Place, Vault, generate_key, key_id_of

PLACE = Place(table="backup_destinations", column="secret_key", user_id=7, row=UUID(int=99))
TEXT = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SECRET = Secret(TEXT)
KEY, OTHER_KEY = generate_key(), generate_key()
ENVELOPE = Vault(KEY).seal(SECRET, PLACE)
HEAD, BODY = ENVELOPE.rsplit(":", 1)
DATA = base64.urlsafe_b64decode(BODY + "=" * (-len(BODY) % 4))


def envelope_of(data: bytes) -> str:
    """An envelope with this content, spelt as the vault spells it."""
    return f"{HEAD}:{base64.urlsafe_b64encode(data).rstrip(b'=').decode()}"


def opens(envelope: str, place: Place = PLACE, keys: str = KEY) -> bool:
    """Whether the vault opens the envelope there; a wrong text would be worse than a refusal."""
    try:
        return Vault(keys).open(envelope, place) == SECRET
    except SecretUnreadable:
        return False


def key_of(entry: str) -> bytes:
    return base64.b64decode(entry.partition(":")[2])


@pytest.mark.parametrize("text", ["x", TEXT, "ключ от сейфа 🔑", "a" * 255, "\n\t\"'", "s1:looks:sealed"])
def test_what_is_sealed_opens_to_the_same_text(text: str) -> None:
    vault = Vault(KEY)

    assert vault.open(vault.seal(Secret(text), PLACE), PLACE).reveal() == text


def test_an_envelope_names_its_version_and_key_and_is_base64url_without_padding() -> None:
    key_id = KEY.partition(":")[0]

    assert re.fullmatch(rf"s1:{key_id}:[A-Za-z0-9_-]+", ENVELOPE)
    assert key_id_of(ENVELOPE) == key_id
    assert len(DATA) == 12 + len(TEXT) + 16
    assert TEXT.encode() not in DATA


def test_the_same_secret_is_never_sealed_to_the_same_text_twice() -> None:
    vault = Vault(KEY)

    assert len({vault.seal(SECRET, PLACE) for _ in range(1_000)}) == 1_000


def test_no_ciphertext_with_one_bit_flipped_opens() -> None:
    assert opens(envelope_of(DATA))

    flipped = [
        bytes(b ^ (1 << bit) if i == at else b for i, b in enumerate(DATA))
        for at in range(len(DATA))
        for bit in range(8)
    ]
    assert [data for data in flipped if opens(envelope_of(data))] == []


def test_no_envelope_with_one_bit_of_its_text_flipped_opens() -> None:
    flipped = [
        ENVELOPE[:at] + chr(ord(ENVELOPE[at]) ^ (1 << bit)) + ENVELOPE[at + 1 :]
        for at in range(len(ENVELOPE))
        for bit in range(8)
    ]
    assert [envelope for envelope in flipped if opens(envelope)] == []


def test_no_truncated_envelope_opens() -> None:
    texts = [ENVELOPE[:end] for end in range(len(ENVELOPE))] + [ENVELOPE[start:] for start in range(1, len(ENVELOPE))]
    contents = [DATA[:end] for end in range(len(DATA))] + [DATA[start:] for start in range(1, len(DATA))]

    assert [text for text in texts if opens(text)] == []
    assert [data for data in contents if opens(envelope_of(data))] == []


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(PLACE, row=UUID(int=100)),
        replace(PLACE, column="access_key"),
        replace(PLACE, table="vault_keys"),
        replace(PLACE, user_id=8),
    ],
    ids=["row", "column", "table", "user"],
)
def test_an_envelope_copied_elsewhere_does_not_open(elsewhere: Place) -> None:
    assert opens(ENVELOPE, PLACE)
    assert not opens(ENVELOPE, elsewhere)


def test_an_envelope_under_another_keys_id_does_not_open() -> None:
    other_id = OTHER_KEY.partition(":")[0]
    ring = f"{KEY},{OTHER_KEY}"

    assert opens(ENVELOPE, keys=ring)
    assert not opens(f"s1:{other_id}:{BODY}", keys=ring)


def test_an_envelope_whose_key_is_not_in_the_ring_does_not_open() -> None:
    assert not opens(ENVELOPE, keys=OTHER_KEY)


def test_parts_of_two_places_do_not_run_into_each_other() -> None:
    """What is authenticated tells where one part ends: `a`+`bc` is another place than `ab`+`c`."""
    one = replace(PLACE, table="a", column="bc").additional_data("k")

    assert one != replace(PLACE, table="ab", column="c").additional_data("k")


@pytest.mark.parametrize(
    "altered",
    [
        lambda body: body + "=" * (-len(body) % 4 or 4),
        lambda body: body + "\n",
        lambda body: " " + body,
        lambda body: body[:5] + "\n" + body[5:],
        lambda body: body + "A",
        lambda body: body.replace("-", "+").replace("_", "/"),
        lambda body: body[:-1] + chr(ord(body[-1]) + 1),
        lambda body: "",
        lambda body: "é" + body[1:],
    ],
    ids=["padded", "newline", "space", "broken", "longer", "standard alphabet", "spare bits", "empty", "not ASCII"],
)
def test_only_the_one_canonical_spelling_of_an_envelope_opens(altered: Callable[[str], str]) -> None:
    # Until both letters that the alphabets differ in are there, and a last letter with spare bits that are zero.
    while not ("-" in (body := Vault(KEY).seal(SECRET, PLACE).rpartition(":")[2]) and body[-1] in "AEIMQUYcgkosw"):
        pass

    assert opens(f"{HEAD}:{body}")
    assert not opens(f"{HEAD}:{altered(body)}")


@pytest.mark.parametrize("text", ["", "plain", "s1", "s1:", f"s2{ENVELOPE[2:]}", f"{ENVELOPE}:", f"S1{ENVELOPE[2:]}"])
def test_what_is_no_envelope_is_refused_as_unreadable(text: str) -> None:
    with pytest.raises(SecretUnreadable):
        Vault(KEY).open(text, PLACE)


def test_a_key_id_is_derived_from_the_hash_of_the_key() -> None:
    key_id, _, encoded = generate_key().partition(":")
    key = base64.b64decode(encoded)

    assert len(key) == 32
    assert key_id == hashlib.sha256(b"moorings key id\x1f" + key).hexdigest()[:12]


def test_the_first_key_of_the_ring_seals_and_all_open() -> None:
    ring = Vault(f" {OTHER_KEY} ,\n{KEY}\n")

    assert ring.key_ids == (OTHER_KEY.partition(":")[0], KEY.partition(":")[0])
    assert key_id_of(ring.seal(SECRET, PLACE)) == ring.sealing_key_id == ring.key_ids[0]
    assert ring.open(ENVELOPE, PLACE) == SECRET


@pytest.mark.parametrize(
    "malformed",
    [
        lambda entry: "",
        lambda entry: ",,",
        lambda entry: entry.partition(":")[2],
        lambda entry: entry[:-5],
        lambda entry: entry[:-4] + "AAAA" + entry[-4:],
        lambda entry: entry.replace(":", ":*"),
        lambda entry: entry.replace(":", ":é"),
        lambda entry: entry.replace(":", "::"),
        lambda entry: ("f" if entry[0] != "f" else "e") + entry[1:],
        lambda entry: OTHER_KEY.partition(":")[0] + ":" + entry.partition(":")[2],
        lambda entry: f"{OTHER_KEY},{entry[:-5]}",
        lambda entry: f"{entry};{OTHER_KEY}",
    ],
    ids=[
        "nothing",
        "commas",
        "no id",
        "short",
        "long",
        "no base64",
        "not ASCII",
        "two colons",
        "typo",
        "wrong id",
        "second",
        "semicolon",
    ],
)
def test_a_malformed_key_is_refused_with_its_place_and_without_a_byte_of_it(malformed: Callable[[str], str]) -> None:
    with pytest.raises(KeyRefused) as refused:
        Vault(malformed(KEY))

    told, encoded = str(refused.value), KEY.partition(":")[2]
    assert "MOORINGS_SECRET_KEYS" in told
    assert [encoded[at : at + 4] for at in range(len(encoded) - 3) if encoded[at : at + 4] in told] == []
    assert key_of(KEY).hex() not in told


def test_a_vault_does_not_show_its_keys() -> None:
    vault = Vault(KEY)
    shown = f"{vault!r} {vars(vault)!r}"

    assert KEY.partition(":")[2] not in shown
    assert key_of(KEY).hex() not in shown
    assert repr(key_of(KEY)) not in shown


def test_a_proof_proves_its_own_key_and_no_other() -> None:
    vault = Vault(f"{KEY},{OTHER_KEY}")
    one, other = vault.key_ids

    assert vault.proves(one, vault.prove(one))
    assert not vault.proves(one, vault.prove(other))
    assert not vault.proves(other, vault.prove(one))
    assert not vault.proves(one, "nonsense")


def test_a_derived_key_is_the_newest_keys_and_says_nothing_of_it() -> None:
    derived = Vault(KEY).derive("tags")

    assert derived == Vault(f"{KEY},{OTHER_KEY}").derive("tags")
    assert derived != Vault(f"{OTHER_KEY},{KEY}").derive("tags")
    assert derived != Vault(KEY).derive("other tags")
    assert len(derived) == 32
    assert derived != key_of(KEY)
