"""Asks for known vulnerabilities of what requirements.lock and the console's package-lock.json pin: `make audit`.

By pip-audit and `npm audit`. Where a program is missing, or the advisories cannot be fetched, it says SKIPPED, loudly,
and fails nobody's build: a mirror that is away must not stop a release. Whoever needs the answer passes --strict.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
TIMEOUT_S: Final = 300
NONE_KNOWN: Final = "no known vulnerability", 0
UNKNOWN: Final = "SKIPPED: the advisories cannot be fetched, so nothing is known of vulnerabilities", 3
# What pip-audit and urllib3 write when nobody answers.
_AWAY: Final = (
    "ConnectionError", "ConnectTimeout", "ReadTimeout", "NameResolutionError", "NewConnectionError", "MaxRetryError",
    "ProxyError", "ServiceError", "Could not connect", "Temporary failure in name resolution",
)  # fmt: skip

Verdict = tuple[str, int]


def verdict(code: int, output: str) -> Verdict:
    """What to say of a run of pip-audit, and the exit code: 0 nothing known, 1 vulnerable, 3 not asked."""
    if code == 0:
        return NONE_KNOWN
    if any(sign in output for sign in _AWAY):
        return UNKNOWN
    return "known vulnerabilities, or a lock that pip-audit cannot read: see above", 1


def verdict_of_npm(code: int, output: str) -> Verdict:
    """Likewise of `npm audit --json`, whose report has a version; without it nobody was asked."""
    if code == 0:
        return NONE_KNOWN
    try:
        said = json.loads(output)
    except ValueError:
        said = None
    if not isinstance(said, dict) or "auditReportVersion" not in said:
        return UNKNOWN
    return "known vulnerabilities: see above", 1


def packages_of_python() -> Verdict:
    beside = Path(sys.executable).parent / "pip-audit"
    program = str(beside) if beside.exists() else shutil.which("pip-audit")
    if program is None:
        return "SKIPPED: pip-audit is not installed (pipx install pip-audit)", 3
    options = ("--require-hashes", "--disable-pip", "--progress-spinner=off", "-r", str(ROOT / "requirements.lock"))
    done = _run((program, *options))
    return UNKNOWN if done is None else verdict(done.returncode, done.stdout + done.stderr)


def packages_of_the_console() -> Verdict:
    program = shutil.which("npm")
    if program is None:
        return "SKIPPED: npm is not installed", 3
    done = _run((program, "audit", "--json", "--package-lock-only", "--prefix", str(ROOT / "admin_ui")))
    return UNKNOWN if done is None else verdict_of_npm(done.returncode, done.stdout)


def _run(command: tuple[str, ...]) -> "subprocess.CompletedProcess[str] | None":
    """None: it has not ended in time."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return None
    print(done.stdout + done.stderr, end="")
    return done


def main(arguments: list[str]) -> int:
    codes = []
    for lock, asked in (("requirements.lock", packages_of_python), ("package-lock.json", packages_of_the_console)):
        said, code = asked()
        print(f"audit of {lock}: {said}")
        codes.append(0 if code == 3 and "--strict" not in arguments else code)
    return 1 if 1 in codes else max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
