"""Grants with secret keys: the access key is in the URLs that are granted, by the design of S3, and nowhere else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_documents import EVENTS, GRANT
from tests.support.secrecy.canary import Canaries
from tests.support.secrecy.canary_requests import LIST, Shot

Fire = Callable[[Gateway, bytes], Any]
STORE = "http://127.0.0.1:9"
"""An address that may be connected to; nothing listens there, and no grant tries."""
BODIES: tuple[dict[str, Any], ...] = (
    {"operations": ["list", "get", "head"], "prefix": "db/", "keys": ["db/a", "db/b"]},
    {"operations": ["put"], "key": "a b", "content_length": 5, "content_type": "text/plain"},
    {"operations": ["create_upload"], "key": "a"},
    {"operations": ["upload_part"], "key": "a", "upload_id": "u", "part_numbers": [1, 2]},
    {"operations": ["put"], "key": "../a", "expires_in": -1},
    {"operations": ["get"]},
)


async def fire_grants(account: Account, fire: Fire, hidden: Canaries, shown: Canaries) -> tuple[list[bytes], bytes]:
    """The answers that are grants, and everything else that was answered.

    The secret keys are of `hidden`, the access keys of `shown`.
    """
    granted: list[bytes] = []
    others = b""
    for endpoint in (STORE, "http://10.0.0.5:9000", "http://nowhere.invalid"):
        keys = {"s3_access_key": shown.new(), "s3_secret_key": hidden.new()}
        fields = {"label": "Granted", "type": "custom_s3", "s3_bucket_name": "nightly", "path_style_endpoint": True}
        body = json.dumps({**fields, **keys, "custom_s3_endpoint": endpoint}).encode()
        made = await fire(account.gateway, Shot(method="POST", path=LIST, body=body).encoded(account.full_token))
        found = re.search(rb'"id":([0-9]+)', made)
        assert found is not None
        id_ = int(found[1])
        asked = [Shot(method="POST", path=f"{LIST}/{id_}/grants", body=json.dumps(each).encode()) for each in BODIES]
        variables = {"id": f"BackupDestination:{id_}", "input": {"operations": ["GET", "DELETE"], "key": "a"}}
        asked.append(_graphql(GRANT, variables))
        for shot in asked:
            answer = await fire(account.gateway, shot.encoded(account.token))
            if b"X-Amz-Signature" in answer:
                granted.append(answer)
            else:
                others += answer
    return granted, others + await fire(account.gateway, _graphql(EVENTS, {"first": 50}).encoded(account.full_token))


def without_urls(answer: bytes) -> bytes:
    """An answer without the URLs that were granted."""
    return re.sub(rb'"url":"[^"]*"', b'"url":""', answer)


def _graphql(query: str, variables: dict[str, Any]) -> Shot:
    return Shot(method="POST", path="/graphql", body=json.dumps({"query": query, "variables": variables}).encode())
