"""The file that says where people are reached is read whole or refused, and its secrets are never repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from signoff.errors import InvalidName
from signoff.server.notify.people import PeopleTarget, read_people

MAIL = "mailtos://u:sesame@smtp.example?from=a@b.example&to={to}"
FILE = """
[mail]
url = "mailtos://signoff:${PASSWORD}@smtp.example?from=a@b.example&to={to}"
events = ["asked"]
workflows = ["expense"]

[mail.people]
"user:alice" = "alice+x@b.example"
"user:bora" = "json://hook.example/${TOKEN}"
"group:finance" = ["user:alice", "user:bora"]
"""


def test_a_file_names_people_and_variables_hold_the_secrets(tmp_path: Path) -> None:
    path = tmp_path / "notify.toml"
    path.write_text(FILE)
    [mail] = read_people(path, {"PASSWORD": "p@ss/word", "TOKEN": "t0ken"})
    assert (mail.id, mail.events, mail.workflows) == ("mail", ("asked",), ("expense",))
    assert mail.url_for("user:alice") == (
        "mailtos://signoff:p%40ss%2Fword@smtp.example?from=a@b.example&to=alice%2Bx%40b.example"
    )
    assert mail.url_for("user:bora") == "json://hook.example/t0ken"
    assert mail.url_for("user:nobody") is None
    assert mail.recipients(["group:finance", "user:bora", "user:nobody", "group:other"]) == [
        ("user:alice", "group:finance"),
        ("user:bora", "group:finance"),
    ]
    assert "ss" not in repr(mail).replace("PeopleTarget", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[mail", "is no TOML"),
        ('mail = "x"', "needs `url`"),
        ('[mail]\nurl = "sesame"', "needs `url`"),
        ('[mail]\nurl = "sesame{to}"\nuser = 1\n[mail.people]', "has no 'user'"),
        ('[mail]\nurl = "${SESAME}"\n[mail.people]', "names the variable SESAME, which is not set"),
        ('[mail]\nurl = "sesame{to}"\nevents = "asked"\n[mail.people]', "events is a list of texts"),
        ('[mail]\nurl = "sesame{to}"\n[mail.people]\n"user:alice" = 7', "user:alice is a list of texts"),
        ('["m/l"]\nurl = "sesame{to}"\n[\'m/l\'.people]', "target id"),
    ],
)
def test_a_file_that_is_not_understood_is_refused_with_the_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "notify.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=said) as refused:
        read_people(path, {})
    assert "sesame" not in str(refused.value)


def test_people_who_cannot_be_reached_so_are_refused() -> None:
    for url, people, said in (
        (MAIL, {"alice": "alice@b.example"}, "is no principal"),
        ("mailto://smtp.example", {"user:alice": "alice@b.example"}, "has no {to}"),
        (MAIL, {"group:finance": ["user:alice"]}, "with an address here"),
        (MAIL, {"group:finance": ["group:other"], "group:other": "x@b.example"}, "with an address here"),
    ):
        with pytest.raises(ValueError, match=said) as refused:
            PeopleTarget("mail", url, people)
        assert "b.example" not in str(refused.value)
    with pytest.raises(ValueError, match="there is no event 'sold'"):
        PeopleTarget("mail", MAIL, {}, events=("sold",))
    with pytest.raises(InvalidName):
        PeopleTarget("m l", MAIL, {})
