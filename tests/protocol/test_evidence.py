"""Evidence bundles are good or altered as the vectors say. A verifier of its own is on the page for auditors."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from signoff.service import ed25519
from signoff.workflow import bundle
from signoff.workflow.bundle import AlteredBundle
from tests.protocol.material import cases, complaints, load

KEY = load("evidence.json")["key"]


@pytest.mark.parametrize("case", cases("evidence.json"))
def test_the_code_names_the_first_altered_entry(case: dict[str, Any]) -> None:
    data = "\n".join(case["lines"]).encode()
    if case["good"]:
        assert bundle.verify(data, ed25519.is_good, [KEY]).entries == json.loads(data)["length"]
        assert complaints("evidence-bundle.json", json.loads(data)) == []
    else:
        with pytest.raises(AlteredBundle) as refused:
            bundle.verify(data, ed25519.is_good, [KEY])
        assert refused.value.extra.get("entry") == case["entry"]


def is_signed(data: bytes) -> bool:
    """Tell whether the signature is that of all lines before it."""
    lines, _, last = data.removesuffix(b"\n").rpartition(b"\n")
    digest = hashlib.sha256(lines + b"\n").hexdigest()
    signed = f"signoff-evidence-1\n{digest}\n".encode()
    x = base64.urlsafe_b64decode(KEY["x"] + "=")
    try:
        Ed25519PublicKey.from_public_bytes(x).verify(base64.b64decode(last[len('],"signature":"') : -2]), signed)
    except (InvalidSignature, ValueError):
        return False
    return True


@pytest.mark.parametrize("case", cases("evidence.json"))
def test_the_signature_is_that_of_the_lines_before_it(case: dict[str, Any]) -> None:
    assert is_signed("\n".join(case["lines"]).encode()) == case["good"]
