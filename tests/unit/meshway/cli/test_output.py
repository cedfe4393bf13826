"""Answers in the form that was asked for."""

from typing import Any

import pytest

from meshway.cli.output import painted, show_list, table, yaml_stream
from meshway.cli.session import Session
from meshway.formats.yaml_documents import read_documents

ITEMS = [{"name": "cart", "port": 80}, {"name": "b", "port": 8080}]


def shown(capsys: pytest.CaptureFixture[str], form: Any, items: list[dict[str, Any]] = ITEMS) -> tuple[str, str]:
    show_list(
        Session(output=form),
        items,
        {"NAME": lambda item: item["name"], "PORT": lambda item: str(item["port"])},
        wide={"MORE": lambda item: "x"},
        name=lambda item: f"service/{item['name']}",
        empty="no services",
    )
    said = capsys.readouterr()
    return said.out, said.err


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (None, "NAME  PORT\ncart  80\nb     8080\n"),
        ("wide", "NAME  PORT  MORE\ncart  80    x\nb     8080  x\n"),
        ("jsonl", '{"name":"cart","port":80}\n{"name":"b","port":8080}\n'),
        ("yaml", "name: cart\nport: 80\n---\nname: b\nport: 8080\n"),
        ("name", "service/cart\nservice/b\n"),
    ],
)
def test_each_form(capsys: pytest.CaptureFixture[str], form: str | None, text: str) -> None:
    assert shown(capsys, form) == (text, "")


def test_nothing_is_said_beside_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, None, []) == ("", "no services\n")
    assert shown(capsys, "json", []) == ('{\n  "items": []\n}\n', "")


def test_only_marks_are_painted() -> None:
    assert painted("- a-b ✓ c") == "\033[31m-\033[0m a-b \033[32m✓\033[0m c"


def test_lines_end_without_blanks() -> None:
    assert table(["A", "B"], [["x", ""], ["longer", "y"]]) == "A       B\nx\nlonger  y"


def test_a_cell_commands_no_terminal() -> None:
    told = table(["WHAT"], [["DELETE /a\x1b]0;owned\x07\nü ✓"]])
    assert told == "WHAT\nDELETE /a\\x1b]0;owned\\x07\\nü ✓"


def test_what_yaml_would_misread_comes_back_as_it_was() -> None:
    spec = {
        "on": ["off", "no"],
        "text": ["1.0", "1:30", "null", "2026-11-24", "~", "", "a: b", "0x1f", "1e3", "ü"],
        "n": 5,
    }
    assert read_documents(yaml_stream([spec]))[0].raw == spec


def test_a_hundred_numbers_do_not_take_a_hundred_lines() -> None:
    retry = {"statuses": list(range(500, 600)), "few": [502, 503], "words": ["a", "b", "c", "d", "e"]}
    text = yaml_stream([retry])
    assert len(text.splitlines()) < 15
    assert "few:\n- 502\n- 503\n" in text
    assert read_documents(text)[0].raw == retry
