"""A key service for tests: moto's AWS KMS."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.support.gateway.gateway import NO_TLS
from tests.support.stores.moto_store import MotoStore

AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=root/20240807/eu-central-1/kms/aws4_request"


class MotoKms:
    """Keys of AWS KMS. They are gone when it stops."""

    def __init__(self) -> None:
        self._server = MotoStore()
        self.key_id = ""

    @property
    def environment(self) -> dict[str, str]:
        """What botocore of a gateway reads."""
        return {
            "AWS_ENDPOINT_URL_KMS": self._server.url,
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "AKIAKEYSERVICEOFTESTS",
            "AWS_SECRET_ACCESS_KEY": "secret-of-the-key-service",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def start(self) -> MotoKms:
        """Start it with one key."""
        self._server.start()
        self._server.allow_everything()
        self.key_id = self.ask("CreateKey")["KeyMetadata"]["KeyId"]
        return self

    def stop(self) -> None:
        """Stop it, with every key."""
        self._server.stop()

    def freeze(self) -> None:
        """Let it take connections and answer nothing."""
        self._server.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._server.signal(signal.SIGCONT)

    def ask(self, action: str, **arguments: str) -> dict[str, dict[str, str]]:
        """One call of the API."""
        headers = {
            "authorization": AUTHORIZATION,
            "x-amz-target": f"TrentService.{action}",
            "content-type": "application/x-amz-json-1.1",
        }
        with httpx.Client(verify=NO_TLS) as client:
            response = client.post(self._server.url, json=arguments, headers=headers)
        assert response.status_code == httpx.codes.OK, response.text
        return dict(response.json() or {})


@contextmanager
def key_service() -> Iterator[MotoKms]:
    """A key service that runs."""
    service = MotoKms()
    try:
        yield service.start()
    finally:
        service.stop()
