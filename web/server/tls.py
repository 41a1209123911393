"""The gateway's own TLS: a certificate with its chain and a private key, from two PEM files that may be renewed."""

from __future__ import annotations

import ssl
from dataclasses import dataclass


class CertificateRefused(Exception):
    """The certificate and the key cannot be served with; `str()` says which files and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificate:
    """The paths of the certificate's chain and of its key."""

    chain: str
    key: str

    def check(self) -> None:
        """Raise `CertificateRefused` unless the files can be read and fit each other."""
        self._load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def reload_into(self, context: ssl.SSLContext) -> None:
        """Let new connections have what the files hold now; raises as `check` does, and then nothing has changed."""
        self.check()
        self._load_into(context)

    def _load_into(self, context: ssl.SSLContext) -> None:
        try:
            context.load_cert_chain(self.chain, self.key, _no_password)
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
            raise CertificateRefused(
                f"Cannot serve with the certificate {self.chain} and the key {self.key}: {reason}. "
                "They must be PEM files that belong together, the key without a password."
            ) from error


def _no_password() -> str:
    """OpenSSL would ask for one on the terminal."""
    raise ValueError("the key has a password")
