"""Documents in and out through the command, with a real registry: texts and exit codes."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx

from meshway.cli.failure import NOT_FOUND
from tests.parts.command import Ended, meshway, meshway_at_terminal
from tests.parts.planes import Registry
from tests.parts.ports import free_port
from tests.parts.processes import ROOT

Run = Callable[..., Ended]
SHOP = """\
apiVersion: meshway/v1
kind: Service
metadata: {name: cart, labels: {team: shop}, annotations: {ticket: OPS-7}}
spec:
  type: static
  endpoints: [{address: 127.0.0.1, port: 9000}]
  owner: "on"
  subsets: [{name: v1, match: {version: "1.0"}}]
---
apiVersion: meshway/v1
kind: Route
metadata: {name: cart}
spec:
  hosts: [HOST]
  rules:
    - {match: [{path: {prefix: /cart}}], destinations: [{service: cart}], timeouts: {deadline: 90s}}
---
apiVersion: meshway/v1
kind: TrafficPolicy
metadata: {name: cart}
spec: {targets: [{service: cart}], retry: {on: [reset], max_retries: 2}}
---
apiVersion: meshway/v1
kind: RateLimit
metadata: {name: cart}
spec: {targets: [{route: cart}], token_bucket: {rate: 300/m}}
"""


def write(folder: Path, text: str, name: str = "shop.yaml") -> None:
    """HOST becomes the test's own, since two Routes may not claim the same."""
    (folder / name).write_text(text.replace("HOST", folder.name.replace("_", "-")))


def test_apply_publishes_once_and_finds_nothing_to_do_after(run: Run, namespace: str, tmp_path: Path) -> None:
    write(tmp_path, SHOP)
    first = run("apply", "-f", "shop.yaml")
    assert (first.code, first.out.splitlines()[0]) == (0, f"+ Service {namespace}/cart")
    assert "✓ revision" in first.err
    again = run("apply", "-f", "shop.yaml")
    assert (again.code, again.out) == (0, "unchanged\n")
    assert "✓ nothing to change" in again.err


def test_apply_of_export_is_unchanged(run: Run, namespace: str, tmp_path: Path) -> None:
    write(tmp_path, SHOP)
    run("apply", "-f", ".")
    exported = run("export")
    assert exported.code == 0
    assert "revision" not in exported.out
    assert run("apply", "-f", "-", stdin=exported.out).out == "unchanged\n"
    assert run("diff", "-f", "-", stdin=exported.out).code == 0
    as_json = run("export", "-o", "json")
    assert run("apply", "-f", "-", stdin=as_json.out).out == "unchanged\n"
    assert run("export", "-A").out.count(f"namespace: {namespace}\n") == 4


def test_a_service_that_only_registered_is_not_exported(registry: Registry, run: Run, namespace: str) -> None:
    path = f"/v1/namespaces/{namespace}/services/guest/instances/guest-1"
    httpx.put(registry.url + path, json={"address": "127.0.0.1", "port": 9}).raise_for_status()
    assert "guest" in run("get", "services").out
    assert run("export").code == NOT_FOUND


def test_a_document_keeps_where_it_was_published_from(run: Run, namespace: str, tmp_path: Path) -> None:
    write(tmp_path, SHOP)
    run("apply", "-f", str(tmp_path / "shop.yaml"))
    shown = run("get", "route", "cart", "-o", "json").out
    assert json.loads(shown)["metadata"]["source"] == {"file": "shop.yaml", "line": 10}
    revision = json.loads(shown)["metadata"]["revision"]
    assert f"Route {namespace}/cart   rule 0   shop.yaml:10 r{revision}" in run("describe", "service/cart").out
    write(tmp_path, "# moved\n" + SHOP)
    assert run("apply", "-f", "shop.yaml").out == "unchanged\n"
    assert run("get", "route", "cart", "-o", "json").out == shown
    write(tmp_path, shown.replace('"1m30s"', '"5s"'), "other.json")
    assert run("apply", "-f", "other.json").out == f"~ Route {namespace}/cart\n"
    assert json.loads(run("get", "route", "cart", "-o", "json").out)["metadata"]["source"]["file"] == "other.json"


def test_a_jsonpath_picks_values_for_scripts(run: Run, namespace: str, tmp_path: Path) -> None:
    write(tmp_path, SHOP)
    run("apply", "-f", "shop.yaml")
    assert run("get", "routes", "-o", "jsonpath={.items[*].metadata.name}").out == "cart\n"
    assert run("get", "route", "cart", "-o", "jsonpath=.spec.rules[0].timeouts.deadline").out == "1m30s\n"
    assert run("get", "routes", "-o", "jsonpath={.items[9].metadata.name}").out == ""
    refused = run("get", "routes", "-o", "jsonpath={.items[}")
    assert (refused.code, "is no step of a path" in refused.err) == (2, True)
    assert run("get", "routes", "-o", "tabel").err.startswith("error: -o tabel is no form (did you mean table?)")


