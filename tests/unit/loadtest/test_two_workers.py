"""What is told of one worker and two, by figures made by hand."""

from loadtest.targets import read
from loadtest.two_workers import MACHINE, OURS, Carried, Compared, targets, told


def compared(rate: float, cost: float) -> Compared:
    return Compared(
        Carried(1_000.0, 30.0, 0, 2.0),
        Carried(900.0, 50.0, 0, 2.0),
        Carried(1_000.0 * rate, 50.0 * cost, 0, 3.0, (0.4, 0.6), (30, 34)),
    )


def test_a_loss_that_the_machine_has_by_itself_misses_the_target_and_is_not_called_ours() -> None:
    rounds = {OURS: [compared(1.8, 1.1), compared(1.7, 1.2)], MACHINE: [compared(1.8, 1.1), compared(1.7, 1.2)]}
    found = read("\n".join(map(str, targets(rounds))))
    assert [(each.what, each.is_met) for each in found] == [
        ("rate", False),
        ("cost", False),
        ("rate beside nginx", True),
    ]
    text = "\n".join(told(rounds))
    assert "0.25 of 2 cores in rate, +15.0% of a call's CPU time" in text
    assert "rate 1.000, CPU time 1.000" in text
    assert "40% of 30 and 60% of 34" in text


def test_a_loss_of_ours_is_told_within_the_rounds() -> None:
    rounds = {OURS: [compared(1.8, 1.1)] * 2, MACHINE: [compared(2.0, 1.0), compared(2.0, 1.0)]}
    beside = read("\n".join(map(str, targets(rounds))))[2]
    assert (beside.bound, beside.reached, beside.is_met) == ("≥ 0.95 × nginx's own gain", "0.9", False)
