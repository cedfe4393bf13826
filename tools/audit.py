"""Asks for known vulnerabilities of what requirements.lock pins, by pip-audit: `make audit`.

Where pip-audit is missing, or the advisories cannot be fetched, it says SKIPPED, loudly, and fails nobody's build: a
mirror that is away must not stop a release. Whoever needs the answer passes --strict.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
TIMEOUT_S: Final = 300
# What pip-audit and urllib3 write when nobody answers.
_AWAY: Final = (
    "ConnectionError", "ConnectTimeout", "ReadTimeout", "NameResolutionError", "NewConnectionError", "MaxRetryError",
    "ProxyError", "ServiceError", "Could not connect", "Temporary failure in name resolution",
)  # fmt: skip


def verdict(code: int, output: str) -> tuple[str, int]:
    """What to say of a run of pip-audit, and the exit code: 0 nothing known, 1 vulnerable, 3 not asked."""
    if code == 0:
        return "no known vulnerability", 0
    if any(sign in output for sign in _AWAY):
        return "SKIPPED: the advisories cannot be fetched, so nothing is known of vulnerabilities", 3
    return "known vulnerabilities, or a lock that pip-audit cannot read: see above", 1


def run(program: str) -> tuple[str, int]:
    options = ("--require-hashes", "--disable-pip", "--progress-spinner=off", "-r", str(ROOT / "requirements.lock"))
    try:
        done = subprocess.run([program, *options], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"SKIPPED: pip-audit has not ended within {TIMEOUT_S} s", 3
    print(done.stdout + done.stderr, end="")
    return verdict(done.returncode, done.stdout + done.stderr)


def main(arguments: list[str]) -> int:
    beside = Path(sys.executable).parent / "pip-audit"
    program = str(beside) if beside.exists() else shutil.which("pip-audit")
    if program is None:
        said, code = "SKIPPED: pip-audit is not installed (pipx install pip-audit)", 3
    else:
        said, code = run(program)
    print(f"audit: {said}")
    return 0 if code == 3 and "--strict" not in arguments else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
