"""`signoff notify` shows who is told of requests, and does what operators do about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from signoff.cli.command import run


def test_a_target_through_its_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIGNOFF_STORE", "sqlite:///notify.db")
    Path("notify.db").touch(mode=0o600)
    Path("url").write_text("https://crm.example/hooks/sesame\n")

    def notify(*arguments: str, code: int = 0) -> str:
        assert run(["notify", *arguments]) == code
        told = capsys.readouterr()
        return told.err if code else told.out

    secret = notify("add", "crm", "@url", "--event", "asked").splitlines()[1]
    assert secret.startswith("whsec_")
    assert notify("pause", "crm") == "crm: paused.\n"
    listed = notify("list")
    assert listed.splitlines()[1].split()[:5] == ["crm", "webhook", "paused", "0", "0"]
    assert "sesame" not in listed
    assert notify("resume", "crm") == "crm: goes on.\n"
    assert notify("sign", "crm", "--secret", secret) == "crm is signed with 1 secret from now on.\n"
    assert notify("retry", "crm") == "crm: tried again: 0.\n"
    assert notify("skip", "crm", "--event", "evt_1") == "crm: 0 events given up.\n"
    removed = json.loads(notify("remove", "crm", "--json"))
    assert (removed["target"]["id"], removed["target"]["events"]) == ("crm", ["asked"])
    assert "There is no target 'crm'" in notify("pause", "crm", code=1)
    assert "Say --secret" in notify("sign", "crm", code=2)
