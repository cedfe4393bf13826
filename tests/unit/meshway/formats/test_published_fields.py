"""No field of the kinds that are converted is passed over: each one written makes a difference that is seen.

The lists are the published schemas' (tests/parts/foreign_fields.txt). A field counts when the documents that come out
differ, or when a warning or refusal does; that it is unknown or of a wrong type does not count.
"""

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import yaml

from meshway.formats.conversion import convert
from meshway.formats.surroundings import Options
from meshway.formats.yaml_documents import read_documents

LISTS: Final = Path(__file__).parents[3] / "parts" / "foreign_fields.txt"
# A value of each type that some field takes; of texts several, since a path is no duration.
SAMPLES: Final[dict[str, list[Any]]] = {
    "string": ["5s", "/a", "a", "other", "b.example", "503", "%START_TIME%", "aGk=", "UNAVAILABLE"],
    "integer": [7, 503, 9],
    "number": [7.5],
    "boolean": [True, False],
    "object": [{"a": "b"}],
}
NO_ANSWER: Final = frozenset({"unknown_field", "wrong_type", "bad_duration", "out_of_bounds"})
WHOLE: Final = frozenset({"unsupported", "ignored_field"})

VIRTUAL_SERVICE: Final = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec:
  hosts: [a.example]
  gateways: [gate]
  http: [{route: [{destination: {host: a}}, {destination: {host: b}, weight: 1}]}]
"""
ISTIO_SERVERS: Final = """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gate}
spec:
  servers:
  - {port: {number: 80, protocol: HTTP, name: http}, hosts: ["*.example"]}
  - {port: {number: 9, protocol: TCP, name: pg}, hosts: ["*"]}
  - {port: {number: 7, protocol: TLS, name: passed}, hosts: ["*.example"], tls: {mode: PASSTHROUGH}}
"""
ISTIO_GATEWAY: Final = """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gate}
spec: {servers: [{port: {number: 80, protocol: HTTP, name: http}, hosts: ["*.example"]}]}
"""
HTTP_ROUTE: Final = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: a}
spec:
  parentRefs: [{name: gate}]
  hostnames: [a.example]
  rules: [{backendRefs: [{name: a, port: 80}, {name: b, port: 80, namespace: far}]}]
"""
GATEWAY: Final = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gate}
spec: {gatewayClassName: c, listeners: [{name: http, port: 80, protocol: HTTP, tls: {certificateRefs: [{name: s}]}}]}
"""
GRANT: Final = """\
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: g, namespace: far}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}]
  to: [{group: "", kind: Service}]
"""
BYTES_GATEWAY: Final = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gate}
spec:
  gatewayClassName: c
  listeners:
  - {name: a, port: 9, protocol: TCP}
  - {name: other, port: 9, protocol: UDP}
  - {name: b, port: 9, protocol: TLS, hostname: "*.example", tls: {mode: Passthrough}}
"""
BYTES_ROUTE: Final = """\
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: {name: a}
spec:
  parentRefs: [{name: gate}]
  rules: [{backendRefs: [{name: a, port: 80}, {name: b, port: 80}]}]
"""
DEPLOYMENT: Final = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  template:
    metadata: {labels: {app: a, version: v1}}
    spec: {containers: [{ports: [{containerPort: 8080, name: web}]}]}
