"""A gateway that has too much to do refuses what matters least, and says so."""

import json

from gateway.relay.shedding import DEFAULT, SHEDDABLE
from tests.parts.changes import document, running, to
from tests.parts.compiled import compiled_gateway
from tests.parts.upstream import RecordingUpstream


async def test_calls_are_refused_by_their_criticality_and_critical_ones_go_on() -> None:
    upstream = RecordingUpstream()
    async with upstream.running():
        rules = [
            to("books", name=name, match=[{"path": {"prefix": f"/{name}"}}], criticality=name)
            for name in ("critical", "default", "sheddable")
        ]
        route = document("Route", "shop", {"hosts": ["shop.example"], "rules": rules})
        async with compiled_gateway(running("books", "1", port=upstream.port), route) as gateway:

            async def statuses() -> dict[str, int]:
                return {rule: (await gateway.ask(f"/{rule}"))[0] for rule in ("critical", "default", "sheddable")}

            assert set((await statuses()).values()) == {200}
            gateway.shed(SHEDDABLE)
            assert await statuses() == {"critical": 200, "default": 200, "sheddable": 503}
            gateway.shed(DEFAULT)
            assert await statuses() == {"critical": 200, "default": 503, "sheddable": 503}
            _, head, body = await gateway.ask("/default")
            assert "\r\nRetry-After: " in head
            assert json.loads(body)["code"] == "overloaded"
            line = next(line for line in gateway.lines if line["status"] == 503 and line["rule"] == "default")
            assert (line["reason"], line["policy"], line["rule"]) == ("overloaded", "gateway overload", "default")
            assert (await gateway.ask("/default", method="POST", fields="Content-Length: 3\r\n", body="abc"))[0] == 503
    assert len(upstream.requests) == 3 + 2 + 1
