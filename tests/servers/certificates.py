"""Certificates for servers of tests: an authority of a test's own, and what it vouches for."""

from __future__ import annotations

import datetime
import ipaddress
import shutil
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.servers.process import keeper, server_user

_DAY: Final = datetime.timedelta(days=1)


class Authority:
    """Who makes certificates.

    Attributes:
        file: its own certificate, by which clients trust what it has made.
    """

    def __init__(self) -> None:
        self.folder = keeper().new_folder("certificates")
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Authority {self.folder.name}")])
        builder = self._builder(self._name, self._key)
        made = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.file = self._written("authority.pem", _pem(made.sign(self._key, hashes.SHA256())))

    def certificate(self, host: str = "127.0.0.1", *, old: bool = False) -> tuple[Path, Path]:
        """Make a certificate and its key for whoever is at a host; return both files, as a server reads them.

        Args:
            host: a name or an address.
            old: it has expired.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        builder = self._builder(subject, key, shift=-2 * _DAY if old else 0 * _DAY)
        made = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        certificate = self._written(f"{host}.pem", _pem(made.sign(self._key, hashes.SHA256())))
        return certificate, self._written(f"{host}.key", secret)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, shift: datetime.timedelta = 0 * _DAY
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC) + shift
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
        )

    def _written(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        path.chmod(0o600)  # PostgreSQL takes no key that others may read
        if user := server_user():
            shutil.chown(path, user)
        return path


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
