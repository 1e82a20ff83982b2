"""Secrets stand in no log, no answer and no repr, whatever goes well or wrong."""

from __future__ import annotations

import base64
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from signoff import links, tokens
from signoff.cli.target import Target
from signoff.embed import Signoff
from signoff.errors import StoreError
from signoff.server.config import ServerConfig
from signoff.server.http.problems import document
from signoff.service.engine import Engine
from signoff.service.notify.target import NotifyTarget
from signoff.signing import Keyring
from signoff.stores.open import open_store
from signoff.stores.postgres.address import read_address
from signoff.stores.redis import options as redis_options
from signoff.streams.subscriptions.config import Config
from tests.cli.commands import run, running, until
from tests.server.hosting import Host

SIGNS: Final = "canary-that-signs-0123456789-0123456789"
SIGNED: Final = "canary-that-signed-before-0123456789-01"
WEBHOOK: Final = "whsec_" + base64.b64encode(b"canary-of-a-webhook-0123456789ab").decode()
HOOK: Final = "canary-in-the-address-of-a-webhook"
PASSWORD: Final = "canary-of-a-database"
BODY: Final = "canary-in-a-body"


class Receiver(ThreadingHTTPServer):
    """An issuer that publishes more than it should, and a receiver of webhooks that takes nothing.

    Attributes:
        told: the paths of webhooks that were called.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.told: list[str] = []
        self.key = ed25519.Ed25519PrivateKey.generate()
        good = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(self.key.public_key()))
        whole = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate()))
        self.private = whole["d"]
        self.published = json.dumps({"keys": [{**good, "kid": "good"}, {**whole, "kid": "whole"}]}).encode()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    server: Receiver

    def do_GET(self) -> None:
        self._answer(200, self.server.published)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.told.append(self.path)
        self._answer(500, b"")

    def _answer(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Have an issuer and a receiver."""
    with Receiver() as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        yield receiver
        receiver.shutdown()


async def _filled(url: str, receiver: Receiver) -> None:
    """Have a store with a request, a run that was torn, and somebody to be told of requests."""
    async with httpx.AsyncClient() as http:
        engine = await Engine.open(open_store(url))
        for target, secrets in (("first", (WEBHOOK,)), ("second", (WEBHOOK,))):
            await engine.targets.add(target, "webhook", f"{receiver.url}/{HOOK}", secrets=secrets)
        await Host("", engine, http).ask("r1")
        await engine.runs.start("expense", {}, run_id="r2")
        await engine.close()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
        torn = file.execute("UPDATE subjects SET state = ? WHERE name = 'r2'", (f'{{"v": "{BODY}'.encode(),))
        assert torn.rowcount == 1
        file.commit()


def _tokens(receiver: Receiver) -> dict[str, str]:
    """Return tokens that are good, and tokens that are not, in every way."""
    issued = {"sub": "boss", "grants": ["operator"]}
    good = tokens.mint(SIGNS.encode(), "boss", operator=True)
    return {
        "good": good,
        "narrow": tokens.mint(SIGNS.encode(), "alice", groups=("finance",)),
        "before": tokens.mint(SIGNED.encode(), "boss", operator=True),
        "published": jwt.encode(issued, receiver.key, "EdDSA", {"kid": "good"}),
        "whole": jwt.encode(issued, receiver.key, "EdDSA", {"kid": "whole"}),
        "unknown": jwt.encode(issued, receiver.key, "EdDSA", {"kid": "nobody's"}),
        "expired": tokens.mint(SIGNS.encode(), "boss", operator=True, now=1_000_000_000),
        "audience": tokens.mint(SIGNS.encode(), "boss", operator=True, audience="another"),
        "forged": tokens.mint(b"f" * 40, "boss", operator=True),
        "cut": good[:-5],
        "revoked": tokens.mint(SIGNS.encode(), "gone", operator=True),
    }


def _links() -> dict[str, str]:
    made = links.make(Keyring((SIGNS.encode(),)), "r1", "approve:0", ("user:alice", "group:finance")).token
    ended = links.make(Keyring((SIGNS.encode(),)), "r1", "approve:0", "user:alice", now_s=1_000_000_000).token
    return {"link": made, "ended link": ended, "forged link": made[:-6] + "AAAAAA"}


def _ask_everything(url: str, bearers: dict[str, str], shown: dict[str, str]) -> str:
    """Send what succeeds and what fails in every way; return all that came back."""
    said = []
    with httpx.Client(base_url=url, trust_env=False, timeout=20) as http:

        def ask(method: str, path: str, **how: Any) -> None:
            reply = http.request(method, path, **how)
            said.append(f"{reply.status_code} {reply.headers!r}\n{reply.text}")

        boss = {"authorization": f"Bearer {bearers['good']}"}
        ask("POST", "/v1/tokens/revoke", headers=boss, json={"sub": "gone"})
        for token in bearers.values():
            who = {"authorization": f"Bearer {token}"}
            ask("GET", "/v1/runs", headers=who)
            ask("GET", "/v1/stream/runs/r1", headers=who)
            ask("POST", "/v1/runs", headers={**who, "content-type": "application/json"}, content=b'{"workflow": ')
            ask("GET", "/v1/runs", headers={"authorization": f"Basic {token}"})
            ask("GET", f"/v1/runs?token={token}")
            ask(
                "PUT",
                "/v1/stream/__ds/subscriptions/s1",
                headers=who,
                json={"type": "webhook", "webhook": {"url": HOOK}},
            )
            ask("GET", "/v1/doctor", headers=who)
            ask("GET", f"/v1/nowhere/{token}", headers=who)
            ask("GET", f"/v1/stream/{token}", headers=who)
        ask("POST", "/v1/runs", headers=boss, json={"workflow": "expense", "password": BODY})
        ask("POST", "/v1/runs", headers=boss, content=BODY)
        ask("GET", "/v1/runs/r2", headers=boss)
        ask("PUT", "/v1/stream/chat/1", headers=boss)
        for token in shown.values():
            for path in (f"/v1/answer/{token}", f"/v1/answer/{token}/more", f"/v1/answers/{token}", f"/page/{token}"):
                for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
                    ask(method, path)
                for how in ({"data": {"action": "none"}}, {"json": {"?": 0}}, {"content": b"\xff"}):
                    ask("POST", path, **how)
    return "\n".join(said)


