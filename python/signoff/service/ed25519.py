"""Signatures by the key of a deployment (RFC 8032), and that key as others are given it (RFC 8037)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import orjson


def public_key(seed: bytes) -> dict[str, str]:
    """Return the JSON Web Key that verifies what `seed` signs; its `kid` is made from its thumbprint."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    x = _base64url(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())
    # RFC 7638 §3.2: the members that make the key, in the order of their names.
    thumbprint = hashlib.sha256(orjson.dumps({"crv": "Ed25519", "kty": "OKP", "x": x})).digest()
    return {"kty": "OKP", "crv": "Ed25519", "kid": f"ds_{_base64url(thumbprint)}", "use": "sig", "alg": "EdDSA", "x": x}


def sign(seed: bytes, data: bytes) -> bytes:
    """Return the signature of `data`."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    return Ed25519PrivateKey.from_private_bytes(seed).sign(data)


def is_good(key: Mapping[str, Any], signature: bytes, data: bytes) -> bool:
    """Tell whether a signature is that of `data` by the key; with what is no such key, none is."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    try:
        x = base64.urlsafe_b64decode(key["x"] + "=" * (-len(key["x"]) % 4))
        Ed25519PublicKey.from_public_bytes(x).verify(signature, data)
    except (InvalidSignature, ValueError, TypeError, KeyError):
        return False
    return True


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
