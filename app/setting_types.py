"""The types of settings: each function reads the text of a variable, or raises ValueError with the form it wants."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from app.database import parse_address
from models.accounts.abilities import Ability
from models.accounts.accounts import parse_duration
from models.audit.retention import MIN_RETENTION
from models.errors import AccountRefused
from models.grants.access import LONGEST_LIFETIME
from s3.address_policy import parse_allow_rules
from schema.trusted_documents import load_documents, parse_rules
from web.rate_limit.rate import parse_rate

MAX_SECRET_BYTES = 65_536
_ORIGIN = re.compile(r"https?://[^/?#@\s*]+")
_ORIGINS = re.compile(r"https?://\*(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+\.[a-z][a-z0-9-]*[a-z0-9](?::[0-9]{1,5})?")
_HEADER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_TRUTHS = dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True) | dict.fromkeys(
    ("false", "f", "no", "n", "off", "0"), False
)


def integer(least: int, most: int) -> Callable[[str], int]:
    """A whole number within bounds."""

    def read(text: str) -> int:
        value = int(text) if _INTEGER.fullmatch(text.strip()) else least - 1
        if not least <= value <= most:
            raise ValueError(f"it wants an integer from {least} to {most}")
        return value

    return read


def number_up_to(most: float) -> Callable[[str], float]:
    """A number above 0."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value <= most:
            raise ValueError(f"it wants a number above 0, up to {most}")
        return value

    return read


def truth(text: str) -> bool:
    """`true`, `false`, or one of their usual synonyms."""
    value = _TRUTHS.get(text.strip().lower())
    if value is None:
        raise ValueError("it wants true or false")
    return value


def log_level(text: str) -> str:
    """A log level, in any case."""
    level = text.strip().upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("it wants DEBUG, INFO, WARNING or ERROR")
    return level


def log_format(text: str) -> str:
    """`console` for people, `json` for programs."""
    if text not in ("console", "json"):
        raise ValueError("it wants console or json")
    return text


def stage(text: str) -> str:
    """Where the gateway runs."""
    if text not in ("development", "production"):
        raise ValueError("it wants production or development")
    return text


def database_url(text: str) -> str:
    """See `parse_address`."""
    parse_address(text)
    return text


def postgresql_url(text: str) -> str:
    """The URL of a database of PostgreSQL."""
    if parse_address(text).url is None:
        raise ValueError("it wants postgresql://user@host/database")
    return text


def base_url(text: str) -> str:
    """An absolute URL without query and fragment; it loses the slash at its end."""
    wanted = ValueError("it wants an absolute URL such as https://backups.example.com")
    try:
        parts = urlsplit(text)
    except ValueError:  # brackets around no address; the message of this error would contain the value
        raise wanted from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise wanted
    return text.rstrip("/")


def host_names(text: str) -> tuple[str, ...]:
    """At least one host name, lower-cased."""
    hosts = _parts(text)
    if not hosts or not all(re.fullmatch(r"\*|(\*\.)?[A-Za-z0-9._-]+", host) or _is_bracketed(host) for host in hosts):
        raise ValueError("it wants host names or addresses without port, separated by commas")
    return tuple(host.lower() for host in hosts)


def _is_bracketed(host: str) -> bool:
    """Whether a text is an IPv6 address in brackets."""
    try:
        return (
            host[:1] == "[" and host[-1:] == "]" and "%" not in host and ipaddress.IPv6Address(host[1:-1]) is not None
        )
    except ValueError:
        return False


def origins(text: str) -> tuple[str, ...]:
    """Origins: scheme, host and optional port, in the spelling of a browser's Origin header.

    The first label of the host may be `*`, for exactly one label, before at least two others.
    """
    found = tuple(_as_browsers_spell(origin) for origin in _parts(text))
    if not all(_ORIGIN.fullmatch(origin) or _ORIGINS.fullmatch(origin) for origin in found):
        raise ValueError(
            "it wants origins such as https://app.example.com or https://*.preview.example.com, separated by commas, "
            "never * alone or before fewer than two labels"
        )
    return found


def _as_browsers_spell(origin: str) -> str:
    """In lower case, and without the port that its scheme has anyway."""
    origin = origin.lower()
    scheme, _, _ = origin.partition(":")
    return origin.removesuffix({"https": ":443", "http": ":80"}.get(scheme, ":"))


def request_headers(text: str) -> tuple[str, ...]:
    """Names of headers."""
    found = _parts(text)
    if not all(_HEADER.fullmatch(name) for name in found):
        raise ValueError("it wants names of headers such as X-Tenant, separated by commas, never *")
    return found


def abilities(text: str) -> tuple[str, ...]:
    """At least one ability of a token."""
    found = _parts(text)
    if not found or not set(found) <= set(Ability):
        raise ValueError(f"it wants some of {', '.join(Ability)}, separated by commas")
    return found


