"""A caller with a token stays, one without gets one, one whose endpoint is gone gets another."""

from gateway.balancing.affinity import Affinity, token_of
from gateway.balancing.peak_ewma import PeakEwma
from gateway.balancing.round_robin import RoundRobin
from gateway.exchange import Exchange
from tests.parts.calls import call
from tests.parts.endpoints import endpoints, ready

SOME = endpoints(1, 1, 1)


def balancer(kind: str = "cookie") -> Affinity:
    return Affinity(RoundRobin(lambda: 0.0, 1), kind, "mw", 3600.0)


def holding(token: bytes) -> Exchange:
    return call(headers={"Cookie": f"a=b; mw={token.decode()}"})


def test_a_newcomer_is_placed_and_told() -> None:
    pick = balancer()(ready(SOME))
    exchange = call()
    assert pick(exchange) is SOME[0]
    assert exchange.added == b"Set-Cookie: mw=%b; Path=/; Max-Age=3600; SameSite=Lax; HttpOnly\r\n" % token_of(SOME[0])


def test_who_holds_a_token_stays_and_is_told_nothing() -> None:
    pick = balancer()(ready(SOME))
    for endpoint in (SOME[2], SOME[2], SOME[1]):
        exchange = holding(token_of(endpoint))
        assert pick(exchange) is endpoint
        assert exchange.added == b""
    assert pick(call()) is SOME[0], "nobody's turn was used up"


def test_a_token_of_one_who_is_not_eligible_is_replaced() -> None:
    pick = balancer()(ready(SOME[:2]))
    for token in (token_of(SOME[2]), b"forged"):
        exchange = holding(token)
        picked = pick(exchange)
        assert picked in SOME[:2]
        assert token_of(picked) in exchange.added


def test_a_header_does_it_for_callers_without_cookies() -> None:
    pick = balancer("header")(ready(SOME))
    exchange = call()
    picked = pick(exchange)
    assert exchange.added == b"mw: %b\r\n" % token_of(picked)
    assert pick(call(headers={"MW": token_of(picked).decode()})) is picked


def test_a_retry_elsewhere_takes_the_caller_along() -> None:
    staying = balancer()
    exchange = call()
    exchange.added = b"RateLimit: 1\r\n"
    picked = staying(ready(SOME))(exchange)
    staying.moved(exchange, picked, SOME[2])
    assert exchange.added.startswith(b"RateLimit: 1\r\n")
    assert exchange.added.count(b"Set-Cookie") == 1
    assert token_of(SOME[2]) in exchange.added


def test_what_the_algorithm_learns_it_still_learns() -> None:
    algorithm = PeakEwma(lambda: 0.0, 10.0)
    assert Affinity(algorithm, "cookie", "mw", 0.0).observe == algorithm.observe
    assert balancer().observe is None


def test_a_token_tells_no_address_and_is_the_same_everywhere() -> None:
    assert token_of(endpoints(1)[0]) == token_of(SOME[0])
    assert len({token_of(one) for one in SOME}) == 3
