"""What is told of one worker and two, by figures made by hand."""

from loadtest.doubled import APART, BETWEEN, DEAR, MACHINE, OURS, Carried, Compared
from loadtest.targets import read
from loadtest.two_workers import Rounds, targets, told


def compared(rate: float, cost: float = 1.0) -> Compared:
    return Compared(
        Carried(40_000.0, 13.0, 0, 2.0, 25.0, 0.001),
        Carried(40_000.0 * rate, 13.0 * cost, 0, 3.0, 50.0 / rate, 0.1, (0.4, 0.6), (30, 34)),
    )


def rounds(*, apart: Compared, between: Compared, dear: Compared, machine: Compared) -> Rounds:
    each = {
        (OURS, APART): apart,
        (OURS, BETWEEN): between,
        (MACHINE, APART): compared(2.0),
        (MACHINE, BETWEEN): machine,
        (OURS, DEAR): dear,
    }
    return {of: [found] * 2 for of, found in each.items()}


def test_a_loss_between_the_cores_that_another_proxy_has_as_well_is_not_called_ours() -> None:
    found = rounds(apart=compared(2.0), between=compared(1.5, 1.3), dear=compared(1.95), machine=compared(1.5))
    assert [each.is_met for each in read("\n".join(map(str, targets(found))))] == [True] * 4
    text = "\n".join(told(found))
    assert "ours have 1.50 (1.50–1.50) ×, nginx's 1.50 (1.50–1.50) ×" in text
    assert "40% of 30 and 60% of 34" in text


def test_what_workers_have_in_common_misses_the_target_though_the_cores_have_nothing_else() -> None:
    found = rounds(apart=compared(1.8, 1.2), between=compared(1.4), dear=compared(1.8), machine=compared(1.5))
    told_of = read("\n".join(map(str, targets(found))))
    assert [(each.what, each.reached) for each in told_of if not each.is_met] == [
        ("rate of short calls, cores apart", "1.8"),
        ("cost of short calls, cores apart", "1.2"),
        ("rate of dear calls, between the cores", "1.8"),
        ("rate of short calls, between the cores, beside nginx", "0.933"),
    ]


def test_what_load_and_service_lose_bounds_what_any_gateway_could_gain() -> None:
    one = Carried(40_000.0, 13.0, 0, 2.0, 25.0, 0.001)
    two = Carried(50_000.0, 22.0, 0, 3.0, 40.0, 0.1)
    assert Compared(one, two).most == 2 * 25.0 / (13.0 + 18.0)
