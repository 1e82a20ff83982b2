from __future__ import annotations

import re
import time

import pytest

from signoff.server.forms.markdown import LONGEST, formatted


def test_what_markdown_says_is_formatted() -> None:
    drawn = formatted("# Claim\n\nFrom **Lyon**,\nby *train*:\n\n1. `a < b`\n\n| what | sum |\n|:-|-:|\n| tea | 3 |\n")
    for markup in (
        "<h2>Claim</h2>",
        "<strong>Lyon</strong>,<br />",
        "<li><code>a &lt; b</code></li>",
        '<td class="end">3</td>',
    ):
        assert markup in drawn
    assert "style=" not in drawn


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java&#x0A;script:alert(1)",
        "&#106;avascript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "/v1/answer/other",
        "//evil.example",
        "#top",
        "tel:1",
    ],
)
@pytest.mark.parametrize("form", ["[x]({})", "[x](<{}>)", "[x][y]\n\n[y]: {}", "<{}>", "![x]({})"])
def test_links_lead_to_web_pages_and_mail_addresses_alone(form: str, address: str) -> None:
    assert "href" not in formatted(form.format(address))


def test_links_open_beside_the_page_and_tell_nobody_of_it() -> None:
    drawn = formatted(
        "[a](https://a.example/?b=1&c) <mailto:a@b.example> [![p](http://c.example/p.png)](http://d.example)"
    )
    assert re.findall('href="([^"]*)"', drawn) == [
        "https://a.example/?b=1&amp;c",
        "mailto:a@b.example",
        "http://d.example",
    ]
    assert drawn.count('target="_blank" rel="noopener noreferrer nofollow"') == 3
    assert "<img" not in drawn
    assert '<a href="http://c.example/p.png"' in formatted("![](http://c.example/p.png)")


@pytest.mark.parametrize(
    "words",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "<!-- x --><style>p{}</style>",
        '[x](https://a "\\" onmouseover=alert(1)")',
        '![" onerror=alert(1)](https://a)',
        '```" onclick=alert(1)\nx\n```',
        '<https://a" onclick=alert(1)>',
        "<![CDATA[<script>]]>",
    ],
)
def test_no_markup_of_its_own_gets_through(words: str) -> None:
    drawn = formatted(words)
    assert not re.search(r"<(script|img|style|!)", drawn)
    for found in re.findall("<[^>]*>", drawn):
        assert not re.search(r'"[^"]*"\s*on\w+=|\son\w+=(?![^"]*"(?:[^"]*"[^"]*")*[^"]*$)', found), found


def test_what_is_long_is_shown_as_written() -> None:
    assert "<strong>" in formatted("**a**".ljust(LONGEST, "b"))
    assert "<strong>" not in formatted("**a**".ljust(LONGEST + 1, "b"))


@pytest.mark.parametrize("odd", ["[", ">", "*a ", "`a", "- ", "|a", "[a](", "<a", "_a__", "&#x"])
def test_odd_markdown_holds_nobody_up(odd: str) -> None:
    def took() -> float:
        before = time.process_time()
        formatted((odd * LONGEST)[:LONGEST])
        return time.process_time() - before

    assert min(took() for _ in range(3)) < 1, "what loading the library or collecting garbage takes is not of the text"
