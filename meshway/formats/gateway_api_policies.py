"""What a Gateway API rule says that is a document of its own here: session persistence, external authorisation."""

from collections.abc import Callable
from typing import Any, Final

from meshway.formats.foreign import At, Block
from meshway.formats.foreign_values import label_of
from meshway.formats.native import Native, Tree, put
from meshway.formats.surroundings import Foreign

_SESSION: Final = "mw-session"
Attach = Callable[[str, str], Native]


def session_persistence(block: Block, one: Foreign) -> Attach:
    """A TrafficPolicy on the rule: calls of one session stay with one endpoint. Called with route and rule."""
    kind = block.choice("type", {"Cookie": "cookie", "Header": "header"})
    of = kind.value if kind else "cookie"
    affinity: Tree = {}
    cookie, header = block.block("cookie"), block.block("header")
    for form, inner in (("cookie", cookie), ("header", header)):
        if inner is not None and form != of:
            block.findings.wrong(inner.origin, "forbidden_combination", f"does not go with the type, which is {of}")
    name = cookie.text("name") if cookie else None
    if cookie:
        if (path := cookie.text("path")) is not None and path.value != "/":
            block.findings.refuse(path.origin, 'the cookie holds for every path of the rule\'s hosts: write "/"')
        elif path is not None:
            block.findings.warn(path.origin, "is ignored: the cookie holds for every path")
        lifetime = cookie.choice("lifetimeType", {"Session": False, "Permanent": True})
        if lifetime is not None:
            cookie.findings.warn(lifetime.origin, "is ignored: the cookie lives as long as absoluteTimeout says")
        cookie.close()
    if header:
        name = header.text("name")
        header.close()
    affinity[of] = name or At(_SESSION, kind.origin if kind else block.origin)
    put(affinity, "ttl", block.duration("absoluteTimeout"))
    block.close()
    said = {"load_balancer": {"affinity": At(affinity, block.origin)}}
    return _attached("TrafficPolicy", "session", said, block, one)


def external_authorisation(block: Block, service: Tree | None, one: Foreign) -> Attach:
    """An AccessPolicy on the rule. service: of backendRef, read by the caller."""
    external: Tree = {}
    put(external, "protocol", block.choice("protocol", {"HTTP": "http", "GRPC": "grpc"}))
    put(external, "service", service)
    if grpc := block.block("grpc"):
        put(external, "request_headers", grpc.texts("allowedHeaders"))
        grpc.close()
    if http := block.block("http"):
        put(external, "request_headers", http.texts("allowedHeaders"))
        put(external, "upstream_headers", http.texts("allowedResponseHeaders"))
        http.refuse("path", "the check is asked at the path of the call: route the service's own paths")
        http.close()
    if body := block.block("forwardBody"):
        size = body.number("maxSize")
        if size is not None and size.value:
            put(external, "request_body.max", size)
        elif size is not None:
            body.findings.warn(size.origin, "is ignored: 0 forwards no body")
        body.close()
    block.close()
    return _attached("AccessPolicy", "external", {"external": At(external, block.origin)}, block, one)


def _attached(kind: str, suffix: str, said: dict[str, Any], block: Block, one: Foreign) -> Attach:
    def make(route: str, rule: str) -> Native:
        targets = [At({"route": route, "rule": rule}, block.origin)]
        name = label_of(f"{route}-{rule}-{suffix}")
        return Native(kind, one.namespace, name, {"targets": targets, **said}, [one.document])

    return make
