"""The headers of every answer of Consul's surface."""

from typing import Any

from registry.compat.consul.answering import Answers
from registry.compat.consul.queries import ConsulQuery
from registry.machine.request import Reply, Request
from registry.rights.caller import TRUSTED
from tests.parts.registry_bench import Bench


class Store:
    """What a registry knows of the store it shares."""

    is_fresh = True
    age_s = 0.5


def _headers(answers: Answers, *place: str) -> list[str]:
    return answers.reply(place, b"[]").headers.decode().split("\r\n")[:3]


def test_the_index_is_beyond_the_last_revision_of_its_place_and_never_none() -> None:
    bench = Bench()
    answers = Answers(bench.view, None)
    assert _headers(answers, "default", "books")[0] == "X-Consul-Index: 1"
    bench.register("books", "b1")
    bench.register("mail", "m1")
    assert _headers(answers, "default", "books")[0] == "X-Consul-Index: 2"
    assert _headers(answers, "default")[0] == "X-Consul-Index: 3"


def test_whoever_asks_the_same_is_given_one_answer_until_it_changes() -> None:
    bench = Bench()
    answers = Answers(bench.view, None)
    reads: list[str] = []

    def ask(query: str, path: str = "/v1/health/service/books") -> bytes:
        def read() -> list[str]:
            reads.append(query)
            return sorted(bench.view.services.get(("default", "books"), {}))

        head: Any = None
        asked = Request(head, b"", method="GET", path=path, segments=(), query=query, peer="", caller=TRUSTED)
        reply = answers.blocking(asked, ConsulQuery(query), ("default", "books"), read)
        assert isinstance(reply, Reply)
        return reply.body

    assert [ask("passing"), ask("passing&wait=5s&near=_agent"), ask("tag=a"), ask("passing")] == [b"[]"] * 4
    assert reads == ["passing", "tag=a"]
    bench.register("books", "b1")
    assert ask("passing") == b'["b1"]'
    bench.register("mail", "m1")
    ask("passing&index=1")
    assert reads == ["passing", "tag=a", "passing"]
    ask("passing", "/v1/health/checks/books")
    assert len(reads) == 4


def test_a_store_that_does_not_answer_is_a_leader_nobody_knows() -> None:
    store: Any = Store()
    answers = Answers(Bench().view, store)
    assert _headers(answers, "default")[1:] == ["X-Consul-KnownLeader: true", "X-Consul-LastContact: 0"]
    store.is_fresh, store.age_s = False, 7.25
    assert _headers(answers, "default")[1:] == ["X-Consul-KnownLeader: false", "X-Consul-LastContact: 7250"]
