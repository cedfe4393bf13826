"""Secrets that documents of TLS refer to: gateways are told of these and of no others."""

from typing import Any

import pytest

from meshway.model.decode import decode_spec
from registry.documents.references import references


@pytest.mark.parametrize(
    ("kind", "spec", "secrets"),
    [
        ("Certificate", {"secret": "shop-tls"}, [("spec.secret", "shop-tls", "tls")]),
        ("Certificate", {"files": {"certificate": "a", "key": "b"}}, []),
        (
            "Listener",
            {"tls": {"client_auth": "require", "trust": "partners"}},
            [("spec.tls.trust", "partners", "ca_bundle")],
        ),
        ("Listener", {"tls": {"client_auth": "require", "trust": "mesh"}}, []),
        ("Listener", {"hosts": ["a"]}, []),
        (
            "TrafficPolicy",
            {"tls": {"mode": "mutual", "ca": "ca", "certificate": {"secret": "own"}}},
            [("spec.tls.ca", "ca", "ca_bundle"), ("spec.tls.certificate", "own", "tls")],
        ),
        ("TrafficPolicy", {"tls": {}}, []),
        (
            "Authentication",
            {"methods": [{"mtls": {"trust": "partners"}}]},
            [("spec.methods[0].mtls.trust", "partners", "ca_bundle")],
        ),
        ("Authentication", {"methods": [{"mtls": {}}]}, []),
    ],
)
def test_documents_of_tls_refer_to_secrets_of_a_type(
    kind: str, spec: dict[str, Any], secrets: list[tuple[str, str, str]]
) -> None:
    read, errors = decode_spec(kind, spec)
    assert errors == []
    assert read is not None
    found = [each for each in references(read, "shop") if each.to == "secret"]
    assert [(each.path, each.name, each.part) for each in found] == secrets
    assert {each.namespace for each in found} <= {"shop"}


def test_a_policy_with_tls_still_refers_to_its_services() -> None:
    read, _ = decode_spec("TrafficPolicy", {"targets": [{"service": "books"}], "tls": {"ca": "ca"}})
    assert read is not None
    assert {(each.to, each.name) for each in references(read, "shop")} == {("service", "books"), ("secret", "ca")}
