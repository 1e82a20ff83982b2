"""Deliveries: where they go whatever names say, what they follow and read, and how long they wait."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import ssl
import tracemalloc
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from signoff.clock import ManualClock
from signoff.errors import WebhookUrlRejected
from signoff.server.subscriptions.resolver import SystemResolver
from signoff.server.subscriptions.webhook import LONGEST_ANSWER, HttpWebhooks
from signoff.service.subscriptions.delivery import DeliveryResult
from signoff.streams.subscriptions.target import Address, Targets
from tests.server.subscriptions.scene import Receiver, receiving, served

SEED = b"s" * 32


class Names:
    """Resolve every name to what a test says; the last answer stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not answer:
            raise OSError("Name or service not known")
        return [ip_address(one) for one in answer]


def webhooks(
    targets: Targets = Targets.PUBLIC, names: Names | None = None, tls: ssl.SSLContext | None = None
) -> HttpWebhooks:
    return HttpWebhooks(ManualClock(1_800_000_000_000), targets, resolve=names, tls=tls)


async def send(hooks: HttpWebhooks, url: str, timeout_s: float = 10) -> DeliveryResult:
    return await hooks.post(url, b'{"n":1}', SEED, timeout_s)


def port_of(receiver: Receiver) -> str:
    return receiver.url.rpartition(":")[2].partition("/")[0]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254", "[::ffff:127.0.0.1]", "[fe80::1]"]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_address_that_is_not_public_is_refused_at_creation_and_at_delivery(scheme: str, host: str) -> None:
    with pytest.raises(WebhookUrlRejected):
        await webhooks().check(f"{scheme}://{host}/hook")
    answer = await send(webhooks(), f"{scheme}://{host}/hook")
    assert not answer.ok
    assert "ConnectError" not in answer.why


@pytest.mark.parametrize(
    "answer", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["2606:4700::1", "::1"], ["169.254.169.254"]], ids=str
)
async def test_a_name_is_refused_if_one_of_its_addresses_is(answer: list[str]) -> None:
    with pytest.raises(WebhookUrlRejected):
        await webhooks(names=Names(answer)).check("https://worker.example/hook")
    assert not (await send(webhooks(names=Names(answer)), "https://worker.example/hook")).ok


@pytest.mark.parametrize("host", ["localhost", "0x7f.1", "2130706433", "127.1", "017700000001"])
async def test_spellings_of_this_machine_are_refused_by_what_they_resolve_to(host: str) -> None:
    addresses = await SystemResolver()(host, 443)
    assert addresses
    with pytest.raises(WebhookUrlRejected):
        await webhooks().check(f"https://{host}/hook")


async def test_a_name_that_changes_its_answer_gains_nothing() -> None:
    async with receiving() as receiver:
        url = f"https://worker.example:{port_of(receiver)}/hook"
        hooks = webhooks(names=Names(["8.8.8.8"], ["127.0.0.1"]))
        await hooks.check(url)
        answer = await send(hooks, url)
        assert not answer.ok
        assert "127.0.0.1 is this machine" in answer.why
        assert receiver.calls == []


async def test_a_delivery_asks_once_and_goes_where_the_answer_said() -> None:
    async with receiving() as receiver:
        # Were the name asked for again on the way out, the second answer would lead nowhere.
        names = Names(["127.0.0.1"], [])
        url = f"http://worker.example:{port_of(receiver)}/hook?a=b"
        assert await send(webhooks(Targets.LOOPBACK, names), url) == DeliveryResult(ok=True, done=True)
        assert names.asked == ["worker.example"]
        assert receiver.calls[0].headers["host"] == f"worker.example:{port_of(receiver)}"


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async with receiving() as receiver:
        names = Names(["127.0.0.9", "127.0.0.1"])
        answer = await send(webhooks(Targets.LOOPBACK, names), f"http://worker.example:{port_of(receiver)}/")
        assert answer.ok


async def test_a_name_that_is_not_known_yet_is_no_reason_to_refuse() -> None:
    await webhooks(names=Names([])).check("https://later.example/hook")
    assert not (await send(webhooks(names=Names([])), "https://later.example/hook")).ok


async def test_a_redirect_is_a_failure_and_not_followed() -> None:
    async with receiving() as inside, receiving(answer=(307, b""), location=inside.url) as receiver:
        answer = await send(webhooks(Targets.LOOPBACK), receiver.url)
        assert answer == DeliveryResult(ok=False, why="the receiver answered 307")
        assert inside.calls == []


async def test_a_receiver_that_says_nothing_is_left_in_time() -> None:
    hold = asyncio.Event()
    async with receiving(hold=hold) as receiver:
        answer = await send(webhooks(Targets.LOOPBACK), receiver.url, 0.2)
        assert answer == DeliveryResult(ok=False, why="no answer within 0.2 s")
        hold.set()


@pytest.mark.parametrize(
    ("status", "body", "done"),
    [
        (200, {"done": True}, True),
        (201, {"done": True, "more": 1}, True),
        (200, {"done": 1}, False),
        (200, [True], False),
        (204, b"", False),
        (200, b"\xff", False),
        (200, b'{"done": true}' + b" " * LONGEST_ANSWER, False),
    ],
)
async def test_what_an_answer_says(status: int, body: object, done: bool) -> None:
    async with receiving(answer=(status, body)) as receiver:
        assert await send(webhooks(Targets.LOOPBACK), receiver.url) == DeliveryResult(ok=True, done=done)


@pytest.mark.parametrize(
    "body",
    [gzip.compress(b'{"done": true}'), gzip.compress(b" " * (64 << 20) + b"1")],
    ids=["small", "64 MiB of blanks in 64 KiB"],
)
async def test_an_answer_that_is_compressed_says_nothing_and_is_not_unpacked(body: bytes) -> None:
    async with receiving(answer=(200, body), encoding="gzip") as receiver:
        tracemalloc.start()
        answer = await send(webhooks(Targets.LOOPBACK), receiver.url)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert answer == DeliveryResult(ok=True, done=False)
        assert receiver.calls[0].headers["accept-encoding"] == "identity"
        assert most < 8 << 20


async def test_tls_verifies_the_name_although_the_connection_goes_to_the_address(tmp_path: Path) -> None:
    certificate, trust = _certificate(tmp_path, "worker.example")

    receiver = Receiver("")
    async with served(receiver, ssl_certfile=str(certificate), ssl_keyfile=str(certificate)) as port:
        names = Names(["127.0.0.1"])
        hooks = webhooks(Targets.LOOPBACK, names, trust)
        assert (await send(hooks, f"https://worker.example:{port}/hook")).ok
        other = await send(hooks, f"https://other.example:{port}/hook")
        assert not other.ok
        assert "CERTIFICATE_VERIFY_FAILED" in other.why
        assert len(receiver.calls) == 1


def _certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate that signs itself, and a context that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "worker.pem"
    path.write_bytes(secret + pem)
    return path, ssl.create_default_context(cadata=pem.decode())
