from typing import Any

import msgspec

from meshway.cli.doctor import judge
from registry.store.soundness import Soundness

SOUND = Soundness(
    store="s", schema="1", revision=9, log_first=5, log_last=9, log_count=5, free_bytes=1 << 40, used_bytes=1 << 20
)
POSTGRES = {"fsync": "on", "full_page_writes": "on", "synchronous_standby_names": "ANY 1 (b)", "autovacuum": "on"}


def found(**facts: Any) -> dict[str, str]:
    """The ids that did not pass, with their verdicts; each says how to mend it."""
    findings = list(judge(msgspec.structs.replace(SOUND, **facts), "1"))
    wrong = [finding for finding in findings if finding.verdict != "passed"]
    assert all(finding.mend for finding in wrong)
    return {finding.id: finding.verdict for finding in wrong}


def test_a_sound_store_passes() -> None:
    assert found() == found(settings=POSTGRES, skew_s=0.2) == {}
    assert found(log_first=None, log_last=None, log_count=0) == {}


def test_what_is_wrong_is_named_once() -> None:
    assert found(schema="0") == found(schema="2") == found(schema=None) == {"store-schema": "failed"}
    assert found(broken="row 3 missing from index") == {"store-intact": "failed"}
    for harm in ({"log_last": 8}, {"log_count": 4}, {"beyond_head": 1}, {"without_history": 1}, {"revision": None}):
        assert found(**harm) == {"store-consistent": "failed"}
    assert found(free_bytes=1 << 20) == {"store-room": "warning"}
    assert found(is_shrinkable=False) == {"store-shrinks": "warning"}
    assert found(skew_s=-6.0) == {"store-clock": "warning"}


def test_postgresql_that_may_lose_answered_writes_is_told() -> None:
    assert found(settings=POSTGRES | {"fsync": "off"}) == {"store-durable": "failed"}
    assert found(settings=POSTGRES | {"synchronous_standby_names": ""}) == {"store-standby": "warning"}
    assert found(settings=POSTGRES, dead_rows=60) == {"store-vacuum": "warning"}
