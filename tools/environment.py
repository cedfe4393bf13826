"""Makes `.venv`: picks the fastest Python this machine has, installs what requirements.lock names, then Meshway.

Runs on any Python >= 3.8 with the standard library alone, before anything is installed. Prints one line a step.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "installed.stamp")
LOG = os.path.join(ROOT, ".venv-install.log")
CANDIDATES = ("python3.14", "python3.13", "python3.12", "python3.11", "python3", "/usr/bin/python3")
ROUNDS = 3
# A loop says more than sysconfig: distributions do not record whether their build was profile-guided.
MEASURE = """
import sys, time
if sys.version_info < (3, 11): sys.exit(3)
import venv
best = 9.0
for _ in range(3):
    start, total = time.perf_counter(), 0
    for i in range(300000): total += i * i % 7
    best = min(best, time.perf_counter() - start)
print(best, "%d.%d.%d" % sys.version_info[:3], sys.executable)
"""


def measured(command):
    """(seconds, executable, version) of a Python >= 3.11 that can make environments, or None."""
    if not shutil.which(command):
        return None
    try:
        run = subprocess.run([command, "-c", MEASURE], check=False, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if run.returncode != 0:
        return None
    seconds, version, executable = run.stdout.strip().split(" ", 2)  # the path last: it may hold blanks
    return float(seconds), executable, version


def fastest_first():
    """By the best of several rounds, all candidates in each: what else the machine does must not choose the Python."""
    best = {}
    candidates = CANDIDATES
    for _ in range(ROUNDS):
        results = [(command, measured(command)) for command in candidates]
        candidates = [command for command, result in results if result]
        for _, result in results:
            if result and result < best.get(result[1], (float("inf"),)):
                best[result[1]] = result
    found = sorted(best.values())
    if not found:
        fail(
            f"no Python 3.11 or later among {', '.join(CANDIDATES)}",
            "install one, on Debian or Ubuntu: apt install python3 python3-venv",
        )
    return found


def fail(what, mend):
    sys.exit(f"error: {what}\nmend:  {mend}")


def wanted_stamp():
    """Changes when the environment must be filled anew, also because the checkout moved: scripts name its folder."""
    digest = hashlib.sha256(ROOT.encode())
    for name in ("pyproject.toml", "requirements.lock"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def is_installed(stamp):
    """Whether what is there was made for this, and its interpreter is still on the machine."""
    try:
        with open(STAMP) as file:
            return file.read().strip() == stamp and os.path.exists(os.path.join(VENV, "bin", "python"))
    except OSError:
        return False


def make_environment(pythons):
    """With the first that can: by its own ensurepip, which Debian packs apart, or by uv. Returns that one."""
    uv = shutil.which("uv")
    for found in pythons:
        ways = [[found[1], "-m", "venv", VENV]]
        if uv:
            ways.append([uv, "venv", "--seed", "--python", found[1], VENV])
        for way in ways:
            shutil.rmtree(VENV, ignore_errors=True)
            if subprocess.run(way, check=False, capture_output=True).returncode == 0:
                return found
    shutil.rmtree(VENV, ignore_errors=True)
    names = ", ".join(found[1] for found in pythons)
    return fail(f"{names} cannot make a virtual environment", "apt install python3-venv, or install uv")


def pip(*arguments):
    """Runs the environment's pip; on failure shows the end of its output and where the rest is."""
    command = [os.path.join(VENV, "bin", "python"), "-m", "pip", "--disable-pip-version-check", *arguments]
    with open(LOG, "a") as log:
        if subprocess.run(command, check=False, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT).returncode == 0:
            return
    with open(LOG, errors="replace") as log:
        sys.stderr.write("".join(log.readlines()[-20:]))
    fail("pip could not install Meshway's dependencies", f"read {LOG}, mend it, then: make install")


def build_console():
    """The registry works without it, and its pages then say how to get it: no reason to stop here."""
    if not os.path.isdir(os.path.join(ROOT, "admin_ui")):
        return
    sys.path.insert(0, ROOT)
    from tools import console

    if console.is_current():
        return
    print("console   admin_ui", flush=True)
    try:
        console.build()
    except console.BuildFailed as failed:
        print("warning: %s" % failed, file=sys.stderr)


def main():
    """The console is built beside the packages: neither needs the other, and each waits for its registry."""
    stamp = wanted_stamp()
    is_there = is_installed(stamp)
    if not is_there:
        begin_environment()  # before the machine has anything else to do: it measures
    console = threading.Thread(target=build_console)
    console.start()
    try:
        if not is_there:
            fill_environment(stamp)
    finally:
        console.join()


def begin_environment():
    seconds, python, version = make_environment(fastest_first())
    print(f"python    {python} ({version}, the fastest found: {seconds * 1000:.0f} ms for the loop)", flush=True)


def fill_environment(stamp):
    if os.path.exists(LOG):
        os.remove(LOG)
    print("packages  requirements.lock", flush=True)
    pip("install", "--require-hashes", "--no-deps", "-r", "requirements.lock")
    print("meshway   editable", flush=True)
    pip("install", "--no-deps", "-e", ".")
    with open(STAMP, "w") as file:
        file.write(stamp)


if __name__ == "__main__":
    main()
