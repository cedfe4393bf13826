"""Waiting for a real gateway that is stopped, and for none once it has said goodbye."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.parts.command import Ended
from tests.parts.conditions import wait_until
from tests.parts.planes import Gateway, Registry

Run = Callable[..., Ended]
SERVICE = "apiVersion: meshway/v1\nkind: Service\nmetadata: {name: cart}\nspec: {owner: team-%s}\n"


def known(registry: Registry) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = registry.client.get("/v1/gateways").json()["items"]
    return items


def test_a_stopped_gateway_is_missed_by_name_and_one_that_ended_is_not(
    registry: Registry, run: Run, tmp_path: Path
) -> None:
    gateway = Gateway(tmp_path, registry.url, 1, "--node", "gw-1")
    try:
        wait_until(lambda: any(each["live"] for each in known(registry)), 20, what="a report")
        gateway.process.send(signal.SIGSTOP)
        wait_until(lambda: not known(registry)[0]["live"], 20, what="silence")
        missed = run("apply", "-f", "-", "--wait=0.3s", stdin=SERVICE % "one")
        assert missed.code == 1, missed
        assert "applied by 0 of 1 gateway in " in missed.err
        assert missed.err.splitlines()[-1].startswith("✗ gateway gw-1 has been silent for ")
        gateway.process.send(signal.SIGCONT)
        wait_until(lambda: known(registry)[0]["live"], 20, what="a report again")
    finally:
        gateway.close()
    assert known(registry) == []
    alone = run("apply", "-f", "-", "--wait=0.3s", stdin=SERVICE % "two")
    assert (alone.code, alone.err.splitlines()[-1].startswith("! revision ")) == (0, True), alone
    assert "no gateway is live to run it; start one: meshway gateway serve" in alone.err
