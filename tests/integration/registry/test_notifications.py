"""What Receivers are told of alerts: real servers on the other side, real stores, registries that end in between."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from registry.alerts.records import AlertState, Silence, packed
from registry.documents.secret_frames import SecretFrames
from registry.notifications.apprise import send_by_apprise
from registry.store.alerts import add_silence, put_state
from tests.parts.alerts import Listener, Mailbox, firing, listening, mailbox, resolved
from tests.parts.clock import ManualClock
from tests.parts.conditions import until
from tests.parts.registry import RunningRegistry, running_registry

AT_ONCE = {"group_wait": "0s", "group_interval": "1s", "repeat": "1h"}


@pytest.fixture
async def hook() -> AsyncIterator[Listener]:
    async with listening() as listener:
        yield listener


async def put(registry: RunningRegistry, kind: str, name: str, spec: dict[str, Any], namespace: str = "shop") -> Any:
    plural = {"Receiver": "receivers", "Secret": "secrets"}[kind]
    body = {"kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}
    return await registry.call("PUT", f"/v1/namespaces/{namespace}/{plural}/{name}", body)


async def oncall(
    registry: RunningRegistry, spec: dict[str, Any], name: str = "oncall", namespace: str = "shop"
) -> None:
    answer = await put(registry, "Receiver", name, spec, namespace)
    assert answer.status in (200, 201), answer.json


async def becomes(registry: RunningRegistry, *alerts: AlertState) -> None:
    """As the evaluation of alerts writes transitions: with what belongs into the same transaction."""
    core = registry.core
    steps = [put_state(alert.id, alert.state, alert.updated_at, packed(alert)) for alert in alerts]
    await core.store.do([*steps, *core.watching.notifications.also(alerts)])


async def told_of(registry: RunningRegistry, holds: Callable[[list[Any]], Any]) -> list[Any]:
    """What is told of Receivers, once it holds."""
    async with asyncio.timeout(30.0):
        while True:
            items: list[Any] = (await registry.call("GET", "/v1/receivers")).json["items"]
            if holds(items):
                return items
            await asyncio.sleep(0.02)


def now_firing(name: str = "errors", **fields: Any) -> AlertState:
    return firing(name, time.time(), **fields)


@pytest.mark.proves(
    "Receiver.webhook", "WebhookTarget.url", "Receiver.group_wait", "Receiver.group_interval", "Receiver.send_resolved"
)
async def test_a_webhook_gets_alertmanagers_body_when_an_alert_fires_and_when_it_is_over(
    tmp_path: Path, hook: Listener
) -> None:
    async with running_registry(tmp_path) as registry:
        await oncall(registry, {"webhook": {"url": hook.url}, **AT_ONCE})
        alert = now_firing(runbook_url="https://run.example/errors")
        await becomes(registry, alert)
        await until(lambda: len(hook.posted) == 1)
        await becomes(registry, resolved(alert, time.time()))
        await until(lambda: len(hook.posted) == 2)
        states = (await registry.call("GET", "/v1/receivers")).json["items"]
    began, over = (each.body for each in hook.posted)
    assert began | {"alerts": []} == {
        "version": "4",
        "groupKey": "shop/oncall:{alert='errors', namespace='shop'}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "shop/oncall",
        "groupLabels": {"alert": "errors", "namespace": "shop"},
        "commonLabels": {
            "alertname": "errors",
            "alert": "errors",
            "namespace": "shop",
            "service": "cart",
            "severity": "warning",
        },
        "commonAnnotations": {
            "summary": "errors of cart",
            "runbook_url": "https://run.example/errors",
            "value": "0.25",
        },
        "externalURL": "",
        "alerts": [],
    }
    assert [(each["status"], each["endsAt"][:4]) for each in began["alerts"]] == [("firing", "0001")]
    assert (over["status"], over["alerts"][0]["status"]) == ("resolved", "resolved")
    assert over["alerts"][0]["fingerprint"] == began["alerts"][0]["fingerprint"]
    assert over["alerts"][0]["startsAt"] == began["alerts"][0]["startsAt"]
    assert [(each["by"], each["ok"], each["sent"]) for each in states] == [("webhook", True, 2)]
    assert states[0]["detail"] == "it answers 200"


@pytest.mark.proves("MeshSettings.public_url")
async def test_a_message_leads_to_the_console_where_it_is_said_how_people_reach_it(
    tmp_path: Path, hook: Listener
) -> None:
    async with running_registry(tmp_path) as registry:
        await oncall(registry, {"webhook": {"url": hook.url}, **AT_ONCE})
        first, second = now_firing(), now_firing("late")
        await becomes(registry, first)
        await until(lambda: len(hook.posted) == 1)
        spec = {"public_url": "https://mesh.example:8500/"}
        answer = await registry.call("PUT", "/v1/namespaces/mesh/mesh-settings/mesh", {"spec": spec})
        assert answer.status == 201, answer.json
        await becomes(registry, second)
        await until(lambda: len(hook.posted) == 2)
    links = [each.body["alerts"][0]["generatorURL"] for each in hook.posted]
    assert links == ["", f"https://mesh.example:8500/alerts?alert=%22{second.id}%22"]


@pytest.mark.proves("Receiver.match", "ReceiverMatch.labels", "ReceiverMatch.min_severity", "Receiver.group_by")
async def test_only_alerts_that_a_receiver_wants_are_told_and_as_it_groups_them(tmp_path: Path, hook: Listener) -> None:
    match = {"labels": {"team": "a"}, "min_severity": "critical"}
    spec = {"webhook": {"url": hook.url}, "match": match, "group_by": ["service"], **AT_ONCE}
    async with running_registry(tmp_path) as registry:
        await oncall(registry, spec)
        bad = {"severity": "critical"}
        await becomes(
            registry,
            now_firing("mild", labels={"team": "a"}),
            now_firing("other", labels={"team": "b"}, **bad),
            now_firing("cart-1", labels={"team": "a"}, **bad),
            now_firing("cart-2", labels={"team": "a"}, **bad),
            now_firing("films-1", labels={"team": "a", "service": "films"}, **bad),
        )
        await until(lambda: len(hook.posted) == 2)
    told = {each.body["groupLabels"]["service"]: each.body["alerts"] for each in hook.posted}
    assert {at: sorted(alert["labels"]["alert"] for alert in alerts) for at, alerts in told.items()} == {
        "cart": ["cart-1", "cart-2"],
        "films": ["films-1"],
    }


@pytest.mark.proves("WebhookTarget.headers", "WebhookTarget.sign")
async def test_a_webhook_is_signed_and_carries_the_headers_of_a_secret(tmp_path: Path, hook: Listener) -> None:
    key = base64.b64encode(b"k" * 24).decode()
    async with running_registry(tmp_path) as registry:
        data = {"Authorization": "Bearer top-secret"}
        await put(registry, "Secret", "hook-headers", {"type": "opaque", "data": data})
        await put(registry, "Secret", "hook-key", {"type": "opaque", "data": {"key": f"whsec_{key}"}})
        await oncall(registry, {"webhook": {"url": hook.url, "headers": "hook-headers", "sign": "hook-key"}, **AT_ONCE})
        hook.answers = [500]
        hook.said = b"you sent Bearer top-secret"
        await becomes(registry, now_firing())
        await until(lambda: len(hook.posted) == 2)
        tried = await registry.call("POST", "/v1/namespaces/shop/receivers/oncall/test")
        assert (tried.status, tried.json["ok"]) == (200, True)
        assert "top-secret" not in tried.json["answer"]
        assert tried.json["answer"].startswith("you sent")
        shown = (await registry.call("GET", "/v1/namespaces/shop/receivers/oncall")).json
        audited = (await registry.call("GET", "/v1/audit")).json
        assert "top-secret" not in str(shown) + str(audited)
        assert any("receivers/oncall/test" in row["action"] for row in audited["items"])
    first, again, trial = hook.posted
    assert first.fields["authorization"] == "Bearer top-secret"
    assert first.fields["webhook-id"] == again.fields["webhook-id"] != trial.fields["webhook-id"]
    for each in hook.posted:
        signed = f"{each.fields['webhook-id']}.{each.fields['webhook-timestamp']}.".encode() + each.text
        mac = base64.b64encode(hmac.new(b"k" * 24, signed, hashlib.sha256).digest()).decode()
        assert each.fields["webhook-signature"] == f"v1,{mac}"


@pytest.mark.proves("Receiver.alertmanager", "AlertmanagerTarget.url", "AlertmanagerTarget.auth")
async def test_an_alertmanager_is_posted_what_its_api_takes(tmp_path: Path, hook: Listener) -> None:
    async with running_registry(tmp_path) as registry:
        await put(registry, "Secret", "am", {"type": "opaque", "data": {"login": "Basic YTpi"}})
        await oncall(registry, {"alertmanager": {"url": f"http://127.0.0.1:{hook.port}/am/", "auth": "am"}})
        alert = now_firing(labels={"a.b/c": "dotted"})
        await becomes(registry, alert)
        await until(lambda: len(hook.posted) == 1)
        await becomes(registry, resolved(alert, time.time()))
        await until(lambda: len(hook.posted) == 2)
    began, over = hook.posted
    assert {each.path for each in hook.posted} == {"/am/api/v2/alerts"}
    assert began.fields["authorization"] == "Basic YTpi"
    (posted,) = began.body
    for each in (posted, *over.body):
        assert refusal_of(each) is None
    assert posted["labels"]["alertname"] == "errors"
    assert posted["labels"]["a_b_c"] == "dotted"
    assert posted["endsAt"] > posted["startsAt"]
    assert over.body[0]["labels"] == posted["labels"]
    assert over.body[0]["endsAt"] < posted["endsAt"]


def refusal_of(alert: dict[str, Any]) -> str | None:
    """Why an Alertmanager would not take it: postableAlert of its api/v2/openapi.yaml, and its Alert.Validate."""
    if not set(alert) <= {"labels", "annotations", "startsAt", "endsAt", "generatorURL"} or not alert.get("labels"):
        return "its shape"
    for texts in (alert["labels"], alert.get("annotations", {})):
        if any(not re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", name) or not isinstance(texts[name], str) for name in texts):
            return "a name"
    if not alert["labels"].get("alertname") or "" in alert["labels"].values():
        return "an empty label"
    began, end = (datetime.fromisoformat(alert[name]) for name in ("startsAt", "endsAt"))
    return None if began.tzinfo is not None and began <= end else "its times"


@pytest.mark.proves("Receiver.apprise", "AppriseTarget.url")
async def test_apprise_sends_a_mail(tmp_path: Path) -> None:
    async with mailbox() as box, running_registry(tmp_path) as registry:
        await mail_to(registry, box)
        await becomes(registry, now_firing())
        await until(lambda: len(box.mails) == 1, within_s=30.0)
        tried = await registry.call("POST", "/v1/namespaces/shop/receivers/oncall/test")
        assert tried.json == {"ok": True, "detail": "Apprise has sent it", "answer": ""}
    assert "Subject: [FIRING] errors shop cart" in box.mails[0]
    assert "errors of cart" in box.mails[0]
    assert "To: team@books.example" in box.mails[0]
    assert box.logins[0].startswith("AUTH PLAIN ")


async def mail_to(registry: RunningRegistry, box: Mailbox) -> None:
    query = "mode=insecure&from=mesh@books.example&to=team@books.example"
    url = f"mailto://robot:pa55word@127.0.0.1:{box.port}/?{query}"
    await put(registry, "Secret", "mail", {"type": "opaque", "data": {"url": url}})
    await oncall(registry, {"apprise": {"url": "mail"}, **AT_ONCE})


async def test_a_receiver_that_is_down_is_tried_again_until_it_has_the_message(tmp_path: Path, hook: Listener) -> None:
    hook.answers = [500, 503]
    async with running_registry(tmp_path) as registry:
        await oncall(registry, {"webhook": {"url": hook.url}, **AT_ONCE})
        await becomes(registry, now_firing())
        await until(lambda: len(hook.posted) == 3)

        (last,) = await told_of(registry, lambda items: items[0].get("ok"))
        assert (last["sent"], last["failed"], last.get("failing_since")) == (1, 2, None)
    assert len({each.body["alerts"][0]["fingerprint"] for each in hook.posted}) == 1


async def test_what_this_machine_cannot_send_counts_as_a_try_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No program can be started, as where memory or processes run out."""
    async with running_registry(tmp_path) as registry:
        await put(registry, "Secret", "mail", {"type": "opaque", "data": {"url": "json://127.0.0.1:1/pa55word"}})
        await oncall(registry, {"apprise": {"url": "mail"}, **AT_ONCE})
        monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
        await becomes(registry, now_firing())
        (last,) = await told_of(registry, lambda items: items[0].get("failed"))
        assert last["detail"] == "it cannot be sent by this registry now (FileNotFoundError); its log says why"
        tried = await registry.call("POST", "/v1/namespaces/shop/receivers/oncall/test")
        assert (tried.status, tried.json["ok"]) == (200, False)


