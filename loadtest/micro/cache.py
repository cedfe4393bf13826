"""µs of our own code per call to a rule that keeps answers: given from the store, known already, not to be kept.

Run: python -m loadtest.micro.cache [calls]
"""

import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import msgspec

from loadtest.micro.relay import BARE, ROUNDS, Bench
from meshway.snapshot import INSTANCE, Change

_HEAD: Final = b'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nETag: "v1"\r\n'
KEPT: Final = _HEAD + b"Cache-Control: max-age=86400, public\r\nContent-Length: 13\r\n\r\nHello, World!"
UNKEPT: Final = _HEAD + b"Cache-Control: no-store\r\nContent-Length: 13\r\n\r\nHello, World!"
KNOWN: Final = BARE.removesuffix(b"\r\n") + b'If-None-Match: "v1"\r\n\r\n'


def changes(*, keeps: bool) -> list[Change]:
    rule: dict[str, Any] = {"destinations": [{"service": "hello"}]} | ({"cache": {}} if keeps else {})
    route = {"apiVersion": "meshway/v1", "kind": "Route", "metadata": {"name": "r", "namespace": "default"},
             "spec": {"hosts": ["*"], "rules": [rule]}}  # fmt: skip
    instance = {"namespace": "default", "service": "hello", "id": "1", "address": "127.0.0.1", "port": 9000}
    return [
        Change("put", "Route", "default", "r", msgspec.Raw(msgspec.msgpack.encode(route))),
        Change("put", INSTANCE, "default", "hello/1", msgspec.Raw(msgspec.msgpack.encode(instance))),
    ]


def measure(folder: Path, request: bytes, answer: bytes, calls: int, *, keeps: bool, is_kept: bool = False) -> float:
    """µs of CPU per call, the best round. is_kept: the first answer is given to all."""
    bench = Bench(changes(keeps=keeps), folder)
    if is_kept:
        bench.round([BARE], answer)
        best = min(bench.hits([request] * calls) for _ in range(ROUNDS))
    else:
        best = min(bench.round([request] * calls, answer) for _ in range(ROUNDS))
    return best


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"no cache  {measure(folder, BARE, KEPT, calls, keeps=False):6.2f} µs")
        print(f"hit       {measure(folder, BARE, KEPT, calls, keeps=True, is_kept=True):6.2f} µs")
        print(f"304       {measure(folder, KNOWN, KEPT, calls, keeps=True, is_kept=True):6.2f} µs")
        print(f"unkept    {measure(folder, BARE, UNKEPT, calls, keeps=True):6.2f} µs")


if __name__ == "__main__":
    main()
