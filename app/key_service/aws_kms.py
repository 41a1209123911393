"""AWS Key Management Service, or what speaks its API, through botocore.

botocore finds the credentials, the region and the endpoint where it always does: `AWS_ACCESS_KEY_ID`,
`AWS_DEFAULT_REGION`, `AWS_ENDPOINT_URL_KMS`, profiles, the roles of containers and machines. An ARN names its region.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import importlib
from collections.abc import Mapping
from typing import Any

from models.errors import KeyRefused, KeysUnavailable

PREFIX = "aws-kms:"
CONNECT_S, READ_S, ATTEMPTS = 2, 3, 2
_BUSY = frozenset({"DependencyTimeoutException", "KMSInternalException", "KeyUnavailableException"})
_BUSY_STATUSES = (429, 500, 502, 503, 504)
_THROTTLED = frozenset({"ThrottlingException", "LimitExceededException", "RequestLimitExceeded"})


class AwsKms:
    """One key of the service. A wrapped key is `aws-kms:base64(CiphertextBlob)`, bound to its id by the encryption
    context, so that the service's own log tells which key was unwrapped."""

    prefix = PREFIX

    def __init__(self, key: str) -> None:
        """`key`: its id, alias or ARN. Raises `KeyRefused` without botocore, or when no region is named."""
        try:
            config = importlib.import_module("botocore.config")
            session = importlib.import_module("botocore.session")
        except ModuleNotFoundError:
            raise KeyRefused("MOORINGS_KEY_SERVICE needs botocore: install Moorings with its extra aws-kms.") from None
        self._errors = importlib.import_module("botocore.exceptions")
        self._key = key
        options = config.Config(
            connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"mode": "standard", "total_max_attempts": ATTEMPTS}
        )
        try:
            self._client = session.get_session().create_client("kms", region_name=_region(key), config=options)
        except self._errors.NoRegionError:
            raise KeyRefused(
                "MOORINGS_KEY_SERVICE needs a region: set AWS_DEFAULT_REGION, or name the key by its ARN."
            ) from None
        except (self._errors.BotoCoreError, ValueError) as error:
            raise KeyRefused(f"MOORINGS_KEY_SERVICE cannot be used as set up: {type(error).__name__}.") from None

    async def wrap(self, key: bytes, key_id: str) -> str:
        """See `KeyService`."""
        answer = await self._ask("encrypt", KeyId=self._key, Plaintext=key, EncryptionContext=_context(key_id))
        return PREFIX + base64.b64encode(answer["CiphertextBlob"]).decode()

    async def unwrap(self, wrapped: str, key_id: str) -> bytes:
        """See `KeyService`."""
        try:
            blob = base64.b64decode(wrapped.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise KeyRefused(f"The wrapped key {key_id} is damaged; was it copied whole?") from None
        answer = await self._ask("decrypt", KeyId=self._key, CiphertextBlob=blob, EncryptionContext=_context(key_id))
        return bytes(answer["Plaintext"])

    async def _ask(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """Call the service in a thread; its errors are told by their code, never by their message."""
        errors = self._errors
        try:
            answer: Mapping[str, Any] = await asyncio.to_thread(getattr(self._client, operation), **arguments)
        except errors.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if code in _BUSY | _THROTTLED or status in _BUSY_STATUSES:
                raise KeysUnavailable from None
            code = code if code.isascii() and code.isalnum() else "an unknown error"
            raise KeyRefused(f"The key service refuses to {operation} with {self._key}: {code}.") from None
        except (errors.NoCredentialsError, errors.PartialCredentialsError, errors.ParamValidationError) as error:
            raise KeyRefused(f"The key service cannot be asked: {type(error).__name__}.") from None
        except (errors.BotoCoreError, OSError):
            raise KeysUnavailable from None
        return answer


def _region(key: str) -> str | None:
    """The region in an ARN, `arn:aws:kms:eu-central-1:111122223333:key/…`."""
    parts = key.split(":")
    return parts[3] if parts[0] == "arn" and len(parts) > 4 else None


def _context(key_id: str) -> dict[str, str]:
    return {"moorings": "vault key", "key-id": key_id}
