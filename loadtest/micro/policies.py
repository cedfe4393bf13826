"""What each policy costs a call, on minus off, in µs of CPU: `python -m loadtest.micro.policies [calls]`.

Both Protocols on transports that only keep bytes (relay.py), every call another one. Each round measures the plain
route and all policies in turn, beginning at another one; shown is the median of the differences within the rounds.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from loadtest.micro.relay import ANSWER, Bench
from loadtest.peers import ROOT, compiled_planes
from loadtest.targets import Target
from meshway.snapshot import Change

MOST_US: Final = 3.0  # a policy may cost
CALLS: Final = 2_000
ROUNDS: Final = 9
MOST_S: Final = 600.0
PLAIN: Final = "nothing"
REQUEST: Final = (
    b"GET /books/%d?q=%d HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
    b"Accept: application/json\r\nAccept-Language: en\r\nAccept-Encoding: gzip\r\nOrigin: https://shop.example\r\n"
    b"Cookie: session=0123456789abcdef; mw=7\r\nX-Team: shop\r\nx-request-id: %032x\r\n"
    b"traceparent: 00-%032x-%016x-01\r\n\r\n"
)
TEXT: Final = b"all work and no play " * 100
LONG: Final = ANSWER.replace(b"Content-Length: 13", b"Content-Length: %d" % len(TEXT)).replace(b"Hello, World!", TEXT)
_TEMPLATE: Final = [{"path": {"template": "/books/{id}"}}]
_COPIES: Final = [{"destination": {"service": "upstream"}, "percent": 0}]


@dataclass(frozen=True, eq=False)
class Policy:
    """rule: fields of the one rule. policy, limit, access: specs of a TrafficPolicy, a RateLimit and an AccessPolicy
    for it. answer: of the service; where it is not the usual one the policy is compared with a plain route that has
    the same.
    """

    name: str
    rule: Mapping[str, Any] = field(default_factory=dict)
    policy: Mapping[str, Any] | None = None
    limit: Mapping[str, Any] | None = None
    access: Mapping[str, Any] | None = None
    answer: bytes = ANSWER


def access_rules(count: int) -> dict[str, Any]:
    """Half of them deny, half allow; of the calls here the last one decides."""
    denies = [{"action": "deny", "to": [{"path": {"prefix": f"/admin{at}"}}]} for at in range(count // 2)]
    allows = [
        {"action": "allow", "from": [{"cidr": ["127.0.0.0/8"]}], "to": [{"path": {"prefix": path}, "methods": ["GET"]}]}
        for path in (*(f"/shop{at}" for at in range(count - count // 2 - 1)), "/books")
    ]
    return {"rules": denies + allows}


_TWO: Final = [{"service": "upstream", "weight": 9}, {"service": "upstream", "port": "http", "weight": 1}]
POLICIES: Final = (
    Policy("match by template", {"match": _TEMPLATE}),
    Policy("match by expression", {"match": [{"path": {"regex": "/books/[0-9]+"}}]}),
    Policy("match by method", {"match": [{"methods": ["GET"]}]}),
    Policy("match by header", {"match": [{"headers": {"x-team": "shop"}}]}),
    Policy("match by query", {"match": [{"query": {"q": {"regex": "[0-9]+"}}}]}),
    Policy("match by cookie", {"match": [{"cookies": {"mw": "7"}}]}),
    Policy("match by address", {"match": [{"source": {"cidr": ["127.0.0.0/8"]}}]}),
    Policy("request_headers", {"request_headers": {"set": {"x-of": "edge"}, "remove": ["x-debug"]}}),
    Policy(
        "request_headers with a name of the path",
        {"match": _TEMPLATE, "request_headers": {"set": {"x-id": "${path.id}"}}},
    ),
    Policy("response_headers", {"response_headers": {"set": {"x-served-by": "mesh"}}}),
    Policy("rewrite by prefix", {"match": [{"path": {"prefix": "/books"}}], "rewrite": {"path": {"prefix": "/v2"}}}),
    Policy("rewrite by template", {"match": _TEMPLATE, "rewrite": {"path": {"template": "/v2/{id}"}}}),
    Policy("rewrite by substitution", {"rewrite": {"path": {"regex": "^/books/", "substitution": "/v2/"}}}),
    Policy("cors", {"cors": {"allow_origins": ["https://shop.example"]}}),
    Policy("fault, of nobody", {"fault": {"abort": {"status": 500, "percent": 0}}}),
    Policy("fault, of who is not meant", {"fault": {"abort": {"status": 500}, "match": {"headers": {"x-chaos": "1"}}}}),
    Policy("mirror, of no call", {"mirror": _COPIES}),
    Policy("deprecation", {"deprecation": {"since": "2026-01-01"}}),
    Policy("compression, of 2 KB", {"compression": {}}, answer=LONG),
    Policy("sticky by header", {"destinations": _TWO, "sticky": {"key": "header", "name": "x-team"}}),
    Policy("sticky by cookie", {"destinations": _TWO, "sticky": {"key": "cookie", "name": "mw"}}),
    Policy("split", {"destinations": _TWO}),
    Policy("timeouts", {"timeouts": {"deadline": "5s", "attempt": "1s"}}),
    Policy("retry by status", {"retry": {"max_retries": 2, "statuses": [503]}}),
    Policy("breaker", policy={"breaker": {}}),
    Policy("breaker for slow calls", policy={"breaker": {"slow_call": {"over": "1s"}}}),
    Policy("bulkhead", policy={"bulkhead": {"max_requests": 1000}}),
    Policy("adaptive_concurrency", policy={"adaptive_concurrency": {}}),
    Policy("no outlier_detection", policy={"outlier_detection": {"enabled": False}}),
    Policy("access policy of 1 rule", access=access_rules(1)),
    Policy("access policy of 500 rules", access=access_rules(500)),
    Policy("rate limit", limit={"token_bucket": {"rate": "1000000/s", "burst": 1000000}, "scope": "gateway"}),
    Policy(
        "rate limit by header",
        limit={
            "token_bucket": {"rate": "1000000/s", "burst": 1000000},
            "key": ["header.x-team"],
            "scope": "gateway",
        },
    ),
)


def changes_of(policy: Policy) -> list[Change]:
    documents = [
        _document("Service", {"type": "static", "endpoints": [{"address": "127.0.0.1", "port": 9000}]}),
        _document("Route", {"rules": [{"destinations": [{"service": "upstream"}], **policy.rule}]}),
    ]
    if policy.policy is not None:
        documents.append(_document("TrafficPolicy", {"targets": [{"service": "upstream"}], **policy.policy}))
    if policy.access is not None:
        documents.append(_document("AccessPolicy", {"targets": [{"service": "upstream"}], **policy.access}))
    if policy.limit is not None:
        documents.append(_document("RateLimit", {"targets": [{"service": "upstream"}], **policy.limit}))
    return documents


def _document(kind: str, spec: Mapping[str, Any]) -> Change:
    value = {"apiVersion": "meshway/v1", "kind": kind, "metadata": {"name": "upstream"}, "spec": spec}
    return Change("put", kind, "default", "upstream", msgspec.Raw(msgspec.msgpack.encode(value)))


def costs(policies: Sequence[Policy] = POLICIES, calls: int = CALLS, rounds: int = ROUNDS) -> dict[str, float]:
    """µs by the policies' names."""
    requests = [REQUEST % ((n,) * 5) for n in range(1, calls + 1)]
    plain = {policy.answer: Policy(PLAIN, answer=policy.answer) for policy in policies}
    with tempfile.TemporaryDirectory() as folder:
        benches = [(policy, Bench(changes_of(policy), Path(folder))) for policy in (*plain.values(), *policies)]
        taken: dict[Policy, list[float]] = {policy: [] for policy, _ in benches}
        for number in range(rounds + 1):
            start = number * 7 % len(benches)
            for policy, bench in benches[start:] + benches[:start]:
                us = bench.round(requests, policy.answer)
                if number:  # the first one warms up
                    taken[policy].append(us)
        for _, bench in benches:
            bench.close()
    return {policy.name: _median_difference(taken[policy], taken[plain[policy.answer]]) for policy in policies}