async def test_what_was_not_sent_when_the_registry_ended_is_sent_by_the_next_one(tmp_path: Path) -> None:
    async with listening() as gone:
        pass  # its port is nobody's now
    alert = now_firing()
    async with running_registry(tmp_path) as registry:
        await oncall(registry, {"webhook": {"url": gone.url}, **AT_ONCE})
        await becomes(registry, alert)
        await told_of(registry, lambda items: items[0].get("failed"))
        await becomes(registry, resolved(alert, time.time()))
    async with listening(gone.port, gone), running_registry(tmp_path):
        await until(lambda: len(gone.posted) == 1)
    assert [each["status"] for each in gone.posted[0].body["alerts"]] == ["resolved"]


async def test_who_is_silenced_is_not_told(tmp_path: Path, hook: Listener) -> None:
    async with running_registry(tmp_path) as registry:
        await oncall(registry, {"webhook": {"url": hook.url}, **AT_ONCE})
        silence = Silence(
            id="s1",
            namespace="shop",
            matchers=(),
            until=time.time() + 2.0,
            reason="known",
            created_at=time.time(),
            created_by="me",
        )
        await registry.core.store.do([add_silence(silence.id, silence.namespace, silence.until, packed(silence))])
        await becomes(registry, now_firing())
        await until(lambda: len(hook.posted) == 1)
        assert time.time() > silence.until


