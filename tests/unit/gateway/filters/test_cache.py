"""A rule's cache, call by call: against an oracle of RFC 9111, and what becomes of callers who come and go."""

import random
from email.utils import formatdate

import pytest

from gateway.relay.call import Call
from tests.parts.cache_bench import NOON, CacheBench
from tests.parts.cache_oracle import CacheOracle, Kept, Said
from tests.parts.playbook import FakeDownstream

FRESH = "Cache-Control: max-age=60\r\n"


class Duel:
    """The gateway and the oracle hear and say the same."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.bench = CacheBench()
        self.oracle = CacheOracle()
        self.version = 0

    def pass_time(self) -> None:
        seconds = float(self.rng.choice((0, 1, 3, 5, 11, 40)))
        self.bench.leap(seconds)
        self.oracle.now += seconds

    def said(self) -> Said:
        rng = self.rng
        self.version += 1
        directives: dict[str, int | None] = {}
        for name, chance, arguments in (
            ("max-age", 0.6, (0, 4, 10, 50)), ("s-maxage", 0.1, (0, 8, 30)), ("no-store", 0.05, ()),
            ("private", 0.05, ()), ("no-cache", 0.08, ()), ("must-revalidate", 0.1, ()), ("public", 0.2, ()),
            ("stale-while-revalidate", 0.2, (5, 20)), ("stale-if-error", 0.2, (5, 20)),
        ):  # fmt: skip
            if rng.random() < chance:
                directives[name] = rng.choice(arguments) if arguments else None
        return Said(
            self.version,
            rng.choice((200, 200, 200, 200, 404, 500, 302)),
            directives,
            rng.choice((None, None, None, -5, 7, 30)),
            rng.choice((0, 0, 0, 2, 20)),
            rng.random() < 0.5,
            rng.random() < 0.05,
            rng.random() < 0.3,
        )

    def fields(self, said: Said) -> str:
        wall = NOON + self.bench.book.clock()
        date = formatdate(wall, usegmt=True)
        return said.fields(date, formatdate(wall + (said.expires_in_s or 0), usegmt=True))

    def answer(self) -> Said:
        """The service answers what it is asked."""
        said = self.said()
        service = self.bench.service()
        service.answer(said.status, b"v%d" % said.version, fields=self.fields(said))
        return said

    def answer_for_cache(self, path: str, language: str, stale: Kept | None, has_credentials: bool) -> Said | None:
        """As above, of what is asked for the cache. None: it has said that nothing has changed."""
        service = self.bench.service()
        asks = stale is not None and stale.said.tag
        assert (b"If-None-Match" in service.fields) == asks
        if stale is not None and asks and self.rng.random() < 0.5:
            said = self.said()
            said.version, said.tag, said.varies, said.cookie = stale.said.version, True, stale.said.varies, False
            service.answer(304, fields=self.fields(said))
            self.oracle.renewed(path, stale, said, has_credentials=has_credentials)
            return None
        said = self.answer()
        if said.status == 500 and stale is not None and stale.may_be_stale(self.oracle.now, "stale-if-error"):
            return None
        self.oracle.answered(path, language, said, has_credentials=has_credentials)
        return said

    def get(self) -> None:
        rng, bench, oracle = self.rng, self.bench, self.oracle
        path, language = f"/{rng.randrange(3)}", rng.choice(("", "de", "fr"))
        has_credentials = rng.random() < 0.2
        known = oracle.find(path, language)
        tag = rng.choice((None, None, known.said.version if known else 0, self.version + 1, 0))
        fields = f"Accept-Language: {language}\r\n" if language else ""
        fields += "Authorization: Bearer x\r\n" if has_credentials else ""
        fields += f'If-None-Match: "v{tag}"\r\n' if tag is not None else ""
        _, downstream = bench.ask(path, fields)
        now = oracle.now
        print(now, path, language, tag, has_credentials, known)
        if known is not None and known.is_fresh(now):
            assert bench.asked() == []
            assert downstream.told == [given(known.said, tag)]
        elif (
            known is not None
            and "no-cache" not in known.said.directives
            and known.may_be_stale(now, "stale-while-revalidate")
        ):
            assert downstream.told == [given(known.said, tag)]
            self.answer_for_cache(path, language, known, has_credentials)
        elif oracle.is_passing(path, has_credentials=has_credentials):
            said = self.answer()
            assert downstream.told == [("head", said.status, b"v%d" % said.version, "ended")]
        else:
            said_new = self.answer_for_cache(path, language, known, has_credentials)
            if said_new is None:
                assert known is not None
                assert downstream.told == [given(known.said, tag)]
            else:
                assert downstream.told == [given(said_new, tag)]
        assert bench.asked() == []

    def post(self) -> None:
        path = f"/{self.rng.randrange(3)}"
        _, downstream = self.bench.ask(path, method="POST")
        said = self.answer()
        assert downstream.told == [("head", said.status, b"v%d" % said.version, "ended")]
        if said.status in (200, 302):
            self.oracle.changed(path)


def given(said: Said, tag: int | None) -> tuple[object, ...]:
    if said.status == 200 and said.tag and tag == said.version:
        return ("head", 304, b"", "ended")
    return ("head", said.status, b"v%d" % said.version, "ended")


@pytest.mark.parametrize("number", range(4))
def test_it_does_what_an_oracle_of_the_standard_does(number: int) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    duel = Duel(random.Random(seed))
    for _ in range(400):
        duel.pass_time()
        duel.post() if duel.rng.random() < 0.1 else duel.get()
    duel.bench.book.assert_nothing_is_held()
    assert duel.bench.cache.coming == duel.bench.cache.background == 0
    assert not duel.bench.cache.running


def told(*askers: tuple[Call, FakeDownstream]) -> list[object]:
    return [downstream.told for _, downstream in askers]


def status_of(asker: tuple[Call, FakeDownstream]) -> bytes:
    """What Cache-Status says."""
    return asker[0].exchange.added.partition(b"Cache-Status: meshway; ")[2].partition(b"\r\n")[0]


def test_an_answer_is_passed_on_as_it_comes_to_all_who_wait_and_kept_when_it_is_whole() -> None:
    bench = CacheBench()
    first, second = bench.ask(), bench.ask()
    service = bench.service()
    service.answer(200, b"12345", fields=f"{FRESH}X: {'y' * 5}\r\n", ended=False)
    assert told(first, second) == [[("head", 200, b"12345", "open")]] * 2
    third = bench.ask()
    assert third[1].told == [("head", 200, b"12345", "open")]
    service.body(b"678")
    service.end()
    assert told(first, second, third) == [[("head", 200, b"12345", "open"), ("body", b"678"), ("end", b"")]] * 3
    assert [status_of(each) for each in (first, second)] == [
        b"fwd=miss; fwd-status=200; stored", b"fwd=miss; fwd-status=200; collapsed",
    ]  # fmt: skip
    assert bench.ask()[1].told == [("head", 200, b"12345678", "ended")]
    assert first[0].exchange.endpoint is not None
    assert second[0].exchange.endpoint is None


def test_a_caller_who_does_not_take_it_holds_up_nobody_while_it_is_kept() -> None:
    bench = CacheBench()
    slow, fast = bench.ask(), bench.ask()
    service = bench.service()
    service.answer(200, b"1", fields=FRESH, ended=False)
    slow[0].on_write_paused()
    service.body(b"2")
    service.body(b"3")
    assert not service.is_paused
    assert slow[1].told == [("head", 200, b"1", "open")]
    service.end()
    assert fast[1].told[-1] == ("end", b"")
    slow[0].on_write_resumed()
    assert slow[1].told[1:] == [("body", b"2"), ("body", b"3"), ("end", b"")]


def test_what_turns_out_too_large_goes_on_at_the_pace_of_the_slowest_and_is_not_kept() -> None:
    bench = CacheBench(max_object=10)
    slow, fast = bench.ask(), bench.ask()
    service = bench.service()
    service.answer(200, b"1", fields=FRESH, ended=False)
    slow[0].on_write_paused()
    service.body(b"x" * 20)
    paused = [service.is_paused]
    assert fast[1].told[-1] == ("body", b"x" * 20)
    slow[0].on_write_resumed()
    assert [*paused, service.is_paused] == [True, False]
    service.end()
    assert slow[1].told[1:] == [("body", b"x" * 20), ("end", b"")]
    assert (len(bench.cache.store), bench.cache.coming) == (0, 0)
    assert bench.ask()[1].told == []
    assert status_of(bench.ask()) == b"fwd=miss; detail=unkept"


def test_an_answer_that_breaks_off_is_cut_for_all_and_not_kept() -> None:
    bench = CacheBench()
    first, second = bench.ask(), bench.ask()
    service = bench.service()
    service.answer(200, b"1", fields=FRESH, ended=False)
    service.fail()
    assert told(first, second) == [[("head", 200, b"1", "open"), ("cut",)]] * 2
    assert first[0].exchange.reason == "upstream_reset"
    assert (len(bench.cache.store), bench.cache.coming) == (0, 0)
    bench.book.assert_nothing_is_held()


def test_a_failure_of_the_gateways_own_is_told_to_all_who_wait() -> None:
    bench = CacheBench()
    first, second = bench.ask(), bench.ask()
    bench.book.refuse()
    assert told(first, second) == [[("reply", 502, "connect_failed", "UF")]] * 2
    assert first[0].exchange.flag == second[0].exchange.flag == "UF"
    assert bench.ask()[1].told == []


def test_a_stale_answer_stands_in_for_a_failure_where_it_may() -> None:
    bench = CacheBench()
    bench.ask()
    bench.service().answer(200, b"old", fields="Cache-Control: max-age=5, stale-if-error=60\r\n")
    bench.leap(20.0)
    asker = bench.ask()
    bench.service().answer(503, b"sorry")
    assert asker[1].told == [("head", 200, b"old", "ended")]
    bench.leap(20.0)
    asker = bench.ask()
    bench.service().fail("reset")
    assert asker[1].told == [("head", 200, b"old", "ended")]
    assert status_of(asker) == b"hit; ttl=-35; detail=failed"
    bench.leap(60.0)
    asker = bench.ask()
    bench.service().answer(503, b"sorry")
    assert asker[1].told == [("head", 503, b"sorry", "ended")]


def test_what_was_changed_while_it_came_is_not_kept() -> None:
    bench = CacheBench()
    reader = bench.ask()
    reading = bench.service()
    bench.ask(method="POST")
    (writing,) = [each for each in bench.asked() if each is not reading]
    writing.answer(200, b"done")
    reading.answer(200, b"old", fields=FRESH)
    assert reader[1].told == [("head", 200, b"old", "ended")]
    assert len(bench.cache.store) == 0


def test_who_waited_too_long_asks_by_himself_and_the_first_is_waited_for_no_longer_than_its_deadline() -> None:
    bench = CacheBench(coalesce_wait="1s")
    first, second = bench.ask(), bench.ask()
    bench.service()
    bench.book.pass_time(1.1)
    assert len(bench.asked()) == 2
    assert status_of(second) == b"fwd=miss; detail=waited"
    bench.book.pass_time(29.0)
    assert first[1].told == [("reply", 504, "deadline_exceeded", "DT")]
    assert second[1].told == [("reply", 504, "deadline_exceeded", "DT")]
    bench.book.assert_nothing_is_held()


def test_those_for_whom_it_is_not_by_vary_ask_once_for_themselves() -> None:
    bench = CacheBench()
    askers = [bench.ask(fields=f"Accept-Language: {each}\r\n") for each in ("de", "fr", "fr", "de", "fr")]
    bench.service().answer(200, b"de", fields=f"{FRESH}Vary: Accept-Language\r\n")
    bench.service().answer(200, b"fr", fields=f"{FRESH}Vary: Accept-Language\r\n")
    assert told(*askers) == [[("head", 200, each, "ended")] for each in (b"de", b"fr", b"fr", b"de", b"fr")]


def test_who_has_it_already_is_told_so_and_it_is_fetched_on_for_the_next() -> None:
    bench = CacheBench()
    asker = bench.ask(fields='If-None-Match: "v1"\r\n')
    service = bench.service()
    assert b"If-None-Match" not in service.fields
    service.answer(200, b"1", fields=f'{FRESH}ETag: "v1"\r\n', ended=False)
    assert asker[1].told == [("head", 304, b"", "ended")]
    service.body(b"2")
    service.end()
    assert bench.ask()[1].told == [("head", 200, b"12", "ended")]
    assert bench.cache.background == 0


def test_a_304_for_another_answer_than_ours_is_not_believed() -> None:
    bench = CacheBench()
    bench.ask()
    bench.service().answer(200, b"old", fields='Cache-Control: max-age=5\r\nETag: "v1"\r\n')
    bench.leap(10.0)
    asker = bench.ask()
    bench.service().answer(304, fields='ETag: "v2"\r\n')
    service = bench.service()
    assert b"If-None-Match" not in service.fields
    service.answer(200, b"new", fields=FRESH)
    assert asker[1].told == [("head", 200, b"new", "ended")]


@pytest.mark.parametrize(
    ("wish", "seconds", "is_given"),
    [
        ("max-age=5", 10.0, False), ("max-age=20", 10.0, True), ("max-age=x", 10.0, False),
        ("min-fresh=40", 10.0, True), ("min-fresh=55", 10.0, False), ("no-cache", 1.0, False),
        ("max-stale", 100.0, True),
        ("max-stale=30", 100.0, False), ("max-stale=60", 100.0, True), ("", 100.0, False), ("no-store", 10.0, True),
    ],
)  # fmt: skip
def test_what_callers_wish_counts_where_they_may(wish: str, seconds: float, is_given: bool) -> None:
    for counts in (True, False):
        bench = CacheBench(client_control=counts)
        bench.ask()
        bench.service().answer(200, b"1", fields=FRESH)
        bench.leap(seconds)
        asker = bench.ask(fields=f"Cache-Control: {wish}\r\n" if wish else "")
        assert bool(asker[1].told) is (is_given if counts else seconds < 60.0)


def test_only_if_cached_asks_nobody() -> None:
    bench = CacheBench(client_control=True)
    asker = bench.ask(fields="Cache-Control: only-if-cached\r\n")
    assert asker[1].told == [("reply", 504, "only_if_cached", "")]
    assert bench.asked() == []


def test_a_caller_who_wants_nothing_kept_keeps_nothing() -> None:
    bench = CacheBench()
    bench.ask(fields="Cache-Control: no-store\r\n")
    bench.service().answer(200, b"1", fields=FRESH)
    assert len(bench.cache.store) == 0


def test_calls_that_it_cannot_answer_pass_as_if_it_were_not_there() -> None:
    for method, fields in (("GET", "If-Match: *\r\n"), ("POST", ""), ("OPTIONS", "")):
        bench = CacheBench()
        bench.ask()
        bench.service().answer(200, b"1", fields=FRESH)
        asker = bench.ask(method=method, fields=fields)
        bench.service().answer(200, b"2")
        assert asker[1].told == [("head", 200, b"2", "ended")]