async def test_a_server_that_logs_everything_tells_no_secret(tmp_path: Path) -> None:
    with receiving() as receiver:
        await _filled(f"sqlite:///{tmp_path}/a.db", receiver)
        bearers, shown = _tokens(receiver), _links()
        told = ["server", "--store", f"sqlite:///{tmp_path}/a.db", "--port", "0", "--access-log", "--rate", "0"]
        environment = {
            "SIGNOFF_DEBUG": "1",
            "SIGNOFF_SECRET": SIGNS,
            "SIGNOFF_OLD_SECRETS": SIGNED,
            "SIGNOFF_JWKS_URL": f"{receiver.url}/{HOOK}",
            "SIGNOFF_WEBHOOK_TARGETS": "loopback",
        }
        with running(tmp_path, *told, **environment) as server:
            answers = _ask_everything(server.url, bearers, shown)
            await until(lambda: len(receiver.told) >= 2)
            (tmp_path / "a.db").write_bytes(b"no database" * 10_000)
            (tmp_path / "a.db-wal").unlink()
            answers += _ask_everything(server.url, bearers, shown)
            _, errors = server.stop()
            output = server.line
    files = "".join(one.read_bytes().decode("latin-1") for one in tmp_path.rglob("*.log"))
    logged = errors + output + files
    for there in ("INFO", '"GET /v1/answer/… HTTP/1.1" 200', "Traceback", "is not a SQLite database"):
        assert there in logged, there
    for status in (200, 201, 400, 401, 403, 404, 405, 410, 415, 500, 503):
        assert f"\n{status} Headers" in answers, status
    secrets = [SIGNS, SIGNED, WEBHOOK, WEBHOOK.removeprefix("whsec_"), HOOK, receiver.private, BODY]
    for secret in secrets:
        assert secret not in logged
        assert secret not in answers.replace(f'"url":"{HOOK}"', "")
    for name, token in (bearers | shown).items():
        for part in (token, token.split(".")[1], token.split(".")[2]):
            assert part not in logged, name
            assert part not in answers, name


URLS: Final = (
    f"postgresql://app:{PASSWORD}@127.0.0.1:1/claims?connect_timeout=2",
    f"redis://app:{PASSWORD}@127.0.0.1:1/0",
)
WRONG: Final = (
    f"postgresql://app:{PASSWORD}@x@127.0.0.1:1/claims",
    f"postgresql://app:{PASSWORD}@127.0.0.1:no/claims",
    f"postgresql://app:{PASSWORD}@127.0.0.1/claims?pool=many",
    f"postgresql://127.0.0.1/claims?listen=mysql://app:{PASSWORD}@db",
    f"redis://app:{PASSWORD}#@127.0.0.1:1/0",
    f"redis://app:{PASSWORD}@127.0.0.1:1/none",
    f"mongodb://app:{PASSWORD}@127.0.0.1:1/0",
    f"app:{PASSWORD}@127.0.0.1:1/0",
)


@pytest.mark.parametrize("url", URLS, ids=["postgresql", "redis"])
def test_a_command_whose_store_is_away_tells_no_password(url: str, tmp_path: Path) -> None:
    for command in (("server", "--port", "0"), ("list",)):
        done = run(tmp_path, *command, "--store", url, SIGNOFF_DEBUG="1", SIGNOFF_SECRET=SIGNS)
        said = done.stdout + done.stderr
        assert done.returncode != 0
        assert "127.0.0.1" in said
        assert PASSWORD not in said
        assert SIGNS not in said


@pytest.mark.parametrize("url", [*URLS, *WRONG])
async def test_an_error_about_a_store_tells_no_password(url: str) -> None:
    with pytest.raises((StoreError, OSError)) as told:
        await open_store(url).open()
    error: BaseException | None = told.value
    while error is not None:
        said = f"{error} {error!r} {document(error) if isinstance(error, StoreError) else ''}"
        assert PASSWORD not in said
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_no_secret_stands_in_a_repr() -> None:
    link = links.make(Keyring((SIGNS.encode(),)), "r1", "approve:0", "user:alice")
    config = ServerConfig(
        secret=SIGNS.encode(), old_secrets=(SIGNED.encode(),), jwks_url=f"https://id.example/{PASSWORD}"
    )
    postgres, redis = URLS
    told = [
        config,
        config.keyring,
        link,
        NotifyTarget("crm", "webhook", f"https://crm.example/{HOOK}", (WEBHOOK,)),
        NotifyTarget("chat", "apprise", f"json://app:{PASSWORD}@crm.example/{HOOK}"),
        Config("webhook", webhook=f"https://crm.example/{HOOK}"),
        Target.of(postgres, None, BODY),
        Target.of(None, f"https://app:{PASSWORD}@app.example", BODY),
        read_address(f"{postgres}&listen={postgres.partition('?')[0]}"),
        redis_options.read(redis),
        open_store(postgres),
        open_store(redis),
        Signoff(postgres, config=config),
    ]
    for one in told:
        for shown in (repr(one), str(one), f"{one}"):
            for secret in (SIGNS, SIGNED, WEBHOOK, HOOK, PASSWORD, BODY, link.token):
                assert secret not in shown
