"""Real sockets on the loopback, whose every address of 127.0.0.0/8 is our own."""

import socket
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from gateway.listeners.syn_filter import IS_OFFERED, attach, detach, program

pytestmark = pytest.mark.skipif(not IS_OFFERED, reason="this system filters no sockets")
DROPPED_S = 0.3


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def gets_in(listener: socket.socket, address: str) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as caller:
        caller.bind((address, 0))
        caller.settimeout(DROPPED_S)
        try:
            caller.connect((address if ":" in address else "127.0.0.1", listener.getsockname()[1]))
        except TimeoutError:
            return False
    return True


def test_who_is_named_gets_no_connection_and_everybody_else_does(listener: socket.socket) -> None:
    attach(listener, [ip_address("127.0.0.9"), ip_address("::1"), ip_address("127.0.0.7")])
    assert [gets_in(listener, f"127.0.0.{last}") for last in (1, 7, 8, 9)] == [True, False, True, False]
    attach(listener, [ip_address("127.0.0.8")])
    assert [gets_in(listener, f"127.0.0.{last}") for last in (7, 8)] == [True, False]
    detach(listener)
    assert gets_in(listener, "127.0.0.8")


def test_connections_that_are_open_go_on(listener: socket.socket) -> None:
    with socket.socket() as before:
        before.bind(("127.0.0.9", 0))
        before.connect(listener.getsockname())
        accepted, _ = listener.accept()
        attach(listener, [ip_address("127.0.0.9")])
        with socket.socket() as neighbour, accepted:
            neighbour.connect(listener.getsockname())
            inheriting, _ = listener.accept()
            with inheriting:
                for caller, served in ((before, accepted), (neighbour, inheriting)):
                    caller.settimeout(5)
                    caller.sendall(b"hello")
                    assert served.recv(5) == b"hello"
                    served.sendall(b"world")
                    assert caller.recv(5) == b"world"


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_addresses_of_ipv6_are_told_apart_to_the_last_word() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        attach(listener, [ip_address("::2"), ip_address("1::1"), ip_address("0:0:0:1::1")])
        assert gets_in(listener, "::1")
        attach(listener, [ip_address("1::1"), ip_address("::1"), ip_address("127.0.0.9")])
        assert not gets_in(listener, "::1")
        assert [gets_in(listener, address) for address in ("127.0.0.1", "127.0.0.9")] == [True, False]


def test_the_kernel_takes_as_many_as_are_ever_kept_out(listener: socket.socket) -> None:
    many = [*(ip_address(f"10.0.0.{at}") for at in range(64)), *(ip_address(f"2001:db8::{at}") for at in range(64))]
    assert len(program(many)) < 4096
    attach(listener, many)
    assert gets_in(listener, "127.0.0.1")


def test_nothing_attached_and_a_closed_socket_are_no_trouble() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    detach(listener)
    listener.close()
    detach(listener)
