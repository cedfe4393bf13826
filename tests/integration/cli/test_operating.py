"""What somebody on duty does by hand: drain, edit, look back, look on."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

from tests.integration.cli.test_documents import SHOP, write
from tests.parts.alerts import answering
from tests.parts.command import Ended, meshway
from tests.parts.conditions import wait_until
from tests.parts.planes import Gateway, Registry
from tests.parts.processes import ROOT, Process, python

Run = Callable[..., Ended]


def test_an_instance_is_drained_and_brought_back(registry: Registry, run: Run, namespace: str) -> None:
    registry.register("cart", "one", 9000, namespace, ttl_s=3600)
    drained = run("drain", "cart", "one")
    assert (drained.code, drained.out) == (0, ""), drained
    assert drained.err.startswith(f"✓ {namespace}/cart/one drains, known to all gateways; calls under way end.")
    assert json.loads(run("instances", "cart", "-o", "json").out)["items"][0]["status"] == "draining"
    assert "takes calls again" in run("drain", "cart", "one", "--undo").err
    assert json.loads(run("instances", "cart", "-o", "json").out)["items"][0]["status"] == "passing"


def test_a_document_is_edited_and_nothing_is_lost_where_it_is_refused(
    registry: Registry, namespace: str, tmp_path: Path
) -> None:
    write(tmp_path, SHOP)

    def run(*arguments: str, editor: str = "true") -> Ended:
        env = {"MESHWAY_URL": registry.url, "MESHWAY_NAMESPACE": namespace, "EDITOR": editor, "PYTHONPATH": str(ROOT)}
        return meshway(*arguments, env=env | {"TMPDIR": str(tmp_path)}, cwd=tmp_path)

    run("apply", "-f", "shop.yaml")
    assert run("edit", "route/cart").err == "nothing was changed\n"
    edited = run("edit", "route/cart", editor="sed -i s/1m30s/7s/")
    assert (edited.code, "spec.rules[0].timeouts.deadline   1m30s -> 7s" in edited.err) == (0, True), edited
    stored = json.loads(run("get", "route/cart", "-o", "json").out)
    assert stored["spec"]["rules"][0]["timeouts"] == {"deadline": "7s"}
    assert "source" not in stored["metadata"]
    assert list(tmp_path.glob("route-cart-*")) == []
    refused = run("edit", "route/cart", editor="sed -i s/deadline/deadlin/")
    (kept,) = tmp_path.glob("route-cart-*")
    assert (refused.code, refused.err.splitlines()[-1]) == (6, f"mend:  your text is kept: meshway apply -f {kept}")
    kept.unlink()
    (tmp_path / "late.sh").write_text(
        f'sed -i s/7s/8s/ "$1"\n{python()[0]} -m meshway.cli.main apply -q -f shop.yaml </dev/null >&2\n'
    )
    late = run("edit", "route/cart", editor="sh late.sh")
    assert (late.code, "was changed by loopback since you read it" in late.err) == (5, True), late
    assert run("edit", "route/cart", editor="no-such-editor").code == 2


def test_documents_are_shown_as_they_were(run: Run, namespace: str, tmp_path: Path) -> None:
    write(tmp_path, SHOP)
    run("apply", "-f", "shop.yaml")
    then = json.loads(run("get", "route/cart", "-o", "json").out)["metadata"]["revision"]
    write(tmp_path, SHOP.replace("90s", "5s"))
    run("apply", "-f", "shop.yaml")
    run("delete", "ratelimit/cart", "--yes")

    def deadline(at: str) -> str:
        return run("get", "route/cart", "--at", at, "-o", "jsonpath=.spec.rules[0].timeouts.deadline").out.strip()

    assert (deadline(f"r{then}"), deadline("-0s")) == ("1m30s", "5s")
    assert run("get", "ratelimits", "--at", str(then), "-o", "name").out == "ratelimit/cart\n"
    assert "kind: RateLimit" in run("export", "--at", f"r{then}").out
    gone = run("get", "ratelimit/cart", "--at", "-0s")
    assert (gone.code, "did not exist at r" in gone.err) == (4, True)


def test_a_watched_list_goes_on_with_what_changes(registry: Registry, run: Run, namespace: str, tmp_path: Path) -> None:
    registry.register("cart", "one", 9000, namespace, ttl_s=3600)
    command = ["-m", "meshway.cli.main", "--watch", "-n", namespace, "--registry", registry.url]
    table = Process(python(*command[:2], "instances", "cart", *command[2:]), tmp_path / "table.out")
    lines = Process(python(*command[:2], "get", "routes", "-o", "jsonl", *command[2:]), tmp_path / "lines.out")
    try:
        wait_until(lambda: "one" in table.text(), 20, what="the list")
        registry.register("cart", "two", 9001, namespace, ttl_s=3600)
        wait_until(lambda: "\n+  two  ✓ passing" in table.text(), 20, what="the new one")
        run("drain", "cart", "one")
        wait_until(lambda: "\n~  one  ~ draining" in table.text(), 20, what="the changed one")
        run("deregister", "cart", "one")
        wait_until(lambda: "\n-  one" in table.text(), 20, what="the one that is gone")
        write(tmp_path, SHOP)
        run("apply", "-f", "shop.yaml")
        wait_until(lambda: '"op":"put","kind":"Route"' in lines.text(), 20, what="the route")
        table.send(signal.SIGINT)
        assert table.popen.wait(20) == 130
    finally:
        table.stop()
        lines.stop()


def test_a_gateway_of_this_machine_is_drained(registry: Registry, tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, registry.url, 1)
    try:
        assert meshway("gateway", "drain", "--data", str(gateway.data)).code == 0
        assert gateway.process.popen.wait(20) == 0
    finally:
        gateway.close()


def test_a_receiver_is_tested_by_hand(registry: Registry, run: Run, namespace: str, tmp_path: Path) -> None:
    with answering(b'{"ok": true}') as port:
        url = f"http://127.0.0.1:{port}/"
        document = (
            f"apiVersion: meshway/v1\nkind: Receiver\nmetadata: {{name: oncall}}\nspec: {{webhook: {{url: '{url}'}}}}\n"
        )
        (tmp_path / "receiver.yaml").write_text(document)
        applied = run("apply", "-f", str(tmp_path / "receiver.yaml"))
        assert applied.code == 0, applied
        tested = run("receiver", "test", "oncall")
        assert (tested.code, tested.out) == (0, ""), tested
        assert tested.err == f'✓ {namespace}/oncall: it answers 200: {{"ok": true}}\n'
    refused = run("receiver", "test", "oncall")
    assert refused.code == 1
    assert f"✗ {namespace}/oncall: 127.0.0.1:{port}" in refused.err
    listed = run("receiver", "list")
    assert f"{namespace}/oncall" in listed.out
    unknown = run("receiver", "test", "nobody")
    assert unknown.code == 4