def _median_difference(on: Sequence[float], off: Sequence[float]) -> float:
    return statistics.median(one - other for one, other in zip(on, off, strict=True))


def compiled_costs(rounds: int) -> dict[str, float]:
    """As `costs`, of machine code: as gateways run, and as no process does that has loaded the sources."""
    asked = f"import json; from {__name__} import costs; print(json.dumps(costs(rounds={rounds})))"
    paths = os.pathsep.join(map(str, (compiled_planes(), ROOT)))
    run = subprocess.run(
        [sys.executable, "-P", "-c", asked],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        timeout=MOST_S,
        check=True,
    )
    return msgspec.json.decode(run.stdout, type=dict[str, float])


def section(rounds: int, _: int) -> str:
    """Its part of RESULTS.md; what is measured lasts as long as its calls do."""
    found = compiled_costs(rounds)
    lines = [
        "| policy | CPU µs, on minus off |",
        "|---|---|",
        *(f"| {name} | {us:+.2f} |" for name, us in found.items()),
    ]
    above = {name: us for name, us in found.items() if us > MOST_US}
    said = "; ".join(f"{us:.1f} by {name}" for name, us in above.items()) or f"{max(found.values()):.1f}"
    return "\n".join([*lines, "", str(Target("each policy", f"≤ {MOST_US:.0f} µs", said, not above))])


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    for name, us in costs(calls=calls).items():
        print(f"{name:<44} {us:+7.2f} us")


if __name__ == "__main__":
    main()
