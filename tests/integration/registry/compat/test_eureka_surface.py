"""Eureka's routes over a real socket: what its clients send and what they are told."""

from __future__ import annotations

import gzip
import random
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.etree.ElementTree import fromstring

import pytest

from tests.parts.eureka import XML_INFO, info
from tests.parts.random_bodies import nearly_right

if TYPE_CHECKING:
    from tests.parts.registry import RunningRegistry
    from tests.parts.registry_wire import Answer

ID = "10.0.0.7:orders:8080"
APP = "/eureka/apps/ORDERS"
ONE = f"{APP}/{quote(ID)}"
JSON = "Accept: application/json"


async def _register(registry: RunningRegistry, **changed: Any) -> None:
    answer = await registry.call("POST", APP, info(**changed), "Content-Type: application/json")
    assert (answer.status, answer.body) == (204, b"")


async def _status(registry: RunningRegistry) -> tuple[str, str]:
    instance = (await registry.call("GET", ONE, None, JSON)).json["instance"]
    return instance["status"], instance["overriddenstatus"]


async def _ours(registry: RunningRegistry) -> dict[str, Any]:
    (instance,) = (await registry.call("GET", "/v1/namespaces/default/services/orders/instances")).json["items"]
    return dict(instance)


async def test_every_read_finds_it_in_both_forms(registry: RunningRegistry) -> None:
    await _register(registry)
    whole = (await registry.call("GET", "/eureka/apps", None, JSON)).json["applications"]
    assert whole["apps__hashcode"] == "UP_1_"
    (application,) = whole["application"]
    assert application["name"] == "ORDERS"
    (instance,) = application["instance"]
    assert instance["instanceId"] == ID
    for path in ("/eureka/apps/orders", "/eureka/v2/apps/ORDERS", "/eureka/apps/ORDERS/"):
        assert (await registry.call("GET", path, None, JSON)).json == {"application": application}
    for path in (ONE, f"/eureka/instances/{ID}", f"/eureka/v2/apps/orders/{ID}"):
        assert (await registry.call("GET", path, None, JSON)).json == {"instance": instance}
    for path in ("/eureka/vips/orders-v1", "/eureka/vips/orders", "/eureka/svips/orders-tls"):
        found = (await registry.call("GET", path, None, JSON)).json["applications"]
        assert found["application"] == [application], path
    assert (await registry.call("GET", "/eureka/vips/nobody", None, JSON)).json["applications"]["application"] == []
    for path, tag in (("/eureka/apps/", "applications"), (APP, "application"), (ONE, "instance")):
        answer = await registry.call("GET", path, None, "Accept: */*")
        assert answer.headers["content-type"] == "application/xml"
        root = fromstring(answer.body)
        assert root.tag == tag
        assert [element.text for element in root.iter("instanceId")] == [ID]


async def test_a_registration_in_xml_is_one_too(registry: RunningRegistry) -> None:
    answer = await registry.call("POST", APP, XML_INFO.encode(), "Content-Type: application/xml")
    assert answer.status == 204
    assert (await _ours(registry))["status"] == "maintenance", "it is starting"
    assert await _status(registry) == ("STARTING", "UNKNOWN")


