"""The guide's two documents of Istio, unchanged by us, and the call it ends with."""

from collections.abc import Callable

from tests.parts.command import meshway
from tests.parts.instances import EchoInstance
from tests.parts.mesh import Mesh
from tests.parts.processes import ROOT

FILES = ROOT / "examples" / "hello-service" / "istio"


def test_the_guides_virtual_service_and_destination_rule_carry_a_call(
    start_mesh: Callable[..., Mesh], start_echo: Callable[..., EchoInstance]
) -> None:
    mesh = start_mesh(1)
    mesh.register("hello-service", "1", start_echo("Hello, World!").port)
    for name in ("destination-rule.yaml", "virtual-service.yaml"):
        applied = meshway("apply", "-f", str(FILES / name), "--yes", "--wait", env={"MESHWAY_URL": mesh.registry})
        assert applied.code == 0, applied.err
    assert mesh.client.get(f"{mesh.edge}/hello").text == "Hello, World!"
