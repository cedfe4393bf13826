"""API keys through the command."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from tests.parts.command import Ended

Run = Callable[..., Ended]


def test_a_key_is_shown_once_and_only_its_hash_is_kept(run: Run, namespace: str) -> None:
    made = run("consumer", "key", "create", "acme", "-n", namespace, "--expires", "1h")
    assert made.code == 0, made
    key = made.out.strip()
    key_id = key[3:11]
    assert key not in made.err
    shown = run("get", "consumer", "acme", "-n", namespace, "-o", "json").out
    assert key not in shown
    (entry,) = json.loads(shown)["spec"]["credentials"]
    assert entry["api_key"]["id"] == key_id
    assert entry["api_key"]["hash"] == "sha256:" + hashlib.sha256(key.encode()).hexdigest()
    assert entry["api_key"]["expires"].endswith("Z")


def test_a_key_is_rotated_with_an_overlap_and_revoked(run: Run, namespace: str) -> None:
    at = ("-n", namespace)
    old = run("consumer", "key", "create", "beta", *at).out.strip()[3:11]
    fresh = run("consumer", "key", "rotate", "beta", old, "--overlap", "2h", *at)
    assert f"in place of {old}" in fresh.err
    shown = json.loads(run("get", "consumer", "beta", *at, "-o", "json").out)["spec"]["credentials"]
    assert ["expires" in one["api_key"] for one in shown] == [True, False]
    assert run("consumer", "key", "revoke", "beta", old, *at).code == 2, "it asks"
    assert run("consumer", "key", "revoke", "beta", old, "--yes", *at).code == 0
    left = json.loads(run("get", "consumer", "beta", *at, "-o", "json").out)["spec"]["credentials"]
    assert [one["api_key"]["id"] for one in left] == [fresh.out.strip()[3:11]]
    unknown = run("consumer", "key", "revoke", "beta", old, "--yes", *at)
    assert (unknown.code, "it has " in unknown.err) == (4, True)