async def test_a_long_list_is_packed_for_who_takes_that(registry: RunningRegistry) -> None:
    for number in range(20):
        await _register(registry, instanceId=f"i-{number}")
    plain = await registry.call("GET", "/eureka/apps", None, JSON)
    packed = await registry.call("GET", "/eureka/apps", None, JSON, "Accept-Encoding: deflate, gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert "content-encoding" not in plain.headers


async def test_an_override_is_put_and_taken_back(registry: RunningRegistry) -> None:
    await _register(registry)
    put = await registry.call("PUT", f"{ONE}/status?value=OUT_OF_SERVICE&lastDirtyTimestamp=1700000000000")
    assert (put.status, put.body) == (200, b"")
    assert await _status(registry) == ("OUT_OF_SERVICE", "OUT_OF_SERVICE")
    assert (await _ours(registry))["status"] == "maintenance"
    assert (await registry.call("PUT", ONE + "?status=UP&lastDirtyTimestamp=1700000000000")).status == 200
    assert (await _status(registry))[0] == "OUT_OF_SERVICE", "its own heartbeats do not end it"
    await _register(registry, lastDirtyTimestamp="1700000009000")
    assert (await _status(registry))[0] == "OUT_OF_SERVICE", "nor does registering again"
    assert (await registry.call("DELETE", f"{ONE}/status")).status == 200
    assert await _status(registry) == ("UP", "UNKNOWN")
    assert (await _ours(registry))["status"] == "passing"


async def test_the_end_of_an_override_is_what_the_instance_says_or_what_is_suggested(registry: RunningRegistry) -> None:
    await _register(registry, status="UNKNOWN")
    await registry.call("PUT", f"{ONE}/status?value=UP")
    assert await _status(registry) == ("UP", "UP")
    await registry.call("PUT", f"{ONE}/status?value=OUT_OF_SERVICE")
    await registry.call("DELETE", f"{ONE}/status?value=DOWN")
    assert await _status(registry) == ("DOWN", "UNKNOWN")


async def test_a_renewal_is_404_where_the_client_must_register_again(registry: RunningRegistry) -> None:
    assert (await registry.call("PUT", ONE)).status == 404
    await _register(registry)
    assert (await registry.call("PUT", f"{ONE}?status=UP&lastDirtyTimestamp=1700000000000")).status == 200
    assert (await registry.call("PUT", f"{ONE}?status=UP&lastDirtyTimestamp=1600000000000")).status == 200
    younger = await registry.call("PUT", f"{ONE}?status=DOWN&lastDirtyTimestamp=1700000000001")
    assert (younger.status, younger.body) == (404, b"")
    revision = (await _ours(registry))["revision"]
    assert (await registry.call("PUT", ONE)).status == 200
    assert (await _ours(registry))["revision"] == revision


async def test_metadata_is_put_by_query(registry: RunningRegistry) -> None:
    await _register(registry)
    assert (await registry.call("PUT", f"{ONE}/metadata?colour=blue%20sky&zone=z2")).status == 200
    instance = (await registry.call("GET", ONE, None, JSON)).json["instance"]
    assert instance["metadata"] == {"zone": "z2", "management.port": "8081", "colour": "blue sky"}
    refused = await registry.call("PUT", f"{ONE}/metadata?eureka.status=UP")
    assert refused.status == 400


async def test_a_cancelled_one_is_gone_and_the_delta_says_so(registry: RunningRegistry) -> None:
    await _register(registry)
    delta = (await registry.call("GET", "/eureka/apps/delta", None, JSON)).json["applications"]
    assert [row["actionType"] for row in delta["application"][0]["instance"]] == ["ADDED"]
    assert (await registry.call("DELETE", ONE)).status == 200
    assert (await registry.call("DELETE", ONE)).status == 404
    later = (await registry.call("GET", "/eureka/apps/delta", None, JSON)).json["applications"]
    (gone,) = later["application"][0]["instance"]
    assert (gone["actionType"], gone["instanceId"], later["apps__hashcode"]) == ("DELETED", ID, "")
    assert later["versions__delta"] != delta["versions__delta"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", ONE, None, 404),
        ("GET", APP, None, 404),
        ("GET", "/eureka/instances/nobody", None, 404),
        ("PUT", f"{ONE}/status?value=UP", None, 404),
        ("PUT", f"{ONE}/status?value=SLEEPY", None, 400),
        ("PUT", f"{ONE}/status", None, 400),
        ("DELETE", f"{ONE}/status", None, 404),
        ("PUT", f"{ONE}/metadata?a=b", None, 404),
        ("POST", APP, {}, 400),
        ("POST", APP, b"{", 400),
        ("POST", APP, info(app="OTHER"), 400),
        ("POST", "/eureka/apps", info(), 404),
        ("POST", "/eureka/peerreplication/batch", {}, 404),
        ("PATCH", ONE, {}, 404),
        ("GET", "/eureka", None, 404),
        ("GET", "/eureka/apps//x", None, 400),
    ],
)
async def test_what_cannot_be_done_is_said_in_eurekas_form(
    registry: RunningRegistry, method: str, path: str, body: object, status: int
) -> None:
    answer = await registry.call(method, path, body, "Content-Type: application/json", JSON)
    assert answer.status == status
    assert answer.headers.get("content-type", "text/plain").startswith("text/plain")
    assert b"\n" not in answer.body.strip()


@pytest.mark.flaky(reruns=0)
async def test_nonsense_is_never_our_fault(registry: RunningRegistry) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    accepted = 0
    for _ in range(500):
        body: bytes | str = nearly_right(chance, info())
        kind = "application/json"
        if chance.random() < 0.3:
            body, kind = _cut(chance, XML_INFO), "application/xml"
        answer = await registry.call(
            "POST", APP, body.encode() if isinstance(body, str) else body, f"Content-Type: {kind}"
        )
        assert answer.status in (204, 400), (body, answer)
        accepted += answer.status == 204
        path = chance.choice(["/status?value=", "/metadata?", "?lastDirtyTimestamp=", "/"]) + quote(_text(chance))
        method = chance.choice(["PUT", "DELETE", "GET"])
        other: Answer = await registry.call(method, f"{APP}/{quote(_text(chance), safe='')}{path}")
        assert other.status in (200, 400, 404), (method, path, other)
    assert 0 < accepted < 500
    assert (await registry.call("GET", "/eureka/apps/delta", None, JSON)).status == 200
    fromstring((await registry.call("GET", "/eureka/apps")).body)


def _cut(chance: random.Random, text: str) -> str:
    at = chance.randrange(len(text))
    return text[:at] + chance.choice(["", "<", "&", "]]>", "\x00", text]) + text[at + chance.randrange(20) :]


def _text(chance: random.Random) -> str:
    return "".join(chr(chance.choice([*range(1, 128), 0xE4, 0x20AC, 0x1F600])) for _ in range(chance.randrange(12)))
