"""What was measured on: the Python, the processor, and the versions of the others."""

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from loadtest import peers


def python_build() -> str:
    """Version, compiler, where it is from, and how fast it is. A distribution may build with PGO by flags that
    sysconfig never sees (Debian does), so what it tells is a hint only, and the loop's time is the measure."""
    told = " ".join(
        str(sysconfig.get_config_var(name)) for name in ("CONFIG_ARGS", "PY_CORE_CFLAGS", "PY_LDFLAGS_NODIST")
    )
    hints = [
        word
        for word, marks in (("PGO", ("--enable-optimizations", "-fprofile-use")), ("LTO", ("--with-lto", "-flto")))
        if any(mark in told for mark in marks)
    ]
    executable = Path(sys.executable).resolve()
    owner = ""
    if shutil.which("dpkg-query"):
        found = subprocess.run(["dpkg-query", "-S", str(executable)], capture_output=True, text=True, check=False)
        package = found.stdout.partition(":")[0]
        owner = f" of the package {package}" if package else ", of no package"
    return (
        f"{platform.python_implementation()} {platform.python_version()}, {platform.python_compiler()}, "
        f"{executable}{owner}; sysconfig names {' and '.join(hints) or 'neither PGO nor LTO'}; "
        f"our loop takes {loop_ms():.0f} ms (to be compared on one machine only)"
    )


def loop_ms() -> float:
    """Best of three runs of a loop of plain Python, about 0.1 s each."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        known: dict[int, bytes] = {}
        for number in range(3_000_000):
            key = number & 1023
            if known.get(key) is None:
                known[key] = b"%d" % number
        best = min(best, time.perf_counter() - began)
    return best * 1000.0


def described() -> str:
    """Lines of a list."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return "\n".join(
        [
            f"- {python_build()}",
            f"- CPU {model.partition(':')[2].strip()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at start",
            f"- {'; '.join(versions())}",
        ]
    )


def versions() -> list[str]:
    """Of the proxies that are compared, as far as they are here."""
    asked = {
        "nginx": ["nginx", "-v"],
        "HAProxy": ["haproxy", "-v"],
        "Envoy": [peers.envoy_binary(), "--version"],
        "Java": ["java", "-version"],
    }
    return [f"{name} {_version(command)}" for name, command in asked.items() if shutil.which(command[0])]


def _version(command: list[str]) -> str:
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+[\w.]*", said.stdout + said.stderr)
    return found[0] if found else "of no known version"
