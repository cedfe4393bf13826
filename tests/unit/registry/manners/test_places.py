from __future__ import annotations

import resource
from pathlib import Path

import pytest

from registry.manners.places import Caps, Places
from registry.settings import RegistrySettings


def test_more_than_all_or_more_than_one_address_may_have_is_refused_and_says_what_gives_more() -> None:
    places = Places("watchers", 3, 2, setting="--max-watchers")
    assert [places.take("a"), places.take("a")] == [None, None]
    refusal = places.take("a")
    assert refusal is not None
    assert (refusal.status, refusal.code) == (503, "too_many_watchers")
    assert "2 watchers are open from a" in str(refusal.detail)
    assert str(refusal.mend).endswith("--max-watchers-per-address")
    assert 1 <= int(refusal.headers["Retry-After"]) <= 3
    assert places.take("b") is None
    refusal = places.take("c")
    assert refusal is not None
    assert "3 watchers are open, " in str(refusal.detail)
    assert str(refusal.mend).endswith("--max-watchers")
    assert places.refused == 2


def test_a_place_that_is_left_is_free_again_and_no_address_is_remembered() -> None:
    places = Places("connections", 10, 1, setting="--max-connections")
    for turn in range(100):
        assert places.take(f"10.0.0.{turn}") is None
        places.leave(f"10.0.0.{turn}")
    assert not places._by_address
    assert places.take("10.0.0.1") is None
    assert places.take("10.0.0.1") is not None
    places.leave("10.0.0.1")
    assert places.take("10.0.0.1") is None


def test_connections_leave_descriptors_to_the_rest_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = RegistrySettings(data_dir=Path(), max_connections=1000, max_connections_per_address=1000)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (10, 10))
    few = Caps(settings)
    assert [few.connections.take("a") is None for _ in range(9)] == [True] * 8 + [False]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert [Caps(settings).connections.take("a") is None for _ in range(9)] == [True] * 9
