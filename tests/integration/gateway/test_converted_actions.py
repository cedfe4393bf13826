"""Actions of Istio and Gateway API as their documents write them, and what calls get."""

import msgspec

from meshway.formats.conversion import convert
from meshway.formats.surroundings import Options
from meshway.formats.yaml_documents import read_documents
from meshway.model.decode import decode_spec
from meshway.snapshot import Change
from tests.integration.gateway.test_actions import PREFLIGHT, ask, request
from tests.integration.gateway.test_decisions import saying, services
from tests.parts.compiled import compiled_gateway

VIRTUAL_SERVICE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.example]
  gateways: [gate]
  http:
  - match: [{uri: {prefix: /service/}}]
    rewrite: {uriRegexRewrite: {match: "^/service/([^/]+)(/.*)$", rewrite: '\\2/instance/\\1'}}
    route: [{destination: {host: books}}]
  - corsPolicy:
      allowOrigins: [{exact: "https://a.example"}, {regex: "https://[a-z]+[.]b[.]example"}]
      allowMethods: [PUT]
      allowHeaders: [x-team]
      allowCredentials: true
    match: [{method: {exact: PUT}}]
    route: [{destination: {host: books}}]
"""
HTTP_ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: gate}]
  hostnames: [shop.example]
  rules:
  - backendRefs: [{name: books}]
    filters:
    - {type: CORS, cors: {allowOrigins: ["https://*.b.example"], allowMethods: [PUT], maxAge: 30}}
"""


def converted(text: str) -> list[Change]:
    conversion = convert(read_documents(text, "mesh.yaml"), "default", Options())
    assert [*conversion.errors, *conversion.refused] == []
    changes = []
    for one in conversion.documents:
        kind, metadata = one.raw["kind"], one.raw["metadata"]
        assert decode_spec(kind, one.raw["spec"])[1] == []
        value = msgspec.Raw(msgspec.msgpack.encode(one.raw))
        changes.append(Change("put", kind, metadata.get("namespace", "default"), metadata["name"], value))
    return changes


async def test_a_virtual_service_lets_pages_in_and_rewrites_by_its_expression() -> None:
    upstream = saying("1")
    async with services(upstream) as books, compiled_gateway(*books, *converted(VIRTUAL_SERVICE)) as gateway:
        assert (await gateway.ask("/service/foo/v1/api?q=1"))[0] == 200
        assert upstream.requests[0].target == b"/v1/api/instance/foo?q=1"
        for origin, status in (
            ("https://a.example", 204),
            ("https://shop.b.example", 204),
            ("https://evil.example", 403),
        ):
            fields = PREFLIGHT.format("PUT").replace("https://a.example", origin)
            got, head, _ = await ask(gateway, request("OPTIONS", fields))
            assert (got, f"Access-Control-Allow-Origin: {origin}" in head) == (status, status == 204)
        assert "Access-Control-Max-Age: 5" in (await ask(gateway, request("OPTIONS", PREFLIGHT.format("PUT"))))[1]


async def test_an_http_route_lets_the_pages_below_a_name_in() -> None:
    async with services(saying("1")) as books, compiled_gateway(*books, *converted(HTTP_ROUTE)) as gateway:
        for origin, status in (("https://shop.b.example", 204), ("https://b.example", 403), ("https://x.evil", 403)):
            fields = PREFLIGHT.format("PUT").replace("https://a.example", origin)
            assert (await ask(gateway, request("OPTIONS", fields)))[0] == status
        _, head, _ = await gateway.ask(fields="Origin: https://shop.b.example\r\n")
        assert "Access-Control-Allow-Origin: https://shop.b.example" in head
