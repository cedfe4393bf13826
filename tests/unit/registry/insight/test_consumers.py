from meshway.telemetry import Row
from registry.insight.consumers import DAY_S, ConsumerCalls, Days, uses_of


def row(*key: str, calls: int, failed: int = 0) -> Row:
    return Row(key, calls, failed)


def test_calls_are_added_up_by_credential_and_every_consumer_is_told() -> None:
    rows = [
        row("shop/acme", "key00001", "2xx", "", calls=5),
        row("shop/acme", "key00001", "4xx", "RL", calls=2),
        row("shop/acme", "jwt", "4xx", "UAEX", calls=1),
        row("shop/acme", "jwt", "5xx", "UF", calls=3, failed=3),
        row("shop/gone", "key00009", "2xx", "", calls=9),
    ]
    used = {("consumer shop/acme", "old00001"): 50, ("consumer shop/acme", "jwt"): 70, ("shop/cart", "all"): 90}
    acme, quiet = uses_of(["shop/quiet", "shop/acme"], {each.key: each for each in rows}, used)
    assert (acme.namespace, acme.name, acme.last_used) == ("shop", "acme", 70)
    assert acme.calls == ConsumerCalls(calls=11, failed=3, limited=2, denied=1)
    assert [(one.id, one.calls.calls, one.last_used) for one in acme.credentials] == [
        ("jwt", 4, 70),
        ("key00001", 7, None),
        ("old00001", 0, 50),
    ]
    assert (quiet.name, quiet.calls, quiet.last_used, quiet.credentials) == ("quiet", ConsumerCalls(), None, [])


def test_days_hold_what_one_consumer_called_in_them_and_nothing_before() -> None:
    days = Days("shop/acme", 10 * DAY_S, 2)
    for at, calls in ((10 * DAY_S - 1, 100), (10 * DAY_S, 1), (11 * DAY_S - 1, 2), (11 * DAY_S, 4), (12 * DAY_S, 8)):
        mine, other = (row(name, "jwt", "2xx", "", calls=calls) for name in ("shop/acme", "shop/beta"))
        days.add(at, [mine, other])
    assert [(day.begin, day.calls.calls) for day in days.told()] == [(10 * DAY_S, 3), (11 * DAY_S, 4)]
