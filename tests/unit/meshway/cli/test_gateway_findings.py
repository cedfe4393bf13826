"""What `check` makes of a gateway's state."""

from typing import Any

import pytest

from meshway.cli.gateway_findings import findings_of


def gateway(**fields: Any) -> dict[str, Any]:
    return {"node": "gw-1", "live": True, "last_report_s": 0.5} | fields


def test_a_gateway_that_reports_nothing_is_well() -> None:
    assert list(findings_of(gateway(ejected=[], limits_alone="", mass_removal_guard=0, refused=[]))) == []


@pytest.mark.parametrize(
    ("fields", "id_", "verdict", "text"),
    [
        ({"live": False, "last_report_s": 12.4}, "gateway-silent", "warning", "gateway gw-1 has been silent for 12 s"),
        (
            {"mass_removal_guard": 7},
            "mass-removal-guard",
            "failed",
            "gateway gw-1 calls 7 endpoints on that vanished from the registry at once",
        ),
        (
            {"ejected": [f"a/b/{number}" for number in range(7)]},
            "instances-ejected",
            "warning",
            "gateway gw-1 does not call a/b/0, a/b/1, a/b/2, a/b/3, a/b/4 …: their calls fail",
        ),
        (
            {"open_breakers": ["a/b#v1"]},
            "breakers-open",
            "warning",
            "gateway gw-1 keeps calls away from a/b#v1: the breaker is open, as too many of them failed",
        ),
    ],
)
def test_what_is_not_as_it_should_be_is_told(fields: dict[str, Any], id_: str, verdict: str, text: str) -> None:
    (finding,) = findings_of(gateway(**fields))
    assert (finding.id, finding.verdict, finding.text) == (id_, verdict, text)


def test_a_refused_document_is_told_with_how_to_look_at_it() -> None:
    refused = {"kind": "Route", "namespace": "shop", "name": "r", "path": "spec.hosts[0]", "reason": "is no service"}
    (finding,) = findings_of(gateway(refused=[refused]))
    assert finding.text == "gateway gw-1 refuses Route shop/r: spec.hosts[0] is no service"
    assert "meshway describe route/r -n shop;" in (finding.mend or "")
