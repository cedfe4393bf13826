"""Deny before allow before the default, and what is told of it."""

import random

import pytest

from gateway.access import gate
from gateway.access.gate import Gate, Guard, Rules, Verdict
from gateway.access.readings import Readings
from gateway.compiler.host_build import build_host
from gateway.compiler.matches import Placed
from gateway.exchange import Exchange
from gateway.routing.table import Candidate
from meshway.model.match import PathMatch
from tests.parts.exchanges import ended

PASS = Verdict("built in", "nobody else says anything", passes=True)
REFUSE = Verdict("AccessPolicy a/b", "its default denies this call", passes=False)
DENY = Verdict("AccessPolicy a/b", "rule 0 denies this call", passes=False)
ALLOW = Verdict("AccessPolicy a/b", "rule 1 allows this call", passes=True)


def rules(deny: str = "", allow: str = "", default: Verdict = PASS) -> Rules:
    denies = [Placed(PathMatch(prefix=deny), Candidate((0,), DENY))] if deny else []
    allows = [Placed(PathMatch(prefix=allow), Candidate((1,), ALLOW))] if allow else []
    return Rules(
        denies=build_host(denies) if denies else None,
        allows=build_host(allows) if allows else None,
        together=build_host(denies + allows),
        readings=Readings() if deny else None,
        default=default,
    )


def call(path: bytes) -> Exchange:
    return ended(path)


def silent(_: Verdict) -> None:
    raise AssertionError("nobody is told")


def test_a_rule_that_denies_decides_before_one_that_allows() -> None:
    both = rules("/a", "/a", REFUSE)
    assert both.judge(call(b"/a/b")) is DENY
    assert both.judge(call(b"/b")) is REFUSE
    assert rules("/a", "/b", REFUSE).judge(call(b"/b")) is ALLOW
    assert rules("/a").judge(call(b"/b")) is PASS


def test_a_denied_reading_denies_and_the_path_stays_as_it_was() -> None:
    exchange = call(b"/x;y/%252e%252e/A")
    assert rules("/a").judge(exchange) is DENY
    assert exchange.path == b"/x;y/%252e%252e/A"


def test_a_rule_that_allows_sees_the_canonical_path_alone() -> None:
    assert rules(allow="/a", default=REFUSE).judge(call(b"/A")) is REFUSE


@pytest.mark.parametrize("path", [b"/a", b"/b", b"/c", b"/A;x", b"/b/%20"])
def test_what_runs_for_each_call_says_what_is_told_of_it(path: bytes) -> None:
    for each in (rules("/a", "/b", REFUSE), rules("/a"), rules(allow="/b", default=REFUSE)):
        assert each.compile()(call(path)) is each.judge(call(path)).reply


def test_a_refusal_says_whose_word_it_is() -> None:
    refusal = Gate(rules("/a"), None, silent).compile()(call(b"/a"))
    assert refusal is not None
    assert (refusal.status, refusal.reason, refusal.flag, refusal.policy) == (403, "denied", "UAEX", "AccessPolicy a/b")
    assert Gate(rules("/a"), None, silent).compile()(call(b"/b")) is None


def test_what_only_audits_is_told_and_passes() -> None:
    told: list[Verdict] = []
    gate = Gate(None, rules("/a"), told.append)
    authorize = gate.compile()
    assert [authorize(call(b"/a")), authorize(call(b"/b"))] == [None, None]
    assert told == [DENY]


def test_what_is_refused_anyhow_is_not_told_as_audited() -> None:
    assert Gate(rules("/a"), rules("/a"), silent).compile()(call(b"/a")) is not None


def test_a_forecast_names_rule_and_caller_and_tells_nobody() -> None:
    (refused,) = Gate(rules("/a"), rules("/a"), silent).forecast(call(b"/a"))
    assert (refused.verdict, refused.document) == ("refuse", "AccessPolicy a/b")
    assert refused.detail == "rule 0 denies this call; the caller is anonymous at 10.0.0.7"
    passed, audited = Gate(rules("/b"), rules("/a"), silent).forecast(call(b"/a"))
    assert (passed.verdict, passed.reply) == ("pass", None)
    assert (audited.verdict, audited.detail) == (
        "pass",
        "rule 0 denies this call; would be refused, but it only audits",
    )


def test_a_guard_asks_of_the_service_of_the_endpoint() -> None:
    guard = Guard({("a/b", "c", "d"): [Gate(rules("/"), None, silent).step()]})
    assert guard.refusal(call(b"/"), "a/b", ("c", "d", "1")) is not None
    assert guard.refusal(call(b"/"), "a/b", ("a", "b", "1")) is None
    assert guard.refusal(call(b"/"), "c/d", ("c", "d", "1")) is None


def test_a_guard_tells_what_each_of_its_gates_says_up_to_the_first_refusal() -> None:
    passing, refusing = Gate(rules("/b"), None, silent).step(), Gate(rules("/a"), None, silent).step()
    guard = Guard({("a/b", "a", "b"): [passing, refusing, passing]})
    assert [each.verdict for each in guard.forecast(call(b"/a"), "a/b", ("a", "b"))] == ["pass", "refuse"]
    assert [each.verdict for each in guard.forecast(call(b"/c"), "a/b", ("a", "b"))] == ["pass"] * 3
    assert guard.forecast(call(b"/a"), "a/b", ("c", "d")) == []


@pytest.mark.parametrize("seed", range(5))
def test_paths_that_are_remembered_fare_as_at_the_first_time(seed: int) -> None:
    chance = random.Random(seed)
    words = (b"a", b"b", b"A", b"%61", b"a;x", b"c.", b"..", b"a" * 70, b"")
    paths = [b"/" + b"/".join(chance.choices(words, k=3)) + b"%d" % at for at in range(2 * gate._REMEMBERED)]
    for each in (rules("/a", "/b", REFUSE), rules("/a/a"), rules(allow="/b", default=REFUSE)):
        run = each.compile()
        for path in (*paths, *paths[-20:], *paths[-20:], *paths[:20]):
            exchange = call(path)
            assert run(exchange) is each.judge(exchange).reply, (seed, path)


def test_what_is_remembered_of_a_path_asks_who_calls_each_time() -> None:
    allowed = Placed(PathMatch(prefix="/a"), Candidate((1,), ALLOW, lambda exchange: exchange.peer == "10.0.0.1"))
    run = Rules(None, build_host([allowed]), build_host([allowed]), None, REFUSE).compile()
    for peer, reply in (("10.0.0.1", None), ("10.0.0.2", REFUSE.reply), ("10.0.0.1", None)):
        exchange = call(b"/a/b")
        exchange.peer = peer
        assert run(exchange) is reply
