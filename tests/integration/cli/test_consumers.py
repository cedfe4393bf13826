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


def test_a_wrong_name_and_a_whole_key_are_told_apart_and_no_secret_is_repeated(run: Run, namespace: str) -> None:
    at = ("-n", namespace)
    nobody = run("consumer", "key", "revoke", "gamma", "abc", "--yes", *at)
    assert (nobody.code, "there is no Consumer gamma" in nobody.err) == (4, True), nobody
    made = run("consumer", "key", "create", "gamma", *at)
    assert f"Consumer {namespace}/gamma is new" in made.err
    key = made.out.strip()
    assert "is new" not in run("consumer", "key", "create", "gamma", *at).err
    whole = run("consumer", "key", "revoke", "gamma", key, "--yes", *at)
    assert (whole.code, "not its id" in whole.err, key in whole.err) == (2, True, False), whole
    for key_id in (entry["api_key"]["id"] for entry in _credentials(run, "gamma", namespace)):
        assert run("consumer", "key", "revoke", "gamma", key_id, "--yes", *at).code == 0
    empty = run("consumer", "key", "rotate", "gamma", key[3:11], *at)
    assert (empty.code, "meshway consumer key create gamma" in empty.err) == (4, True), empty


def test_a_consumer_is_suspended_and_resumed_and_keeps_its_keys(run: Run, namespace: str) -> None:
    at = ("-n", namespace)
    key_id = run("consumer", "key", "create", "delta", *at).out.strip()[3:11]
    assert run("consumer", "suspend", "delta", *at).code == 2, "it asks"
    assert run("consumer", "suspend", "delta", "--yes", *at).code == 0
    spec = json.loads(run("get", "consumer", "delta", *at, "-o", "json").out)["spec"]
    assert (spec["suspended"], spec["credentials"][0]["api_key"]["id"]) == (True, key_id)
    assert run("consumer", "resume", "delta", *at).code == 0
    assert not json.loads(run("get", "consumer", "delta", *at, "-o", "json").out)["spec"].get("suspended")
    assert run("consumer", "suspend", "nobody", "--yes", *at).code == 4


def _credentials(run: Run, consumer: str, namespace: str) -> list[dict[str, dict[str, str]]]:
    found: list[dict[str, dict[str, str]]] = json.loads(
        run("get", "consumer", consumer, "-n", namespace, "-o", "json").out
    )["spec"]["credentials"]
    return found
