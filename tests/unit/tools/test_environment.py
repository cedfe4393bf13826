"""`make install` on machines that lack something: what it says, what it tries next, and that it does nothing twice."""

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts.processes import ROOT

# A Python in shell, and the one of the environment it makes, whose pip notes how it was called.
FAKE = """#!/bin/sh
case "$1 $2" in
  "-c "*) {measure} ;;
  "-m venv") {venv}
    mkdir -p "$3/bin"
    printf '#!/bin/sh\\necho "$@" >> "{calls}"\\n{pip}\\n' > "$3/bin/python"
    chmod +x "$3/bin/python" ;;
esac
"""


class Checkout:
    """A checkout with the real tools/environment.py, on a machine whose Pythons are the given ones alone."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "meshway"
        self.bin = folder / "bin"
        self.calls = folder / "calls"
        for path in (self.root / "tools", self.bin):
            path.mkdir(parents=True)
        script = (ROOT / "tools" / "environment.py").read_text()
        (self.root / "tools" / "environment.py").write_text(script.replace('"/usr/bin/python3"', '"/no/python3"'))
        (self.root / "pyproject.toml").write_text("[project]\n")
        self.lock("httpx==1")

    def lock(self, text: str) -> None:
        (self.root / "requirements.lock").write_text(text)

    def program(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def python(self, name: str, *speeds: float, old: bool = False, venv: bool = True, pip: str = "") -> None:
        """speeds: of one measurement after the other, the last one again and again."""
        asked = self.bin / f"{name}.asked"
        told = " ".join(str(speed) for speed in speeds or (0.02,))
        measure = (
            "exit 3"
            if old
            else f'echo >> "{asked}"; set -- {told}; i=$(wc -l < "{asked}"); '
            f'while [ $i -gt 1 ] && [ $# -gt 1 ]; do shift; i=$((i-1)); done; echo "$1 3.11.9 {self.bin / name}"'
        )
        self.program(name, FAKE.format(measure=measure, venv="" if venv else "exit 1", pip=pip, calls=self.calls))

    def install(self) -> tuple[int, str, str]:
        run = subprocess.run(
            [sys.executable, str(self.root / "tools" / "environment.py")],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            env={"PATH": f"{self.bin}:/usr/bin:/bin"},
        )
        return run.returncode, run.stdout, run.stderr

    def pip_calls(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Its commands come first on PATH; the machine's own Pythons there count as too old."""
    made = Checkout(tmp_path / "a folder")
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        made.python(name, old=True)
    made.program("uv", "#!/bin/sh\nexit 1\n")
    return made


def test_the_fastest_python_is_taken_and_filled_from_the_lock(checkout: Checkout) -> None:
    checkout.python("python3.11", 0.03)
    checkout.python("python3.13", 0.01)
    code, out, err = checkout.install()
    assert (code, err) == (0, "")
    assert out.startswith(f"python    {checkout.bin}/python3.13 (3.11.9, the fastest found: 10 ms for the loop)\n")
    packages, own = checkout.pip_calls()
    assert packages.endswith("install --require-hashes --no-deps -r requirements.lock")
    assert own.endswith("install --no-deps -e .")


def test_a_python_that_was_disturbed_once_is_taken_all_the_same(checkout: Checkout) -> None:
    checkout.python("python3.11", 0.03)
    checkout.python("python3.13", 0.49, 0.01)
    code, out, _ = checkout.install()
    assert code == 0
    assert out.startswith(f"python    {checkout.bin}/python3.13 ")


def test_a_second_run_does_nothing(checkout: Checkout) -> None:
    checkout.python("python3.11")
    checkout.install()
    calls = checkout.pip_calls()
    assert checkout.install() == (0, "", "")
    assert checkout.pip_calls() == calls


def test_a_changed_lock_installs_again(checkout: Checkout) -> None:
    checkout.python("python3.11")
    checkout.install()
    checkout.lock("httpx==2")
    checkout.install()
    assert len(checkout.pip_calls()) == 4


def test_a_checkout_that_moved_or_lost_its_python_is_installed_again(checkout: Checkout, tmp_path: Path) -> None:
    checkout.python("python3.11")
    checkout.install()
    shutil.copytree(checkout.root, tmp_path / "copy")
    checkout.root = tmp_path / "copy"
    checkout.install()
    assert len(checkout.pip_calls()) == 4  # the copied scripts name the folder they were made in
    (checkout.root / ".venv" / "bin" / "python").unlink()
    checkout.install()
    assert len(checkout.pip_calls()) == 6


def test_without_a_python_3_11_one_line_says_what_to_install(checkout: Checkout) -> None:
    code, out, err = checkout.install()
    assert (code, out) == (1, "")
    assert err == (
        "error: no Python 3.11 or later among python3.14, python3.13, python3.12, python3.11, python3, /no/python3\n"
        "mend:  install one, on Debian or Ubuntu: apt install python3 python3-venv\n"
    )


def test_without_ensurepip_and_uv_the_package_is_named(checkout: Checkout) -> None:
    checkout.python("python3.11", venv=False)
    code, _, err = checkout.install()
    assert code == 1
    assert err == (
        f"error: {checkout.bin}/python3.11 cannot make a virtual environment\n"
        "mend:  apt install python3-venv, or install uv\n"
    )
    assert not (checkout.root / ".venv").exists()


def test_without_ensurepip_uv_makes_the_environment(checkout: Checkout) -> None:
    checkout.python("python3.11", venv=False)
    checkout.python("whole")
    checkout.program("uv", f'#!/bin/sh\nshift 4\nexec "{checkout.bin}/whole" -m venv "$1"\n')
    code, out, err = checkout.install()
    assert (code, err) == (0, "")
    assert "python3.11" in out
    assert len(checkout.pip_calls()) == 2


def test_without_ensurepip_the_next_python_is_tried(checkout: Checkout) -> None:
    checkout.python("python3.13", 0.01, venv=False)
    checkout.python("python3.11", 0.03)
    code, out, _ = checkout.install()
    assert code == 0
    assert out.startswith(f"python    {checkout.bin}/python3.11 ")


def test_a_failing_pip_shows_the_end_of_its_words_and_where_all_are(checkout: Checkout) -> None:
    checkout.python("python3.11", pip="for i in $(seq 30); do echo line $i; done; exit 1")
    code, _, err = checkout.install()
    log = checkout.root / ".venv-install.log"
    assert code == 1
    assert err.splitlines() == [
        *(f"line {number}" for number in range(11, 31)),
        "error: pip could not install Meshway's dependencies",
        f"mend:  read {log}, mend it, then: make install",
    ]
    assert log.read_text().startswith("line 1\n")
    checkout.python("python3.11")
    assert checkout.install()[0] == 0  # a failure is not taken for done
