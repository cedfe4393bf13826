from gateway.supervisor.mesh_telemetry import mesh_telemetry
from tests.parts.changes import document


def test_it_is_as_usual_unless_the_mesh_says_otherwise() -> None:
    assert mesh_telemetry({}).report_every == 2.0
    for spec, every_s in (({"telemetry": {"report_every": "7s"}}, 7.0), ({"telemetry": {}}, 2.0), ({}, 2.0)):
        change = document("MeshSettings", "mesh", spec, "mesh")
        assert mesh_telemetry({change.key: change}).report_every == every_s
    change = document("MeshSettings", "mesh", {"telemetry": {"max_series": 500}}, "mesh")
    assert mesh_telemetry({change.key: change}).max_series == 500
