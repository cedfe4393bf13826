from dataclasses import replace

from gateway.exchange import EDGE, MESH
from gateway.relay.refusals import nowhere, too_large
from tests.parts.calls import call
from tests.parts.plans import plan


def test_who_meets_no_route_is_told_how_to_find_one() -> None:
    assert "meshway get routes -A" in nowhere(call("/a", listener=EDGE)).detail
    told = nowhere(call("/a", host="bokks", listener=MESH))
    assert (told.status, told.reason) == (404, "no_route")
    assert "host bokks and path /a" in told.detail


def test_who_sends_too_much_is_told_whose_limit_it_was() -> None:
    told = too_large(replace(plan("upload"), max_body=10.0))
    assert told.detail == "rule upload of Route default/r takes request bodies of at most 10 bytes"
