"""Filters of HTTPRoute and GRPCRoute (gateway-api.sigs.k8s.io/reference/spec), and what their rules match."""

from typing import Final

from meshway.formats.foreign import At, Block
from meshway.formats.foreign_values import BROWSERS_OWN_AGE, at_block, header_value
from meshway.formats.native import Tree, put
from meshway.model.kinds import KINDS

_MEMBER: Final = {
    "RequestHeaderModifier": "requestHeaderModifier", "ResponseHeaderModifier": "responseHeaderModifier",
    "RequestMirror": "requestMirror", "RequestRedirect": "requestRedirect", "URLRewrite": "urlRewrite",
    "CORS": "cors", "ExternalAuth": "externalAuth", "ExtensionRef": "extensionRef",
}  # fmt: skip


def filter_block(block: Block) -> tuple[str, Block] | None:
    """The type and the block it names; any other block beside it is wrong."""
    kind = block.choice("type", {name: name for name in _MEMBER})
    if kind is None:
        if not block.has("type"):
            block.findings.wrong(block.at("type"), "missing_field", "is required")
        return None
    for name, member in _MEMBER.items():
        if name != kind.value and block.take(member) is not None:
            block.findings.wrong(block.at(member), "forbidden_combination", f"does not go with type {kind.value}")
    inner = block.block(_MEMBER[kind.value])
    if inner is None:
        block.findings.wrong(block.at(_MEMBER[kind.value]), "missing_field", f"is required by type {kind.value}")
    block.close()
    return None if inner is None else (kind.value, inner)


def header_modifier(block: Block) -> At | None:
    told: Tree = {}
    for field in ("set", "add"):
        for entry in block.blocks(field):
            name, value = entry.text("name"), entry.text("value")
            entry.close()
            if name is not None and value is not None:
                told.setdefault(field, {})[name.value] = header_value(value, block.findings)
    put(told, "remove", block.texts("remove"))
    block.close()
    return at_block(told, block.origin)


def redirect(block: Block) -> At:
    told: Tree = {}
    put(told, "scheme", block.text("scheme"))
    put(told, "host", block.text("hostname"))
    put(told, "port", block.number("port"))
    put(told, "status", block.number("statusCode"))
    if path := block.block("path"):
        put(told, "path", path_change(path))
    block.close()
    return At(told, block.origin)


def rewrite(block: Block) -> At:
    told: Tree = {}
    put(told, "host", block.text("hostname"))
    if path := block.block("path"):
        put(told, "path", path_change(path))
    block.close()
    return At(told, block.origin)


def path_change(block: Block) -> Tree:
    told: Tree = {}
    kind = block.choice("type", {"ReplaceFullPath": "replaceFullPath", "ReplacePrefixMatch": "replacePrefixMatch"})
    for field, member in (("replaceFullPath", "full"), ("replacePrefixMatch", "prefix")):
        value = block.text(field)
        if value is not None and kind is not None and kind.value != field:
            block.findings.wrong(value.origin, "forbidden_combination", "does not go with the type")
        elif value is not None:
            told[member] = At(str(value.value) or "/", value.origin)
    block.close()
    return told


def cors(block: Block) -> At:
    told: Tree = {}
    origins: list[At] = []
    for origin in block.texts("allowOrigins"):
        is_pattern = "*" in origin.value and origin.value != "*"
        pattern = "[^/]+".join(_escaped(part) for part in str(origin.value).split("*"))
        origins.append(At({"regex": pattern}, origin.origin) if is_pattern else origin)
    put(told, "allow_origins", origins)
    put(told, "allow_methods", block.texts("allowMethods"))
    put(told, "allow_headers", block.texts("allowHeaders"))
    put(told, "expose_headers", block.texts("exposeHeaders"))
    age = block.number("maxAge")
    told["max_age"] = At(f"{age.value}s", age.origin) if age else At(BROWSERS_OWN_AGE, block.origin)
    put(told, "allow_credentials", block.flag("allowCredentials"))
    block.close()
    return At(told, block.origin)


def mirror_share(block: Block) -> At | None:
    """percent, or numerator out of denominator (100)."""
    share = block.number("percent")
    if fraction := block.block("fraction"):
        numerator, denominator = fraction.number("numerator"), fraction.number("denominator")
        fraction.close()
        if numerator is not None:
            of = denominator.value if denominator else 100
            if of <= 0:
                fraction.findings.wrong(fraction.at("denominator"), "out_of_bounds", f"{of} is below 1")
            else:
                share = At(round(numerator.value * 100 / of, 4), numerator.origin)
    return share


def extension(block: Block) -> None:
    """A Meshway document attaches itself by its targets; anything else is another gateway's."""
    group, kind, name = block.text("group"), block.text("kind"), block.text("name")
    block.close()
    origin = kind.origin if kind else block.origin
    if group is not None and group.value == "meshway" and kind is not None and kind.value in KINDS:
        named = f"{kind.value} {name.value}" if name else kind.value
        block.findings.warn(origin, f"is ignored: {named} says by its own targets what it is for")
    else:
        block.findings.refuse(origin, "is another gateway's extension: write the Meshway document whose target this is")


def match_of(block: Block) -> Tree:
    """HTTPRouteMatch."""
    told: Tree = {}
    if path := block.block("path"):
        kind = path.choice("type", {"Exact": "exact", "PathPrefix": "prefix", "RegularExpression": "regex"})
        value = path.text("value")
        path.close()
        of = kind.value if kind else "prefix"
        value = value or At("/", path.origin)
        if of == "prefix" and len(value.value) > 1:
            value = At(value.value.rstrip("/") or "/", value.origin)
        told["path"] = {of: value}
    named_matches(block, "headers", "headers", told)
    named_matches(block, "queryParams", "query", told)
    if (method := block.text("method")) is not None:
        told["methods"] = [method]
    block.close()
    return told


def named_matches(block: Block, field: str, native: str, told: Tree) -> None:
    """A list of names with values; of a name that repeats only the first counts, as the standard says."""
    for entry in block.blocks(field):
        kind = entry.choice("type", {"Exact": "exact", "RegularExpression": "regex"})
        name, value = entry.text("name"), entry.text("value")
        entry.close()
        if name is None or value is None:
            entry.findings.wrong(entry.origin, "missing_field", "needs name and value")
            continue
        key = str(name.value).lower() if native == "headers" else name.value
        if key in told.get(native, {}):
            entry.findings.warn(name.origin, f"is ignored: {name.value} stands above, and the first one counts")
            continue
        predicate = value if kind is None or kind.value == "exact" else At({"regex": value}, value.origin)
        told.setdefault(native, {})[key] = predicate


def _escaped(text: str) -> str:
    return text.replace(".", "\\.")
