import pytest

from meshway.model.alert import Alert
from registry.alerts.looking import Looked, Seen, looked
from registry.alerts.presence import Sample
from registry.alerts.records import AlertState, fingerprint_of
from registry.alerts.rules import rule_of


def look(query: str, samples: list[Sample], *, settled: bool, live: tuple[AlertState, ...] = ()) -> Looked:
    rule = rule_of("guard", "mesh", Alert(query=query))
    wanted = {(value, each.over_s): samples for each in rule.query.conditions for value in each.values}
    return looked([rule], [], Seen({}, wanted, {}, frozenset(), settled), live)


def known(gateway: str) -> AlertState:
    labels = {"gateway": gateway}
    return AlertState(
        id=gateway,
        namespace="mesh",
        name="guard",
        fingerprint=fingerprint_of("Alert", "mesh", "guard", labels),
        labels=labels,
        state="firing",
        active_at=0.0,
    )


def test_what_is_heard_right_after_a_start_is_so_and_what_is_not_heard_is_unknown() -> None:
    samples = [Sample({"gateway": "gw-1"}, 3.0), Sample({"gateway": "gw-2"}, 0.0)]
    states = (known("gw-1"), known("gw-2"), known("gw-3"))
    early = look("gateway=* removals_held > 0", samples, settled=False, live=states)
    assert [(each.labels["gateway"], each.holds) for each in early.looks] == [("gw-1", True)]
    assert early.unknown == {states[1].fingerprint, states[2].fingerprint}
    late = look("gateway=* removals_held > 0", samples, settled=True, live=states)
    assert sorted((each.labels["gateway"], each.holds) for each in late.looks) == [
        ("gw-1", True),
        ("gw-2", False),
        ("gw-3", None),
    ]
    assert late.unknown == set()


@pytest.mark.parametrize(
    ("query", "sample", "is_told"),
    [
        ("service=cart in_flight < 5", Sample({"service": "cart"}, 0.0), False),
        ("service=cart in_flight > 5", Sample({"service": "cart"}, 6.0), True),
        ("gateway=* cert_days_left < 7", Sample({"gateway": "gw-1"}, 2.0, "shop/web"), True),
        ("gateway=* cert_days_left > 7", Sample({"gateway": "gw-1"}, 9.0, "shop/web"), False),
        ("gateway=* in_flight / ejected > 1", Sample({"gateway": "gw-1"}, 2.0), False),
    ],
)
def test_what_more_gateways_could_undo_is_not_told_before_they_are_heard(
    query: str, sample: Sample, is_told: bool
) -> None:
    assert bool(look(query, [sample], settled=False).looks) == is_told
