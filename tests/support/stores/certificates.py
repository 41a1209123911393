"""Certificates of a test's own authority, for peers that speak TLS on loopback."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

EXAMPLE_PEM = """\
-----BEGIN CERTIFICATE-----
MIIBjTCCATOgAwIBAgIUGnmdPxK2SqazB3kdloAQLNvse+gwCgYIKoZIzj0EAwIw
GzEZMBcGA1UEAwwQTW9vcmluZ3MgZXhhbXBsZTAgFw0yNjExMjcwNDU1NTNaGA8y
MTI2MTEwMzA0NTU1M1owGzEZMBcGA1UEAwwQTW9vcmluZ3MgZXhhbXBsZTBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABHogBgFLp6PE41ItwG0ZmzDit5kaw1vPk0qW
nGRMzn9hP/HDkZGuPHJe0kxjweOVc0RCYQe8ItbrKrdOzQNsB52jUzBRMB0GA1Ud
DgQWBBSX2TK6uC4ya4kB9kDdmh+pCWiVZjAfBgNVHSMEGDAWgBSX2TK6uC4ya4kB
9kDdmh+pCWiVZjAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQDr
NaS3uZnLesPy/HjSDCpXjES6nTVeQ60PS05cv1ectAIgX/HgU3qJnX4DRuDbR0ij
Z+ck7Bj4avijLQ7akY7vfzQ=
-----END CERTIFICATE-----
"""
"""A certificate whose key was thrown away."""

_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Moorings tests")])
_INTERMEDIATE_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Moorings tests, intermediate")])
_ISSUERS = x509.AuthorityInformationAccess(
    [
        x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://ca.test/ca.der")
        )
    ]
)


class Authority:
    """Signs certificates; `trusting` is a client that trusts it alone."""

    def __init__(self, directory: Path, *, issuer: Authority | None = None) -> None:
        """`issuer` has signed the certificate of an intermediate authority; a root signs its own."""
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _NAME if issuer is None else _INTERMEDIATE_NAME
        self._certificate = (issuer or self)._sign(
            self._name, self._key.public_key(), x509.BasicConstraints(ca=True, path_length=None)
        )

    @property
    def pem(self) -> str:
        """The authority's own certificate."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def trusting(self) -> ssl.SSLContext:
        """What a client trusts."""
        return ssl.create_default_context(cadata=self.pem)

    def serving(
        self,
        *hosts: str,
        days: float = 1,
        began_days: float = 2,
        with_issuer: bool = False,
        tells_issuer: bool = False,
    ) -> ssl.SSLContext:
        """The context of a server with these names or addresses; its certificate expires after so many days.

        It has been valid for `began_days`.

        `with_issuer` sends the authority's certificate too, and `tells_issuer` says where it is, as public ones do.
        """
        file = self.file(*hosts, days=days, began_days=began_days, tells_issuer=tells_issuer)
        if with_issuer:
            file.write_text(file.read_text() + self.pem)
        return _serving(file)

    def serving_itself(self) -> ssl.SSLContext:
        """The context of a server whose certificate is the authority's own, signed by itself."""
        file = self._directory / "itself.pem"
        _write(file, self._key, self._certificate, serialization.NoEncryption())
        return _serving(file)

    def file(
        self,
        *hosts: str,
        password: bytes | None = None,
        days: float = 1,
        began_days: float = 2,
        tells_issuer: bool = False,
    ) -> Path:
        """A new key and certificate for these names or addresses in one PEM file, which is named for the first."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [
            x509.IPAddress(ip_address(host)) if host[-1].isdigit() else x509.DNSName(host) for host in hosts
        ]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
        more = [_ISSUERS] if tells_issuer else []
        alternative = x509.SubjectAlternativeName(names)
        certificate = self._sign(subject, key.public_key(), alternative, *more, days=days, began_days=began_days)
        file = self._directory / f"{hosts[0]}.pem"
        encryption = (
            serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
        )
        _write(file, key, certificate, encryption)
        return file

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        *extensions: x509.ExtensionType,
        days: float = 1,
        began_days: float = 2,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=began_days))
            .not_valid_after(now + timedelta(days=days))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self._key, hashes.SHA256())


def _write(
    file: Path,
    key: ec.EllipticCurvePrivateKey,
    certificate: x509.Certificate,
    encryption: serialization.KeySerializationEncryption,
) -> None:
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        + certificate.public_bytes(serialization.Encoding.PEM)
    )


def _serving(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
