"""Files attached to an answer in the console, on a real server, in Chromium: wide, on a phone, and by keyboard."""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.conftest import Console, Product, until
from e2e.test_accessibility import violations
from e2e.test_console import PHONE, WIDE


def picture(side: int = 64) -> bytes:
    """Return a PNG of stripes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    line = b"".join(bytes((40 + 3 * x % 200, 120, 200 - 2 * x % 150)) for x in range(side))
    data = zlib.compress(b"".join(b"\0" + line for _ in range(side)))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with files as people have them."""
    (tmp_path / "receipt März.png").write_bytes(picture())
    (tmp_path / "page.html").write_bytes(b"<script>document.title = 'run'</script>")
    (tmp_path / "large.png").write_bytes(bytes(2 << 20))
    (tmp_path / "notes.txt").write_bytes(b"two lines\nof notes")
    return tmp_path


def handing_in(product: Product, run_id: str) -> str:
    product.call("POST", "/v1/runs", {"workflow": "expenses", "run_id": run_id})
    until(lambda: product.call("GET", f"/v1/runs/{run_id}")["inputs"], "the run asks")
    return f"#/inbox/{run_id}/receipt%3A0"


def picture_of(page: Page, name: str) -> None:
    """Keep a screenshot, if somebody wants to look at them."""
    if folder := os.environ.get("SIGNOFF_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/attach-{name}.png", full_page=True)


@pytest.mark.parametrize(
    ("size", "options"),
    [("wide", {"viewport": WIDE}), ("phone", {"viewport": PHONE, "color_scheme": "dark", "bypass_csp": True})],
)
def test_a_receipt_is_attached_sent_and_kept_by_who_checks_it(
    consoled: Product, console: Console, files: Path, size: str, options: dict[str, Any]
) -> None:
    at = handing_in(consoled, f"receipt-{size}")
    page = console(at, who="alice", **options)
    form = page.get_by_role("article")
    receipt = form.get_by_label("Receipt: Choose a file")
    receipt.set_input_files(files / "large.png")
    expect(form.get_by_role("alert")).to_have_text("large.png has 2 MB; at most 1 MB are taken.")
    receipt.set_input_files(files / "page.html")
    expect(form.get_by_role("alert")).to_have_text("page.html is none of: images, PDF.")
    picture_of(page, f"{size}-refused")
    receipt.set_input_files(files / "receipt März.png")
    expect(form.get_by_text("receipt März.png", exact=True)).to_be_visible()
    expect(form.locator("img")).to_be_visible()
    assert form.locator("img").evaluate("image => image.complete && image.naturalWidth") == 64
    form.get_by_label("Others: Choose files").set_input_files([files / "notes.txt", files / "page.html"])
    expect(form.get_by_text("notes.txt", exact=True)).to_be_visible()
    form.get_by_role("button", name="Remove page.html").click()
    expect(form.get_by_text("page.html", exact=True)).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert size == "wide" or violations(page) == []  # axe is an inline script, which the policy forbids
    picture_of(page, f"{size}-filled")
    form.get_by_role("button", name="Submit").click()
    expect(form.get_by_role("button", name="receipt März.png")).to_be_visible()
    picture_of(page, f"{size}-sent")

    other = console(f"#/inbox/receipt-{size}/check%3A0", who="bora", groups="audit", **options)
    shown = other.get_by_role("article").get_by_label("What it is about")
    with other.expect_download() as kept:
        shown.get_by_role("button", name="receipt März.png").click()
    assert kept.value.suggested_filename == "receipt März.png"
    assert hashlib.sha256(Path(kept.value.path()).read_bytes()).digest() == hashlib.sha256(picture()).digest()
    assert size == "wide" or violations(other) == []
    picture_of(other, f"{size}-shown")
    other.get_by_role("article").get_by_role("button", name="Approve").click()
    until(
        lambda: consoled.call("GET", f"/v1/runs/receipt-{size}")["run"].get("output") == {"size": len(picture())},
        "a step has read what was attached",
    )


def test_a_file_is_dropped_and_a_page_that_is_left_sends_nothing_more(
    consoled: Product, console: Console, files: Path
) -> None:
    at = handing_in(consoled, "receipt-drop")
    page = console(at, who="alice")
    area = page.get_by_role("article").locator(".signoff-files").first
    drop = page.evaluate_handle(
        """bytes => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" }));
            return data;
        }""",
        list(picture()),
    )
    area.dispatch_event("dragover", {"dataTransfer": drop})
    picture_of(page, "wide-over")
    area.dispatch_event("drop", {"dataTransfer": drop})
    expect(area.get_by_text("dropped.png", exact=True)).to_be_visible()
    remove = area.get_by_role("button", name="Remove dropped.png")
    remove.focus()
    page.keyboard.press("Enter")
    expect(area.get_by_text("dropped.png", exact=True)).to_have_count(0)
    expect(area.get_by_label("Receipt: Choose a file")).to_be_focused()


@pytest.mark.parametrize(
    ("size", "options"), [("wide", {"viewport": WIDE}), ("phone", {"viewport": PHONE, "color_scheme": "dark"})]
)
def test_the_page_of_a_link_sends_files_without_scripts(
    consoled: Product, chromium: Browser, files: Path, size: str, options: dict[str, Any]
) -> None:
    handing_in(consoled, f"link-{size}")
    body = {"for": ["user:alice", "group:finance"]}
    url = str(consoled.call("POST", f"/v1/runs/link-{size}/inputs/receipt%3A0/links", body)["url"])
    context = chromium.new_context(java_script_enabled=False, **options)
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.goto(url)
    page.get_by_label("Receipt", exact=True).set_input_files(files / "large.png")
    page.get_by_label("Others", exact=True).set_input_files([files / "notes.txt", files / "page.html"])
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("alert").first).to_contain_text("Receipt")
    expect(page.get_by_label("notes.txt")).to_be_checked()
    page.get_by_label("page.html").uncheck()
    page.get_by_label("Receipt", exact=True).set_input_files(files / "receipt März.png")
    picture_of(page, f"link-{size}")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    context.close()
    value = consoled.call("GET", f"/v1/runs/link-{size}/inputs/receipt%3A0")["input"]["value"]
    assert (value["receipt"]["name"], value["receipt"]["size"]) == ("receipt März.png", len(picture()))
    assert [one["name"] for one in value["others"]] == ["notes.txt"]
