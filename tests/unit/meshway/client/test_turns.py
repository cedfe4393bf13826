"""Which of several registries is asked next."""

from meshway.client.turns import Turns

A, B, C = "http://a", "http://b", "http://c"


def test_who_answered_last_is_asked_first_and_the_others_once_each() -> None:
    turns = Turns((A, B, C))
    assert list(turns.order()) == [A, B, C]
    turns.missed(A)
    assert (turns.current, list(turns.order())) == (B, [B, C, A])
    turns.missed(B)
    turns.missed(C)
    assert turns.current == A


def test_a_miss_that_is_told_twice_passes_nobody_over() -> None:
    turns = Turns((A, B, C))
    turns.missed(A)
    turns.missed(A)
    assert turns.current == B


def test_a_round_that_began_ends_with_each_once_although_others_go_on() -> None:
    turns = Turns((A, B, C))
    seen = []
    for url in turns.order():
        seen.append(url)
        turns.missed(url)
    assert seen == [A, B, C]


def test_the_only_one_is_asked_again() -> None:
    turns = Turns((A,))
    turns.missed(A)
    assert list(turns.order()) == [A]
