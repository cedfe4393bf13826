"""People and their roles by the command: from the first link to signing out."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from registry.people.totp import STEP_S, code_at
from tests.parts.command import Ended, meshway
from tests.parts.planes import Registry

PASSWORD, OTHER = "correct horse battery staple", "staple battery horse correct"
Run = Callable[..., Ended]


class Strict(Registry):
    """Everybody signs in."""

    trusts = ()


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Strict]:
    running = Strict(tmp_path)
    yield running
    running.close()


@pytest.fixture
def person(strict: Strict, tmp_path: Path) -> Callable[[str], Run]:
    """The command as one person calls it, with contexts of his own."""

    def of(name: str) -> Run:
        def run(*arguments: str, stdin: str = "") -> Ended:
            env = {"MESHWAY_URL": strict.url, "MESHWAY_CONFIG": str(tmp_path / name / "config.yaml")}
            return meshway(*arguments, stdin=stdin, env=env, cwd=tmp_path)

        return run

    return of


def link_in(text: str) -> str:
    found = re.search(r"http\S+/setup#\S+", text)
    assert found is not None, text
    return found[0]


def ok(ended: Ended) -> str:
    assert ended.code == 0, ended.err
    return ended.out


def test_people_from_the_first_link_on(strict: Strict, person: Callable[[str], Run], tmp_path: Path) -> None:
    root, ann = person("root"), person("ann")
    first = link_in(strict.process.text())
    assert first.startswith(strict.url)
    short = root("login", "root", "--link", first, "--password-file", "-", stdin="short\n")
    assert short.code == 6, short.err
    assert "fewer than 12" in short.err
    done = root("login", "root", "--link", first, "--password-file", "-", stdin=f"{PASSWORD}\n")
    assert "✓ user:root, for the commands of context default" in done.err
    assert PASSWORD not in done.out + done.err
    kept = tmp_path / "root" / "default.token"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.read_text().startswith("mws_")

    link = ok(root("user", "create", "ann", "--role", "editor", "-n", "shop", "--display-name", "Ann")).strip()
    file = tmp_path / "ann.password"
    file.write_text(PASSWORD + "\n")
    ok(ann("login", "--link", link, "--password-file", str(file)))
    assert ann("user", "list").code == 3
    ok(root("user", "bind", "corp:devs", "--group", "--role", "operator", "-n", "shop"))
    told = json.loads(ok(root("user", "bindings", "-o", "json")))["items"]
    rows = {(row["subject"], row["role"], row["namespace"]) for row in told}
    assert rows == {
        ("root", "admin", "*"),
        ("ann", "editor", "shop"),
        ("corp:devs", "operator", "shop"),
    }
    ok(root("user", "unbind", "ann", "--role", "editor", "-n", "shop"))

    new = ("--new-password-file", "-")
    ok(ann("user", "change-password", "--password-file", str(file), *new, stdin=OTHER + "\n"))
    assert ann("login", "ann", "--password-file", str(file)).code == 3

    assert "user:ann" in ok(root("user", "sessions"))
    ok(root("user", "end-sessions", "ann"))
    over = ann("user", "list")
    assert (over.code, "meshway login" in over.err) == (3, True)
    ok(root("user", "disable", "ann"))
    reset = ok(root("user", "reset-password", "ann"))
    assert link_in(reset).startswith(strict.url)
    assert root("user", "disable", "root").code == 5, "the last admin"
    ok(root("user", "delete", "ann", "--yes"))

    ok(root("logout"))
    assert not kept.exists()
    assert root("logout").code == 4


def test_an_app_that_tells_codes_is_set_up_asked_for_and_taken_away(
    strict: Strict, person: Callable[[str], Run]
) -> None:
    root = person("root")
    ok(root("login", "root", "--link", link_in(strict.process.text()), "--password-file", "-", stdin=f"{PASSWORD}\n"))
    begun = root("user", "codes", "on")
    secret = base64.b32decode(ok(begun).strip())
    assert "otpauth://totp/" in begun.err
    wrong = root("user", "codes", "take", "000000")
    assert wrong.code == 3, wrong
    step = int(time.time()) // STEP_S
    ok(root("user", "codes", "take", code_at(secret, step)))
    login = ("login", "root", "--password-file", "-")
    assert "a code of the app is needed" in root(*login, stdin=f"{PASSWORD}\n").err
    ok(root(*login, "--code", code_at(secret, step + 1), stdin=f"{PASSWORD}\n"))
    assert root("user", "codes", "off").code == 2, "it asks"
    ok(root("user", "codes", "off", "--yes"))
    ok(root(*login, stdin=f"{PASSWORD}\n"))
    misspelt = root("user", "bind", "root", "--role", "viewr")
    assert (misspelt.code, "did you mean viewer?" in misspelt.err) == (2, True), misspelt
    nobody = root("user", "bind", "rot", "--role", "viewer", "-A")
    assert (nobody.code, "did you mean root?" in nobody.err, "user create" in nobody.err) == (6, True, True), nobody


def test_who_says_not_how_to_sign_in_is_told(person: Callable[[str], Run]) -> None:
    nobody = person("nobody")
    assert nobody("login").code == 2
    asked = nobody("login", "ann")
    assert (asked.code, "--password-file F" in asked.err) == (2, True)
    wrong = nobody("login", "nobody", "--password-file", "-", stdin="whatever it may be\n")
    assert (wrong.code, "name, password or code is wrong" in wrong.err) == (3, True)
