from gateway.supervisor.reporting_pace import report_every_s
from tests.parts.changes import document


def test_it_is_two_seconds_unless_the_mesh_says_otherwise() -> None:
    assert report_every_s({}) == 2.0
    for spec, every_s in (({"telemetry": {"report_every": "7s"}}, 7.0), ({"telemetry": {}}, 2.0), ({}, 2.0)):
        change = document("MeshSettings", "mesh", spec, "mesh")
        assert report_every_s({change.key: change}) == every_s
