"""JSON in bytes that are not UTF-8, and in escapes that are not characters."""

import json

from .case import Case
from .drafts import CREATE, LOCAL, UPDATE, draft, sending
from .expectations import BAD_REQUEST, created

TEXT = json.dumps(draft("s3", "encodings"))

WHOLE: dict[str, bytes] = {
    "UTF-8 with a byte order mark": b"\xef\xbb\xbf" + TEXT.encode(),
    "a byte order mark at the end": TEXT.encode() + b"\xef\xbb\xbf",
    "a byte order mark alone": b"\xef\xbb\xbf",
    "UTF-16 with a byte order mark": TEXT.encode("utf-16"),
    "UTF-16 little endian": TEXT.encode("utf-16-le"),
    "UTF-16 big endian": TEXT.encode("utf-16-be"),
    "UTF-32 with a byte order mark": TEXT.encode("utf-32"),
    "UTF-32 little endian": TEXT.encode("utf-32-le"),
    "UTF-32 big endian": TEXT.encode("utf-32-be"),
    "UTF-7": b"+AHsAIgBsAGEAYgBlAGwAIgA6ACIAeAAiAH0-",
    "EBCDIC": TEXT.encode("cp500"),
    "a compressed body without saying so": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xab\xae\x05\x00\x43\xbf\xa6\xa3",
}

BYTES: dict[str, bytes] = {
    "a Latin-1 letter": b"caf\xe9",
    "a lone continuation byte": b"a\x80b",
    "a sequence that stops early": b"a\xe2\x82",
    "a sequence broken by a letter": b"\xe2\x82b\xac",
    "an overlong slash": b"\xc0\xaf",
    "an overlong NUL": b"\xc0\x80",
    "an overlong three-byte letter": b"\xe0\x81\x81",
    "an encoded high surrogate": b"\xed\xa0\x80",
    "an encoded surrogate pair": b"\xed\xa0\xbd\xed\xb8\x80",
    "a character beyond U+10FFFF": b"\xf4\x90\x80\x80",
    "a five-byte sequence": b"\xf8\x88\x80\x80\x80",
    "the byte FE": b"\xfe",
    "the byte FF": b"\xff",
}

SURROGATES: dict[str, bytes] = {
    "a high surrogate alone": b"\\ud800",
    "a low surrogate alone": b"\\udc00",
    "a pair in the wrong order": b"\\udc00\\ud800",
    "two high surrogates": b"\\ud83d\\ud83d",
    "a high surrogate before a letter": b"\\ud83dx",
    "a high surrogate before an escaped letter": b"\\ud83d\\u0041",
    "a high surrogate after a pair": b"\\ud83d\\ude00\\ud83d",
    "a high surrogate in capitals": b"\\uDBFF",
}


def labelled(label: bytes) -> bytes:
    """A local destination with these bytes between the quotes of its label."""
    return b'{"label":"' + label + b'","type":"local"}'


ELSEWHERE: tuple[Case, ...] = (
    sending("encoding: a broken byte in a field name", b'{"lab\xffel":1,' + LOCAL[1:], BAD_REQUEST),
    sending("encoding: a broken byte in an unknown field", LOCAL[:-1] + b',"x":"\xff"}', BAD_REQUEST),
    sending("encoding: a broken byte between the tokens", b'{"label":"a",\xff"type":"local"}', BAD_REQUEST),
    sending("encoding: a broken byte after the object", LOCAL + b"\xff", BAD_REQUEST),
    sending("encoding: a broken byte in a change", b'{"label":"a\xff"}', BAD_REQUEST, UPDATE),
    sending("encoding: a surrogate in a field name", LOCAL[:-1] + b',"\\ud800":1}', BAD_REQUEST),
    sending("encoding: a surrogate in an unknown field", LOCAL[:-1] + b',"x":"\\ud800"}', BAD_REQUEST),
    sending("encoding: a surrogate deep in an unknown field", LOCAL[:-1] + b',"x":[{"y":["\\udfff"]}]}', BAD_REQUEST),
    sending("encoding: a surrogate in the type", b'{"label":"a","type":"local\\ud800"}', BAD_REQUEST),
    sending("encoding: a surrogate in the secret key", TEXT.encode().replace(b"cnry", b"\\ud800cnry"), BAD_REQUEST),
    sending("encoding: a surrogate in a change", b'{"s3_bucket_name":"\\ud800"}', BAD_REQUEST, UPDATE),
    sending(
        "encoding: an escaped surrogate pair is a character", labelled(b"\\ud83d\\ude00"), created(label="\U0001f600")
    ),
    sending("encoding: the last character there is", labelled(b"x\\udbff\\udfff"), created(label="x\U0010ffff")),
    sending("encoding: a noncharacter is a character", labelled(b"x\xef\xbf\xbfx"), created(label="x\uffffx")),
    sending("encoding: the replacement character is kept", labelled(b"x\xef\xbf\xbd"), created(label="x\ufffd")),
    sending("encoding: an escaped solidus is a solidus", labelled(b"a\\/b"), created(label="a/b")),
    sending("encoding: an escaped backslash before u0000 is text", labelled(b"a\\\\u0000"), created(label="a\\u0000")),
    sending(
        "encoding: a field name in escapes is the field", b'{"\\u006cabel":"a","type":"local"}', created(label="a")
    ),
)

CASES: tuple[Case, ...] = (
    *(sending(f"encoding: {what}", body, BAD_REQUEST, CREATE) for what, body in WHOLE.items()),
    *(sending(f"encoding: {what} in the label", labelled(body), BAD_REQUEST) for what, body in BYTES.items()),
    *(sending(f"encoding: {what}, escaped", labelled(body), BAD_REQUEST) for what, body in SURROGATES.items()),
    *ELSEWHERE,
)