"""
SERVICE: Final = """\
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {selector: {app: a}, ports: [{port: 80, targetPort: web}]}
"""
# The document under test first, then what makes its fields matter.
IMPORTS: Final[dict[str, tuple[str, ...]]] = {
    "networking.istio.io/v1 VirtualService": (VIRTUAL_SERVICE, ISTIO_SERVERS),
    "networking.istio.io/v1 DestinationRule": (
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\nspec: {host: a}\n",
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 7, name: n}, {port: 9, name: o}]}\n",
    ),
    "networking.istio.io/v1 Gateway": (ISTIO_GATEWAY, VIRTUAL_SERVICE),
    "networking.istio.io/v1 ServiceEntry": (
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: a}\n"
        "spec: {hosts: [out.example], resolution: DNS, ports: [{number: 443, name: web, protocol: HTTPS}]}\n",
    ),
    "gateway.networking.k8s.io/v1 Gateway": (GATEWAY, HTTP_ROUTE),
    "gateway.networking.k8s.io/v1 GRPCRoute": (HTTP_ROUTE.replace("HTTPRoute", "GRPCRoute"), GATEWAY),
    "gateway.networking.k8s.io/v1 HTTPRoute": (HTTP_ROUTE, GATEWAY),
    "gateway.networking.k8s.io/v1 ReferenceGrant": (GRANT, HTTP_ROUTE, GATEWAY),
    **{
        f"gateway.networking.k8s.io/v1alpha2 {kind}": (BYTES_ROUTE.replace("TCPRoute", kind), BYTES_GATEWAY)
        for kind in ("TCPRoute", "TLSRoute", "UDPRoute")
    },
    "v1 Service": (SERVICE, DEPLOYMENT),
    "apps/v1 Deployment": (DEPLOYMENT, SERVICE),
}


@cache
def published() -> dict[str, list[tuple[str, str, tuple[str, ...]]]]:
    """By kind: path, type, choices."""
    lists: dict[str, list[tuple[str, str, tuple[str, ...]]]] = {}
    kind = ""
    for line in LISTS.read_text().splitlines():
        if line.startswith("["):
            kind = line.strip("[]")
        elif line and not line.startswith("#"):
            path, of, *choices = line.split(" ")
            lists.setdefault(kind, []).append((path, of, tuple(choices[0].split("|")) if choices else ()))
    return lists


def written(tree: Any, parts: list[str], value: Any) -> Any:
    """The tree with the value below the path; lists are entered at their first entry."""
    if not parts:
        return value
    head, *rest = parts
    if head == "[]":
        items = list(tree) if isinstance(tree, list) else []
        return [written(items[0] if items else None, rest, value), *items[1:]]
    name = "a" if head == "{}" else head
    known = dict(tree) if isinstance(tree, dict) else {}
    return {**known, name: written(known.get(name), rest, value)}


def without(tree: Any, parts: list[str]) -> Any:
    """The tree without the field, where the base has it."""
    head, *rest = parts
    if head == "[]":
        return [without(tree[0], rest), *tree[1:]] if isinstance(tree, list) and tree and rest else []
    name = "a" if head == "{}" else head
    if not isinstance(tree, dict) or name not in tree:
        return tree
    if not rest or rest == ["[]"] or rest == ["{}"]:
        return {key: member for key, member in tree.items() if key != name}
    return {**tree, name: without(tree[name], rest)}


def parts_of(path: str) -> list[str]:
    return [part for part in path.replace("[]", ".[]").replace("{}", ".{}").split(".") if part]


def outcome(documents: list[Any]) -> tuple[str, frozenset[tuple[str, str, str]]]:
    """The native documents, and what was told."""
    text = "---\n".join(json.dumps(document) + "\n" for document in documents)
    conversion = convert(read_documents(text), "default", Options())
    told = [*conversion.errors, *conversion.refused, *conversion.warnings]
    return (
        msgspec.json.encode([one.raw for one in conversion.documents]).decode(),
        frozenset((one.origin.path, one.code, one.reason) for one in told),
    )


def beside(path: str) -> Iterator[tuple[list[str], Any]]:
    """What must stand beside a field, so that it can matter."""
    parts = path.rpartition(".")[0]
    if "percentage" in path or path.endswith("percent"):
        block = path.split(".percent")[0]
        if ".delay" in block:
            yield parts_of(f"{block}.fixedDelay"), "1s"
        elif ".abort" in block:
            yield parts_of(f"{block}.httpStatus"), 503
    if "mirror" in path.rpartition(".")[2].lower() or ".mirrorPercentage" in path:
        yield parts_of("http[].mirror.host"), "m"
    if ".mirrors[].percentage" in path:
        yield parts_of("http[].mirrors[].destination.host"), "m"
    if ".filters[]." in path and not path.endswith("filters[].type"):
        block, _, member = path.partition(".filters[].")
        name = member.partition(".")[0]
        yield (
            parts_of(f"{block}.filters[].type"),
            "URLRewrite" if name == "urlRewrite" else (name.upper() if name == "cors" else name[0].upper() + name[1:]),
        )
        if name in ("requestMirror", "externalAuth") and "backendRef" not in member:
            yield parts_of(f"{block}.filters[].{name}.backendRef.name"), "m"
        if ".backendRef." in path and not path.endswith(".name"):
            yield parts_of(f"{parts}.name"), "m"
    if path.endswith((".set[].name", ".add[].name")):
        yield parts_of(f"{parts}.value"), "x"
    if path.endswith((".set[].value", ".add[].value")):
        yield parts_of(f"{parts}.name"), "x"
    if ".headers[]." in path or ".queryParams[]." in path:
        for name in {"name", "value"} - {path.rpartition(".")[2]}:
            yield parts_of(f"{parts}.{name}"), "x"
    if ".fraction.denominator" in path:
        yield parts_of(path.replace("denominator", "numerator")), 1
    if path.endswith((".path.replaceFullPath", ".path.replacePrefixMatch")):
        name = path.rpartition(".")[2]
        yield parts_of(f"{parts}.type"), name[0].upper() + name[1:]
    if ".path.type" in path:
        yield parts_of(path.replace(".type", ".replaceFullPath" if "filters" in path else ".value")), "/x"
    if path.endswith("delegate.namespace"):
        yield parts_of("http[].delegate.name"), "d"
    if ".destination." in path or ".mirror." in path:
        yield parts_of(path.replace(".port.number", "").rpartition(".")[0] + ".host"), "a"
    if path.startswith("subsets[].") and path != "subsets[].name":
        yield parts_of("subsets[].name"), "v1"
    if "portLevelSettings[]" in path and ".port.number" not in path:
        block = path.partition("portLevelSettings[]")[0]
        yield parts_of(f"{block}portLevelSettings[].port.number"), 7
    if path.endswith("portLevelSettings[].port.number"):
        yield parts_of(path.replace("port.number", "loadBalancer.simple")), "RANDOM"
    if ".httpCookie." in path and not path.endswith("httpCookie.name"):
        yield parts_of(path.partition("httpCookie.")[0] + "httpCookie.name"), "c"
    if ".outlierDetection.consecutiveLocal" in path or ".method.type" in path:
        yield parts_of(path.replace(".type", ".service")), "s"
    if path.startswith(("tls[].", "tcp[].")):
        field = path[:3]
        yield parts_of(f"{field}[].route[].destination.host"), "a"
        if path.startswith("tls[]") and not path.endswith("sniHosts[]"):
            yield parts_of("tls[].match[].sniHosts"), ["a.example"]
        if path.endswith("weight"):
            yield [*parts_of(f"{field}[].route")], [{"destination": {"host": "a"}}, {"destination": {"host": "b"}}]
    if path.startswith("servers[].tls."):
        yield parts_of("servers[].port.protocol"), "HTTPS"
        if path.endswith("caCertCredentialName"):
            yield parts_of("servers[].tls.mode"), "MUTUAL"
    if path.startswith("endpoints[]."):
        yield parts_of("resolution"), "STATIC"
        yield parts_of("endpoints[].address"), "10.0.0.1"
    if path == "listeners[].hostname":
        yield parts_of("listeners[].name"), "http"
    if "sessionPersistence.header." in path:
        yield parts_of("rules[].sessionPersistence.type"), "Header"


@pytest.mark.parametrize("kind", IMPORTS)
def test_no_published_field_is_passed_over(kind: str) -> None:
    silent = [path for path, of, choices in published()[kind] if not makes_a_difference(kind, path, of, choices)]
    assert silent == []


def test_the_lists_and_the_imports_name_the_same_kinds() -> None:
    assert published().keys() == IMPORTS.keys()
    assert sum(len(rows) for rows in published().values()) > 700


def makes_a_difference(kind: str, path: str, of: str, choices: tuple[str, ...]) -> bool:
    first, *others = (yaml.safe_load(text) for text in IMPORTS[kind])
    base = copy.deepcopy(first)
    for parts, value in beside(path):
        base["spec"] = written(base["spec"], parts, value)
    parts = parts_of(path)
    documents, told = outcome([{**base, "spec": without(base["spec"], parts)}, *others])
    place = "spec." + path.replace("[]", "[0]").replace("{}", ".a")
    values = [int(value) if of == "integer" else value for value in choices or SAMPLES[of]]
    for spec in [base["spec"], *(written(base["spec"], parts, value) for value in values)]:
        after, told_after = outcome([{**base, "spec": spec}, *others])
        new = told_after - told
        if any(code in NO_ANSWER for _, code, _ in new):
            continue
        if after != documents or told_after != told:
            return True
        # What it is a part of is refused or ignored as a whole.
        if any(f"{place}.".startswith((f"{at}.", f"{at}[")) and code in WHOLE for at, code, _ in told_after):
            return True
    return False