@pytest.mark.proves("Receiver.repeat")
async def test_what_fires_on_is_told_again_when_it_is_time_to_repeat(
    tmp_path: Path, hook: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_registry(tmp_path) as registry:
        await oncall(registry, {"webhook": {"url": hook.url}, **AT_ONCE})
        await becomes(registry, now_firing())
        await until(lambda: len(hook.posted) == 1)
        monkeypatch.setattr(registry.core.watching.notifications, "_wall", lambda: time.time() + 3590.0)
        await registry.core.watching.notifications.turn()
        assert len(hook.posted) == 1
        monkeypatch.setattr(registry.core.watching.notifications, "_wall", lambda: time.time() + 3601.0)
        await until(lambda: len(hook.posted) == 2)
    assert [each.body["status"] for each in hook.posted] == ["firing", "firing"]


@pytest.mark.proves("Receiver.send_resolved")
async def test_the_end_of_an_alert_is_not_told_to_who_does_not_want_it(tmp_path: Path, hook: Listener) -> None:
    async with running_registry(tmp_path) as registry:
        await oncall(registry, {"webhook": {"url": hook.url}, "send_resolved": False, "group_by": [], **AT_ONCE})
        first = now_firing("first")
        await becomes(registry, first)
        await until(lambda: len(hook.posted) == 1)
        await becomes(registry, resolved(first, time.time()), now_firing("second"))
        await until(lambda: len(hook.posted) == 2)
    told = [[alert["labels"]["alert"] for alert in each.body["alerts"]] for each in hook.posted]
    assert told == [["first"], ["second"]]


async def test_a_receiver_that_fails_for_an_hour_is_known_as_failing(
    tmp_path: Path, hook: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook.answers = [500] * 1000
    async with running_registry(tmp_path) as registry:
        await oncall(registry, {"webhook": {"url": hook.url}, **AT_ONCE})
        await becomes(registry, now_firing())
        await until(lambda: len(hook.posted) == 1)
        notifications = registry.core.watching.notifications
        await told_of(registry, lambda items: items[0].get("failed"))
        assert await notifications.failing() == frozenset()
        monkeypatch.setattr(notifications, "_wall", lambda: time.time() + 3601.0)
        assert await notifications.failing() == {("shop", "oncall")}


async def test_that_a_receiver_fails_is_told_by_the_others(
    tmp_path: Path, hook: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the rule that is built in, evaluated as always; only the clock is ahead."""
    clock = ManualClock()

    def wall() -> float:
        return time.time() + clock()

    async with listening() as down, running_registry(tmp_path) as registry:
        evaluator, notifications = registry.core.watching.alerts.evaluator, registry.core.watching.notifications
        down.answers = [500] * 1000
        await oncall(registry, {"webhook": {"url": down.url}, **AT_ONCE})
        await oncall(registry, {"webhook": {"url": hook.url}, **AT_ONCE}, "default", "mesh")
        await becomes(registry, now_firing())
        await until(lambda: len(down.posted) == 1)
        monkeypatch.setattr(evaluator, "wall", wall)
        monkeypatch.setattr(notifications, "_wall", wall)
        await told_of(registry, lambda items: items[1].get("failed"))
        for step_s in (3601.0, 10.0, 90.0):
            clock.advance(step_s)
            await evaluator.turn()
        await until(lambda: len(hook.posted) == 1, within_s=20.0)
        told = down.posted[-1].body["alerts"]
    (failing,) = hook.posted[0].body["alerts"]
    assert failing["labels"]["alert"] == "builtin-receiver-failing"
    assert failing["labels"]["namespace"] == "shop"
    assert failing["labels"]["severity"] == "critical"
    assert [each["labels"]["alert"] for each in told] == ["errors"]


async def test_a_receiver_that_is_deleted_is_told_nothing_more(tmp_path: Path, hook: Listener) -> None:
    hook.answers = [500] * 50
    async with running_registry(tmp_path) as registry:
        await oncall(registry, {"webhook": {"url": hook.url}, **AT_ONCE})
        await becomes(registry, now_firing())
        await until(lambda: len(hook.posted) == 1)
        await registry.call("DELETE", "/v1/namespaces/shop/receivers/oncall")
        async with asyncio.timeout(30.0):
            while await registry.core.watching.notifications.outcomes():
                await asyncio.sleep(0.02)
        assert (await registry.call("GET", "/v1/receivers")).json == {"items": []}


@pytest.mark.parametrize("way", ["webhook", "alertmanager", "apprise"])
async def test_no_message_goes_to_the_registry_itself(tmp_path: Path, way: str) -> None:
    async with running_registry(tmp_path) as registry:
        place = f"127.0.0.1:{registry.port}"
        if way == "apprise":
            await put(registry, "Secret", "own", {"type": "opaque", "data": {"url": f"json://{place}/"}})
            await oncall(registry, {"apprise": {"url": "own"}})
        else:
            await oncall(registry, {way: {"url": f"http://{place}"}})
        tried = (await registry.call("POST", "/v1/namespaces/shop/receivers/oncall/test")).json
        assert tried["ok"] is False
        assert "the registry" in tried["detail"]


@pytest.mark.parametrize("way", ["webhook", "apprise"])
async def test_where_others_reach_the_registry_nobody_is_sent_to_its_own_machine(
    tmp_path: Path, hook: Listener, way: str
) -> None:
    async with running_registry(tmp_path, bind="0.0.0.0", insecure=True) as registry:
        if way == "apprise":
            await put(registry, "Secret", "own", {"type": "opaque", "data": {"url": f"json://127.0.0.1:{hook.port}/"}})
            await oncall(registry, {"apprise": {"url": "own"}})
        else:
            await oncall(registry, {"webhook": {"url": hook.url}})
        tried = (await registry.call("POST", "/v1/namespaces/shop/receivers/oncall/test")).json
    assert tried["ok"] is False
    assert "this machine's own" in tried["detail"]
    assert hook.posted == []


async def test_a_secret_that_is_away_is_told_by_name_alone(tmp_path: Path, hook: Listener) -> None:
    async with running_registry(tmp_path) as registry:
        missing = await put(registry, "Receiver", "oncall", {"webhook": {"url": hook.url, "sign": "nowhere"}})
        assert [error["code"] for error in missing.json["errors"]] == ["unknown_reference"]
        await put(registry, "Secret", "two", {"type": "opaque", "data": {"a": "hush-1", "b": "hush-2"}})
        await oncall(registry, {"webhook": {"url": hook.url, "sign": "two"}})
        tried = (await registry.call("POST", "/v1/namespaces/shop/receivers/oncall/test")).json
        assert tried["ok"] is False
        assert tried["detail"] == "Secret two holds 2 texts: name one by key"
        unknown = await registry.call("POST", "/v1/namespaces/shop/receivers/nobody/test")
        assert unknown.status == 404


async def test_a_plugin_that_hangs_is_ended() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"json://robot:hush-hush@127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    told = await send_by_apprise(url, "title", "body", allow_loopback=True, timeout_s=2.0)
    server.close()
    assert told == (False, "Apprise has not sent it within 2 s")


async def test_a_url_that_names_a_file_of_the_machine_reads_none(tmp_path: Path) -> None:
    key = tmp_path / "secret.key"
    key.write_text('{"client_email": "a@books.example", "token_uri": "http://127.0.0.1:1/"}')
    url = f"fcm://project@apikey/token/?mode=oauth2&keyfile={key}"
    told = await send_by_apprise(url, "title", "body", allow_loopback=True, timeout_s=20.0)
    assert told == (False, "Apprise may read no file of this machine, and write none")


async def test_alerts_in_clear_text_are_warned_of(tmp_path: Path) -> None:
    async with running_registry(tmp_path) as registry:

        async def warned(url: str) -> list[str]:
            answer = await put(registry, "Receiver", "oncall", {"webhook": {"url": url}})
            return [warning["code"] for warning in answer.json.get("warnings", [])]

        assert await warned("http://hooks.example/a") == ["plaintext"]
        assert await warned("https://hooks.example/a") == []
        assert await warned("http://127.0.0.1:9000/a") == []


async def test_gateways_are_told_no_secret_of_a_receiver(tmp_path: Path, hook: Listener) -> None:
    async with running_registry(tmp_path) as registry:
        await put(registry, "Secret", "hook-key", {"type": "opaque", "data": {"key": "hush"}})
        await oncall(registry, {"webhook": {"url": hook.url, "sign": "hook-key"}})
        assert registry.core.sealing is not None
        frames = SecretFrames(registry.core.view, registry.core.sealing)
        frames.refresh()
        assert frames.frames == {}
        certificate = {"kind": "Authentication", "metadata": {"name": "by-key", "namespace": "shop"}}
        method = {"introspection": {"endpoint": "http://127.0.0.1:1/", "client_id": "a", "client_secret": "hook-key"}}
        body = certificate | {"spec": {"targets": [{"namespace": "shop"}], "methods": [method]}}
        answer = await registry.call("PUT", "/v1/namespaces/shop/authentications/by-key", body)
        assert answer.status == 201, answer.json
        frames.refresh()
        assert list(frames.frames) == [("shop", "hook-key")]
