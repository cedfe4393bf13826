"""By what answers are told apart."""

from ipaddress import ip_network

from gateway.cache.key import compile_key, compile_query, target_beside
from gateway.exchange import EDGE, Exchange
from gateway.relay.forwarding import Forwarding
from meshway.http1.head import HeadLimits, RequestReader
from tests.parts.one_route import plan


def exchange(target: str = "/a?x=1", fields: str = "", host: str = "shop.example") -> Exchange:
    head = RequestReader(HeadLimits()).read(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode())
    assert head is not None
    path, _, query = target.encode().partition(b"?")
    head.path = (path, b"?" + query if query else b"")
    made = Exchange(head, EDGE, "127.0.0.1", 0.0)
    made.path, made.query = head.path
    made.plan = plan(None)
    return made


ALL = compile_key(query=None, headers=(), cookies=(), per_principal=False)


def test_scheme_authority_with_its_port_path_and_query_are_in_it() -> None:
    one = ALL(exchange())
    assert ALL(exchange(host="SHOP.example")) == one
    for other in (exchange("/b?x=1"), exchange("/a?x=2"), exchange("/a"), exchange(host="shop.example:81")):
        assert ALL(other) != one
    other = exchange()
    other.scheme = b"https"
    assert ALL(other) != one
    other = exchange()
    other.listener_name = "inner"
    assert ALL(other) != one


def test_of_the_query_the_named_count_in_all_their_values() -> None:
    of = compile_query(("id", "ä"))
    assert of(b"?id=1&utm=2&i%64=3&id=4") == b"id=1&i%64=3&id=4"
    assert of(b"") == of(b"?utm=1") == b""
    assert of(b"?utm=1;id=2") != of(b"?utm=1")  # to some services the second is an id


def test_scheme_and_host_as_a_trusted_proxy_tells_them_are_in_it() -> None:
    made = Forwarding("10.0.0.1", b"http", 80, b"gw", trusted_proxies=[ip_network("10.0.0.0/8")])
    keys = []
    for fields in (
        "",
        "X-Forwarded-Host: evil.example\r\n",
        "X-Forwarded-Proto: https\r\n",
        "Forwarded: for=1.2.3.4;host=evil.example\r\n",
        'Forwarded: for=1.2.3.4; Host = "evil.example"\r\n',
    ):
        call = exchange(fields=fields)
        call.peer, call.forwarded = made.fields(call.head)
        keys.append(ALL(call))
    assert len(set(keys)) == 5
    assert len({key.target for key in keys}) == 1  # so that all are forgotten together
    others = [exchange(fields=f"Forwarded: for={peer}\r\n") for peer in ("1.2.3.4", "1.2.3.5")]
    for call in others:
        call.peer, call.forwarded = made.fields(call.head)
    assert ALL(others[0]) == ALL(others[1])  # who calls makes no other answer


def test_headers_and_cookies_are_told_apart_and_absent_ones_from_empty_ones() -> None:
    key = compile_key(query=None, headers=("X-Kind",), cookies=("tier",), per_principal=False)
    keys = [
        key(exchange(fields=fields))
        for fields in ("", "X-Kind: \r\n", "X-Kind: a\r\n", "Cookie: tier=\r\n", "Cookie: tier=a; b=1\r\n")
    ]
    assert len(set(keys)) == 5
    assert key(exchange(fields="cookie: b=2; tier=a\r\n")) == keys[4]
    assert len({one.target for one in keys}) == 1


def test_what_a_location_names_is_a_target_where_it_is_of_the_same_origin() -> None:
    call, query = exchange("/orders", host="shop.example:81"), compile_query(None)
    here = ALL(exchange("/a?x=1", host="shop.example:81")).target
    for location in (b"/a?x=1", b"http://shop.example:81/a?x=1", b"//SHOP.example:81/a?x=1"):
        assert target_beside(call, location, query) == here
    for location in (b"http://shop.example/a?x=1", b"https://shop.example:81/a?x=1", b"a", b"\xff", b"http://["):
        assert target_beside(call, location, query) is None
