"""`meshway gateway serve` beside a gateway that runs."""

import contextlib
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.supervisor.data_folder import held_folder
from gateway.supervisor.offer import SOCKET
from meshway.cli.main import make_app


@pytest.mark.parametrize("hands_over", [True, False])
def test_where_the_ports_are_those_of_this_folders_gateway_the_mend_is_to_take_over(
    hands_over: bool, tmp_path: Path
) -> None:
    with contextlib.ExitStack() as runs:
        edge = runs.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
        if hands_over:
            runs.enter_context(held_folder(tmp_path))
            (tmp_path / "run" / SOCKET).touch()
        ports = [word for name in ("mesh", "admin") for word in (f"--{name}-port", "0")]
        off = [word for name in ("edge", "mesh") for word in (f"--{name}-tls-port", "off")]
        told = CliRunner().invoke(
            make_app("gateway"),
            ["gateway", "serve", "--data", str(tmp_path), "--edge-port", str(edge), *ports, *off],
        )
    assert told.exit_code == 5
    assert f"port {edge} on 127.0.0.1 is taken" in told.output
    assert ("replace it while it serves: --take-over; or stop it" in told.output) == hands_over
