"""Every operation with every role, against a table of its own; and that nothing tells of what may not be read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from meshway.identity import Principal
from registry.people.cookies import PLAIN_NAME
from tests.parts.people import ROOT, SAME_ORIGIN, bound
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.registry_tokens import bearer
from tests.parts.registry_wire import Answer, RawClient

READERS, OPERATORS, EDITORS, NAMESPACE_ADMINS = "voena", "oena", "ena", "na"
# Who may, by operation: v o e n hold a role in `shop`, V is a viewer of all namespaces, a an admin, g a gateway, w the
# service shop/books. All else is refused.
MAY = {
    "registerInstance": EDITORS + "w",
    "registerNewInstance": EDITORS + "w",
    "registerInstances": EDITORS + "w",
    "patchInstance": OPERATORS + "w",
    "deregisterInstance": EDITORS + "w",
    "renewLeases": EDITORS + "w",
    "renewInstance": EDITORS + "w",
    "listServices": READERS + "V",
    "getService": READERS + "Vw",
    "listInstances": READERS + "Vw",
    "getInstance": READERS + "Vw",
    "watch": READERS + "V",
    "readLive": READERS + "V",
    "followFeed": "ag",
    "report": "ag",
    "reportNumbers": "ag",
    "tellRequests": "ag",
    "tellSpans": "ag",
    "listRequests": READERS + "V",
    "getRequest": READERS + "V",
    "getTrace": READERS + "V",
    "tapRequests": READERS + "V",
    "shipLogs": EDITORS + "w",
    "searchLogs": READERS + "V",
    "followLogs": READERS + "V",
    "assign": "ag",
    "answerQuestion": "ag",
    "putDocument": EDITORS,
    "getDocument": READERS + "V",
    "getRouteTraffic": READERS + "V",
    "purgeCache": OPERATORS,
    "listDocuments": READERS + "V",
    "deleteDocument": EDITORS,
    "apply": EDITORS,
    "createChange": EDITORS,
    "listChanges": READERS + "V",
    "getChange": READERS + "V",
    "editChange": EDITORS,
    "deleteChange": EDITORS,
    "foreseeChange": READERS + "V",
    "reviewChange": EDITORS,
    "judgeChange": EDITORS,
    "publishChange": EDITORS,
    "takeBackChange": EDITORS,
    "watchChange": READERS + "V",
    "explain": "aV",
    "listRevisions": READERS + "V",
    "getRevision": READERS + "V",
    "diffRevisions": READERS + "V",
    "restoreRevision": "a",
    "createToken": NAMESPACE_ADMINS,
    "listTokens": NAMESPACE_ADMINS,
    "revokeToken": NAMESPACE_ADMINS,
    "getSession": READERS + "VgwSE",
    "signIn": READERS + "Vgw-",
    "setUp": READERS + "Vgw-",
    "signOut": "SE",
    "confirmSession": "SE",
    "changePassword": "SE",
    "offerTotp": "SE",
    "takeTotp": "SE",
    "dropTotp": "SE",
    "getPreferences": "SE",
    "putPreferences": "SE",
    "createUser": "a",
    "listUsers": "a",
    "changeUser": "a",
    "deleteUser": "a",
    "resetUser": "a",
    "removeUserTotp": "a",
    "listUserSessions": "a",
    "endUserSessions": "a",
    "endUserSession": "a",
    "listSessions": "a",
    "createBinding": NAMESPACE_ADMINS,
    "listBindings": NAMESPACE_ADMINS,
    "deleteBinding": NAMESPACE_ADMINS,
    "listGateways": "aV",
    "getGateway": "aV",
    "listNamespaces": READERS + "V",
    "metrics": "aV",
    "listServiceSignals": READERS + "V",
    "getSeries": READERS + "V",
    "getTopology": READERS + "V",
    "compareSpans": READERS + "V",
    "compareVersions": READERS + "V",
    "listRouteUses": READERS + "V",
    "listConsumerUses": READERS + "V",
    "getConsumerDays": READERS + "V",
    "getAbout": READERS + "VgwSE",
    "listRoles": READERS + "VgwSE",
    "getUserRights": "a",
    "listAlerts": READERS + "V",
    "tryAlert": READERS + "V",
    "listObjectives": READERS + "V",
    "listAlertRules": READERS + "V",
    "listSilences": READERS + "V",
    "createSilence": OPERATORS,
    "endSilence": OPERATORS,
    "backup": "a",
    "listAudit": "a",
    "resetBreakers": OPERATORS,
    "listReceiverStates": READERS + "V",
    "testReceiver": EDITORS,
    "listRollouts": READERS + "V",
    "getRollout": READERS + "V",
    "promoteRollout": OPERATORS,
    "holdRollout": OPERATORS,
    "abortRollout": OPERATORS,
    "skipRollout": OPERATORS,
    "listDocumentsAtRevision": READERS + "V",
    "beginAuthority": "a",
    "createEnrolment": NAMESPACE_ADMINS,
    "revokeCertificates": "a",
    "rotateAuthority": "a",
    "takeRootKey": "a",
    "getIdentity": "aV",
    "listCertificates": "aV",
    "getTrust": READERS + "Vgw-",
    "enrol": READERS + "Vgw-",
    "renewCertificate": READERS + "Vgw-",
    "createServiceToken": READERS + "Vgw-",
    "listSignInProviders": READERS + "Vgw-",
    "startSignIn": READERS + "Vgw-",
    "finishSignIn": READERS + "Vgw-",
    "endSignIn": READERS + "Vgw-",
    "redeemSignIn": READERS + "Vgw-",
    "live": READERS + "Vgw-",
    "ready": READERS + "Vgw-",
}
CONSUL_READS = READERS + "V"
# By cookie the sessions S, an admin's, and E, an editor's in `shop`, may what a and e may; but of what programs say to
# each other nothing.
SESSIONS = {"S": "a", "E": "e"}
OF_PROGRAMS = {"shipLogs", "registerInstances", "renewLeases", "renewInstance"}
STREAMS = ("/v1/watch", "/v1/live", "/v1/feed", "/v1/tap", "/v1/logs/follow")


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    """Everybody signs in."""
    async with running_registry(tmp_path, trusts_loopback=False) as running:
        yield running


async def callers(registry: RunningRegistry) -> dict[str, tuple[str, ...]]:
    named = {
        "v": ("viewer@shop",),
        "o": ("operator@shop",),
        "e": ("editor@shop",),
        "n": ("namespace-admin@shop",),
        "V": ("viewer",),
        "a": ("admin",),
        "g": ("gateway",),
    }
    lines = {letter: (await bearer(registry, f"t{at}", *grants),) for at, (letter, grants) in enumerate(named.items())}
    return lines | {"w": (await bearer(registry, "t-w", service="shop/books"),), "-": ()}


async def fill(registry: RunningRegistry, admin: str) -> None:
    for namespace in ("shop", "bank"):
        path = f"/v1/namespaces/{namespace}/services/books/instances/books-1"
        assert (await registry.call("PUT", path, {"port": 9000}, admin)).status in (200, 201)
        route = {"spec": {"hosts": [f"{namespace}.example"], "rules": [{"destinations": [{"service": "books"}]}]}}
        assert (await registry.call("PUT", f"/v1/namespaces/{namespace}/routes/books", route, admin)).status in (
            200,
            201,
        )


def is_refused(answer: Answer) -> bool:
    if answer.status == 404:
        return b"namespace shop does not exist" in answer.body
    return answer.status == 403 or (answer.status == 401 and "www-authenticate" in answer.headers)


async def ask(registry: RunningRegistry, method: str, target: str, body: Any, lines: tuple[str, ...]) -> Answer:
    if target.partition("?")[0] not in STREAMS:
        return await registry.call(method, target, body, *lines)
    async with RawClient(registry.port) as client:
        client.send(method, target, None, *lines)
        head = await client.head()
        return head if head.status == 200 else head._replace(body=b"")


async def test_every_operation_lets_in_whom_the_table_says_and_refuses_all_others(strict: RunningRegistry) -> None:
    lines = await callers(strict)
    people = {letter: await a_user(strict, letter) for letter in SESSIONS}
    description = (await strict.call("GET", "/openapi.json", None, *lines["a"])).json
    operations = [
        (method.upper(), path, row) for path, methods in description["paths"].items() for method, row in methods.items()
    ]
    assert {row["operationId"] for _, _, row in operations if not row["operationId"].startswith("consul")} == set(MAY)
    wrong = []
    await fill(strict, lines["a"][0])
    for method, path, row in operations:
        of_people = {letter: await by_cookie(strict, name) for letter, name in people.items()}
        for letter, sent in (lines | of_people).items():
            if letter == "v" and method != "GET":
                await fill(strict, lines["a"][0])
            answer = await ask(strict, method, *example(path, row), sent)
            assert answer.status != 500, (row["operationId"], letter, answer)
            may = letter in may_of(row["operationId"], method)
            # A refusal of a stream is seen by its head alone.
            refused = answer.status != 200 if path in STREAMS else is_refused(answer)
            if letter == "w" and method == "PUT" and row["operationId"].startswith("consul"):
                # What the example names is another service's, or nobody's, of which nothing is left to take away.
                refused = answer.status >= 400 or row["operationId"] == "consulDeregisterFromCatalog"
            if refused == may:
                wrong.append((row["operationId"], letter, answer.status, answer.body[:200]))
            if letter == "-" and not may:
                assert answer.status == 401, (row["operationId"], answer)
                assert answer.headers["www-authenticate"].startswith("Bearer")
    assert not wrong, "\n".join(map(str, wrong))


async def a_user(registry: RunningRegistry, letter: str) -> str:
    """Its name."""
    name = f"of-{letter.lower()}"
    await registry.core.callers.users.create(name, ROOT)
    await bound(registry, name, {"S": "admin", "E": "editor@shop"}[letter])
    return name


async def by_cookie(registry: RunningRegistry, name: str) -> tuple[str, ...]:
    """The lines of a page of our own, of a new session: some calls end it."""
    user = registry.core.callers.users.known(name)
    opened = await registry.core.callers.sessions.open(
        Principal(user.principal), (), "password", action="by a test", user=user
    )
    return f"Cookie: {PLAIN_NAME}={opened.text}", f"Meshway-CSRF: {opened.csrf}", SAME_ORIGIN


def may_of(operation: str, method: str) -> str:
    if not operation.startswith("consul"):
        may = MAY[operation]
        if operation in OF_PROGRAMS or may == "ag":
            return may
        return may + "".join(letter for letter, like in SESSIONS.items() if like in may and letter not in may)
    return EDITORS if method == "PUT" else CONSUL_READS


def example(path: str, row: dict[str, Any]) -> tuple[str, Any]:
    """The call of the description, in `shop`."""
    query = {}
    for parameter in row["parameters"]:
        if parameter["in"] == "path":
            value = {"namespace": "shop", "number": "3"}.get(parameter["name"], parameter["example"])
            path = path.replace("{" + parameter["name"] + "}", value)
        elif "example" in parameter:
            query[parameter["name"]] = parameter["example"]
    if row["operationId"].startswith("consul"):
        query["ns"] = "shop"
    body = row.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    text = json.dumps(body).replace('"namespace": "default"', '"namespace": "shop"')
    text = text.replace('"stringValue": "default"', '"stringValue": "shop"')
    body = json.loads(text.replace('"metadata": {"name"', '"metadata": {"namespace": "shop", "name"'))
    return (f"{path}?{urlencode(query)}" if query else path), body


async def test_whether_a_namespace_exists_that_may_not_be_read_is_not_told(strict: RunningRegistry) -> None:
    admin, viewer = await bearer(strict, "root", "admin"), await bearer(strict, "eve", "editor@shop")
    await fill(strict, admin)
    for path in ("routes/books", "routes", "services", "services/books", "services/books/instances/books-1"):
        for method in ("GET", "PUT", "DELETE"):
            told = [
                await strict.call(method, f"/v1/namespaces/{namespace}/{path}", {"port": 1}, viewer)
                for namespace in ("bank", "none")
            ]
            if told[0].status == 405:
                continue
            assert [answer.status for answer in told] == [404, 404], (method, path, told)
            bodies = [answer.json for answer in told]
            assert bodies[0].pop("instance") != bodies[1].pop("instance"), "the ids of the requests"
            assert json.dumps(bodies[0]).replace("bank", "none") == json.dumps(bodies[1])


async def test_lists_and_histories_show_what_may_be_read(strict: RunningRegistry) -> None:
    admin, viewer = await bearer(strict, "root", "admin"), await bearer(strict, "eve", "viewer@shop")
    await fill(strict, admin)
    for path in (
        "/v1/namespaces",
        "/v1/namespaces/-/services",
        "/v1/namespaces/-/routes",
        "/v1/namespaces/-/services/books/instances",
        "/v1/revisions",
        "/v1/revisions/0/diff",
        f"/v1/revisions/{strict.core.view.revision}/documents",
        "/v1/tokens",
        "/nacos/v1/console/namespaces",
    ):
        answer = await strict.call("GET", path, None, viewer)
        assert (answer.status == 200) == (path != "/v1/tokens"), (path, answer)
        assert b"bank" not in answer.body, path
        assert (b"shop" in answer.body) == (path != "/v1/tokens"), path
        assert b"bank" in (await strict.call("GET", path, None, admin)).body or path == "/v1/tokens"
    of_bank = strict.core.view.document(("Route", "bank", "books"))
    assert of_bank is not None
    assert (await strict.call("GET", f"/v1/revisions/{of_bank.revision}", None, viewer)).status == 404
    assert (await strict.call("GET", f"/v1/revisions/{of_bank.revision}", None, admin)).status == 200


async def test_a_watch_tells_of_what_may_be_read(strict: RunningRegistry) -> None:
    admin, viewer = await bearer(strict, "root", "admin"), await bearer(strict, "eve", "viewer@shop")
    await fill(strict, admin)
    async with RawClient(strict.port) as client:
        client.send("GET", "/v1/watch", None, viewer)
        assert (await client.head()).status == 200
        await strict.call("PUT", "/v1/namespaces/bank/services/books/instances/secret", {"port": 1}, admin)
        await strict.call("PUT", "/v1/namespaces/shop/services/books/instances/last", {"port": 1}, admin)
        seen = b""
        async for piece in client.pieces():
            seen += piece
            if b"last" in piece:
                break
    assert b"books-1" in seen
    assert b"bank" not in seen
    assert b"secret" not in seen
    refused = await strict.call("GET", "/v1/watch?namespace=bank", None, viewer)
    assert refused.status == 404


async def test_an_apply_is_judged_by_every_namespace_it_names(strict: RunningRegistry) -> None:
    editor, admin = await bearer(strict, "ed", "editor@shop", "viewer@bank"), await bearer(strict, "root", "admin")
    await fill(strict, admin)

    def route(namespace: str) -> dict[str, Any]:
        rules = [{"destinations": [{"service": "books"}]}]
        return {
            "apiVersion": "meshway/v1",
            "kind": "Route",
            "metadata": {"name": "books", "namespace": namespace},
            "spec": {"hosts": [f"new.{namespace}.example"], "rules": rules},
        }

    both = {"documents": [route("shop"), route("bank")]}
    head = strict.core.view.revision
    refused = await strict.call("POST", "/v1/apply", both, editor)
    assert (refused.status, refused.json["code"], refused.json["namespace"]) == (403, "forbidden", "bank")
    deleted = {"documents": [], "delete": [{"kind": "Route", "namespace": "bank", "name": "books"}]}
    assert (await strict.call("POST", "/v1/apply", deleted, editor)).status == 403
    assert (await strict.call("POST", "/v1/revisions/1/restore", {}, editor)).status == 403
    assert strict.core.view.revision == head
    assert (await strict.call("POST", "/v1/apply?dry_run=true", both, editor)).status == 200
    assert (await strict.call("POST", "/v1/apply", {"documents": [route("shop")]}, editor)).status == 200
    assert (await strict.call("POST", "/v1/apply", both, admin)).status == 200


async def test_a_service_registers_itself_and_nothing_else(strict: RunningRegistry) -> None:
    own = await bearer(strict, "books", service="shop/books")
    place = "/v1/namespaces/{}/services/{}/instances/i-1"
    for namespace, service, status in (("shop", "books", 201), ("shop", "carts", 404), ("bank", "books", 404)):
        answer = await strict.call("PUT", place.format(namespace, service), {"port": 1}, own)
        assert answer.status == status, answer
    rows = [{"namespace": "shop", "service": name, "id": f"{name}-1", "port": 1} for name in ("books", "carts")]
    assert (await strict.call("POST", "/v1/registrations", {"instances": rows}, own)).status == 404
    assert (await strict.call("POST", "/v1/registrations", {"instances": rows[:1]}, own)).status == 200
    assert (await strict.call("PATCH", place.format("shop", "books"), {"status": "draining"}, own)).status == 200
    assert (await strict.call("POST", "/eureka/apps/books", b"<instance/>", own)).status == 404
    definition = {"Name": "carts", "ID": "carts-1", "Port": 9000}
    assert (await strict.call("PUT", "/v1/agent/service/register?ns=shop", definition, own)).status == 404
    consul = f"X-Consul-Token: {own.rpartition(' ')[2]}"
    books = definition | {"Name": "books"}
    assert (await strict.call("PUT", "/v1/agent/service/register?ns=shop", books, consul)).status == 200
    nacos = "ip=10.0.0.1&port=80&namespaceId=shop&accessToken=" + own.rpartition(" ")[2]
    assert (await strict.call("POST", f"/nacos/v1/ns/instance?serviceName=carts&{nacos}")).status == 404
    assert (await strict.call("POST", f"/nacos/v1/ns/instance?serviceName=books&{nacos}")).status == 200


async def test_who_may_drain_may_not_change_more(strict: RunningRegistry) -> None:
    admin, operator = await bearer(strict, "root", "admin"), await bearer(strict, "op", "operator@shop")
    await fill(strict, admin)
    place = "/v1/namespaces/shop/services/books/instances/books-1"
    assert (await strict.call("PATCH", place, {"status": "draining"}, operator)).status == 200
    refused = await strict.call("PATCH", place, {"status": "passing", "weight": 3}, operator)
    assert (refused.status, refused.json["right"]) == (403, "instances:write")


async def test_a_slash_within_a_segment_leads_nowhere(strict: RunningRegistry) -> None:
    """The application reads the decoded path, and the guard its segments: both must mean the same."""
    viewer, admin = await bearer(strict, "eve", "viewer"), await bearer(strict, "root", "admin")
    await fill(strict, admin)
    for path in ("/v1/revisions/1%2Frestore", "/v1/namespaces/shop/routes%2Fbooks"):
        for line in (viewer, admin):
            assert (await strict.call("POST", path, {}, line)).status == 404
            assert (await strict.call("DELETE", path, None, line)).status == 404
