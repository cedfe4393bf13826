from gateway.supervisor.transitions import Transitions
from gateway.upstream.transition import Transition

BOOK = ("default", "books", "b1")


def test_what_holds_is_told_until_it_ends() -> None:
    now = [100.0]
    transitions = Transitions(lambda: now[0])
    ejected = Transition(kind="ejected", cluster="default/books", endpoint=BOOK, until_s=110.0)
    failing = Transition(kind="check_failed", endpoint=BOOK, reason="timeout")
    opened = Transition(kind="breaker_opened", cluster="default/books", until_s=105.0)
    for transition in (ejected, failing, opened):
        transitions.take(transition)
    assert transitions.in_force() == [ejected, failing, opened]
    now[0] = 106.0
    assert transitions.in_force() == [ejected, failing]
    transitions.take(Transition(kind="returned", endpoint=BOOK))
    assert transitions.in_force() == [failing]
    transitions.take(Transition(kind="check_passed", endpoint=BOOK))
    assert transitions.in_force() == []


def test_one_that_fails_and_is_called_on_is_told_as_long_as_it_was_said() -> None:
    now = [100.0]
    transitions = Transitions(lambda: now[0])
    failing = Transition(kind="failing", cluster="default/books", endpoint=BOOK, until_s=120.0)
    transitions.take(failing)
    assert transitions.in_force() == [failing]
    now[0] = 120.0
    assert transitions.in_force() == []


def test_a_later_finding_replaces_the_earlier_one() -> None:
    transitions = Transitions(lambda: 0.0)
    transitions.take(Transition(kind="ejected", endpoint=BOOK, until_s=10.0, count=1))
    longer = Transition(kind="ejected", endpoint=BOOK, until_s=20.0, count=2)
    transitions.take(longer)
    assert transitions.in_force() == [longer]


def test_the_breakers_of_one_service_are_ended_by_hand() -> None:
    transitions = Transitions(lambda: 0.0)
    for cluster in ("shop/books", "shop/books#v1", "shop/books:admin#v1", "shop/bookshelf", "other/books"):
        transitions.take(Transition(kind="breaker_opened", cluster=cluster, until_s=9.0))
    assert transitions.end_breakers("shop/books") == ["shop/books", "shop/books#v1", "shop/books:admin#v1"]
    assert [each.cluster for each in transitions.in_force()] == ["shop/bookshelf", "other/books"]
    assert transitions.end_breakers("shop/books") == []
