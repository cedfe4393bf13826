"""What is wrong with foreign documents by the model's word, told where they were written."""

from meshway.formats.reading import read_all
from meshway.formats.yaml_documents import read_documents

GATEWAY = """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gate}
spec: {servers: [{port: {number: 5432, name: db, protocol: TCP}, hosts: ["*"]}]}
---
"""
VIRTUAL_SERVICE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web.example]
"""


def told(text: str) -> list[tuple[int | None, str, str]]:
    """Line, code and words of what is wrong."""
    errors = [each.error for each in read_all(read_documents(text, "mesh.yaml"), "default").errors]
    return [(error.line, error.code, error.message) for error in errors]


def test_a_match_by_labels_is_refused_once_and_not_told_what_no_istio_document_has() -> None:
    ((line, code, message),) = told(
        VIRTUAL_SERVICE + "  http: [{match: [{sourceLabels: {app: x}}], route: [{destination: {host: a}}]}]\n"
    )
    assert (line, code) == (6, "unsupported")
    assert message.startswith("spec.http[0].match[0].sourceLabels.app: needs a caller who has proved who he is")


def test_a_route_of_calls_by_a_gateway_without_a_server_for_them_is_told_so() -> None:
    text = VIRTUAL_SERVICE + "  gateways: [gate]\n  http: [{route: [{destination: {host: a}}]}]\n"
    ((line, code, message),) = told(GATEWAY + text)
    assert (line, code) == (10, "never_matches")
    assert message == "spec.hosts[0]: its Gateways have no server by which calls of HTTP come here"
