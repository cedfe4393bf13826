from gateway.exchange import Reply
from gateway.filters.order import request_steps, response_filters
from gateway.plan import Parts
from meshway.model.route import HeaderChanges, PathRewrite, Redirect, Rewrite, Rule, RuleDestination
from tests.parts.calls import call
from tests.parts.clock import ManualClock
from tests.parts.limits import limit

PARTS = Parts(now=ManualClock(), random=lambda: 0.0)
TO_BOOKS = (RuleDestination(service="books"),)


def test_what_a_rule_does_not_use_is_not_in_its_tuple() -> None:
    assert request_steps(Rule(destinations=TO_BOOKS), (), (), PARTS, "rule a") == ()
    assert response_filters(Rule(destinations=TO_BOOKS)) == ()


def test_limits_come_before_a_redirect() -> None:
    filters = request_steps(Rule(redirect=Redirect(scheme="https")), [limit(burst=1)], (), PARTS, "rule a")
    verdicts = []
    for _ in range(2):
        exchange = call()
        verdict = next(reply for reply in (check.run(exchange) for check in filters) if reply is not None)
        assert isinstance(verdict, Reply)
        verdicts.append(verdict.status)
    assert verdicts == [302, 429]


def test_headers_and_rewrite_both_apply() -> None:
    rule = Rule(
        destinations=TO_BOOKS,
        request_headers=HeaderChanges(set={"a": "1"}),
        response_headers=HeaderChanges(set={"b": "2"}),
        rewrite=Rewrite(path=PathRewrite(full="/x")),
    )
    exchange = call("/y")
    for change in request_steps(rule, (), (), PARTS, "rule a"):
        assert change.run(exchange) is None
    assert (exchange.block, exchange.path) == (b"a: 1\r\n", b"/x")
    assert len(response_filters(rule)) == 1
