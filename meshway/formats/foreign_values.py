"""What several foreign kinds write alike: shares, conditions of retries, names of gRPC codes, changes of headers."""

import re
from collections.abc import Callable
from typing import Final

from meshway.formats.foreign import At, Block, Findings, Origin
from meshway.formats.native import Tree, put
from meshway.units import format_duration, parse_duration

# grpc.github.io/grpc/core/md_doc_statuscodes
GRPC_CODES: Final = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
# Envoy's x-envoy-retry-on and x-envoy-retry-grpc-on.
_CONDITIONS: Final[dict[str, tuple[str, ...]]] = {
    "connect-failure": ("connect_failure",),
    "refused-stream": ("refused_stream",),
    "reset": ("reset", "attempt_timeout", "stale_connection", "reset_before_request"),
    "reset-before-request": ("reset_before_request", "stale_connection"),
    "gateway-error": ("reset", "attempt_timeout"),
    "5xx": (
        "connect_failure",
        "refused_stream",
        "reset",
        "attempt_timeout",
        "stale_connection",
        "reset_before_request",
    ),
    "retriable-status-codes": (),
    "retriable-4xx": (),
}
_STATUSES: Final[dict[str, tuple[int, ...]]] = {
    "gateway-error": (502, 503, 504),
    "5xx": tuple(range(500, 600)),
    "retriable-4xx": (409,),
}
_RETRIED_GRPC: Final = ("cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable")
BROWSERS_OWN_AGE: Final = "5s"  # of a preflight's answer that says nothing of its age (Fetch Standard)
_LABEL: Final = re.compile(r"[^a-z0-9]+")


def label_of(text: str) -> str:
    """The nearest RFC 1123 label: `api.example.com` is `api-example-com`."""
    return _LABEL.sub("-", text.lower()).strip("-")[:63].rstrip("-")


def percent(block: Block, *names: str) -> At | None:
    """A share: `percentage: {value: 0.1}`, or a bare number in the older fields."""
    for name in names:
        if name.lower().endswith("percentage"):
            if inner := block.block(name):
                value = inner.number("value")
                inner.close()
                return value or At(0.0, inner.origin)
        elif (value := block.number(name)) is not None:
            return value
    return None


def retry_conditions(retry: Tree, written: At, findings: Findings) -> None:
    """Istio's `retryOn`: a list with commas of conditions, gRPC codes and status codes."""
    on: dict[str, None] = {}
    statuses: dict[int, None] = {}
    codes: list[int] = []
    for word in (part.strip() for part in str(written.value).split(",")):
        if word.isdigit():
            statuses[int(word)] = None
        elif word in _RETRIED_GRPC:
            codes.append(GRPC_CODES.index(word.replace("-", "_").upper()))
        elif word in _CONDITIONS:
            on.update(dict.fromkeys(_CONDITIONS[word]))
            statuses.update(dict.fromkeys(_STATUSES.get(word, ())))
        elif word:
            findings.refuse(written.origin, f"{word} is no condition here: name the status codes instead")
    for field, values in (("on", on), ("statuses", statuses), ("grpc_codes", codes)):
        if values:
            retry[field] = At(list(values), written.origin)
    if "on" not in retry and ("statuses" in retry or "grpc_codes" in retry):
        retry["on"] = At([], written.origin)


def backoff(base: At | None) -> Tree | None:
    """Envoy's own longest wait is ten times the base."""
    if base is None:
        return None
    return {"base": base, "max": At(format_duration(parse_duration(base.value) * 10), base.origin)}


def header_value(value: At, findings: Findings) -> At:
    """Values are taken as they are; what Envoy or Meshway would fill in is refused."""
    text = str(value.value)
    if "${" in text or re.search(r"%[A-Z][A-Z0-9_]*(\(.*\))?%", text):
        findings.refuse(value.origin, "variables are written ${request_id}, ${principal}, … in a Route of Meshway")
    return value


def header_changes(block: Block) -> Tree:
    """Istio's HeaderOperations."""
    changes: Tree = {}
    for field in ("set", "add"):
        members = {name: header_value(value, block.findings) for name, value in block.members(field).items()}
        put(changes, field, members)
    put(changes, "remove", block.texts("remove"))
    block.close()
    return changes


def unique_names(taken: set[str]) -> Callable[[str], str]:
    """Names of rules, none twice."""

    def name(wanted: str) -> str:
        found, number = wanted, 2
        while found in taken:
            found, number = f"{wanted[:59]}-{number}", number + 1
        taken.add(found)
        return found

    return name


def at_block(tree: Tree, origin: Origin) -> At | None:
    return At(tree, origin) if tree else None
