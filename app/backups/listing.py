"""Lists the objects of a destination, page by page, each by a grant of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from xml.etree import ElementTree as ET

from app.backups.gateway import Gateway
from app.backups.refusals import StoreRefused
from app.backups.store import Renewing, Store
from models.grants.access import GrantOperation


class Listed(NamedTuple):
    """An object in a list; `modified` is as the store writes it."""

    key: str
    size: int
    modified: str
    etag: str


def listed(gateway: Gateway, store: Store, *, destination: int, prefix: str | None) -> Iterator[Listed]:
    """Every object below a prefix, by key; raises `BackupRefused`."""
    token: str | None = None
    while True:
        asked = {"operations": [GrantOperation.LIST.value], "prefix": prefix, "continuation_token": token}
        wanted = {name: value for name, value in asked.items() if value is not None}
        grant = Renewing(lambda wanted=wanted: gateway.grant(destination, **wanted)[0])  # type: ignore[misc]  # bound now
        page = _parsed(store.ask(grant, renew=grant.forget).body)
        yield from (_listed(entry) for entry in page.iterfind("{*}Contents"))
        token = page.findtext("{*}NextContinuationToken")
        if page.findtext("{*}IsTruncated") != "true":
            return
        if token is None:
            raise StoreRefused("The store does not say how its list goes on.")


def _parsed(body: bytes) -> ET.Element:
    """The document of a list; one that declares anything of its own, as attacks on parsers do, is none."""
    try:
        if b"<!" not in body:
            page = ET.fromstring(body)  # noqa: S314 - without declarations there are no entities to expand
            if page.tag.rpartition("}")[2] == "ListBucketResult":
                return page
    except ET.ParseError:
        pass
    raise StoreRefused("The store did not answer with a list.")


def _listed(entry: ET.Element) -> Listed:
    size = entry.findtext("{*}Size") or ""
    return Listed(
        key=entry.findtext("{*}Key") or "",
        size=int(size) if size.isdecimal() else 0,
        modified=entry.findtext("{*}LastModified") or "",
        etag=(entry.findtext("{*}ETag") or "").strip('"'),
    )
