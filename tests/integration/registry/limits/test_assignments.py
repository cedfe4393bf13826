"""POST /v1/assignments, as gateways ask."""

from pathlib import Path
from typing import Any

import pytest

from tests.parts.registry import running_registry
from tests.parts.valkey import Valkey

BUDGET = {"id": "default/ten@mesh", "limit": 100, "rate": 1.0}


def asks(*wants: int, node: str = "gw-1", workers: int = 2, **budget: Any) -> dict[str, Any]:
    asked = [{"budget": 0, "key": "k", "worker": "7", "want": want} for want in wants]
    return {"node": node, "workers": workers, "budgets": [BUDGET | budget], "asks": asked}


async def test_grants_come_in_order_with_how_many_workers_share(tmp_path: Path) -> None:
    async with running_registry(tmp_path) as registry:
        answer = await registry.call("POST", "/v1/assignments", asks(3, 4))
        assert answer.status == 200
        body = answer.json
        assert (body["workers"], [grant["count"] for grant in body["grants"]]) == (2, [3, 4])
        await registry.call("POST", "/v1/reports", {"node": "gw-1", "workers": 2, "revision": 0})
        await registry.call("POST", "/v1/reports", {"node": "gw-2", "workers": 5, "revision": 0})
        assert (await registry.call("POST", "/v1/assignments", asks(1))).json["workers"] == 7


async def test_an_ask_of_a_budget_that_is_not_there_is_refused_at_its_place(tmp_path: Path) -> None:
    async with running_registry(tmp_path) as registry:
        body = asks(1)
        body["asks"][0]["budget"] = 1
        answer = await registry.call("POST", "/v1/assignments", body)
        assert answer.status == 422
        assert answer.json["errors"][0]["path"] == "asks[0].budget"


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"rate": 0.0}, {"segments": 61}, {"id": ""}])
async def test_a_budget_out_of_its_bounds_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    async with running_registry(tmp_path) as registry:
        assert (await registry.call("POST", "/v1/assignments", asks(1, **wrong))).status == 422


async def test_with_redis_away_the_answer_is_503_and_says_when_to_come_again(tmp_path: Path) -> None:
    server = Valkey(tmp_path)
    server.kill()
    async with running_registry(tmp_path, redis_url=server.url) as registry:
        answer = await registry.call("POST", "/v1/assignments", asks(1))
        assert (answer.status, answer.json["code"]) == (503, "limits_unavailable")
        assert answer.headers["retry-after"] == "1"
