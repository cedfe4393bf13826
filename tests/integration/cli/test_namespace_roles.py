"""What the commands of daily work tell somebody whose role is in one namespace alone."""

from collections.abc import Callable
from pathlib import Path

from tests.parts.command import Ended

Run = Callable[..., Ended]
SERVICE = "apiVersion: meshway/v1\nkind: Service\nmetadata: {name: cart}\nspec: {owner: team-%s}\n"
ROUTE = """---
apiVersion: meshway/v1
kind: Route
metadata: {name: cart}
spec: {listeners: [mesh], hosts: [cart], rules: [{destinations: [{service: cart}]}]}
"""
WHY = "this needs gateways:read in all namespaces"


def test_an_editor_of_a_namespace_is_told_what_gateways_would_have_said_and_what_was_done(
    run: Run, namespace: str, tmp_path: Path
) -> None:
    made = run("token", "create", f"editor-{namespace}", "--role", "editor", "-n", namespace, "--out", "editor.token")
    assert made.code == 0, made
    signed = ("--token-file", str(tmp_path / "editor.token"))
    assert run("apply", "-f", "-", *signed, stdin=SERVICE % "one" + ROUTE).code == 0

    differs = run("diff", "-f", "-", *signed, stdin=SERVICE % "two")
    assert (differs.code, "team-one -> team-two" in differs.out) == (1, True), differs
    assert f"! recorded calls were not asked: {WHY}" in differs.err

    written = run("apply", "-f", "-", "--wait=0.3s", *signed, stdin=SERVICE % "two")
    assert written.code == 8, written
    assert "is published; whether gateways run it is not told" in written.err
    assert WHY in written.err
    waited = run("wait", *signed)
    assert (waited.code, WHY in waited.err) == (3, True), "nothing was done"

    for kind in ("service", "route"):
        described = run("describe", f"{kind}/cart", *signed)
        assert described.code == 0, described
        assert f"! whom gateways do not call is not told: {WHY}" in described.out
        assert described.out.count("! policies of namespace mesh are not told: this token may not read them") == 1


def test_a_one_time_token_takes_no_role(run: Run) -> None:
    both = run("token", "create", "--enrol", "shop/cart", "--role", "admin")
    assert (both.code, "--enrol goes with no NAME, --role and --service" in both.err) == (2, True), both
