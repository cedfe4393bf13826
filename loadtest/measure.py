"""What a process tree costs: CPU time and resident memory from /proc, and one wrk run read back as numbers."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


def process_tree(pid: int) -> list[int]:
    """pid and all its descendants that live now."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    tree, at = [pid], 0
    while at < len(tree):
        tree += parents.get(tree[at], [])
        at += 1
    return tree


def cpu_s(pids: list[int]) -> float:
    """User and system seconds of these processes, all threads."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total * TICK_S


def rss_bytes(pid: int) -> int:
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(match[1]) * 1024 if match else 0


@dataclass(frozen=True)
class Run:
    """One run of one proxy. errors: answers other than 2xx and 3xx, and socket errors."""

    requests: int
    errors: int
    requests_per_s: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    rss_mb: float


_UNIT_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


def _latency_ms(text: str, percent: str) -> float:
    match = re.search(rf"\s{percent}%\s+([\d.]+)(us|ms|s|m)\b", text)
    return float(match[1]) * _UNIT_MS[match[2]] if match else float("nan")


def run_wrk(
    url: str, pid: int, *, seconds: int, connections: int, core: int, script: str | None, headers: tuple[str, ...]
) -> Run:
    """Loads `url` while counting the CPU time of the process tree of `pid`."""
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    for header in headers:
        command += ["-H", header]
    if script:
        command += ["-s", script]
    tree = process_tree(pid)
    before = cpu_s(tree)
    text = subprocess.run([*command, url], capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    spent_s = cpu_s(tree) - before
    requests = int(re.search(r"(\d+) requests in", text)[1])  # type: ignore[index]  # wrk always prints it
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    errors = (int(failed[1]) if failed else 0) + (sum(map(int, sockets.groups())) if sockets else 0)
    return Run(
        requests=requests,
        errors=errors,
        requests_per_s=float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),  # type: ignore[index]
        cpu_us=spent_s * 1e6 / max(1, requests),
        p50_ms=_latency_ms(text, "50"),
        p99_ms=_latency_ms(text, "99"),
        rss_mb=max(rss_bytes(member) for member in tree) / 1e6,
    )
