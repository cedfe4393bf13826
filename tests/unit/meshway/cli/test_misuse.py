import sys

import pytest

from meshway.cli.main import main


def _told(arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    monkeypatch.setattr(sys, "argv", ["meshway", *arguments.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("written", "what", "mend"),
    [
        ("foo", "no such command 'foo'", "meshway -h"),
        (
            "regster books",
            "no such command 'regster'",
            "did you mean register, deregister, registry? All there are: meshway -h",
        ),
        ("gateway sreve", "no such command 'sreve'", "did you mean serve? All there are: meshway gateway -h"),
        ("get routes --wth", "no such option: --wth", "did you mean --at, --watch? All there are: meshway get -h"),
        ("register", "missing argument 'SVC'", "meshway register -h"),
        (
            "gateway serve --access-log xx",
            "invalid value for '--access-log' (env var: 'MESHWAY_ACCESS_LOG'): 'xx' is not one of 'json', 'off'",
            "meshway gateway serve -h",
        ),
    ],
)
def test_what_the_command_line_does_not_know_is_one_line_with_its_mend(
    written: str, what: str, mend: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _told(written, monkeypatch, capsys) == (2, f"error: {what}\nmend:  {mend}\n")


def test_a_group_alone_shows_its_help_and_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = _told("gateway", monkeypatch, capsys)
    assert (code, "error:" in told) == (2, False)
