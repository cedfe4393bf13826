"""The guide's worked example: three instances, nine calls, in turn."""

from collections import Counter
from collections.abc import Callable

from tests.parts.instances import EchoInstance
from tests.parts.mesh import Mesh

ROUND_ROBIN = """
apiVersion: meshway/v1
kind: TrafficPolicy
metadata: {name: hello, namespace: default}
spec: {targets: [{service: hello}], load_balancer: {algorithm: round_robin}}
"""


def nine_calls(mesh: Mesh, start_echo: Callable[..., EchoInstance]) -> list[str]:
    for identity in ("1", "2", "3"):
        mesh.register("hello", identity, start_echo(identity).port)
    mesh.apply(ROUND_ROBIN)
    return [mesh.call("hello").text for _ in range(9)]


def test_nine_calls_over_three_instances_go_round_in_turn(
    start_mesh: Callable[..., Mesh], start_echo: Callable[..., EchoInstance]
) -> None:
    assert nine_calls(start_mesh(1), start_echo) == ["1", "2", "3"] * 3


def test_with_two_workers_the_counts_differ_by_at_most_two(
    start_mesh: Callable[..., Mesh], start_echo: Callable[..., EchoInstance]
) -> None:
    counts = Counter(nine_calls(start_mesh(2), start_echo))
    assert sum(counts.values()) == 9
    assert max(counts[i] for i in "123") - min(counts[i] for i in "123") <= 2
