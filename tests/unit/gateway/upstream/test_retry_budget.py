from gateway.upstream.cluster_settings import BudgetSettings
from gateway.upstream.retry_budget import RetryBudget


def spent(budget: RetryBudget, now: float, tries: int = 1000) -> int:
    return sum(budget.spend(now) for _ in range(tries))


def test_retries_are_a_share_of_the_calls_and_never_fewer_than_the_minimum() -> None:
    budget = RetryBudget(BudgetSettings(percent=20.0, min_per_s=1.0), workers=1)
    assert spent(budget, 100.0) == 10
    for _ in range(500):
        budget.count_request(101.0)
    assert spent(budget, 101.0) == 90, "the minimum is part of the share, not beside it"


def test_ten_seconds_later_there_is_budget_again() -> None:
    budget = RetryBudget(BudgetSettings(percent=0.0, min_per_s=1.0), workers=1)
    assert spent(budget, 100.0) == 10
    assert spent(budget, 105.0) == 0
    assert spent(budget, 111.0) == 10


def test_workers_share_the_constant() -> None:
    assert spent(RetryBudget(BudgetSettings(0.0, 1.0), workers=5), 100.0) == 2


def test_no_budget_is_no_retry() -> None:
    assert spent(RetryBudget(BudgetSettings(0.0, 0.0), workers=1), 100.0) == 0