def test_diff_shows_changed_fields_and_ends_with_1(run: Run, namespace: str, tmp_path: Path) -> None:
    write(tmp_path, SHOP)
    run("apply", "-f", "shop.yaml")
    write(tmp_path, SHOP.replace("90s", "5s"))
    shown = run("diff", "-f", "shop.yaml")
    assert shown.code == 1
    assert shown.out == (
        f"~ Route {namespace}/cart\n"
        "    spec.rules[0].timeouts.deadline   1m30s -> 5s\n"
        "1 changed, 3 unchanged, 0 deleted\n"
    )
    assert run("apply", "-f", "shop.yaml").out == f"~ Route {namespace}/cart\n"


def test_apply_asks_on_a_terminal_before_it_changes_what_is_there(
    registry: Registry, run: Run, namespace: str, tmp_path: Path
) -> None:
    env = {"MESHWAY_URL": registry.url, "MESHWAY_NAMESPACE": namespace, "PYTHONPATH": str(ROOT)}
    write(tmp_path, SHOP)
    code, said = meshway_at_terminal("n", "apply", "-f", "shop.yaml", env=env, cwd=tmp_path)
    assert code == 0, said  # all new: nobody loses anything
    write(tmp_path, SHOP.replace("90s", "5s"))
    code, said = meshway_at_terminal("n", "apply", "-f", "shop.yaml", env=env, cwd=tmp_path)
    assert code == 1
    assert "Publish 1 change as one revision? [y/N]" in said
    assert run("diff", "-f", "shop.yaml").code == 1
    assert meshway_at_terminal("y", "apply", "-f", "shop.yaml", env=env, cwd=tmp_path)[0] == 0
    assert run("diff", "-f", "shop.yaml").code == 0


def test_a_dry_run_publishes_nothing(run: Run, namespace: str, tmp_path: Path) -> None:
    write(tmp_path, SHOP)
    assert "dry run" in run("apply", "-f", "shop.yaml", "--dry-run").err
    assert run("get", "routes").err == f"no routes in namespace {namespace}; -A shows those of every namespace\n"


def test_typing_errors_are_told_all_at_once_with_their_places(run: Run, tmp_path: Path) -> None:
    write(
        tmp_path, SHOP.replace("destinations", "destination").replace("300/m", "300").replace("max_retries", "retries")
    )
    refused = run("apply", "-f", "shop.yaml")
    assert (refused.code, refused.out) == (6, "")
    assert refused.err.splitlines() == [
        "error: 3 errors in shop.yaml; nothing was published",
        "  shop.yaml:16:42: spec.rules[0].destination: unknown field (did you mean destinations?)",
        "  shop.yaml:21:57: spec.retry.retries: unknown field (did you mean max_retries?)",
        "  shop.yaml:26:49: spec.token_bucket.rate: 300 is not a rate: write 100/s, 1000/m or 10/h",
    ]


def test_unknown_services_are_told_beside_typing_errors_at_once(run: Run, tmp_path: Path) -> None:
    text = SHOP.replace("targets: [{service: cart}]", "targets: [{service: crt}]").replace("300/m", "300")
    text = text.replace("timeouts: {deadline: 90s}", "timeouts: {deadlin: 90s}")
    write(tmp_path, text.replace("destinations: [{service: cart}]", "destinations: [{service: carts}]"))
    for command in ("apply", "diff"):
        refused = run(command, "-f", "shop.yaml")
        assert (refused.code, refused.out) == (6, "")
        lines = refused.err.splitlines()
        assert lines[0] == "error: 4 errors in shop.yaml; nothing was published"
        assert lines[1].startswith('  shop.yaml:16:58: spec.rules[0].destinations[0].service: "carts" is no service')
        assert lines[2].startswith("  shop.yaml:16:87: spec.rules[0].timeouts.deadlin: unknown field")
        assert lines[3].startswith('  shop.yaml:21:19: spec.targets[0].service: "crt" is no service')
        assert lines[4].startswith("  shop.yaml:26:49: spec.token_bucket.rate: ")


def test_typing_errors_are_told_without_a_registry(tmp_path: Path) -> None:
    write(tmp_path, SHOP.replace("300/m", "300"))
    refused = meshway("apply", "-f", "shop.yaml", "--registry", f"127.0.0.1:{free_port()}", cwd=tmp_path)
    assert (refused.code, "token_bucket.rate: 300 is not a rate" in refused.err) == (6, True)


def test_what_only_the_registry_knows_is_told_at_its_place_too(run: Run, namespace: str, tmp_path: Path) -> None:
    write(tmp_path, SHOP.replace("destinations: [{service: cart}]", "destinations: [{service: cart, subset: v9}]"))
    refused = run("apply", "-f", "shop.yaml")
    assert refused.code == 6
    assert refused.err.splitlines()[0] == "error: 1 error in shop.yaml; nothing was published"
    assert refused.err.splitlines()[1].startswith("  shop.yaml:16:73: spec.rules[0].destinations[0].subset: ")
    assert "v9" in refused.err
    assert "v1" in refused.err


