"""`/.well-known/security.txt`: what RFC 9116 wants when the operator names a contact, and nothing otherwise."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import httpx

from tests.support.gateway.gateway import Gateway

PATH = "/.well-known/security.txt"


def test_it_names_the_contacts_in_their_order_and_expires_within_a_year() -> None:
    contacts = ["mailto:security@example.com", "https://example.com/security"]
    gateway = Gateway(security_contact=", ".join(contacts), public_url="https://backups.example.com/").start()
    with httpx.Client(base_url=gateway.url, timeout=60) as client:
        answer = client.get(PATH)
        refused = client.post(PATH)
    gateway.close()

    fields = [line.partition(": ")[::2] for line in answer.text.splitlines()]
    expires = datetime.fromisoformat(dict(fields)["Expires"])
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert [value for name, value in fields if name == "Contact"] == contacts
    assert dict(fields)["Canonical"] == f"https://backups.example.com{PATH}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", dict(fields)["Expires"])
    assert timedelta() < expires - datetime.now(UTC) < timedelta(days=365)
    assert refused.status_code == 405


def test_without_a_contact_there_is_nothing(site: Gateway) -> None:
    answer = httpx.get(site.url + PATH, timeout=60)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
