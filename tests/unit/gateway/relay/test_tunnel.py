from tests.parts.playbook import Playbook

FIELDS = "Connection: Upgrade\r\nUpgrade: websocket\r\n"


def test_bytes_that_nobody_looks_at_are_cut_without_a_word() -> None:
    book = Playbook()
    call = book.request(fields=FIELDS)
    upstream = book.connect()
    upstream.upgrade(b"\xff")
    tunnel = call.tunnel
    assert tunnel is not None
    assert book.relay.tunnels.open == 1
    assert not tunnel.say_goodbye("", "drained", "no time")
    upstream.fail()
    assert book.told == [("upgrade",), ("body", b"\xff"), ("cut",)]
    assert (book.relay.tunnels.open, call.tunnel) == (0, None)
    assert book.last().metadata == b""
    book.assert_nothing_is_held()


def test_a_caller_who_leaves_takes_the_tunnel_along() -> None:
    book = Playbook()
    call = book.request(fields=FIELDS)
    upstream = book.connect()
    upstream.upgrade()
    call.on_gone()
    assert upstream.is_closed
    assert book.relay.tunnels.open == 0
    assert book.last().flag == "DC"
