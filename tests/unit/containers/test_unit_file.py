"""The unit of systemd in deploy/: what reloads it is what starts it, in its place."""

import configparser
import re
import shlex

from gateway.settings import WorkerSettings
from tests.parts.processes import ROOT


def read() -> configparser.SectionProxy:
    unit = configparser.RawConfigParser()
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    unit.read(ROOT / "deploy" / "meshway-gateway.service")
    return unit["Service"]


def test_who_takes_over_is_started_as_the_one_that_runs_and_may_say_so() -> None:
    service = read()
    assert (service["Type"], service["NotifyAccess"]) == ("notify", "all")
    shell, _, script = shlex.split(service["ExecReload"])
    assert shell == "/bin/sh"
    background = re.fullmatch(r"exec setsid (.*) --take-over &", script)
    assert background is not None
    assert background[1] == service["ExecStart"]


def test_a_stop_has_time_for_the_drain() -> None:
    assert float(read()["TimeoutStopSec"]) > WorkerSettings().drain_s + 5.0
