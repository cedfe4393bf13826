"""Changes before they are published, over real sockets and both stores: written by two, approved, published, taken
back; and that approvals cannot be passed by any other way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from meshway.problem import Problem
from meshway.sealing import make_key_file
from registry.gateways import Report
from tests.parts.people import Browser, signed_in
from tests.parts.postgres import Postgres
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.registry_tokens import bearer

KEY = {"kind": "RateLimit", "namespace": "shop", "name": "search"}
LIMIT = "/v1/namespaces/shop/rate-limits/search"
TEXT = """\
apiVersion: meshway/v1
kind: RateLimit
metadata: {name: search, namespace: shop}
spec:
  targets: [{service: books}]
  token_bucket: {rate: 50/s}  # what one core can do
"""


def wanted(text: str | None = TEXT, title: str = "Limit search", **more: Any) -> dict[str, Any]:
    return {"title": title, "documents": [KEY | {"text": text} | more]}


@pytest.fixture(params=["sqlite", "postgres"])
async def strict(
    request: pytest.FixtureRequest, tmp_path: Path, cheap_passwords: None
) -> AsyncIterator[RunningRegistry]:
    """Everybody signs in."""
    settings: dict[str, Any] = {"trusts_loopback": False}
    if request.param == "postgres":
        postgres: Postgres = request.getfixturevalue("postgres")
        key = tmp_path / "master.key"
        make_key_file(key)
        settings |= {"database_url": postgres.new_database(), "master_key_file": key}
    async with running_registry(tmp_path, **settings) as running:
        admin = await bearer(running, "root", "admin")
        path = "/v1/namespaces/shop/services/books/instances/books-1"
        assert (await running.call("PUT", path, {"port": 9000}, admin)).status == 201
        yield running


async def people(registry: RunningRegistry) -> tuple[Browser, Browser]:
    return await signed_in(registry, "lin", "editor@shop"), await signed_in(registry, "pat", "editor@shop")


async def needs(registry: RunningRegistry, approvals: int) -> None:
    """In shop."""
    admin = await bearer(registry, f"of-{approvals}", "admin")
    body = {"spec": {"approvals": approvals}}
    answer = await registry.call("PUT", "/v1/namespaces/mesh/namespaces/shop", body, admin)
    assert answer.status in (200, 201), answer


async def test_a_draft_keeps_its_text_is_written_by_two_published_with_a_message_and_taken_back(
    strict: RunningRegistry,
) -> None:
    lin, pat = await people(strict)
    made = await lin.call("POST", "/v1/changes", wanted())
    assert (made.status, made.json["state"], made.json["author"]) == (201, "draft", "user:lin")
    assert made.json["documents"][0]["text"] == TEXT, "comments stay"
    path, tag = made.headers["location"], made.headers["etag"]

    foreseen = await pat.call("POST", f"{path}/dry-run")
    assert [one["result"] for one in foreseen.json["documents"]] == ["created"]
    assert foreseen.json["effect"]["service_count"] == 1
    joined = await pat.call("PATCH", path, wanted(TEXT.replace("50/s", "40/s")), f"If-Match: {tag}")
    assert (joined.status, joined.json["editors"]) == (200, ["user:lin", "user:pat"])
    late = await lin.call("PATCH", path, wanted(TEXT.replace("50/s", "60/s")), f"If-Match: {tag}")
    assert late.status == 412, "two who write the same version: the later is told"

    done = await lin.call("POST", f"{path}/publish", {"message": "noon was slow"})
    assert (done.status, done.json["state"]) == (200, "published"), done
    assert (await lin.call("GET", LIMIT)).json["spec"]["token_bucket"]["rate"] == "40/s"
    entry = (await lin.call("GET", f"/v1/revisions/{done.json['revision']}")).json
    assert (entry["message"], entry["change"], entry["by"]) == ("noon was slow", made.json["id"], "user:lin")
    listed = (await lin.call("GET", "/v1/revisions")).json["items"][0]
    assert (listed["message"], listed["change"]) == ("noon was slow", made.json["id"])

    strict.gateways.report(Report(node="gw-1", revision=done.json["revision"] - 1))
    watched = (await lin.call("GET", f"{path}/watch")).json
    assert (watched["applied"], watched["gateways"], watched["pending"]) == (0, 1, ["gw-1"])
    strict.gateways.report(Report(node="gw-1", revision=done.json["revision"]))
    assert (await lin.call("GET", f"{path}/watch")).json["applied"] == 1

    assert (await lin.call("PATCH", path, wanted())).status == 409, "what is published stays"
    back = await pat.call("POST", f"{path}/take-back")
    assert (back.status, back.json["takes_back"], back.json["documents"][0]["is_deleted"]) == (
        201,
        made.json["id"],
        True,
    )
    undone = await pat.call("POST", f"{back.headers['location']}/publish", {})
    assert undone.status == 200, undone
    assert (await lin.call("GET", LIMIT)).status == 404
    audited = (await strict.call("GET", "/v1/audit", None, await bearer(strict, "auditor", "admin"))).json["items"]
    told = [change for row in audited for change in row["detail"].get("changes", ())]
    ops = {one["op"] for one in told if one.get("change") == made.json["id"]}
    assert {"open", "edit", "begin_publish", "publish"} <= ops


@pytest.mark.proves("Namespace.approvals")
async def test_what_needs_approval_is_passed_by_no_other_way_and_published_once_another_person_agreed(
    strict: RunningRegistry,
) -> None:
    lin, pat = await people(strict)
    await needs(strict, 1)
    ci = await bearer(strict, "ci", "editor@shop")
    spec = {"targets": [{"service": "books"}], "token_bucket": {"rate": "50/s"}}
    admin = await bearer(strict, "boss", "admin")
    for caller in (ci, admin):
        refused = await strict.call("PUT", LIMIT, {"spec": spec}, caller)
        assert (refused.status, refused.json["code"]) == (409, "needs_approval"), refused
    free = await strict.call("PUT", LIMIT.replace("shop", "bank"), {"spec": {"token_bucket": {"rate": "1/s"}}}, admin)
    assert free.status == 201, "another namespace asks nobody"
    lowered = await strict.call("PUT", "/v1/namespaces/mesh/namespaces/shop", {"spec": {}}, admin)
    assert lowered.json["code"] == "needs_approval", "the rule itself is under the rule"
    gone = await strict.call("DELETE", "/v1/namespaces/mesh/namespaces/shop", None, admin)
    assert gone.json["code"] == "needs_approval"
    restored = await strict.call("POST", "/v1/revisions/1/restore", None, admin)
    assert restored.json["code"] == "needs_approval"

    document = {"apiVersion": "meshway/v1", "kind": "RateLimit", "metadata": {"name": "search"}, "spec": spec}
    body = {"documents": [document]}
    told = (await strict.call("POST", "/v1/apply?dry_run=true&namespace=shop", body, ci)).json
    assert "needs_approval" in [one["code"] for one in told["warnings"]]
    proposed = await strict.call("POST", "/v1/apply?namespace=shop", body, ci)
    assert (proposed.status, proposed.json["state"]) == (202, "in_review"), proposed
    again = await strict.call("POST", "/v1/apply?namespace=shop", body, ci)
    assert again.json["id"] == proposed.json["id"], "the same again is the same change"
    path = proposed.headers["location"]
    assert (await lin.call("GET", LIMIT)).status == 404

    early = await strict.call("POST", f"{path}/publish", {}, ci)
    assert (early.status, early.json["code"]) == (409, "needs_approval")
    by_program = await strict.call("POST", f"{path}/words", {"verdict": "approve"}, admin)
    assert (by_program.status, by_program.json["code"]) == (409, "not_another_person")
    waived = await lin.call("POST", f"{path}/publish", {"waive_approvals": True})
    assert waived.status == 403, "an admin alone may"
    agreed = await pat.call("POST", f"{path}/words", {"verdict": "approve", "text": "measured it"})
    assert (agreed.status, agreed.json["approvals_given"]) == (200, 1), agreed
    done = await strict.call("POST", f"{path}/publish", {}, ci)
    assert done.status == 200, done
    assert (await lin.call("GET", LIMIT)).status == 200


async def test_who_wrote_a_change_never_approves_it_and_an_edit_takes_approvals_back(strict: RunningRegistry) -> None:
    lin, pat = await people(strict)
    await needs(strict, 1)
    path = (await lin.call("POST", "/v1/changes", wanted())).headers["location"]
    assert (await pat.call("POST", f"{path}/words", {"verdict": "approve"})).status == 409, "nobody asked yet"
    assert (await lin.call("POST", f"{path}/review")).json["state"] == "in_review"
    own = await lin.call("POST", f"{path}/words", {"verdict": "approve"})
    assert (own.status, own.json["code"]) == (409, "not_another_person")
    assert (await pat.call("POST", f"{path}/words", {"verdict": "approve"})).json["approvals_given"] == 1
    edited = await lin.call("PATCH", path, wanted(TEXT.replace("50/s", "500/s")))
    assert (edited.json["state"], edited.json["approvals_given"]) == ("draft", 0)
    assert (await lin.call("POST", f"{path}/publish", {})).json["code"] == "needs_approval"
    await lin.call("POST", f"{path}/review")
    seen = (await pat.call("GET", path)).headers["etag"]
    refused = await pat.call("POST", f"{path}/words", {"verdict": "refuse", "text": "too much"}, f"If-Match: {seen}")
    assert (refused.json["state"], refused.json["words"][-1]["text"]) == ("draft", "too much")
    assert (await lin.call("POST", f"{path}/publish", {})).json["code"] == "needs_approval"
    boss = await signed_in(strict, "boss", "admin")
    waived = await boss.call("POST", f"{path}/publish", {"waive_approvals": True, "message": "incident"})
    assert (waived.status, waived.json["approvals_waived"]) == (200, True)


async def test_a_change_whose_publishing_broke_off_is_published_once_when_it_is_published_again(
    strict: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    lin, pat = await people(strict)
    path = (await lin.call("POST", "/v1/changes", wanted())).headers["location"]
    apply = strict.core.documents.apply

    async def apply_and_lose_the_answer(*arguments: Any, dry_run: bool = False, **more: Any) -> Any:
        applied = await apply(*arguments, dry_run=dry_run, **more)
        if not dry_run:
            raise Problem(503, "store_unavailable", "The store does not answer")
        return applied

    monkeypatch.setattr(strict.core.documents, "apply", apply_and_lose_the_answer)
    assert (await lin.call("POST", f"{path}/publish", {"message": "first"})).status == 503
    monkeypatch.undo()
    assert (await lin.call("GET", path)).json["state"] == "publishing"
    assert (await pat.call("PATCH", path, wanted(TEXT.replace("50/s", "1/s")))).status == 409, "it is on its way"
    done = await pat.call("POST", f"{path}/publish", {"message": "again"})
    assert (done.status, done.json["state"], done.json["message"]) == (200, "published", "first")
    changed = (await lin.call("GET", "/v1/revisions?kind=RateLimit&namespace=shop&name=search")).json["items"]
    assert [one["revision"] for one in changed] == [done.json["revision"]], "one revision, not two"


async def test_a_token_does_not_make_its_maker_another_person(strict: RunningRegistry) -> None:
    lead = await signed_in(strict, "lead", "namespace-admin@shop")
    await needs(strict, 1)
    body = {"name": "bot", "grants": [{"role": "editor", "namespace": "shop"}]}
    token = (await lead.call("POST", "/v1/tokens", body)).json["token"]
    line = f"Authorization: Bearer {token}"
    path = (await strict.call("POST", "/v1/changes", wanted(), line)).headers["location"]
    assert (await strict.call("POST", f"{path}/review", None, line)).status == 200
    own = await lead.call("POST", f"{path}/words", {"verdict": "approve"})
    assert (own.status, own.json["code"]) == (409, "not_another_person")


async def test_a_token_that_a_token_made_does_not_make_its_maker_another_person(strict: RunningRegistry) -> None:
    lead = await signed_in(strict, "lead", "namespace-admin@shop")
    other = await signed_in(strict, "other", "editor@shop")
    await needs(strict, 1)
    made = await lead.call(
        "POST", "/v1/tokens", {"name": "first", "grants": [{"role": "namespace-admin", "namespace": "shop"}]}
    )
    line = f"Authorization: Bearer {made.json['token']}"
    again = {"name": "second", "grants": [{"role": "editor", "namespace": "shop"}]}
    line = f"Authorization: Bearer {(await strict.call('POST', '/v1/tokens', again, line)).json['token']}"
    path = (await strict.call("POST", "/v1/changes", wanted(), line)).headers["location"]
    assert (await lead.call("DELETE", f"/v1/tokens/{made.json['id']}")).status == 204, "also when it is revoked since"
    assert (await strict.call("POST", f"{path}/review", None, line)).status == 200
    own = await lead.call("POST", f"{path}/words", {"verdict": "approve"})
    assert (own.status, own.json["code"]) == (409, "not_another_person")
    assert (await other.call("POST", f"{path}/words", {"verdict": "approve"})).status == 200
    assert (await strict.call("POST", f"{path}/publish", {}, line)).status == 200


async def test_a_draft_that_others_overtook_is_merged_field_by_field(strict: RunningRegistry) -> None:
    lin, pat = await people(strict)
    spec = {"targets": [{"service": "books"}], "token_bucket": {"rate": "50/s", "burst": 10}}
    first = await pat.call("PUT", LIMIT, {"spec": spec})
    text = TEXT.replace("{rate: 50/s}", "{rate: 40/s, burst: 10}")
    made = await lin.call("POST", "/v1/changes", wanted(text))
    path = made.headers["location"]
    assert made.json["documents"][0]["base_revision"] == first.json["metadata"]["revision"]
    second = await pat.call("PUT", LIMIT, {"spec": spec | {"token_bucket": {"rate": "50/s", "burst": 20}}})
    assert (await lin.call("POST", f"{path}/publish", {})).status == 412
    (moved,) = (await lin.call("POST", f"{path}/dry-run")).json["moved"]
    assert moved["merged"]["spec"]["token_bucket"] == {"rate": "40/s", "burst": 20}
    assert (moved["conflicts"], moved["revision"]) == ([], second.json["metadata"]["revision"])
    both = text.replace("burst: 10", "burst: 20")
    wrong = await lin.call("PATCH", path, wanted(both, base_revision=moved["revision"] - 1_000_000 + 999_999 + 2))
    assert wrong.status == 412, "a base nobody published"
    assert (await lin.call("PATCH", path, wanted(both, base_revision=moved["revision"]))).status == 200
    assert (await lin.call("POST", f"{path}/publish", {})).status == 200
    await pat.call("PUT", LIMIT, {"spec": spec | {"token_bucket": {"rate": "9/s", "burst": 20}}})
    back = await lin.call("POST", f"{path}/take-back")
    (moved,) = (await lin.call("POST", f"{back.headers['location']}/dry-run")).json["moved"]
    assert [one["path"] for one in moved["conflicts"]] == ["spec.token_bucket.rate"]
    assert moved["merged"]["spec"]["token_bucket"]["rate"] == "9/s", "what came since is not taken back"


async def test_a_change_is_hidden_from_who_may_not_read_its_namespaces_and_kept_from_who_may_not_write(
    strict: RunningRegistry,
) -> None:
    lin, _ = await people(strict)
    path = (await lin.call("POST", "/v1/changes", wanted())).headers["location"]
    viewer, other = await bearer(strict, "v", "viewer@shop"), await bearer(strict, "o", "editor@bank")
    assert (await strict.call("GET", path, None, viewer)).status == 200
    for method, at, body in (("PATCH", "", wanted()), ("DELETE", "", None), ("POST", "/publish", {})):
        assert (await strict.call(method, path + at, body, viewer)).status == 403
        assert (await strict.call(method, path + at, body, other)).status == 404
    assert (await strict.call("GET", "/v1/changes", None, other)).json["items"] == []
    assert [one["id"] for one in (await strict.call("GET", "/v1/changes", None, viewer)).json["items"]] == [path[-1]]
    assert (await strict.call("POST", "/v1/changes", wanted(), other)).status == 404, "not into another's namespace"
    assert (await lin.call("DELETE", path)).status == 204
    assert (await lin.call("GET", path)).status == 404


async def test_a_secret_is_in_no_draft_and_where_approvals_are_needed_an_admin_writes_it(
    strict: RunningRegistry,
) -> None:
    lin, _ = await people(strict)
    await needs(strict, 1)
    spec = {"type": "opaque", "data": {"a": "hunter2"}}
    text = "apiVersion: meshway/v1\nkind: Secret\nmetadata: {name: key}\nspec: {type: opaque, data: {a: hunter2}}\n"
    part = {"kind": "Secret", "namespace": "shop", "name": "key", "text": text}
    kept = await lin.call("POST", "/v1/changes", {"title": "a key", "documents": [part]})
    assert (kept.status, kept.json["errors"][0]["code"]) == (422, "unsupported")
    path = "/v1/namespaces/shop/secrets/key"
    refused = await lin.call("PUT", path, {"spec": spec})
    document = {"apiVersion": "meshway/v1", "kind": "Secret", "metadata": {"name": "key"}, "spec": spec}
    applied = await lin.call("POST", "/v1/apply?namespace=shop", {"documents": [document]})
    for answer in (refused, applied):
        assert (answer.status, answer.json["code"]) == (409, "needs_approval"), answer
        assert b"hunter2" not in answer.body
    by_admin = await strict.call("PUT", path, {"spec": spec}, await bearer(strict, "boss", "admin"))
    assert by_admin.status == 201, by_admin


@pytest.mark.proves("MeshSettings.approvals")
async def test_the_mesh_asks_for_approvals_everywhere_and_a_namespace_only_for_more(strict: RunningRegistry) -> None:
    admin = await bearer(strict, "boss", "admin")
    settings = "/v1/namespaces/mesh/mesh-settings/mesh"
    limit = {"spec": {"token_bucket": {"rate": "1/s"}}}
    bank = LIMIT.replace("shop", "bank")
    assert (await strict.call("PUT", bank, limit, admin)).status == 201
    assert (await strict.call("PUT", settings, {"spec": {"approvals": 1}}, admin)).status == 201
    refused = await strict.call("PUT", bank, {"spec": {"token_bucket": {"rate": "2/s"}}}, admin)
    assert (refused.status, refused.json["code"]) == (409, "needs_approval")
    assert (await strict.call("PUT", bank, limit, admin)).headers["meshway-result"] == "unchanged"
    own = await strict.call("PUT", settings, {"spec": {"approvals": 0}}, admin)
    assert own.json["code"] == "needs_approval", "who lowers it is judged by what it was"
    path = "/v1/namespaces/bank/services/books/instances/books-1"
    assert (await strict.call("PUT", path, {"port": 9000}, admin)).status == 201, "instances are no documents"


async def test_changes_are_listed_by_pages_and_read_few_at_a_time(
    strict: RunningRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may have megabytes of texts."""
    lin, _ = await people(strict)
    for at in range(23):
        assert (await lin.call("POST", "/v1/changes", wanted(title=f"c{at}"))).status == 201
    read: list[int] = []
    inner = strict.core.store.do

    async def do(steps: Any) -> Any:
        rows = await inner(steps)
        read.append(sum(map(len, rows)))
        return rows

    monkeypatch.setattr(strict.core.store, "do", do)
    titles, path = list[str](), "/v1/changes?limit=12"
    while path:
        found = (await lin.call("GET", path)).json
        titles += [one["title"] for one in found["items"]]
        path = f"/v1/changes?limit=12&cursor={found['next']}" if "next" in found else ""
    assert titles == [f"c{at}" for at in reversed(range(23))]
    assert max(read) <= 10
