"""Published keys: fetched, kept, rotated, and never taken for secrets."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signoff.clock import ManualClock
from signoff.errors import ServerBusy, Unauthorized
from signoff.server.access.jwks import AGAIN_S, EVERY_S, MOST_BYTES, PublishedKeys
from signoff.server.access.tokens import KeyWanted, TokenVerifier
from signoff.server.config import ServerConfig
from tests.server.hosting import hosting, problem

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
MADE: dict[str, Any] = {
    "RS256": (RSA, jwt.algorithms.RSAAlgorithm),
    "ES256": (EC, jwt.algorithms.ECAlgorithm),
    "EdDSA": (ED, jwt.algorithms.OKPAlgorithm),
}


def jwk(algorithm: str, kid: str, key: Any = None) -> dict[str, Any]:
    private, kind = MADE[algorithm]
    return {**json.loads(kind.to_jwk((key or private).public_key())), "kid": kid}


def token(algorithm: str = "EdDSA", kid: str = "k1", key: Any = None, **claims: Any) -> str:
    signing = key or MADE[algorithm][0]
    return jwt.encode({"sub": "alice", "jti": "t1", **claims}, signing, algorithm, headers={"kid": kid})


class Publisher:
    """An issuer that publishes its keys."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.body = json.dumps({"keys": keys}).encode()
        self.status = 200
        self.asked = 0
        self.url = ""

    def publish(self, *keys: dict[str, Any]) -> None:
        self.body = json.dumps({"keys": keys}).encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        head = f"HTTP/1.1 {self.status} x\r\ncontent-length: {len(self.body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + self.body)
        try:
            await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()


@asynccontextmanager
async def publishing(*keys: dict[str, Any]) -> AsyncIterator[Publisher]:
    publisher = Publisher(*keys)
    server = await asyncio.start_server(publisher.serve, "127.0.0.1", 0)
    publisher.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks.json"
    async with server:
        yield publisher


async def test_each_algorithm_is_checked_with_its_key() -> None:
    async with publishing(*(jwk(name, name) for name in MADE)) as publisher:
        keys = PublishedKeys(publisher.url, ManualClock(10**12))
        await keys.fetch()
        verifier = TokenVerifier(None, published=keys)
        for algorithm in MADE:
            assert verifier.identify(f"Bearer {token(algorithm, algorithm)}").via == "token:t1"
        for algorithm in MADE:  # the key says what it is good for, not the token
            for other in MADE.keys() - {algorithm}:
                with pytest.raises(Unauthorized):
                    verifier.identify(f"Bearer {token(algorithm, other)}")


async def test_a_public_key_is_no_secret() -> None:
    public = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header, claims = (part.rstrip(b"=") for part in (b"eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIn0", b"eyJzdWIiOiJhbGljZSJ9"))
    mac = hmac.digest(public, header + b"." + claims, hashlib.sha256)
    forged = b".".join((header, claims, base64.urlsafe_b64encode(mac).rstrip(b"="))).decode()
    async with publishing(jwk("RS256", "k1"), {"kty": "oct", "k": "c2VjcmV0", "kid": "k2"}) as publisher:
        keys = PublishedKeys(publisher.url, ManualClock(10**12))
        await keys.fetch()
        for bad in (forged, jwt.encode({"sub": "alice"}, "", "none"), jwt.encode({"sub": "a"}, "secret" * 6, "HS256")):
            with pytest.raises(Unauthorized) as refused:
                TokenVerifier(None, published=keys).identify(f"Bearer {bad}")
            assert not isinstance(refused.value, KeyWanted)


async def test_an_unknown_key_is_looked_for_and_not_too_often() -> None:
    clock = ManualClock(10**12)
    async with publishing(jwk("EdDSA", "k1")) as publisher:
        keys = PublishedKeys(publisher.url, clock)
        await asyncio.gather(*(keys.fetch() for _ in range(20)))
        assert publisher.asked == 1
        publisher.publish(jwk("EdDSA", "k1"), jwk("ES256", "k2"))
        await keys.fetch()
        assert (publisher.asked, keys.find("k2", "ES256")) == (1, None)
        clock.advance(int(AGAIN_S * 1000))
        await keys.fetch()
        assert publisher.asked == 2
        assert keys.find("k1", "EdDSA") is not None
        assert keys.find("k2", "ES256") is not None


@pytest.mark.parametrize("trouble", ["status", "size", "text", "empty"])
async def test_known_keys_stay_known_while_their_publisher_fails(trouble: str) -> None:
    clock = ManualClock(10**12)
    async with publishing(jwk("EdDSA", "k1")) as publisher:
        keys = PublishedKeys(publisher.url, clock)
        await keys.fetch()
        publisher.status = 500 if trouble == "status" else 200
        publisher.body = {"size": b" " * (MOST_BYTES + 1), "text": b"<html>", "empty": b'{"keys": []}'}.get(
            trouble, b""
        )
        clock.advance(int(EVERY_S * 1000))
        await keys.fetch()
        assert publisher.asked == 2
        assert keys.find("k1", "EdDSA") is not None


async def test_without_any_key_it_is_not_the_token_that_is_refused() -> None:
    async with hosting(config=ServerConfig(jwks_url="http://127.0.0.1:9/none")) as host:
        answer = await host.http.get("/v1/runs", headers={"authorization": f"Bearer {token()}"})
        problem(answer, 503, "server_busy")


async def test_keys_rotate_without_a_refused_token() -> None:
    new = ed25519.Ed25519PrivateKey.generate()
    async with publishing(jwk("EdDSA", "k1")) as publisher:
        config = ServerConfig(jwks_url=publisher.url, issuer="https://id.example")
        async with hosting(config=config) as host:

            async def status(bearer: str) -> int:
                return (await host.http.get("/v1/inputs", headers={"authorization": f"Bearer {bearer}"})).status_code

            old_token, new_token = token(iss="https://id.example"), token(kid="k2", key=new, iss="https://id.example")
            assert await status(old_token) == 200
            assert await status(token(iss="https://other.example")) == 401
            assert await status(token()) == 401
            publisher.publish(jwk("EdDSA", "k1"), jwk("EdDSA", "k2", new))
            async with asyncio.timeout(AGAIN_S + 5):
                while await status(new_token) != 200:
                    await asyncio.sleep(0.2)
            assert await status(old_token) == 200


async def test_whoever_waits_for_an_issuer_that_hangs_waits_for_one_fetch() -> None:
    asked, clock = 0, ManualClock()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        clock.advance(int(AGAIN_S * 1000))
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with server:
        keys = PublishedKeys(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", clock)
        said = await asyncio.gather(*(keys.fetch() for _ in range(4)), return_exceptions=True)
        assert [type(one) for one in said] == [ServerBusy] * 4
        assert asked == 1
