from loadtest.soak import report
from loadtest.soak.callers import Failure, Tally
from loadtest.soak.trouble import STEADY, TROUBLED, Trouble, cause_of
from loadtest.soak.watching import Watched

MIB = 1 << 20
KILLED = Trouble("worker killed", began=100.0, ended=110.0, excuses="calls of the worker that was killed")
RELOAD = Trouble("reload", began=200.0, ended=210.0)


def failed(gateway: str, at: float, lasted_s: float = 0.0) -> Tally:
    return Tally("http/1.1", gateway, good=9, failures=[Failure(at, lasted_s, "http/1.1", gateway, "it was reset")])


def test_a_failure_has_a_cause_while_what_was_killed_may_still_be_missed() -> None:
    assert cause_of([RELOAD, KILLED], at=105.0, lasted_s=0.0) is KILLED
    assert cause_of([KILLED], at=112.9, lasted_s=3.0) is KILLED, "it was open when the worker was killed"
    assert cause_of([KILLED], at=112.9, lasted_s=1.0) is None, "it began when all was well again"
    assert cause_of([KILLED], at=99.0, lasted_s=50.0) is None
    assert cause_of([RELOAD], at=205.0, lasted_s=1.0) is None, "a reload may cost nothing"


def test_failures_are_counted_by_cause_and_those_without_one_are_wrong() -> None:
    wrong: list[str] = []
    tallies = [failed(TROUBLED, 105.0), failed(TROUBLED, 205.0), failed(STEADY, 105.0)]
    lines = list(report.of_callers(tallies, [KILLED, RELOAD], wrong))
    assert lines[0].endswith("| worker killed | unexplained |")
    assert [line.split("|")[6:8] for line in lines[2:]] == [
        [" 1 ", " **0** "],
        [" 0 ", " **1** "],
        [" 0 ", " **1** "],
    ]
    assert [line.split(" at ")[0] for line in wrong] == [f"{TROUBLED} http/1.1", f"{STEADY} http/1.1"]


def test_the_verdict_fits_a_screen_however_much_is_wrong() -> None:
    shown: list[str] = []
    report.verdict([f"failure {number}" for number in range(1_000)], shown.append)
    assert shown[0] == "**MISSED**: 1000 unexplained."
    assert len(shown) == report.MOST_SHOWN + 2
    shown.clear()
    report.verdict([], shown.append)
    assert shown == ["Nothing unexplained: **met**."]


def test_memory_is_told_of_each_process_as_time_goes() -> None:
    samples: list[tuple[int, ...]] = [(40 * MIB, (50 + second // 300) * MIB) for second in range(1_790)]
    wrong: list[str] = []
    lines = list(report.of_memory({STEADY: Watched(STEADY, lambda: 1, samples)}, 1_800.0, wrong))
    assert wrong == [f"{STEADY}: memory drifts by +4.4%"]
    assert lines[-4].count(" s |") == 6
    assert lines[-2:] == [
        f"| {STEADY} | 40.0 | 40.0 | 40.0 | 40.0 | 40.0 | 40.0 |",
        f"| {STEADY}, worker 1 | 51.0 | 52.0 | 53.0 | 54.0 | 55.0 | 55.0 |",
    ]


def test_memory_of_a_run_too_short_to_have_settled_is_shown_and_not_judged() -> None:
    samples: list[tuple[int, ...]] = [(40 * MIB, (50 + second // 30) * MIB) for second in range(180)]
    wrong: list[str] = []
    lines = list(report.of_memory({STEADY: Watched(STEADY, lambda: 1, samples)}, 180.0, wrong))
    assert wrong == []
    assert "Memory is not judged: 180 s are fewer than 900." in lines
    assert any(line.startswith(f"| {STEADY} |") and line.endswith("% |") for line in lines)
