"""Contexts say once which mesh commands speak to; a variable says otherwise, and a flag has the last word."""

import json
from pathlib import Path

from tests.integration.cli.test_documents import SHOP, write
from tests.parts.command import Ended, meshway, meshway_at_terminal
from tests.parts.planes import Registry
from tests.parts.processes import ROOT


def test_flag_variable_context_and_default_in_this_order(registry: Registry, tmp_path: Path) -> None:
    env = {"MESHWAY_CONFIG": str(tmp_path / "config.yaml"), "PYTHONPATH": str(ROOT)}

    def run(*arguments: str, **further: str) -> Ended:
        return meshway(*arguments, env=env | further, cwd=tmp_path)

    assert "no contexts" in run("context", "list").err
    assert run("context", "set", "here", "--url", registry.url, "-n", "corner").code == 0
    assert run("context", "set", "gone", "--url", "http://127.0.0.1:1").code == 0
    write(tmp_path, SHOP)
    assert run("apply", "-f", "shop.yaml").out.splitlines()[0] == "+ Service corner/cart"
    assert run("get", "route", "cart").code == 0
    assert run("get", "route", "cart", MESHWAY_NAMESPACE="elsewhere").code == 4
    assert run("get", "route", "cart", "-n", "corner", MESHWAY_NAMESPACE="elsewhere").code == 0
    assert run("get", "route", "cart", "--context", "gone").code == 7
    assert run("get", "route", "cart", MESHWAY_CONTEXT="gone").code == 7
    assert run("get", "route", "cart", "--registry", registry.url, "--context", "gone").code == 4  # of `default`
    assert run("context", "use", "gone").code == 0
    assert run("get", "routes").code == 7
    listed = json.loads(run("context", "list", "-o", "json").out)["items"]
    assert [(item["name"], item["current"]) for item in listed] == [("here", False), ("gone", True)]
    asked = run("context", "delete", "gone")
    assert (asked.code, asked.err) == (
        2, "error: Forget context gone needs a yes, and stdin is no terminal\nmend:  pass --yes\n",
    )  # fmt: skip
    code, said = meshway_at_terminal("n", "context", "delete", "gone", env=env, cwd=tmp_path)
    assert (code, "Forget context gone? [y/N]" in said) == (1, True)
    assert run("context", "use", "gone").code == 0
    assert run("context", "delete", "gone", "--yes").code == 0
    assert run("context", "use", "gone").code == 4
    assert "a new context needs a registry" in run("context", "set", "new").err
    assert "is no URL" in run("context", "set", "new", "--url", "ftp://x").err
