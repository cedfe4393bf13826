"""`meshway change` as a person and as CI run it."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.parts.command import Ended
from tests.parts.planes import Registry

Run = Callable[..., Ended]
LIMIT = """\
apiVersion: meshway/v1
kind: RateLimit
metadata: {name: search}
spec: {token_bucket: {rate: 50/s}}
"""


def opened(registry: Registry, namespace: str, text: str | None, title: str = "Limit search") -> str:
    part = {"kind": "RateLimit", "namespace": namespace, "name": "search", "text": text}
    answer = registry.client.post("/v1/changes", json={"title": title, "documents": [part]})
    assert answer.status_code == 201, answer.text
    number: str = answer.json()["id"]
    return number


def test_a_change_is_listed_shown_published_and_taken_back(run: Run, registry: Registry, namespace: str) -> None:
    number = opened(registry, namespace, LIMIT)
    assert "Limit search" in run("change", "list").out
    shown = run("change", "show", f"d{number}")
    assert f"change {number} draft: Limit search" in shown.out
    assert f"+ RateLimit {namespace}/search" in shown.out
    done = run("change", "publish", number, "-m", "noon was slow")
    assert (done.code, f"change {number}, Limit search" in done.err) == (0, True), done
    assert "noon was slow" in run("change", "show", number).out
    assert run("get", "ratelimit/search").code == 0
    again = run("change", "publish", number)
    assert again.code != 0
    assert "it can be changed no more" in again.err

    back = json.loads(run("change", "take-back", number, "-o", "json").out)
    assert (back["takes_back"], back["documents"][0]["is_deleted"]) == (number, True)
    assert f"- RateLimit {namespace}/search" in run("change", "show", back["id"]).out
    assert run("change", "publish", back["id"]).code == 0
    assert run("get", "ratelimit/search").code != 0
    assert "Take back" in run("change", "list", "--all").out


def test_a_draft_that_was_overtaken_says_so_and_a_program_approves_nothing(
    run: Run, registry: Registry, namespace: str, tmp_path: Path
) -> None:
    (tmp_path / "limit.yaml").write_text(LIMIT)
    assert run("apply", "-f", "limit.yaml").code == 0
    number = opened(registry, namespace, LIMIT.replace("50/s", "40/s"))
    (tmp_path / "limit.yaml").write_text(LIMIT.replace("50/s", "60/s"))
    assert run("apply", "-f", "limit.yaml").code == 0
    assert "in conflict: spec.token_bucket.rate" in run("change", "show", number).out
    overtaken = run("change", "publish", number)
    assert overtaken.code != 0
    assert "is not at revision" in overtaken.err
    asked = run("change", "review", number)
    assert (asked.code, f"change {number} is in review: 0 of 0 approve" in asked.err) == (0, True), asked
    assert "in review" in run("change", "list").out
    for verdict in ("approve", "refuse"):
        word = run("change", verdict, number, "-m", "looks fine")
        assert (word.code != 0, "a word in review is a person's" in word.err) == (True, True), word
