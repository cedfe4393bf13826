"""What it costs a registry to take lines of services' logs at a steady pace: CPU of the process, and disk.

A real `meshway registry serve` on the embedded store; lines of about 170 characters from 20 services, as 1,000 of them
come from an OpenTelemetry SDK's batches. Run: python -m loadtest.micro.logs [lines a second] [seconds] [logs_max]
"""

import gzip
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import httpx

from loadtest.measure import cpu_s, rss_bytes
from meshway.otlp.log_records import CONTENT_TYPE, LogRecord, LogsOfResource, LogsOfScope
from meshway.otlp.log_writing import export_logs, resource_of

BATCH: Final = 1_000
PREPARED: Final = 40
_TEXT: Final = (
    "order payment refused declined card timeout retry upstream cart checkout customer stored fetched cache miss hit "
    "queue message delivered pending inventory shelf price discount invoice mail sent login token refreshed expired"
)


def main() -> None:
    rate = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    most = sys.argv[3] if len(sys.argv) > 3 else "200MiB"
    bodies, plain = _bodies()
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "out").open("wb") as out:
        command = [sys.executable, "-m", "meshway.cli.main", "registry", "serve", "--trust-loopback"]
        command += ["--data", f"{folder}/data", "--registry-port", "0", "--dns-port", "0"]
        with subprocess.Popen(command, stdout=out, stderr=out) as registry:
            try:
                url = _url(Path(folder) / "out")
                _run(registry.pid, url, Path(folder) / "data" / "logs", bodies, plain, rate, seconds, most)
            finally:
                registry.terminate()


def _run(pid: int, url: str, kept: Path, bodies: list[bytes], plain: int, rate: int, seconds: int, most: str) -> None:
    headers = {"content-type": CONTENT_TYPE, "content-encoding": "gzip"}
    worst_s, answers, beats_s = 0.0, list[float](), list[float]()
    with httpx.Client(base_url=url, timeout=30.0, trust_env=False) as client:
        settings: dict[str, Any] = {"spec": {"retention": {"logs_max": most}}}
        client.put("/v1/namespaces/mesh/mesh-settings/mesh", json=settings).raise_for_status()
        before, begun = cpu_s([pid]), time.monotonic()
        for number in range(rate * seconds // BATCH):
            if (wait_s := begun + number * BATCH / rate - time.monotonic()) > 0:
                time.sleep(wait_s)
            asked = time.monotonic()
            client.post("/v1/logs", content=bodies[number % PREPARED], headers=headers).raise_for_status()
            answers.append(time.monotonic() - asked)
            asked = time.monotonic()
            client.get("/v1/health/live").raise_for_status()
            beats_s.append(time.monotonic() - asked)
        took_s, used_s = time.monotonic() - begun, cpu_s([pid]) - before
        lines = rate * seconds // BATCH * BATCH
        size = sum(path.stat().st_size for path in kept.iterdir()) if kept.is_dir() else 0
        print(f"{lines} lines in {took_s:.1f} s ({lines / took_s:.0f}/s, {plain / BATCH:.0f} bytes each as protobuf)")
        print(f"CPU of the registry: {100 * used_s / took_s:.1f} % of a core, {1e6 * used_s / lines:.0f} us a line")
        if size:  # of the embedded store
            print(f"disk: {size / lines:.0f} bytes a line, {size / 2**20:.1f} MiB now")
        print(f"answered after {1000 * sorted(answers)[len(answers) // 2]:.0f} ms (half), {1000 * max(answers):.0f} ms")
        print(f"a health check beside it: {1000 * max(beats_s):.0f} ms at worst")
        print(f"resident: {rss_bytes(pid) >> 20} MiB")
        for query in ("text=declined", "text=order+refused*", "service=shop/service-7&severity=error", "text=nowhere"):
            asked = time.monotonic()
            found = client.get(f"/v1/logs?{query}&limit=100").raise_for_status().json()["items"]
            worst_s = time.monotonic() - asked
            print(f"search {query}: {len(found)} in {1000 * worst_s:.0f} ms")
    print(f"this sender: {resource.getrusage(resource.RUSAGE_SELF).ru_utime:.1f} s of CPU")


def _bodies() -> tuple[list[bytes], int]:
    """Packed as exporters do, and how many bytes one is unpacked."""
    chance, words, bodies, plain = random.Random(1), _TEXT.split(), list[bytes](), 0
    for number in range(PREPARED):
        records = []
        for _ in range(BATCH):
            text = " ".join(chance.choices(words, k=14)) + f" id={chance.randrange(10**9)}"
            about = {"order": f"o-{chance.randrange(10**6)}", "took_ms": chance.random() * 100}
            trace = f"{chance.getrandbits(128):032x}"
            records.append(LogRecord(time.time_ns(), text, chance.choice((9, 9, 9, 13, 17)), "", about, trace))
        resource_ = resource_of(f"service-{number % 20}", "shop", f"i-{number}")
        body = export_logs([LogsOfResource(resource_, [LogsOfScope("shop.app", records)])])
        plain = len(body)
        bodies.append(gzip.compress(body, 1))
    return bodies, plain


def _url(log: Path) -> str:
    for _ in range(300):
        text = log.read_text()
        if "answers at http" in text:
            return text.partition("answers at ")[2].partition(",")[0]
        time.sleep(0.1)
    raise SystemExit(f"the registry does not come up: {log.read_text()}")


if __name__ == "__main__":
    main()
