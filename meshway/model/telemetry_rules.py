"""What must hold inside an AccessLog and a Telemetry."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from meshway.model.access_log import LINE_FIELDS, AccessLog, LogKeep, LogMatch, LogSink, status_codes
from meshway.model.document import MESH_NAMESPACE
from meshway.model.match import Match
from meshway.model.match_rules import MATCH_RULES
from meshway.model.names import TOKEN
from meshway.model.nearest import did_you_mean
from meshway.model.otlp import Otlp
from meshway.model.policy_rules import PORTLESS_TARGETS
from meshway.model.regex import regex_fault
from meshway.model.rule_kit import BlockRule, Finding, bounded, member_path, one_of, unique
from meshway.model.telemetry import Telemetry, Traces, TraceTail
from meshway.secrecy import is_secret_name

FLAGS: Final = (
    "NR", "UH", "UF", "UC", "UT", "UPE", "DT", "SI", "UO", "RL", "DC", "DPE", "UAEX", "OM", "URX", "FI",
)  # fmt: skip
_READS: Final = ("header", "response_header", "claim", "query")
_MOST_ADDED: Final = 32
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_ATTRIBUTE: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_.-]{0,127}\Z")
_DAY: Final = 86_400.0


def check_telemetry(namespace: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    """What only the mesh's own documents may say. spec: as written, perhaps unsound."""
    if namespace != MESH_NAMESPACE:
        sinks = spec.get("sinks")
        for at, sink in enumerate(sinks if isinstance(sinks, list | tuple) else ()):
            for field in ("socket", "otlp"):
                if isinstance(sink, Mapping) and field in sink:
                    yield Finding(
                        f"spec.sinks[{at}].{field}", "forbidden_namespace", "is for documents in namespace mesh"
                    )
    if spec.get("otlp") is not None and (namespace != MESH_NAMESPACE or spec.get("targets")):
        yield Finding(
            "spec.otlp", "forbidden_namespace", "is the gateway's: for documents in namespace mesh without targets"
        )


def added_from(source: str) -> tuple[str, str]:
    """From where an added value is: one of `header response_header claim query` and a name, or `text` and the text."""
    kind, dot, name = source.partition(".")
    return (kind, name) if dot and kind in _READS else ("text", source)


def _added(part: Any) -> Iterator[Finding]:
    if len(part.add) > _MOST_ADDED:
        yield Finding(".add", "out_of_bounds", f"has {len(part.add)} entries, at most {_MOST_ADDED} are allowed")
    for name, source in part.add.items():
        at = member_path(".add", name)
        if not _NAME.match(name):
            yield Finding(at, "bad_name", f'"{name}": small letters, digits and underscores')
        elif name in LINE_FIELDS:
            yield Finding(at, "duplicate", f"a line has {name} already")
        kind, what = added_from(source)
        if kind == "text":
            continue
        if not what or (kind in ("header", "response_header") and not TOKEN.match(what)):
            yield Finding(at, "bad_name", f'"{what}" is no name of a {kind.replace("_", " ")}')
        elif is_secret_name(what.encode()):
            yield Finding(at, "forbidden_combination", f"{source} may be a credential, which no log ever holds")


def _dropped(part: Any) -> Iterator[Finding]:
    for at, name in enumerate(part.drop):
        if name not in LINE_FIELDS:
            yield Finding(f".drop[{at}]", "bad_name", f'a line has no "{name}"{did_you_mean(name, LINE_FIELDS)}')
    yield from unique(part.drop, lambda at: f".drop[{at}]", "field")


def _combined(part: Any) -> Iterator[Finding]:
    for name in ("add", "drop"):
        if part.format == "combined" and getattr(part, name):
            yield Finding(f".{name}", "forbidden_combination", "is for format json: combined has its own fields")


def _masks(part: Any) -> Iterator[Finding]:
    for at, pattern in enumerate(part.mask):
        if reason := regex_fault(pattern):
            yield Finding(f".mask[{at}]", "bad_regex", f"RE2: {reason}")


def _statuses(part: Any) -> Iterator[Finding]:
    for at, written in enumerate(part.status):
        try:
            status_codes(written)
        except ValueError as error:
            yield Finding(f".status[{at}]", "out_of_bounds", str(error))


def _flags(part: Any) -> Iterator[Finding]:
    for at, flag in enumerate(() if part.flags == "any" else part.flags):
        if flag not in FLAGS:
            yield Finding(f".flags[{at}]", "bad_name", f'"{flag}" is no response flag{did_you_mean(flag, FLAGS)}')


def _file(part: Any) -> Iterator[Finding]:
    path = PurePosixPath(part.file or "a")
    if path.is_absolute() or ".." in path.parts or "\0" in str(path) or path.parts[0] == "recorded":
        yield Finding(".file", "out_of_bounds", "is a path below log in the gateway's data folder, without ..")


def _attributes(part: Any) -> Iterator[Finding]:
    if len(part.attributes) > _MOST_ADDED:
        yield Finding(".attributes", "out_of_bounds", f"at most {_MOST_ADDED} attributes are allowed")
    for name, value in part.attributes.items():
        if not _ATTRIBUTE.match(name) or len(value) > 256:
            yield Finding(
                member_path(".attributes", name), "bad_name", "letters, digits, dots; 256 characters of value"
            )


def _endpoint(part: Any) -> Iterator[Finding]:
    try:
        url = urlsplit(part.endpoint)
        sound = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0 and not url.fragment
        sound = sound and url.username is None and part.endpoint.isascii() and part.endpoint.isprintable()
    except ValueError:
        sound = False
    if not sound or " " in part.endpoint:
        yield Finding(".endpoint", "out_of_bounds", "is a URL: http://collector:4318/v1/traces")


TELEMETRY_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    AccessLog: (
        PORTLESS_TARGETS,
        BlockRule(("add",), _added),
        BlockRule(("drop",), _dropped),
        BlockRule(("format", "add", "drop"), _combined),
        BlockRule(("mask",), _masks),
        bounded("buffer", 64 << 10, 64 << 20, zero=False),
    ),
    LogMatch: (
        *MATCH_RULES[Match],
        BlockRule(("status",), _statuses),
        BlockRule(("flags",), _flags),
        bounded("slower_than", 0.0, _DAY, zero=True),
    ),
    LogKeep: (bounded("slower_than", 0.0, _DAY, zero=True),),
    LogSink: (one_of("file", "socket", "otlp"), BlockRule(("file",), _file)),
    Telemetry: (PORTLESS_TARGETS,),
    Traces: (BlockRule(("attributes",), _attributes),),
    TraceTail: (bounded("slower_than", 0.0, _DAY, zero=True),),
    Otlp: (BlockRule(("endpoint",), _endpoint), bounded("timeout", 0.1, 60.0, zero=False)),
}
