"""HTTPMatchRequest to Match (istio.io/latest/docs/reference/config/networking/virtual-service)."""

import re
from typing import Any, Final

from meshway.formats.foreign import At, Block
from meshway.formats.native import Tree, put

_METHODS: Final = re.compile(r"\^?\(?([A-Z]+(?:\|[A-Z]+)*)\)?\$?\Z")


def convert_match(block: Block, ports: frozenset[int]) -> Tree:
    """A native Match; empty: everything. ports: those for which `port` says nothing new."""
    match: Tree = {}
    uri, ignore_case = block.block("uri"), block.flag("ignoreUriCase")
    put(match, "path", _path(uri, ignore_case))
    put(match, "methods", _methods(block.block("method")))
    _scheme(block.block("scheme"), match)
    headers = _predicates(block, "headers")
    for name, predicate in _predicates(block, "withoutHeaders").items():
        if name in headers:
            block.findings.refuse(
                predicate.origin, f"{name} stands in headers, too: one predicate a header; write one regex for both"
            )
        else:
            headers[name] = At(_inverted(predicate.value), predicate.origin)
    authority = block.block("authority")
    if authority is not None and (wanted := string_match(authority)) is not None:
        headers["host"] = wanted
    put(match, "headers", dict(headers))
    put(match, "query", dict(_predicates(block, "queryParams")))
    if labels := block.members("sourceLabels"):
        put(match, "source.labels", dict(labels))
    put(match, "source.namespace", block.text("sourceNamespace"))
    port = block.number("port")
    if port is not None and (not ports or ports != {port.value}):
        reason = "a Route holds for every port of its listener: write a Listener for the port"
        block.findings.refuse(port.origin, reason)
    block.take("gateways")  # read before, when the document was parted by its listeners
    block.ignore("name", "matches have no names; the rule's name is kept")
    block.ignore("statPrefix", "metrics carry route and rule")
    block.close()
    return match


def string_match(block: Block) -> At | None:
    """A native StringMatch; an empty block asks that there is a value."""
    written = [name for name in ("exact", "prefix", "regex") if block.has(name)]
    if len(written) > 1:
        block.findings.wrong(
            block.origin, "forbidden_combination", f"needs one of exact, prefix, regex; has {' and '.join(written)}"
        )
    read = {name: block.text(name) for name in ("exact", "prefix", "regex")}
    block.close()
    for name, value in read.items():
        if value is not None:
            return value if name == "exact" else At({name: value}, value.origin)
    return None if written else At({"present": True}, block.origin)


def _path(uri: Block | None, ignore_case: At | None) -> Tree:
    path: Tree = {}
    if uri is not None:
        predicate = string_match(uri)
        if predicate is None:
            return path
        value: Any = predicate.value
        if value == {"present": True}:
            pass
        elif not isinstance(value, dict):
            path["exact"] = predicate
        elif "regex" in value:
            path["regex"] = value["regex"]
        elif value["prefix"].value == "/":  # every path: no other reading is possible
            path["prefix"] = value["prefix"]
        else:
            path["string_prefix"] = value["prefix"]
    if ignore_case is not None and ignore_case.value:
        path = path or {"prefix": At("/", ignore_case.origin)}
        path["ignore_case"] = ignore_case
    return path


def _methods(block: Block | None) -> list[At]:
    if block is None or (predicate := string_match(block)) is None:
        return []
    value = predicate.value
    if isinstance(value, str):
        return [predicate]
    found = _METHODS.match(value["regex"].value) if "regex" in value else None
    if found is None:
        block.findings.refuse(predicate.origin, "methods are matched by their names: write one match for each")
        return []
    return [At(method, predicate.origin) for method in found[1].split("|")]


def _scheme(block: Block | None, match: Tree) -> None:
    if block is None or (predicate := string_match(block)) is None:
        return
    if isinstance(predicate.value, str):
        match["scheme"] = predicate
    else:
        block.findings.refuse(predicate.origin, "the scheme is http or https: write exact")


def _predicates(block: Block, field: str) -> dict[str, At]:
    read: dict[str, At] = {}
    for name, inner in block.named_blocks(field).items():
        predicate = string_match(inner)
        if predicate is None:
            continue
        if name.startswith(":") or (field != "queryParams" and name in ("uri", "scheme", "method", "authority")):
            block.findings.refuse(inner.origin, f"{name} is no header: use the field uri, scheme, method or authority")
            continue
        read[name if field == "queryParams" else name.lower()] = predicate
    return read


def _inverted(predicate: Any) -> Tree:
    return {**(predicate if isinstance(predicate, dict) else {"exact": predicate}), "invert": True}
