"""A taken port is told with its holder and the flag that chooses another."""

import os
import socket

import pytest

from meshway.cli.failure import CONFLICT, USAGE, CliError
from meshway.cli.ports import dns_sockets, holder_of, listen_on, refuse_taken


def test_a_taken_port_names_its_holder_and_the_flag() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CliError) as refused:
            listen_on("127.0.0.1", port, "--edge-port")
    error = refused.value
    assert error.code == CONFLICT
    assert f"port {port} on 127.0.0.1 is taken by " in error.what
    assert f"(pid {os.getpid()})" in error.what
    assert "--edge-port" in (error.mend or "")


def test_a_port_shared_by_so_reuseport_is_taken_too() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(CliError):
            refuse_taken("127.0.0.1", [(other.getsockname()[1], "--mesh-port")])


def test_all_taken_ports_are_named_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        ports = [one.getsockname()[1], two.getsockname()[1]]
        with pytest.raises(CliError) as refused:
            refuse_taken("127.0.0.1", [(ports[0], "--edge-port"), (0, "--mesh-port"), (ports[1], "--admin-port")])
    error = refused.value
    assert (error.code, error.what, len(error.details)) == (CONFLICT, "2 ports cannot be had", 2)
    assert all(str(port) in detail for port, detail in zip(ports, error.details, strict=True))
    assert "--edge-port N --admin-port N" in (error.mend or "")


def test_the_port_of_names_is_among_the_taken_ones_and_is_given_back_when_it_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two:
        two.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], two.getsockname()[1]
        with pytest.raises(CliError, match="2 ports cannot be had") as refused:
            refuse_taken("127.0.0.1", [(ports[0], "--registry-port")], str(ports[1]))
    assert "--registry-port N --dns-port N" in (refused.value.mend or "")
    refuse_taken("127.0.0.1", [(ports[0], "--registry-port")], str(ports[1]))
    names = dns_sockets("127.0.0.1", str(ports[1]))
    for sock in names or ():
        sock.close()


def test_two_flags_with_one_port_are_told_as_such() -> None:
    with listen_on("127.0.0.1", 0, "--edge-port") as listener:
        port = listener.getsockname()[1]
    for flags, names in (([(port, "--edge-port"), (port, "--mesh-port")], "off"), ([(port, "--edge-port")], str(port))):
        with pytest.raises(CliError) as refused:
            refuse_taken("127.0.0.1", [(0, "--registry-port"), *flags], names)
        other = "--mesh-port" if names == "off" else "--dns-port"
        assert (refused.value.code, refused.value.what) == (USAGE, f"--edge-port and {other} are both {port}")


def test_below_make_the_mend_is_what_make_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHWAY_MAKE", "1")
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(CliError) as refused:
        refuse_taken("127.0.0.1", [(other.getsockname()[1], "--registry-port")])
    assert 'make up UP="--registry-port N"' in (refused.value.mend or "")


def test_port_0_takes_a_free_one_that_children_inherit() -> None:
    with listen_on("127.0.0.1", 0, "--registry-port") as listener:
        assert listener.get_inheritable()
        holder = holder_of(listener.getsockname()[1])
        assert holder is not None
        assert holder.pid == os.getpid()


def test_dns_has_one_port_for_datagrams_and_streams_or_none() -> None:
    assert dns_sockets("127.0.0.1", "off") is None
    names = dns_sockets("127.0.0.1", "0")
    assert names is not None
    datagrams, streams = names
    with datagrams, streams:
        assert datagrams.getsockname() == streams.getsockname()
        assert datagrams.get_inheritable()
        assert streams.get_inheritable()
        with pytest.raises(CliError) as refused:
            dns_sockets("127.0.0.1", str(datagrams.getsockname()[1]))
        assert "--dns-port" in (refused.value.mend or "")
    for wrong in ("", "-1", "65536", "x"):
        with pytest.raises(CliError):
            dns_sockets("127.0.0.1", wrong)


def test_a_free_port_has_no_holder() -> None:
    with listen_on("127.0.0.1", 0, "--registry-port") as listener:
        port = listener.getsockname()[1]
    assert holder_of(port) is None
    refuse_taken("127.0.0.1", [(port, "--edge-port")])


def test_an_address_that_is_not_ours_is_told() -> None:
    with pytest.raises(CliError) as refused:
        listen_on("192.0.2.1", 0, "--edge-port")
    assert "192.0.2.1" in refused.value.what