def contacts(text: str) -> tuple[str, ...]:
    """Addresses as `Contact` of RFC 9116 has them."""
    found = _parts(text)
    if not all(re.fullmatch(r"mailto:[!-~]+@[!-~]+|https://[!-~]+|tel:\+?[0-9-]+", contact) for contact in found):
        raise ValueError("it wants mailto:security@example.com, https://… or tel:…, separated by commas")
    return found


def networks(text: str) -> tuple[str, ...]:
    """Networks, or single addresses."""
    found = _parts(text)
    for network in found:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ValueError("it wants addresses or networks such as 10.0.0.0/8, separated by commas") from error
    return found


def allow_rules(text: str) -> tuple[str, ...]:
    """Entries of the form that `parse_allow_rules` reads."""
    found = _parts(text)
    parse_allow_rules(found)
    return found


def certificates(text: str) -> str:
    """The path of a readable file with at least one certificate of an authority, in PEM."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=text)
    except (OSError, ValueError):  # an ssl.SSLError is an OSError
        raise ValueError("it wants the path of a file with certificates of authorities in PEM") from None
    return text


def trusted_documents(text: str) -> str:
    """The path of a readable file of documents."""
    load_documents(Path(text))
    return text


def trust_rules(text: str) -> str:
    """A mode, and others for tokens by name."""
    parse_rules(text)
    return text


def rate(text: str) -> str:
    """A limit in a time, or `off`."""
    if text != "off":
        parse_rate(text)
    return text


def count_storage(text: str) -> str:
    """The URL of the storage of rate limit counts."""
    if not re.fullmatch(r"memory://|rediss?://\S+", text):
        raise ValueError("it wants memory:// or redis://host:port")
    return text


def interval(text: str) -> str:
    """A duration, or `off`."""
    if text != "off":
        try:
            parse_duration(text)
        except AccountRefused as error:
            raise ValueError("it wants an interval such as 6h, 30m or 90s, or off") from error
    return text


def duration(text: str) -> str:
    """A duration."""
    try:
        parse_duration(text)
    except AccountRefused as error:
        raise ValueError("it wants a duration such as 5m or 90s") from error
    return text


def grant_lifetime(text: str) -> str:
    """A duration of at most `LONGEST_LIFETIME`."""
    try:
        if parse_duration(text) <= LONGEST_LIFETIME:
            return text
    except AccountRefused:
        pass
    raise ValueError("it wants a duration of at most 24h, such as 1h or 15m")


def key_service(text: str) -> str:
    """A kind of key service and the name of its key."""
    if not re.fullmatch(r"aws-kms:[A-Za-z0-9:/_-]{1,2048}", text):
        raise ValueError("it wants aws-kms: and the id, alias or ARN of a key, such as aws-kms:alias/moorings")
    return text


def permission_rule(text: str) -> str:
    """What a file that is open to everybody leads to."""
    if text not in ("warn", "refuse", "ignore"):
        raise ValueError("it wants warn, refuse or ignore")
    return text


def retention(text: str) -> str:
    """A duration of at least a day, or `off`."""
    wanted = "it wants a time of at least 1d, such as 365d, or off"
    if text != "off":
        try:
            duration = parse_duration(text)
        except AccountRefused as error:
            raise ValueError(wanted) from error
        if duration < MIN_RETENTION:
            raise ValueError(wanted)
    return text


def toml_text(value: object) -> str:
    """A value of TOML in the form of a variable: text, a number, a truth, or a list of texts."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ",".join(value)
    raise ValueError("it wants text, a number, true, false, or a list of texts")


def host_and_port(text: str) -> str:
    """An address to listen on and a port."""
    text = text.strip()
    host, _, port = text.rpartition(":")
    if not re.fullmatch(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]", host) or not re.fullmatch(r"[1-9][0-9]{0,4}", port):
        raise ValueError("it wants an address and a port such as 127.0.0.1:9100")
    if int(port) > 65_535:
        raise ValueError("it wants an address and a port such as 127.0.0.1:9100")
    return text


def secret_file(path: str) -> str:
    """The text of a file that holds the value of a setting, without white space around it; never shown in an error.

    Some editors put a byte order mark in front, which is no part of the value.
    """
    wanted = "it wants the path of a readable, small text file that is not empty"
    try:
        with Path(path).open("rb") as file:
            text = file.read(MAX_SECRET_BYTES + 1).decode("utf-8-sig").strip()
    except (OSError, ValueError):  # missing, unreadable, a folder, a null character in the path, or no UTF-8
        raise ValueError(wanted) from None
    if not text or len(text) > MAX_SECRET_BYTES:
        raise ValueError(wanted)
    return text


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