def test_a_broken_file_names_line_and_column(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "a: [1\nb: 2\n")
    refused = run("apply", "-f", "shop.yaml")
    assert refused.code == 6
    assert "shop.yaml:2:2: " in refused.err


def test_a_file_that_is_not_there_is_exit_4(run: Run) -> None:
    refused = run("apply", "-f", "absent.yaml")
    assert (refused.code, refused.err) == (4, "error: cannot read absent.yaml: No such file or directory\n")


def test_delete_asks_and_without_a_terminal_names_the_flag(run: Run, namespace: str, tmp_path: Path) -> None:
    write(tmp_path, SHOP)
    run("apply", "-f", "shop.yaml")
    refused = run("delete", "ratelimit/cart")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert run("delete", "ratelimit/cart", "--yes").out == f"- RateLimit {namespace}/cart\n"
    again = run("delete", "ratelimit", "cart", "--yes")
    assert (again.code, again.err.splitlines()[0]) == (4, f"error: not there: RateLimit {namespace}/cart")
    assert "meshway get rate-limits -A" in again.err
    assert run("delete", "-f", "shop.yaml", "--yes").code == 4  # three were there, the limit was not
    assert run("get", "routes", "-o", "name").out == ""


def test_a_stale_if_match_is_a_conflict(registry: Registry, run: Run, namespace: str, tmp_path: Path) -> None:
    write(tmp_path, SHOP)
    run("apply", "-f", "shop.yaml")
    answer = registry.client.put(
        f"/v1/namespaces/{namespace}/rate-limits/cart",
        json={"spec": {"token_bucket": {"rate": "5/s"}}},
        headers={"If-Match": '"1"'},
    )
    assert answer.status_code == 412
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_file_read_before_somebody_elses_change_is_a_conflict(run: Run, namespace: str, tmp_path: Path) -> None:
    write(tmp_path, SHOP)
    run("apply", "-f", "shop.yaml")
    read = run("get", "ratelimit/cart", "-o", "yaml").out
    revision = int(read.partition("revision: ")[2].split()[0])
    assert run("apply", "-f", "-", stdin=read).out == "unchanged\n"
    write(tmp_path, SHOP.replace("300/m", "7/s"))
    run("apply", "-f", "shop.yaml")
    refused = run("apply", "-f", "-", stdin=read)
    assert (refused.code, refused.out) == (5, "")
    what, mend = refused.err.splitlines()
    assert what.startswith(
        f"error: cannot publish: document RateLimit {namespace}/cart was changed by loopback since you read it "
        f"(r{revision} → r"
    )
    assert mend.startswith("mend:  meshway diff -f stdin")
    run("delete", "ratelimit/cart", "--yes")
    assert "was deleted since you read it" in run("apply", "-f", "-", stdin=read).err


def test_a_service_with_instances_loses_its_document_and_goes_on(
    registry: Registry, run: Run, namespace: str, tmp_path: Path
) -> None:
    write(
        tmp_path, SHOP.partition("---")[0].replace("type: static, endpoints: [{address: 127.0.0.1, port: 9000}], ", "")
    )
    registry.register("cart", "one", 9000, namespace)
    before = registry.client.get("/v1/health/live").headers["Meshway-Revision"]
    assert run("apply", "-f", "shop.yaml").code == 0
    keeps = (
        f"! keeps_instances Service {namespace}/cart: keeps its 1 instance, and is called on with the defaults of a "
        "Service"
    )
    deleted = run("delete", "-f", "shop.yaml", "--yes")
    assert (deleted.code, deleted.out.splitlines()) == (0, [f"- Service {namespace}/cart", keeps])
    assert run("instances", "cart", "-o", "name").out == "cart/one\n"
    assert run("apply", "-f", "shop.yaml").code == 0
    back = run("rollback", before, "--yes")
    assert (back.code, keeps in back.out) == (0, True), back.err


def test_output_for_programs_is_the_apis_answer(run: Run, tmp_path: Path) -> None:
    write(tmp_path, SHOP)
    assert '"result": "created"' in run("apply", "-f", "shop.yaml", "-o", "json").out
    assert run("apply", "-f", "shop.yaml", "-o", "name").out.splitlines()[0] == "service/cart"


def test_what_others_must_agree_to_becomes_a_change_and_is_not_published(
    run: Run, namespace: str, tmp_path: Path
) -> None:
    write(tmp_path, SHOP)
    rule = f"apiVersion: meshway/v1\nkind: Namespace\nmetadata: {{name: {namespace}, namespace: mesh}}\n"
    assert run("apply", "-f", "-", stdin=rule + "spec: {approvals: 1}\n").code == 0
    ended = run("apply", "-f", "shop.yaml")
    assert ended.code != 0
    assert "not published: it is change " in ended.err
    assert "needs 1 to approve" in ended.err
    assert run("get", "service/cart").code != 0
    diff = run("diff", "-f", "shop.yaml")
    assert "must approve besides the author" in diff.out + diff.err, "a diff tells before"
