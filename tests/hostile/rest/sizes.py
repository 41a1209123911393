"""Bodies over 128 KiB, honest and lying about it, and big ones that are just small enough."""

from .case import Case
from .drafts import (
    COLLECTION,
    CREATE,
    FORM,
    JSON,
    LOCAL,
    UPDATE,
    UPDATE_FOREIGN,
    UPDATE_LOCAL,
    UPDATE_MISSING,
    draft,
    form,
    sending,
)
from .expectations import (
    BAD_REQUEST,
    CREATED,
    NO_CODING,
    NOT_HTTP,
    OK,
    TOO_LARGE,
    Expectation,
    either,
    parser_or,
    too_long,
    violating,
)

LIMIT = 131_072
MEBIBYTE = 1_048_576
CHUNKED = (*JSON, ("Transfer-Encoding", "chunked"))


def padded(size: int) -> bytes:
    """A fine body brought to this size with white space."""
    return LOCAL + b" " * (size - len(LOCAL))


def chunked(body: bytes, size: int) -> bytes:
    """A body in chunks of this size."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def lying(name: str, length: str, body: bytes, expectation: Expectation) -> Case:
    """A body under a Content-Length that is not its own."""
    return sending(f"size: {name}", body, expectation, CREATE, (*JSON, ("Content-Length", length)))


OVER: tuple[Case, ...] = (
    sending("size: one byte too many", padded(LIMIT + 1), TOO_LARGE),
    sending("size: one byte too many in a change", padded(LIMIT + 1), TOO_LARGE, UPDATE),
    sending("size: ten megabytes of one label", {"label": "a" * 10_000_000, "type": "local"}, TOO_LARGE),
    sending("size: two megabytes that are not JSON", b"{" * (2 * MEBIBYTE), TOO_LARGE),
    sending("size: two megabytes of opening brackets in a change", b"[" * (2 * MEBIBYTE), TOO_LARGE, UPDATE),
    sending("size: two megabytes of secret", draft("s3", "size two megabytes", x="a" * 2 * MEBIBYTE), TOO_LARGE),
    form("size: a form one byte too big", b"type=local&label=" + b"a" * (LIMIT - 16), TOO_LARGE),
    form("size: a form of ampersands", b"&" * (2 * MEBIBYTE), TOO_LARGE),
    sending(
        "size: two megabytes of text",
        b"a" * (2 * MEBIBYTE),
        either(413, 415),
        CREATE,
        (("Content-Type", "text/plain"),),
    ),
    sending("size: two megabytes for a missing row", padded(2 * MEBIBYTE), either(404, 413), UPDATE_MISSING),
    sending("size: two megabytes for a stranger's row", padded(2 * MEBIBYTE), either(403, 413), UPDATE_FOREIGN),
    sending("size: in one chunk", chunked(padded(LIMIT + 1), 2 * MEBIBYTE), TOO_LARGE, CREATE, CHUNKED),
    sending("size: in many chunks", chunked(padded(LIMIT + 1), 4_096), TOO_LARGE, CREATE, CHUNKED),
    sending("size: in many chunks of a change", chunked(padded(2 * MEBIBYTE), 65_536), TOO_LARGE, UPDATE, CHUNKED),
    sending(
        "size: a form in chunks", chunked(b"x=" + b"a" * MEBIBYTE, 65_536), TOO_LARGE, CREATE, (*FORM, CHUNKED[-1])
    ),
)

LYING: tuple[Case, ...] = (
    lying("a length of a terabyte and two megabytes of body", "1099511627776", padded(2 * MEBIBYTE), TOO_LARGE),
    lying("a length beyond 64 bits", "99999999999999999999999", LOCAL, parser_or(400, 413)),
    lying("a length shorter than the body", "12", LOCAL, NOT_HTTP),
    lying("a length that is no number", "many", LOCAL, NOT_HTTP),
    lying("a negative length", "-1", LOCAL, NOT_HTTP),
    lying("a length with a sign", f"+{len(LOCAL)}", LOCAL, NOT_HTTP),
    lying("a hexadecimal length", f"0x{len(LOCAL):x}", LOCAL, NOT_HTTP),
    lying("a length as a list", f"{len(LOCAL)}, {len(LOCAL)}", LOCAL, NOT_HTTP),
    sending(
        "size: two different lengths",
        LOCAL,
        NOT_HTTP,
        CREATE,
        (*JSON, ("Content-Length", "5"), ("Content-Length", "34")),
    ),
    sending("size: a length and chunks", chunked(LOCAL, 9), NOT_HTTP, CREATE, (*CHUNKED, ("Content-Length", "34"))),
    sending("size: chunks and a length", chunked(LOCAL, 9), NOT_HTTP, CREATE, (("Content-Length", "5"), *CHUNKED)),
)

CHUNKS: tuple[Case, ...] = (
    sending("size: a fine body byte by byte", chunked(LOCAL, 1), CREATED, CREATE, CHUNKED),
    sending("size: an empty body in chunks", b"0\r\n\r\n", OK, UPDATE, CHUNKED),
    sending("size: malformed JSON in chunks", chunked(b'{"label":', 3), BAD_REQUEST, CREATE, CHUNKED),
    sending("size: a chunk size that is no number", b"zz\r\n{}\r\n0\r\n\r\n", NOT_HTTP, CREATE, CHUNKED),
    sending("size: a negative chunk size", b"-2\r\n{}\r\n0\r\n\r\n", NOT_HTTP, CREATE, CHUNKED),
    sending("size: a chunk size beyond 64 bits", b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n", NOT_HTTP, CREATE, CHUNKED),
    sending("size: a chunk longer than it says", b"1\r\n{}\r\n0\r\n\r\n", NOT_HTTP, CREATE, CHUNKED),
    sending(
        "size: another coding outside the chunks",
        chunked(LOCAL, 9),
        NOT_HTTP,
        CREATE,
        (*JSON, ("Transfer-Encoding", "chunked, gzip")),
    ),
    sending("size: an unknown coding", LOCAL, NO_CODING, CREATE, (*JSON, ("Transfer-Encoding", "xchunked"))),
)

JUST_FINE: tuple[Case, ...] = (
    sending("size: exactly 128 KiB", padded(LIMIT), CREATED),
    sending("size: a huge unknown field", {**draft("local", ""), "x": "a" * 60_000}, CREATED),
    sending("size: a long list in an unknown field", LOCAL[:-1] + b',"x":[' + b"1," * 1_900 + b"1]}", CREATED),
    sending("size: 1,900 unknown fields", {**draft("local", ""), **{f"x{n}": n for n in range(1_900)}}, CREATED),
    sending("size: too long a list", LOCAL[:-1] + b',"x":[' + b"1," * 2_000 + b"1]}", BAD_REQUEST),
    sending("size: too many fields", {**draft("local", ""), **{f"x{n}": n for n in range(2_000)}}, BAD_REQUEST),
    sending(
        "size: a label of 60,000 characters",
        {"type": "local", "label": "a" * 60_000},
        violating({"label": too_long("label")}),
    ),
    sending(
        "size: a secret key of 60,000 characters",
        {"s3_secret_key": "a" * 60_000},
        violating({"s3_secret_key": too_long("s3_secret_key")}),
        UPDATE_LOCAL,
    ),
)

CASES: tuple[Case, ...] = (
    *OVER,
    *LYING,
    *CHUNKS,
    *JUST_FINE,
    Case(
        name="size: two megabytes without a token",
        method="POST",
        path=COLLECTION,
        headers=JSON,
        body=padded(2 * MEBIBYTE),
        authenticated=False,
        **either(401, 413),
    ),
)
