"""The headers of every answer of Consul's surface."""

from typing import Any

from registry.compat.consul.answering import Answers
from tests.parts.registry_bench import Bench


class Store:
    """What a registry knows of the store it shares."""

    is_fresh = True
    age_s = 0.5


def _headers(answers: Answers, *place: str) -> list[str]:
    return answers.reply(place, []).headers.decode().split("\r\n")[:3]


def test_the_index_is_beyond_the_last_revision_of_its_place_and_never_none() -> None:
    bench = Bench()
    answers = Answers(bench.view, None)
    assert _headers(answers, "default", "books")[0] == "X-Consul-Index: 1"
    bench.register("books", "b1")
    bench.register("mail", "m1")
    assert _headers(answers, "default", "books")[0] == "X-Consul-Index: 2"
    assert _headers(answers, "default")[0] == "X-Consul-Index: 3"


def test_a_store_that_does_not_answer_is_a_leader_nobody_knows() -> None:
    store: Any = Store()
    answers = Answers(Bench().view, store)
    assert _headers(answers, "default")[1:] == ["X-Consul-KnownLeader: true", "X-Consul-LastContact: 0"]
    store.is_fresh, store.age_s = False, 7.25
    assert _headers(answers, "default")[1:] == ["X-Consul-KnownLeader: false", "X-Consul-LastContact: 7250"]
