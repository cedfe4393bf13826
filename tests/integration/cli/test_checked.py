"""`register --check` and `deregister` on a real registry and a real server."""

import socket
from collections.abc import Callable

from tests.parts.command import Ended
from tests.parts.conditions import wait_until

Run = Callable[..., Ended]


def test_an_instance_that_is_asked_is_registered_once_and_goes_on_demand(run: Run, namespace: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = run("register", "db", "--port", port, "--id", "db-1", "--address", "127.0.0.1", "--check", "tcp")
        assert (done.code, done.out) == (0, "")
        assert done.err.startswith(f"✓ {namespace}/db/db-1 at 127.0.0.1:{port}: the registry asks it")
        wait_until(lambda: "✓ passing" in run("instances", "db").out, 10, every_s=0.3)
        assert run("instances", "db").out.splitlines()[1].endswith("asked by tcp")
    assert run("deregister", "db", "db-1").err == f"✓ {namespace}/db/db-1 is gone\n"
    assert run("instances", "db").code == 4
    absent = run("deregister", "db", "db-1")
    assert (absent.code, absent.err.splitlines()) == (
        4,
        [
            f"error: {namespace}/db/db-1 is not there",
            f"mend:  see what there is: meshway instances db -n {namespace}",
        ],
    )


def test_a_check_needs_no_program_and_no_lease(run: Run) -> None:
    refused = run("register", "db", "--port", "1", "--check", "tcp", "--", "sleep", "1")
    assert (refused.code, refused.err.splitlines()[0]) == (2, "error: --check is for what runs without us: no CMD")
    refused = run("register", "db", "--port", "1", "--check", "tcp", "--ttl", "10")
    assert refused.code == 2
    assert run("register", "db", "--port", "1", "--check", "ping").code == 2


def test_what_the_registry_refuses_is_told(run: Run) -> None:
    refused = run("register", "db", "--port", "1", "--address", "127.0.0.1", "--check", "http:healthz")
    assert refused.code == 6
    assert "check.path" in refused.err
