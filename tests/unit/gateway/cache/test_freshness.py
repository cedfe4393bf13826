"""How long answers are fresh, and which may be kept (RFC 9111 §3, §4.2)."""

import pytest

from gateway.cache.freshness import Lifetimes, freshness_of, refusal_to_keep

STATUSES = frozenset({200, 404})
NOON = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


def block(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


@pytest.mark.parametrize(
    ("lines", "lifetime_s"),
    [
        ((), 7.0),
        (("Cache-Control: max-age=60",), 60.0),
        (("Cache-Control: MAX-AGE=60",), 60.0),
        (('Cache-Control: max-age="60"',), 60.0),
        (("Cache-Control: max-age=60, s-maxage=30",), 30.0),
        (("Cache-Control: s-maxage=90", "Cache-Control: max-age=60"), 90.0),
        (("Cache-Control: max-age=60, max-age=60",), 60.0),
        (("Cache-Control: max-age=60, max-age=90",), 0.0),
        (("Cache-Control: max-age=-1",), 0.0),
        (("Cache-Control: max-age=1.5",), 0.0),
        (("Cache-Control: max-age",), 0.0),
        (("Cache-Control: max-age=99999999999999",), 1000.0),
        (('Cache-Control: foo="a, max-age=9", max-age=60',), 60.0),
        (("Expires: Fri, 15 Jan 2027 08:01:00 GMT", "Date: Fri, 15 Jan 2027 08:00:00 GMT"), 60.0),
        (("Expires: Friday, 15-Jan-27 08:01:00 GMT", "Date: Fri Jan 15 08:00:00 2027"), 60.0),
        (("Expires: Fri, 15 Jan 2027 08:01:00 GMT",), 60.0),
        (("Expires: 0",), 0.0),
        (("Expires: Fri, 15 Jan 2027 07:59:00 GMT",), 0.0),
        (("Expires: Fri, 15 Jan 2027 09:00:00 GMT", "Cache-Control: max-age=1"), 1.0),
    ],
)
def test_a_lifetime_is_what_the_service_says(lines: tuple[str, ...], lifetime_s: float) -> None:
    limits = Lifetimes(default_s=7.0, most_s=1000.0)
    assert freshness_of(block(*lines), limits, asked=NOON, came=NOON).lifetime_s == lifetime_s


@pytest.mark.parametrize(
    ("lines", "age_s"),
    [
        ((), 2.0),
        (("Age: 10",), 12.0),
        (("Age: 10, 20",), 12.0),
        (("Age: x",), 2.0),
        (("Date: Fri, 15 Jan 2027 07:59:00 GMT",), 62.0),
        (("Date: Fri, 15 Jan 2027 08:59:00 GMT",), 2.0),
        (("Date: Fri, 15 Jan 2027 07:59:00 GMT", "Age: 100"), 102.0),
    ],
)
def test_an_answer_is_as_old_as_it_says_or_as_the_clocks_do(lines: tuple[str, ...], age_s: float) -> None:
    assert freshness_of(block(*lines), Lifetimes(), asked=NOON, came=NOON + 2.0).age_s == age_s


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((), ""),
        (("Cache-Control: no-store",), "no-store"),
        (("Cache-Control: No-Store, max-age=60",), "no-store"),
        (("Cache-Control: private",), "private"),
        (('Cache-Control: private="x"',), "private"),
        (("Cache-Control: max-age=60, must-understand, no-store",), ""),
        (("Set-Cookie: a=b", "Cache-Control: public, max-age=60"), "set-cookie"),
        (('Cache-Control: foo="no-store"',), ""),
    ],
)
def test_what_many_must_not_share_is_not_kept(lines: tuple[str, ...], reason: str) -> None:
    assert refusal_to_keep(block(*lines), 200, STATUSES, has_credentials=False) == reason


def test_credentials_need_the_services_word() -> None:
    def refusal(line: str) -> str:
        return refusal_to_keep(block(line), 200, STATUSES, has_credentials=True)

    assert refusal("Cache-Control: max-age=60") == "authorization"
    for word in ("public", "s-maxage=60", "must-revalidate"):
        assert refusal(f"Cache-Control: {word}") == ""
    assert refusal("Cache-Control: public, private") == "private"


def test_only_statuses_of_the_rule_are_kept_and_no_part_ever() -> None:
    for status in (201, 206, 304, 500):
        assert refusal_to_keep(b"", status, STATUSES | {206, 304}, has_credentials=False) == "status"
    must = block("Cache-Control: must-understand")
    assert refusal_to_keep(must, 418, frozenset({418}), has_credentials=False) == "must-understand"


def test_staleness_is_the_answers_word_then_the_rules_and_nobodys_where_it_must_be_asked_for() -> None:
    limits = Lifetimes(stale_s=5.0, error_s=6.0)

    def stale(line: str) -> tuple[float, float]:
        found = freshness_of(block(line), limits, asked=NOON, came=NOON)
        return found.stale_s, found.error_s

    assert stale("Cache-Control: max-age=1") == (5.0, 6.0)
    assert stale("Cache-Control: max-age=1, stale-while-revalidate=10, stale-if-error=20") == (10.0, 20.0)
    for word in ("must-revalidate", "proxy-revalidate", "s-maxage=9", "no-cache"):
        assert stale(f"Cache-Control: max-age=1, {word}, stale-if-error=20") == (0.0, 0.0)
